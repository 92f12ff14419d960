"""Live experiments as a person sees them: planned, priced, started, looked at, stopped, put away."""

from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from sqlmodel import Session

from core.bootstrap import App
from core.db import reading, writing
from core.domain.pricing import Quote, Unpriced
from core.domain.sequential import planned
from core.domain.split_plan import planned_split
from core.domain.tokens import TokenEstimate
from core.domain.types import ExperimentMode, Target
from core.errors import Refused
from core.ledger import dollars
from core.models import ModelVersion
from core.providers.base import NewsText
from core.queries import experiments as looks
from core.services import experiments
from core.services.experiments import Pair, SideName, Wish
from core.workflows.answering import PromptTokens, is_asker, load_predictor, tariff

#: Share of articles on which exactly one of two models is right, where no comparison has measured it.
ASSUMED_DISCORDANCE = 0.25
#: Accuracy of the champion where no comparison has measured it.
ASSUMED_ACCURACY = 0.75
#: Newest articles whose length stands for those to come.
SAMPLE = 50


@dataclass(frozen=True)
class SidePrice:
    """What the questions of one side cost.

    Parameters
    ----------
    side : {"champion", "challenger"}
        Whose.
    questions : int
        How many are expected at most: those that the API asks anyway are not among the champion's.
    per_1000_micro_usd : int
        Probable price of a thousand.
    high_micro_usd : int
        The most that all of them can cost.
    """

    side: SideName
    questions: int
    per_1000_micro_usd: int
    high_micro_usd: int


@dataclass(frozen=True)
class Plan:
    """What an experiment would take and could show, said before it begins.

    Parameters
    ----------
    wish : Wish
        What is wanted.
    champion_id, champion, challenger_id, challenger : int, str
        The two model versions and their names.
    planned : dict
        As kept with the experiment: ``effect``, ``discordance`` (share of articles on which exactly one is
        right), ``discordance_from`` ("comparison" or "assumed"), ``power``, ``threshold``, ``days`` (how long
        it runs at most), ``labels_a_day``, ``articles_a_day``, and of `sequential.planned`: ``articles_fixed``
        (a test with one look would need), ``articles``, ``days_median``, ``days_power``, ``detectable``
        (None where nothing arrives).
    prices : tuple of SidePrice
        Sides that cost money; empty where all answers are free.
    budget_micro_usd : int
        What the questions can cost in all, to be agreed to (see `must_agree`); 0 where answers are free.
    simulated : bool
        Whether both models are.
    warnings : tuple of str
        Codes: NO_LABELS (none arrived in the last 28 days), TOO_SLOW (the effect will probably not show within
        the days), DISCORDANCE_ASSUMED, DAY_IS_UNIT (a day's articles share one market move and count as one
        bet), SPLIT_IS_SLOW (asking both about every article needs far fewer).
    """

    wish: Wish
    champion_id: int
    champion: str
    challenger_id: int
    challenger: str
    planned: dict[str, Any]
    prices: tuple[SidePrice, ...]
    budget_micro_usd: int
    simulated: bool
    warnings: tuple[str, ...]

    @property
    def must_agree(self) -> bool:
        """Whether it cannot begin without a budget: the challenger's answers cost money."""
        return any(price.side == "challenger" for price in self.prices)


def plan_experiment(app: App, wish: Wish) -> Plan:
    """Return what an experiment would take and could show; nothing is written.

    Raises
    ------
    NotFound, Refused
        If the two models cannot be held against each other, one of them cannot answer, another challenge is
        under way on the same articles, or a price that is needed is not known.
    """
    with reading(app.engine) as session:
        pair = experiments.check(session, wish)
        expected = _planned(app, session, wish, pair)
        prices = _prices(app, session, wish, pair, expected)
    return Plan(
        wish=wish,
        champion_id=int(pair.champion.id or 0),
        champion=pair.champion.name,
        challenger_id=int(pair.challenger.id or 0),
        challenger=pair.challenger.name,
        planned=expected,
        prices=prices,
        budget_micro_usd=sum(price.high_micro_usd for price in prices),
        simulated=pair.challenger.simulated,
        warnings=_warnings(wish, expected),
    )


def _planned(app: App, session: Session, wish: Wish, pair: Pair) -> dict[str, Any]:
    policy, now = app.policy, app.now()
    compared = looks.newest_comparison(
        session, int(pair.champion.id or 0), int(pair.challenger.id or 0), wish.target
    )
    report = compared.report if compared else {}
    measured = discordance_of(report)
    discordance = max(measured or ASSUMED_DISCORDANCE, wish.effect)
    labels = looks.labels_a_day(session, wish.target, wish.family, now=now)
    if wish.mode == ExperimentMode.SPLIT:
        accuracy = report.get("accuracy_champion") or ASSUMED_ACCURACY
        expected = planned_split(wish.effect, accuracy, wish.allocation, per_day=labels, power=policy.power)
    else:
        expected = planned(
            wish.effect,
            discordance,
            per_day=labels,
            power=policy.power,
            threshold=policy.evidence_threshold,
            seed=policy.split_seed,
            by_day=wish.target == Target.DIRECTION,
            limit=policy.design_effect_limit,
        )
    return expected | {
        "effect": wish.effect,
        "discordance": discordance,
        "discordance_from": "comparison" if measured else "assumed",
        "threshold": policy.evidence_threshold,
        "days": policy.experiment_days if wish.days is None else wish.days,
        "labels_a_day": labels,
        "articles_a_day": looks.articles_a_day(session, wish.family, now=now),
    }


def discordance_of(report: dict[str, Any]) -> float | None:
    """Return the share of articles on which exactly one model was right; None where that is unknown."""
    table, n = report.get("table") or {}, report.get("n") or 0
    apart = table.get("champion_only", 0) + table.get("challenger_only", 0)
    return apart / n if n and apart else None


def _warnings(wish: Wish, expected: dict[str, Any]) -> tuple[str, ...]:
    slow = expected["days_power"] is None or expected["days_power"] > expected["days"]
    said = {
        "NO_LABELS": not expected["labels_a_day"],
        "TOO_SLOW": bool(expected["labels_a_day"]) and slow,
        "DISCORDANCE_ASSUMED": expected["discordance_from"] == "assumed",
        "DAY_IS_UNIT": wish.target == Target.DIRECTION,
        "SPLIT_IS_SLOW": wish.mode == ExperimentMode.SPLIT,
    }
    return tuple(code for code, holds in said.items() if holds)


def _prices(
    app: App, session: Session, wish: Wish, pair: Pair, expected: dict[str, Any]
) -> tuple[SidePrice, ...]:
    """Return what each side that costs money costs.

    Expected are all articles of the days, or those that the effect needs where more; a side of the split mode
    gets its share of them.
    """
    texts = [NewsText(title, body) for title, body in looks.newest_texts(session, wish.family, limit=SAMPLE)]
    arriving = expected["articles_a_day"] * expected["days"]
    questions = ceil(max(arriving, expected["articles"] or 0, 1))
    shares = {"champion": 1.0, "challenger": 1.0}
    if wish.mode == ExperimentMode.SPLIT:
        shares = {"champion": 1 - wish.allocation, "challenger": wish.allocation}
    sides: tuple[tuple[SideName, ModelVersion], ...] = (
        ("champion", pair.champion),
        ("challenger", pair.challenger),
    )
    found = []
    for side, model in sides:
        n = ceil(questions * shares[side])
        price = _price(app, session, model, texts, n)
        if price is not None:
            found.append(SidePrice(side, n, ceil(1000 * price.likely / n), price.high))
    return tuple(found)


def _price(app: App, session: Session, model: ModelVersion, texts: list[NewsText], n: int) -> Quote | None:
    """Return the price of `n` questions like `texts`; None where answers are free.

    Raises
    ------
    Refused
        If the model cannot answer, or no price is known.
    """
    predictor = load_predictor(app, model)
    if predictor is None:
        raise Refused(
            f"{model.name} has stored predictions only and cannot answer a new article",
            "Choose a model of a provider that can answer, such as a local one",
        )
    rates = tariff(app, session, model, predictor)
    if rates is None or not is_asker(predictor):
        return None
    counts = [PromptTokens(predictor)(text) for text in texts or [NewsText("가" * 40, "가" * 300)]]
    mean = TokenEstimate.total(counts)
    # the longest of the sample stands for the upper end: articles to come may all be like it
    prompts = TokenEstimate(
        mean.low * n // len(counts), ceil(mean.likely * n / len(counts)), max(c.high for c in counts) * n
    )
    quote = rates.quote(n, prompts)
    if isinstance(quote, Unpriced):
        raise Refused(quote.problem, quote.remedy)
    return quote


def start_experiment(
    app: App, wish: Wish, accept_micro_usd: int | None = None, actor: str | None = None
) -> int:
    """Begin a challenge of the target's present champion and return its id.

    Parameters
    ----------
    accept_micro_usd : int or None
        What its questions may cost in all, as a person agreed; needed where the challenger's answers cost
        money. Once that is used up the experiment ends by itself. Where the champion alone costs money,
        without a budget those articles count that it has answered or is asked about anyway.

    Raises
    ------
    NotFound, Refused
        As `plan_experiment`, or if a price is not agreed to, or the month's budget does not bear it.
    """
    plan = plan_experiment(app, wish)
    if plan.must_agree and not accept_micro_usd:
        raise Refused(
            f"The questions of this experiment may cost up to {dollars(plan.budget_micro_usd)}, and nobody has "
            "agreed to that",
            "Agree to a budget for it, or challenge with a model whose answers are free",
        )
    with reading(app.engine) as session:
        pair = Pair(
            session.get_one(ModelVersion, plan.champion_id), session.get_one(ModelVersion, plan.challenger_id)
        )
    with writing(app.engine, durable=True) as session:
        experiment = experiments.begin(
            session,
            app.policy,
            wish,
            pair,
            planned=plan.planned | {"prices": [asdict(price) for price in plan.prices]},
            budget_micro_usd=(accept_micro_usd or 0) if plan.prices else 0,
            actor=actor or app.settings.actor,
            now=app.now(),
        )
        return int(experiment.id or 0)


def stop_experiment(app: App, experiment_id: int, reason: str) -> None:
    """End an experiment by a person's wish; what it has shown is kept."""
    with writing(app.engine) as session:
        experiments.stop(session, app.policy, experiment_id, reason=reason, now=app.now())


def archive_experiment(app: App, experiment_id: int) -> None:
    """Put an ended experiment out of the way; nothing of it is deleted."""
    with writing(app.engine) as session:
        experiments.archive(session, experiment_id, now=app.now())


def experiment_evidence(app: App, experiment_id: int) -> dict[str, Any]:
    """Return what an experiment has shown until now, or what it showed when it ended.

    The report of `domain.live.judge` with ``coverage``, ``asked`` and ``as_of``; an ended one has
    ``ended_by`` and ``note`` as well. See `services.experiments.evidence`.
    """
    with reading(app.engine) as session:
        experiment = experiments.get_experiment(session, experiment_id)
        return experiments.evidence(session, app.policy, experiment, now=app.now())
