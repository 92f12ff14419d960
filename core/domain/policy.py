"""The few numbers that govern every gate, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """Thresholds and targets. Percentages are 0-100, shares and probabilities 0-1.

    Parameters
    ----------
    goal, ideal_goal : int
        Verified samples to reach: the plan's minimum and its ideal.
    direction_threshold_general_pct, direction_threshold_crypto_pct : float
        |return| in percent from which a move counts as positive or negative.
    stock_limit_pct : float
        KRX daily price limit in percent; a larger index move is suspect.
    day_accuracy_gate : float
        The day's accuracy (0-100) that a plan-strict sample needs. A day predicted neutral scores at
        most 70, so it can never pass a gate of 80.
    near_duplicate_jaccard, near_duplicate_days, short_title_chars
        Near-duplicate rule: similarity of character 4-grams, window in days, and the title length
        under which only equal texts are duplicates.
    train_share, validation_share : float
        Shares of the split; the rest is the test part.
    equivalence_margin, minimum_effect, power : float
        Comparison: half-width of "equivalent", smallest difference of interest, and power for the
        number of labels still needed.
    confidence_default : int
        Confidence (0-100) written into a training target when the prediction cannot lend its own.
    monthly_budget_usd, budget_warn_share : float
        Cap of a month's spend until somebody sets another (the plan asks for $50-100), and the share of it
        from which a warning is shown.
    abstention_accuracy, abstention_confidence : float
        Accuracy that the answers kept by a confidence threshold shall have, and how sure of that one wants
        to be.
    gate_rows, gate_rows_per_class : int
        Test articles that a promotion wants to see, in all and of each class.
    gate_margin : float
        How far below zero the lower end of the offline difference may lie (non-inferiority).
    evidence_threshold, ratio_threshold : float
        e-values from which a live experiment is decided, and its split of traffic called broken.
    design_effect_limit : float
        Above it the articles of a day count as one bet.
    experiment_days, watch_days : int
        How long a live experiment runs at most, and how long a former champion watches the new one.
    challenger_deadline_s : float
        Seconds after which a challenger's answer counts as none.
    plan_gain, plan_accuracy, plan_latency_cut : float
        The plan's targets: gain in accuracy over few-shot, accuracy to reach, share of latency saved.
    drift_reference_days, drift_reference_labels : int
        Days with labels, and labels, from which a model version's accuracy is taken as its reference.
    drift_drop : float
        Fall in accuracy that the drift statistics are tuned to find.
    drift_false_alarm_days : int
        Days between the false alarms of each drift statistic, on average.
    shift_level : float
        p value below which a week's inputs or answers count as differently mixed.
    system_prompt : str
        First message of every training example, stored with the model version.
    """

    goal: int = 500
    ideal_goal: int = 1000
    direction_threshold_general_pct: float = 1.0
    direction_threshold_crypto_pct: float = 1.0
    stock_limit_pct: float = 30.0
    day_accuracy_gate: float = 80.0
    near_duplicate_jaccard: float = 0.8
    near_duplicate_days: int = 7
    short_title_chars: int = 20
    train_share: float = 0.8
    validation_share: float = 0.1
    split_seed: int = 20251102
    equivalence_margin: float = 0.05
    minimum_effect: float = 0.05
    power: float = 0.8
    confidence_default: int = 85
    monthly_budget_usd: float = 50.0
    budget_warn_share: float = 0.8
    abstention_accuracy: float = 0.9
    abstention_confidence: float = 0.9
    gate_rows: int = 200
    gate_rows_per_class: int = 30
    gate_margin: float = 0.05
    evidence_threshold: float = 40.0
    ratio_threshold: float = 1000.0
    design_effect_limit: float = 1.2
    experiment_days: int = 28
    watch_days: int = 56
    challenger_deadline_s: float = 10.0
    plan_gain: float = 0.1
    plan_accuracy: float = 0.8
    plan_latency_cut: float = 0.3
    drift_reference_days: int = 30
    drift_reference_labels: int = 500
    drift_drop: float = 0.1
    drift_false_alarm_days: int = 180
    shift_level: float = 0.001
    system_prompt: str = "당신은 금융 시장 전문 뉴스 분석가입니다."

    def __post_init__(self) -> None:
        shares = (self.near_duplicate_jaccard, self.train_share, self.validation_share, self.power)
        if not all(0 < share < 1 for share in shares) or self.train_share + self.validation_share >= 1:
            raise ValueError(
                "shares and probabilities lie between 0 and 1, train and validation below 1 together"
            )
        positive = (
            self.goal,
            self.ideal_goal,
            self.direction_threshold_general_pct,
            self.direction_threshold_crypto_pct,
            self.stock_limit_pct,
            self.minimum_effect,
        )
        if not all(value > 0 for value in positive):
            raise ValueError("goals, thresholds, limits and the minimum effect are above 0")
        if not 0 <= self.confidence_default <= 100 or not 0 <= self.day_accuracy_gate <= 100:
            raise ValueError("the default confidence and the day gate lie between 0 and 100")
