"""Money of an experiment's questions: each is held under a name of its own, within what a person agreed to.

The name is made of experiment, article and side, so that the ledger itself tells whether a question has left:
no second process and no run after a crash sends it again.
"""

from datetime import datetime

from sqlmodel import Session, col, select

from core.domain.types import CostKind, ExperimentStatus
from core.errors import Refused
from core.ledger import dollars
from core.models import CostEntry, Experiment, ExperimentItem
from core.queries.experiments import ANSWER, committed
from core.services.experiments.items import SideName, side_is_open


def question_id(key: str, article_id: int, side: SideName) -> str:
    """Return the request id of a paid question of an experiment, unique for ever."""
    return f"{key}-{article_id}-{side}"


def asked_at(session: Session, key: str, article_id: int, side: SideName) -> datetime | None:
    """Return when a paid question of an experiment was held, and so may have left; None: it has not."""
    reference = ANSWER + question_id(key, article_id, side)
    held = select(CostEntry.at).where(
        CostEntry.reference == reference, CostEntry.kind == CostKind.RESERVATION
    )
    return session.exec(held.order_by(col(CostEntry.at)).limit(1)).first()


def may_ask(session: Session, experiment_id: int, article_id: int, side: SideName, *, high: int) -> bool:
    """Tell whether a paid question may leave: its experiment runs, its side is open, it was not held before.

    To be called in the transaction that then holds the question's money (`paid_answers.hold`).

    Parameters
    ----------
    high : int
        The most that the question can cost, in micro-dollars.

    Raises
    ------
    Refused
        If the experiment's budget does not bear it.
    """
    experiment = session.get_one(Experiment, experiment_id)
    if experiment.status != ExperimentStatus.RUNNING:
        return False  # a question that waited while it was stopped is not worth its money any more
    still_open = select(ExperimentItem.id).where(
        ExperimentItem.experiment_id == experiment_id,
        ExperimentItem.article_id == article_id,
        side_is_open(side),
    )
    if session.exec(still_open).first() is None:
        return False
    if asked_at(session, experiment.key, article_id, side) is not None:
        return False
    spent = committed(session, experiment.key)
    if spent + high > experiment.budget_micro_usd:
        raise Refused(
            f"{dollars(spent)} of the {dollars(experiment.budget_micro_usd)} that experiment {experiment_id} "
            f"may cost are used, and the next question may cost {dollars(high)}",
            "Start another experiment with a larger budget",
        )
    return True
