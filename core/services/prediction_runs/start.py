"""From a wish to a run: which articles have no answer yet, what is reserved for them, and joining."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

from sqlmodel import Session, col, desc, select

from core import ledger
from core.db import insert_new
from core.domain.policy import Policy
from core.domain.pricing import Quote
from core.domain.types import ACTIVE_JOB_STATUSES, ItemState, JobStatus, RunMode, Split
from core.errors import NotFound, Refused
from core.models import (
    Article,
    DatasetItem,
    DatasetVersion,
    ModelVersion,
    Prediction,
    PredictionItem,
    PredictionRun,
)
from core.providers.base import NewsText
from core.services.prediction_runs.rows import charge, has_left

#: Values of one IN list: below every SQLite build's limit of parameters.
_LOOKUP = 5_000
#: Texts read at a time.
WINDOW = 100


@dataclass(frozen=True)
class Wish:
    """Which articles are to be judged by which model.

    Parameters
    ----------
    model_id : int
        Model version.
    dataset_id, split : int, Split or None
        Articles of a dataset version, of one of its parts or of all.
    article_ids : tuple of int or None
        These articles instead.
    name : str
        What `article_ids` came from, such as a file's name.
    mode : RunMode
        One request an article, or the vendor's batch service.
    """

    model_id: int
    dataset_id: int | None = None
    split: Split | None = None
    article_ids: tuple[int, ...] | None = None
    name: str = ""
    mode: RunMode = RunMode.DIRECT

    @property
    def source(self) -> dict[str, Any]:
        """What the run keeps: two wishes of the same source and model are one run."""
        if self.article_ids is None:
            return {"dataset_id": self.dataset_id, "split": self.split and str(self.split)}
        listed = json.dumps(sorted(set(self.article_ids))).encode()
        named = {"file": self.name} if self.name else {}
        return named | {"articles": len(set(self.article_ids)), "sha256": sha256(listed).hexdigest()[:16]}


@dataclass(frozen=True)
class Missing:
    """Articles without an answer of a model, in the order in which they are asked, and how many have one."""

    article_ids: tuple[int, ...]
    stored: int


def missing(session: Session, wish: Wish) -> Missing:
    """Return the articles of a wish on which its model has no stored answer.

    Raises
    ------
    NotFound
        If there is no such model version, dataset version or article.
    Refused
        If neither a dataset version nor articles are given, or the model learned another target.
    """
    model = session.get(ModelVersion, wish.model_id)
    if model is None:
        raise NotFound("model version", wish.model_id, "List them with the command 'models'")
    wanted = _listed(session, wish) if wish.article_ids is not None else _of_dataset(session, wish, model)
    answered: set[int] = set()
    for some in _chunks(wanted, _LOOKUP):
        query = select(Prediction.article_id).where(
            Prediction.model_id == wish.model_id,
            Prediction.request_id == "",
            col(Prediction.article_id).in_(some),
        )
        answered.update(session.exec(query))
    return Missing(tuple(each for each in wanted if each not in answered), len(answered))


def _listed(session: Session, wish: Wish) -> list[int]:
    wanted = list(dict.fromkeys(wish.article_ids or ()))
    known: set[int | None] = set()
    for some in _chunks(wanted, _LOOKUP):
        known.update(session.exec(select(Article.id).where(col(Article.id).in_(some))).all())
    if unknown := [each for each in wanted if each not in known]:
        raise NotFound("article", unknown[0], "Choose articles on the Samples page")
    return wanted


def _of_dataset(session: Session, wish: Wish, model: ModelVersion) -> list[int]:
    if wish.dataset_id is None:
        raise Refused("It is not said what is to be predicted", "Choose a dataset version or articles")
    dataset = session.get(DatasetVersion, wish.dataset_id)
    if dataset is None:
        raise NotFound("dataset version", wish.dataset_id, "List them with the command 'datasets'")
    if model.target is not None and model.target != dataset.target:
        raise Refused(
            f"{model.name} learned the target '{model.target}' and the dataset has '{dataset.target}'",
            "Choose a dataset version of the model's own target",
        )
    query = select(DatasetItem.article_id).where(DatasetItem.dataset_id == wish.dataset_id)
    if wish.split is not None:
        query = query.where(DatasetItem.split == wish.split)
    return list(session.exec(query.order_by(desc(DatasetItem.split), col(DatasetItem.position))))


def texts(session: Session, article_ids: Sequence[int]) -> Iterator[tuple[int, NewsText]]:
    """Yield articles with their texts, some hundred at a time."""
    for some in _chunks(article_ids, WINDOW):
        rows = session.exec(select(Article.id, Article.title, Article.body).where(col(Article.id).in_(some)))
        yield from ((int(article_id or 0), NewsText(title, body)) for article_id, title, body in rows)


def _chunks(values: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (values[start : start + size] for start in range(0, len(values), size))


@dataclass(frozen=True)
class Begun:
    """A run, and whether it was under way already."""

    run: PredictionRun
    joined: bool


def begin_run(
    session: Session,
    policy: Policy,
    wish: Wish,
    article_ids: Sequence[int],
    *,
    quote: Quote | None,
    simulated: bool,
    accepted: int | None,
    actor: str,
    now: datetime,
) -> Begun:
    """Write a run with its items and its reservation, all in one transaction, or join the one under way.

    Parameters
    ----------
    article_ids : sequence of int
        What has no answer, see `missing`.
    quote : Quote or None
        What is reserved; None where asking is free.
    simulated : bool
        Whether the money is play money.

    accepted : int or None
        The price that the user has agreed to, in micro-dollars; a paid run needs one that covers the quote.

    Raises
    ------
    Refused
        If everything is answered, the price is not agreed to, the budget would be passed, or a batch has
        some of the articles; nothing is written then.
    """
    if (under_way := _joined(session, wish, article_ids)) is not None:
        session.commit()
        return Begun(under_way, joined=True)
    _check(session, wish, len(article_ids), quote, accepted)
    run = PredictionRun(
        key=f"predictions-{uuid4().hex}",
        model_id=wish.model_id,
        mode=wish.mode,
        source=wish.source,
        total=len(article_ids),
        estimate_micro_usd=quote.likely if quote else 0,
        simulated=simulated,
        actor=actor,
        created_at=now,
    )
    session.add(run)
    session.flush()
    insert_new(session, PredictionItem, _items(int(run.id or 0), article_ids))
    if quote is not None:
        model = session.get_one(ModelVersion, wish.model_id)
        bill = charge(run, model, accepted=accepted, **quote.as_json())
        ledger.reserve(session, policy, bill, likely=quote.likely, high=quote.high, now=now)
    session.commit()
    return Begun(run, joined=False)


def _joined(session: Session, wish: Wish, article_ids: Sequence[int]) -> PredictionRun | None:
    """Return the run under way that does what is wished for, or None where a new one may begin.

    Runs that ask one by one are waited for; a batch takes up to a day, and who waits for it should know.
    """
    active = select(PredictionRun).where(
        PredictionRun.model_id == wish.model_id, col(PredictionRun.status).in_(ACTIVE_JOB_STATUSES)
    )
    for run in session.exec(active.order_by(col(PredictionRun.id))).all():
        same = run.source == wish.source
        if same and run.mode == wish.mode and run.status != JobStatus.UNKNOWN:
            return run
        if same or (run.mode == RunMode.BATCH and open_articles(session, run).intersection(article_ids)):
            raise Refused(*standing_of(run))
    return None


def standing_of(run: PredictionRun) -> tuple[str, str]:
    """Return what a run that has some articles is about, and what to do, as a refusal says it."""
    which = f"Prediction run {run.id}, which has some of these articles,"
    if run.status == JobStatus.UNKNOWN:
        return f"{which} needs a decision", "Send its batch again or give it up, on the Models page"
    if run.mode == RunMode.BATCH:
        where = "is out at the vendor" if has_left(run.handle) else "is about to leave"
        return f"{which} {where} as a batch", "Wait for its results, or cancel it"
    return f"{which} is asking one by one", "Wait for its end, or cancel it"


def open_articles(session: Session, run: PredictionRun) -> set[int]:
    """Return the articles of a run that have neither an answer nor a failure yet."""
    waiting = col(PredictionItem.state).in_((ItemState.PENDING, ItemState.SENT))
    return set(
        session.exec(select(PredictionItem.article_id).where(PredictionItem.run_id == run.id, waiting))
    )


def _check(session: Session, wish: Wish, n: int, quote: Quote | None, accepted: int | None) -> None:
    model = session.get_one(ModelVersion, wish.model_id)
    if not n:
        raise Refused(
            f"{model.name} has answered all of these articles already",
            "Evaluate it, or choose other articles",
        )
    if quote is not None and (accepted is None or accepted < quote.high):
        prices = f"{ledger.dollars(quote.low)} to {ledger.dollars(quote.high)}"
        raise Refused(
            f"Asking {model.name} about {n:,} articles may cost {prices}, and nobody has agreed to that",
            "Confirm the price (on the command line: --yes)",
        )


def _items(run_id: int, article_ids: Sequence[int]) -> list[Mapping[str, Any]]:
    return [
        {"run_id": run_id, "article_id": article_id, "position": position, "state": ItemState.PENDING}
        for position, article_id in enumerate(article_ids)
    ]
