"""From a wish to a running experiment: who may stand against whom, and one challenge at a time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlmodel import Session, col, select

from core import ledger
from core.domain.policy import Policy
from core.domain.types import ExperimentMode, ExperimentPurpose, ExperimentStatus, Family, Target
from core.errors import InputRejected, NotFound, Place, Refused
from core.models import Champion, Experiment, ModelVersion, Promotion

#: A live experiment is planned for this many days at most.
LONGEST_DAYS = 365
#: Differences in accuracy that can be planned for: below, no news desk ever sees enough articles.
SMALLEST_EFFECT, LARGEST_EFFECT = 0.01, 0.5


@dataclass(frozen=True)
class Wish:
    """What a person wants to find out on live articles.

    Parameters
    ----------
    target : Target
        Whose champion is challenged.
    challenger_id : int
        The model version that wants the place.
    mode : ExperimentMode
        SHADOW asks both models about every article, SPLIT one of them.
    family : Family or None
        Articles of this family only; None: of every family.
    allocation : float
        Share of the articles that are the challenger's in the split mode, 0.05-0.95.
    effect : float
        Difference in accuracy that one wants to be able to see, 0.01-0.5.
    days : int or None
        How long it runs at most, 1-365; None: as the policy says.
    reason : str
        Why, in a few words.

    Raises
    ------
    InputRejected
        If a number lies outside its range.
    """

    target: Target
    challenger_id: int
    mode: ExperimentMode = ExperimentMode.SHADOW
    family: Family | None = None
    allocation: float = 0.5
    effect: float = 0.1
    days: int | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("allocation", self.allocation, 0.05, 0.95),
            ("effect", self.effect, SMALLEST_EFFECT, LARGEST_EFFECT),
            ("days", 1 if self.days is None else self.days, 1, LONGEST_DAYS),
        ):
            if not low <= value <= high:
                place = Place("experiment", column=name)
                raise InputRejected(place, f"{value} lies outside {low} to {high}", "Choose a value between")


@dataclass(frozen=True)
class Pair:
    """The champion of a target and who stands against it."""

    champion: ModelVersion
    challenger: ModelVersion


def check(session: Session, wish: Wish) -> Pair:
    """Return the two models of a wish.

    Raises
    ------
    NotFound
        If there is no such challenger.
    Refused
        If the target has no champion, the challenger is the champion or learned another target, simulated
        answers would be held against real ones, or another challenge of the target is under way on articles
        of the same family.
    """
    challenger = session.get(ModelVersion, wish.challenger_id)
    if challenger is None:
        raise NotFound("model version", wish.challenger_id, "List them with the command 'models'")
    champion_row = session.get(Champion, wish.target)
    if champion_row is None:
        raise Refused(
            f"There is no champion for '{wish.target}' to hold a challenger against",
            "Promote a first model, then challenge it",
        )
    champion = session.get_one(ModelVersion, champion_row.model_id)
    check_pair(Pair(champion, challenger), wish.target)
    if (other := overlapping(session, wish.target, wish.family)) is not None:
        raise Refused(
            f"Experiment {other.id} is under way for '{wish.target}' on the same articles",
            "Wait for its end or stop it: two challenges at once would spoil each other's count",
        )
    return Pair(champion, challenger)


def check_pair(pair: Pair, target: Target) -> None:
    """Raise Refused where two models cannot be held against each other for a target."""
    champion, challenger = pair.champion, pair.challenger
    if champion.id == challenger.id:
        raise Refused(f"{challenger.name} is the champion for '{target}' itself", "Choose another model")
    if challenger.target is not None and challenger.target != target:
        raise Refused(
            f"{challenger.name} learned the target '{challenger.target}', not '{target}'",
            f"Choose a model for '{target}'",
        )
    if champion.simulated != challenger.simulated:
        made_up = champion if champion.simulated else challenger
        raise Refused(
            f"{made_up.name} is SIMULATED and the other model is not",
            "Hold simulated models against simulated ones only",
        )


def overlapping(session: Session, target: Target, family: Family | None) -> Experiment | None:
    """Return a running challenge of a target that shares articles of a family (None: of all)."""
    query = select(Experiment).where(
        Experiment.target == target,
        Experiment.purpose == ExperimentPurpose.CHALLENGE,
        Experiment.status == ExperimentStatus.RUNNING,
    )
    if family is not None:
        query = query.where((col(Experiment.family).is_(None)) | (Experiment.family == family))
    return session.exec(query.order_by(col(Experiment.id)).limit(1)).first()


def begin(
    session: Session,
    policy: Policy,
    wish: Wish,
    pair: Pair,
    *,
    planned: dict[str, Any],
    budget_micro_usd: int,
    actor: str,
    now: datetime,
) -> Experiment:
    """Begin a challenge and commit. Everything is checked again under the write lock.

    Raises
    ------
    NotFound, Refused
        As `check`, or if the champion is another than it was when the experiment was planned, or the
        month's budget does not bear what was agreed to.
    """
    found = check(session, wish)
    if found.champion.id != pair.champion.id:
        raise Refused(
            f"{found.champion.name} has become the champion for '{wish.target}' meanwhile",
            "Look at the plan against the new champion, then start again",
        )
    simulated = pair.challenger.simulated
    ledger.check_cap(session, policy, budget_micro_usd, simulated=simulated, now=now)
    split = wish.mode == ExperimentMode.SPLIT
    row = Experiment(
        key=_key(),
        target=wish.target,
        family=wish.family,
        mode=wish.mode,
        purpose=ExperimentPurpose.CHALLENGE,
        champion_id=int(pair.champion.id or 0),
        challenger_id=int(pair.challenger.id or 0),
        allocation=wish.allocation if split else None,
        deadline_s=policy.challenger_deadline_s,
        planned=planned,
        budget_micro_usd=budget_micro_usd,
        simulated=simulated,
        reason=wish.reason.strip(),
        actor=actor,
        started_at=now,
        ends_at=now + timedelta(days=policy.experiment_days if wish.days is None else wish.days),
    )
    session.add(row)
    session.commit()
    return row


def watch_due(session: Session, policy: Policy, *, now: datetime) -> list[Promotion]:
    """Return the newest promotion of each target if its former champion should watch and does not yet.

    A promotion is watched once, for the policy's days after it; one that was rolled back is not.
    """
    due = []
    for target in Target:
        newest = select(Promotion).where(Promotion.target == target).order_by(col(Promotion.id).desc())
        entry = session.exec(newest.limit(1)).first()
        if entry is None or entry.action != "promote" or not entry.from_model_id or not entry.to_model_id:
            continue
        watched = session.exec(select(Experiment.id).where(Experiment.promotion_id == entry.id)).first()
        if watched is None and entry.from_model_id != entry.to_model_id and _ends(entry, policy) > now:
            due.append(entry)
    return due


def _ends(entry: Promotion, policy: Policy) -> datetime:
    return entry.at + timedelta(days=policy.watch_days)


def begin_watch(
    session: Session, policy: Policy, promotion_id: int, *, actor: str, now: datetime
) -> Experiment | None:
    """Let the champion that a promotion replaced watch the new one, and commit; None where that is done.

    The former champion stands on the challenger's side: evidence for it is evidence for a rollback.

    Raises
    ------
    Refused
        If the two cannot be held against each other, such as a simulated model and a real one.
    """
    entry = next((each for each in watch_due(session, policy, now=now) if each.id == promotion_id), None)
    if entry is None:
        session.rollback()
        return None
    pair = Pair(
        session.get_one(ModelVersion, entry.to_model_id), session.get_one(ModelVersion, entry.from_model_id)
    )
    check_pair(pair, Target(entry.target))
    row = Experiment(
        key=_key(),
        target=entry.target,
        mode=ExperimentMode.SHADOW,
        purpose=ExperimentPurpose.WATCH,
        champion_id=int(pair.champion.id or 0),
        challenger_id=int(pair.challenger.id or 0),
        deadline_s=policy.challenger_deadline_s,
        simulated=pair.champion.simulated,
        promotion_id=entry.id,
        reason=entry.reason,
        actor=actor,
        started_at=now,
        ends_at=_ends(entry, policy),
    )
    session.add(row)
    session.commit()
    return row


def _key() -> str:
    """Return a name for ever: the salt of the assignment and the name in the ledger."""
    return f"exp-{uuid4().hex[:12]}"
