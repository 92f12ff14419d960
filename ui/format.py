"""Values as people read them: numbers with units, times in Seoul, and a word for every code."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.domain.types import Sentiment
from ui.i18n import mark, t

SEOUL = ZoneInfo("Asia/Seoul")
#: Shown where a value is not known. Never zero.
DASH = "–"
SENTIMENTS = (Sentiment.POSITIVE, Sentiment.NEUTRAL, Sentiment.NEGATIVE)

#: code -> English word, by vocabulary. Codes repeat across vocabularies, so each has its own table.
WORDS: dict[str, dict[str, str]] = {
    "sentiment": {
        "positive": mark("positive"),
        "neutral": mark("neutral"),
        "negative": mark("negative"),
    },
    "target": {"sentiment": mark("Sentiment"), "direction": mark("Market direction")},
    "family": {"general": mark("General (KOSPI, KOSDAQ)"), "crypto": mark("Crypto (BTC, ETH)")},
    "origin": {
        "ai-news-trader": mark("AI News Trader"),
        "labelled": mark("Labelled table"),
        "market": mark("Market data"),
        "api": mark("API"),
        "demo": mark("Demo"),
    },
    "reason": {
        "PLACEHOLDER_BODY": mark("Body is a placeholder"),
        "DUPLICATE_URL": mark("Same address as another article"),
        "NEAR_DUPLICATE": mark("Nearly the same text"),
        "NO_LABEL": mark("No gold label yet"),
        "LABEL_CONFLICT": mark("Reviewers disagree"),
        "EXCLUDED_BY_HAND": mark("Excluded by hand"),
    },
    "flag": {
        "TRUNCATED": mark("Body cut off"),
        "HTML_REMNANT": mark("HTML remnant removed"),
        "DATE_MISMATCH": mark("Inner date differs from file name"),
        "UNRELIABLE_TIME": mark("Publication time unreliable"),
        "TIME_SHIFTED": mark("Published after it was collected"),
        "NOT_NFC": mark("Unusual Unicode form"),
        "LABEL_CHANGED": mark("Label changed between copies"),
    },
    "outcome": {
        "pending": mark("Waiting"),
        "matured": mark("Known"),
        "void": mark("Cannot be known"),
    },
    "void_reason": {
        "MARKET_UNKNOWN": mark("No believable market data for that session"),
        "MARKET_SUSPECT": mark("Market data implausible"),
        "UNDATED": mark("The article has no date"),
        "OUTSIDE_CALENDAR": mark("Outside the exchange calendar"),
    },
    "strategy": {
        "all_verified": mark("All verified samples"),
        "success_first": mark("Success cases first"),
        "success_only": mark("Success cases only"),
    },
    "balance": {
        "none": mark("As collected"),
        "undersample": mark("Undersample the majority"),
        "class_weights": mark("Class weights"),
    },
    "split_method": {
        "chronological": mark("Chronological"),
        "stratified": mark("Stratified, seeded"),
    },
    "split": {"train": mark("Train"), "validation": mark("Validation"), "test": mark("Test")},
    "kind": {"few_shot": mark("Few-shot"), "fine_tuned": mark("Fine-tuned"), "cascade": mark("Cascade")},
    "stage": {
        "candidate": mark("Candidate"),
        "challenger": mark("Challenger"),
        "champion": mark("Champion"),
        "retired": mark("Retired"),
    },
    "job": {
        "reserved": mark("Reserved"),
        "submitting": mark("Starting"),
        "queued": mark("Queued"),
        "running": mark("Running"),
        "succeeded": mark("Succeeded"),
        "failed": mark("Failed"),
        "cancelled": mark("Cancelled"),
        "blocked": mark("Blocked"),
        "unknown": mark("Unknown"),
    },
    "verdict": {
        "better": mark("Better"),
        "worse": mark("Worse"),
        "equivalent": mark("Equivalent"),
        "inconclusive": mark("Inconclusive"),
    },
    "interval": {
        "wilson": mark("Wilson, 95 %"),
        "market-day bootstrap": mark("bootstrap over market days, 95 %"),
        "tango": mark("Tango, 95 %"),
        "paired bootstrap": mark("paired bootstrap, 95 %"),
    },
    "experiment": {
        "running": mark("Running"),
        "concluded": mark("Concluded"),
        "stopped": mark("Stopped"),
    },
    "action": {"promote": mark("Promoted"), "rollback": mark("Rolled back")},
    "role": {
        "leader": mark("Leader"),
        "standby": mark("Standing by"),
        "off": mark("Off"),
    },
    "file": {
        "read": mark("Read"),
        "rejected": mark("Rejected"),
        "ignored": mark("Ignored"),
    },
}


def word(vocabulary: str, code: str | None) -> str:
    """Return the reader's word for a code; a dash for None, the code itself where it is new to us."""
    if code is None:
        return DASH
    return t(WORDS[vocabulary][code]) if code in WORDS[vocabulary] else str(code)


def number(value: float | None, digits: int = 0) -> str:
    """Return a number with thousands separators."""
    return DASH if value is None else f"{value:,.{digits}f}"


def share(value: float | None, digits: int = 1) -> str:
    """Return a share 0-1 as a percentage."""
    return DASH if value is None else f"{100 * value:.{digits}f} %"


def share_interval(interval: list[float] | tuple[float, float] | None) -> str:
    """Return an interval of shares 0-1 as percentages."""
    return DASH if interval is None else f"{100 * interval[0]:.1f}{DASH}{100 * interval[1]:.1f} %"


def points(value: float | None) -> str:
    """Return a difference of shares as signed percentage points."""
    return DASH if value is None else t("{value} pp", value=f"{100 * value:+.1f}".replace("-", "−"))


def points_interval(interval: list[float] | tuple[float, float] | None) -> str:
    """Return an interval of differences in percentage points."""
    if interval is None:
        return DASH
    low, high = (f"{100 * value:+.1f}".replace("-", "−") for value in interval)
    return t("{low} to {high} pp", low=low, high=high)


def signed_share(value: float | None) -> str:
    """Return a change as a share of what was, 0-1, as a signed percentage."""
    return DASH if value is None else f"{100 * value:+.1f} %".replace("-", "−")


def signed_shares(interval: list[float] | tuple[float, float] | None) -> str:
    """Return an interval of changes as signed percentages."""
    if interval is None:
        return DASH
    return t("{low} to {high}", low=signed_share(interval[0]), high=signed_share(interval[1]))


def p_value(value: float | None) -> str:
    """Return a p value with its sign of equality, never as zero."""
    if value is None:
        return f"p = {DASH}"
    return "p < 0.001" if value < 0.0005 else f"p = {value:.3f}"


def signed_pct(value: float | None) -> str:
    """Return a return in percent with its sign."""
    return DASH if value is None else f"{value:+.2f} %".replace("-", "−")


def seoul(at: datetime | None) -> datetime | None:
    """Return an aware time in Seoul; values read by raw SQL are UTC without saying so."""
    if at is None:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(SEOUL)


def moment(at: datetime | None) -> str:
    """Return a time as date and minute in Seoul."""
    local = seoul(at)
    return DASH if local is None else f"{local:%Y-%m-%d %H:%M}"


def day(value: date | None) -> str:
    """Return a date with its weekday."""
    if value is None:
        return DASH
    names = (t("Mon"), t("Tue"), t("Wed"), t("Thu"), t("Fri"), t("Sat"), t("Sun"))
    return f"{value:%Y-%m-%d} ({names[value.weekday()]})"


def duration(span: timedelta | None) -> str:
    """Return a duration in its two largest units."""
    if span is None:
        return DASH
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return t("{n} s", n=seconds)
    if seconds < 3600:
        return t("{m} min {s} s", m=seconds // 60, s=seconds % 60)
    if seconds < 86_400:
        return t("{h} h {m} min", h=seconds // 3600, m=seconds % 3600 // 60)
    return t("{d} d {h} h", d=seconds // 86_400, h=seconds % 86_400 // 3600)


def ago(at: datetime | None, now: datetime) -> str:
    """Return how long ago a time was, in its largest unit."""
    local = seoul(at)
    if local is None:
        return DASH
    seconds = int((now - local).total_seconds())
    if seconds < 60:
        return t("just now")
    if seconds < 3600:
        return t("{n} min ago", n=seconds // 60)
    if seconds < 86_400:
        return t("{n} h ago", n=seconds // 3600)
    return t("{n} d ago", n=seconds // 86_400)


def size(n_bytes: int | None) -> str:
    """Return a size in bytes with a unit."""
    if n_bytes is None:
        return DASH
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= scale:
            return f"{n_bytes / scale:.1f} {unit}"
    return f"{n_bytes} B"


def short_hash(sha256: str | None) -> str:
    """Return the first ten characters of a checksum."""
    return DASH if not sha256 else sha256[:10]


_SPECIAL = {ord(sign): f"\\{sign}" for sign in "\\`*_{}[]()#+-.!|~<>$:^=&"}


def plain(text: str | None) -> str:
    """Return foreign text that markdown shows letter for letter, on one line."""
    return " ".join((text or "").split()).translate(_SPECIAL)
