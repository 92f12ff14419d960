"""What a month may cost, what it will probably cost, and when a tuned model pays for itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, sqrt
from statistics import stdev

from scipy.special import stdtrit

#: With fewer full days than this the spread of a day's spend is anybody's guess.
FORECAST_DAYS_NEEDED = 3
#: The plan's own month: 100 articles a day are 3,000 a month.
DAYS_A_MONTH = 30.0
HORIZON_MONTHS = 12.0


@dataclass(frozen=True)
class Standing:
    """A month's budget as it stands, in millionths of a US dollar.

    Parameters
    ----------
    cap : int
        What the month may cost.
    spent : int
        What was billed since its first day (Seoul).
    reserved : int
        What is held for work under way, whenever it began.
    warn_share : float
        Share of the cap, 0-1, from which a warning is due.
    is_default : bool
        Whether nobody has set a cap yet.
    """

    cap: int
    spent: int
    reserved: int
    warn_share: float = 0.8
    is_default: bool = True

    @property
    def left(self) -> int:
        """What may still be reserved; negative when the cap was lowered below what is committed."""
        return self.cap - self.spent - self.reserved

    @property
    def stopped(self) -> bool:
        """Whether nothing may be spent any more."""
        return self.left <= 0

    @property
    def warns(self) -> bool:
        """Whether spent and reserved have reached the warning line."""
        return self.spent + self.reserved >= self.warn_share * self.cap

    def may_spend(self, micro_usd: int) -> bool:
        """Tell whether an amount fits under the cap; nothing at all always fits."""
        return micro_usd <= 0 or micro_usd <= self.left


@dataclass(frozen=True)
class MonthForecast:
    """What a month will probably have cost at its end, in micro-dollars.

    Parameters
    ----------
    low, likely, high : int
        The 80 % range of the month's total and its middle; never less than what is committed already.
    a_day : int
        Mean of what recurs (answers, batches, hosting, GPUs) a day.
    days_seen : int
        Full days that the mean was taken of.
    days_left : float
        Days of the month still to come, a fraction for the rest of today.
    """

    low: int
    likely: int
    high: int
    a_day: int
    days_seen: int
    days_left: float


def forecast(standing: Standing, daily: Sequence[int], days_left: float) -> MonthForecast | None:
    """Return what the month will cost if the days to come are like the last ones; None where that is a guess.

    Committed money (spent and reserved) is counted as it is. Added to it is what recurs: the mean of the
    `daily` amounts for each day left, with the range in which a normal sample's next days fall in four of
    five cases, mean ± t(0.9; n-1) · s · sqrt(L + L²/n) for the sum of L days after n seen. Trainings do not
    recur by themselves: only what is committed of them is in it.

    Parameters
    ----------
    standing : Standing
        The month so far.
    daily : sequence of int
        Micro-dollars of recurring spend of the last full days, days without any included.
    days_left : float
        Days of the month still to come.

    References
    ----------
    Hahn, G. J. and Meeker, W. Q. (1991), Statistical Intervals, section 4.9 (prediction interval for the
    mean of future observations).
    """
    seen = len(daily)
    if seen < FORECAST_DAYS_NEEDED:
        return None
    mean = sum(daily) / seen
    reach = stdtrit(seen - 1, 0.9) * stdev(daily) * sqrt(days_left + days_left**2 / seen)
    committed = standing.spent + standing.reserved
    return MonthForecast(
        low=committed + round(max(0.0, mean * days_left - reach)),
        likely=committed + round(mean * days_left),
        high=committed + round(mean * days_left + reach),
        a_day=round(mean),
        days_seen=seen,
        days_left=days_left,
    )


class NoPayback(StrEnum):
    """Why a tuned model never pays for itself."""

    NOT_CHEAPER = "not_cheaper"
    HOSTING = "hosting"
    RETIRED_BEFORE = "retired_before"


@dataclass(frozen=True)
class Alternatives:
    """A tuned model beside few-shot prompting, in micro-dollars.

    Parameters
    ----------
    training : int
        What tuning costs once.
    few_shot, tuned : float
        What an article costs either way, fractions of a micro-dollar included.
    hosting_a_month : int
        What keeping the tuned model costs a month, used or not.
    articles_a_day : float
        Articles to be judged.
    life_months : float or None
        Months until the tuned model is switched off; None where no end is known.
    """

    training: int
    few_shot: float
    tuned: float
    hosting_a_month: int = 0
    articles_a_day: float = 100.0
    life_months: float | None = None


@dataclass(frozen=True)
class BreakEven:
    """Whether and when tuning pays.

    Parameters
    ----------
    saved_a_month : int
        Micro-dollars that the tuned model saves a month after its hosting; negative where it costs more.
    months, articles : float, int or None
        Until the training is paid back; None for never.
    reason : NoPayback or None
        Why never.
    horizon_months : float
        Over which the return is told: a year, or the model's life where that is shorter.
    net : int
        Micro-dollars won (or lost, below 0) over the horizon, training included.
    """

    saved_a_month: int
    months: float | None
    articles: int | None
    reason: NoPayback | None
    horizon_months: float
    net: int

    def rate_of_return(self, training: int) -> float | None:
        """Return what is won for each dollar of training over the horizon; None where training was free."""
        return self.net / training if training else None


def break_even(given: Alternatives) -> BreakEven:
    """Return when a tuned model has paid for its training, and what it returns.

    Cost alone is weighed: what better answers are worth is for the comparison of models to say.
    """
    a_month = given.articles_a_day * DAYS_A_MONTH
    gross = (given.few_shot - given.tuned) * a_month
    saved = gross - given.hosting_a_month
    life = given.life_months
    horizon = HORIZON_MONTHS if life is None else min(HORIZON_MONTHS, life)
    months = given.training / saved if saved > 0 else None
    reason = None
    if months is None:
        reason = NoPayback.NOT_CHEAPER if gross <= 0 else NoPayback.HOSTING
    elif life is not None and months > life:
        months, reason = None, NoPayback.RETIRED_BEFORE
    return BreakEven(
        saved_a_month=round(saved),
        months=months,
        articles=None if months is None else ceil(months * a_month),
        reason=reason,
        horizon_months=horizon,
        net=round(saved * horizon) - given.training,
    )


@dataclass(frozen=True)
class ReferenceLine:
    """A figure that the plan expected, to hold measured ones against.

    Parameters
    ----------
    code : str
        What it is of.
    low_usd, high_usd : float
        Ends of the range in US dollars.
    per : str
        "month", "training" or "hour".
    source : str
        Who says so.
    """

    code: str
    low_usd: float
    high_usd: float
    per: str
    source: str = "the plan"


#: As the plan of the fine-tuning project states them; inference is for 100 articles a day.
REFERENCE_LINES = (
    ReferenceLine("budget", 50, 100, "month"),
    ReferenceLine("training", 10, 20, "training"),
    ReferenceLine("inference", 20, 50, "month"),
    ReferenceLine("gpu", 0.5, 2, "hour"),
    ReferenceLine("serving", 100, 500, "month"),
)
