"""The vocabulary: every closed set of words that code, tables, pages and docs share."""

from enum import StrEnum


class Family(StrEnum):
    """Which market an article speaks of."""

    GENERAL = "general"
    CRYPTO = "crypto"


class Sentiment(StrEnum):
    """The three classes, of a prediction, a human label or a market direction alike."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


class Target(StrEnum):
    """What is being learned: human labels (sentiment) or market outcomes (direction). Never mixed."""

    SENTIMENT = "sentiment"
    DIRECTION = "direction"


class Origin(StrEnum):
    """How an article came in."""

    AI_NEWS_TRADER = "ai-news-trader"
    LABELLED = "labelled"
    API = "api"
    DEMO = "demo"


class Instrument(StrEnum):
    """What has a close. The family's return is the mean of its instruments."""

    KOSPI = "kospi"
    KOSDAQ = "kosdaq"
    BTC = "btc"
    ETH = "eth"


INSTRUMENTS: dict[Family, tuple[Instrument, ...]] = {
    Family.GENERAL: (Instrument.KOSPI, Instrument.KOSDAQ),
    Family.CRYPTO: (Instrument.BTC, Instrument.ETH),
}


class MarketSource(StrEnum):
    """Where a market number came from, best first: earlier members take precedence."""

    BACKFILL_CLOSE = "backfill-close"
    BACKFILL_PERCENT = "backfill-percent"
    LIVE = "live"
    PARENT = "parent"
    DEMO = "demo"


class MarketStatus(StrEnum):
    """What one day's market file or row is worth."""

    REAL = "real"
    PARTIAL = "partial"
    CLOSED = "closed"
    UNKNOWN = "unknown"
    SUSPECT = "suspect"


class OutcomeState(StrEnum):
    """Whether the market's answer to an article is known."""

    PENDING = "pending"
    MATURED = "matured"
    VOID = "void"


class VoidReason(StrEnum):
    """Why an outcome will not be believed."""

    MARKET_UNKNOWN = "MARKET_UNKNOWN"
    MARKET_SUSPECT = "MARKET_SUSPECT"
    UNDATED = "UNDATED"
    OUTSIDE_CALENDAR = "OUTSIDE_CALENDAR"


class Reason(StrEnum):
    """Why an article is not a sample, in the order in which the waterfall asks."""

    PLACEHOLDER_BODY = "PLACEHOLDER_BODY"
    DUPLICATE_URL = "DUPLICATE_URL"
    NEAR_DUPLICATE = "NEAR_DUPLICATE"
    NO_LABEL = "NO_LABEL"
    LABEL_CONFLICT = "LABEL_CONFLICT"
    EXCLUDED_BY_HAND = "EXCLUDED_BY_HAND"


class Flag(StrEnum):
    """What is worth knowing about an article without excluding it."""

    TRUNCATED = "TRUNCATED"
    HTML_REMNANT = "HTML_REMNANT"
    DATE_MISMATCH = "DATE_MISMATCH"
    UNRELIABLE_TIME = "UNRELIABLE_TIME"
    TIME_SHIFTED = "TIME_SHIFTED"
    NOT_NFC = "NOT_NFC"
    LABEL_CHANGED = "LABEL_CHANGED"


class Strategy(StrEnum):
    """Which training rows a dataset version prefers. Validation and test are never filtered."""

    ALL_VERIFIED = "all_verified"
    SUCCESS_FIRST = "success_first"
    SUCCESS_ONLY = "success_only"


class Balance(StrEnum):
    """How the training part treats unequal classes."""

    NONE = "none"
    UNDERSAMPLE = "undersample"
    CLASS_WEIGHTS = "class_weights"


class SplitMethod(StrEnum):
    """How samples are dealt to the parts."""

    CHRONOLOGICAL = "chronological"
    STRATIFIED = "stratified"


class Split(StrEnum):
    """The parts of a dataset version."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class ModelKind(StrEnum):
    """How a model version came to be."""

    FEW_SHOT = "few_shot"
    FINE_TUNED = "fine_tuned"
    CASCADE = "cascade"


class Stage(StrEnum):
    """Where a model version stands for one target."""

    CANDIDATE = "candidate"
    CHALLENGER = "challenger"
    CHAMPION = "champion"
    RETIRED = "retired"


class JobStatus(StrEnum):
    """Where one attempt to train stands."""

    RESERVED = "reserved"
    SUBMITTING = "submitting"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


ACTIVE_JOB_STATUSES = (
    JobStatus.RESERVED,
    JobStatus.SUBMITTING,
    JobStatus.QUEUED,
    JobStatus.RUNNING,
    JobStatus.UNKNOWN,
)


class RunStatus(StrEnum):
    """How a background job or an import ended."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Verdict(StrEnum):
    """What a comparison of a challenger with a champion says."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"


class CostKind(StrEnum):
    """What a row of the ledger says of an amount of money."""

    ESTIMATE = "estimate"
    RESERVATION = "reservation"
    ACTUAL = "actual"
    RELEASE = "release"


class CostPurpose(StrEnum):
    """What money is spent on."""

    TRAINING = "training"
    INFERENCE = "inference"
    BATCH = "batch"
    HOSTING = "hosting"
    GPU = "gpu"


class PriceKind(StrEnum):
    """What a price is for: a million tokens of a kind, or an hour of something."""

    TRAINING = "training"
    INPUT = "input"
    CACHED_INPUT = "cached_input"
    OUTPUT = "output"
    BATCH_INPUT = "batch_input"
    BATCH_OUTPUT = "batch_output"
    HOSTING_HOUR = "hosting_hour"
    GPU_HOUR = "gpu_hour"


class JobPurpose(StrEnum):
    """Why a training job was started."""

    TRAIN = "train"
    SWEEP = "sweep"
    PILOT = "pilot"


class RunMode(StrEnum):
    """How a prediction run asks: one request an article, or the vendor's batch service."""

    DIRECT = "direct"
    BATCH = "batch"


class ItemState(StrEnum):
    """Where one article of a prediction run stands. SENT is written before the request leaves."""

    PENDING = "pending"
    SENT = "sent"
    OK = "ok"
    FAILED = "failed"


class Failure(StrEnum):
    """Why an article has no answer."""

    NO_CONNECTION = "NO_CONNECTION"
    TIMEOUT = "TIMEOUT"
    CONNECTION_LOST = "CONNECTION_LOST"
    RATE_LIMITED = "RATE_LIMITED"
    OVERLOADED = "OVERLOADED"
    PROVIDER_ERROR = "PROVIDER_ERROR"
    KEY_REFUSED = "KEY_REFUSED"
    NOT_AVAILABLE = "NOT_AVAILABLE"
    REQUEST_REFUSED = "REQUEST_REFUSED"
    UNREADABLE = "UNREADABLE"
    DECLINED = "DECLINED"
    EMPTY = "EMPTY"
    CUT_OFF = "CUT_OFF"
    NOT_JSON = "NOT_JSON"
    WRONG_SENTIMENT = "WRONG_SENTIMENT"
    WRONG_CONFIDENCE = "WRONG_CONFIDENCE"
    WRONG_KEYWORDS = "WRONG_KEYWORDS"
    WRONG_REASON = "WRONG_REASON"
    MISSING = "MISSING"
    DUPLICATE = "DUPLICATE"
    INTERRUPTED = "INTERRUPTED"
    TOO_LONG = "TOO_LONG"


class Readiness(StrEnum):
    """Whether a provider can do something now; unknown is said, never guessed."""

    READY = "ready"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


class AlertState(StrEnum):
    """Whether somebody has taken note of an alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class ExperimentMode(StrEnum):
    """How a live experiment asks: both models every article, or each article one of them."""

    SHADOW = "shadow"
    SPLIT = "split"


class ExperimentPurpose(StrEnum):
    """Why a live experiment runs: a challenger wants the place, or a former champion watches the new one."""

    CHALLENGE = "challenge"
    WATCH = "watch"


class ExperimentStatus(StrEnum):
    """Where a live experiment stands: concluded by its evidence or its end, or stopped by a person."""

    RUNNING = "running"
    CONCLUDED = "concluded"
    STOPPED = "stopped"


class Arm(StrEnum):
    """Who is asked about an article of a live experiment; `BOTH` in the shadow mode."""

    BOTH = "both"
    CHAMPION = "champion"
    CHALLENGER = "challenger"


class Unit(StrEnum):
    """What one bet of the live evidence is about: an article, or all articles of a day."""

    ARTICLE = "article"
    DAY = "day"


class GateState(StrEnum):
    """What a gate of the promotion says; waiting: its evidence is not there yet."""

    PASSED = "passed"
    FAILED = "failed"
    WAITING = "waiting"
