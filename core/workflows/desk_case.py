"""One question on its way over the answer desk: who is to judge it, what was said, what is kept of it."""

from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import uuid4

from sqlmodel import Session

from core.domain.assignment import assigned
from core.domain.question import Question
from core.domain.records import ArticleRecord
from core.domain.types import Arm, ExperimentMode, Failure, Target
from core.errors import Refused
from core.models import ModelVersion
from core.providers.base import NewsText, Reply
from core.services import experiments, predict
from core.services.experiments import Enrolment, OpenItem, Running, SideName
from core.services.predict import Champions, Said
from core.workflows.asking import Answered
from core.workflows.shadows import Shadow

#: Which sides of an experiment an arm asks.
_ASKS: dict[Arm, tuple[SideName, ...]] = {
    Arm.BOTH: ("champion", "challenger"),
    Arm.CHAMPION: ("champion",),
    Arm.CHALLENGER: ("challenger",),
}


@dataclass(frozen=True)
class Asked:
    """A question as it was handed in, and the future that its asker waits for."""

    question: Question
    target: Target | None
    future: Future[Answered] = field(default_factory=Future)


@dataclass(eq=False)
class Case:
    """A question with all that happens to it.

    Parameters
    ----------
    asked : Asked
        The question.
    champion : ModelVersion
        Who answers for its target.
    article : ArticleRecord
        The question as it is kept; models judge this text, as they do when they are asked later.
    places : list of (Running, Arm)
        The experiments that it takes part in, and who is asked there.
    trial : Running or None
        The split experiment whose challenger answers it.
    request_id : str
        Its name in the ledger and beside its answers.
    said : dict of int to Reply
        What models said, failures included, by their id.
    waiting : Future or None
        The request that is under way for it.
    deadline : float
        Monotonic seconds until which the challenger may answer.
    answering : ModelVersion
        Whose answer the asker gets.
    article_id : int
        The stored article; 0 before it is stored.
    """

    asked: Asked
    champion: ModelVersion
    article: ArticleRecord
    places: list[tuple[Running, Arm]]
    trial: Running | None
    request_id: str = field(default_factory=lambda: uuid4().hex)
    said: dict[int, Reply] = field(default_factory=dict)
    waiting: Future[list[Reply]] | None = None
    deadline: float = float("inf")
    answering: ModelVersion = field(init=False)
    article_id: int = 0

    def __post_init__(self) -> None:
        self.answering = self.champion

    @property
    def text(self) -> NewsText:
        """What a model is shown."""
        return NewsText(self.article.title or self.asked.question.title, self.article.body)

    @property
    def reply(self) -> Reply:
        """What the asker gets."""
        return self.said[int(self.answering.id or 0)]

    @property
    def is_worth_keeping(self) -> bool:
        """Whether somebody answered, or failed in an experiment."""
        return bool(self.places) or any(reply.forecast is not None for reply in self.said.values())

    def begin_trial(self, request: Future[list[Reply]], deadline_s: float) -> None:
        """Note that the challenger is asked, and until when it may answer."""
        self.waiting, self.deadline = request, monotonic() + deadline_s

    def take_from_challenger(self, challenger: ModelVersion, outcome: Reply | BaseException) -> bool:
        """Note what came of asking the challenger; tell whether that is the answer.

        Where no money was left for it, nobody was asked: the article does not count in the experiment.
        """
        model_id = int(challenger.id or 0)
        if isinstance(outcome, Refused):
            self.places = [place for place in self.places if place[0] is not self.trial]
        elif isinstance(outcome, BaseException):
            self.said[model_id] = Reply(None, Failure.NOT_AVAILABLE, str(outcome), billed=False)
        else:
            self.said[model_id] = outcome
            if outcome.forecast is not None:
                self.answering = challenger
        return self.answering is challenger

    def give_up_challenger(self) -> None:
        """Note that the challenger let its deadline pass: from now on its answer is not waited for."""
        if self.waiting is not None:
            self.waiting.cancel()  # one that has not left yet never does
        self.waiting = None
        if self.trial is not None:
            late = Reply(None, Failure.TIMEOUT, "no answer before the deadline")
            self.said[self.trial.challenger_id] = late

    def hand_out(self) -> None:
        """Give the asker the answer."""
        self.asked.future.set_result(Answered(self.answering, self.reply, self.request_id))

    def answers(self) -> list[Said]:
        """Return what is kept: every answer that is one."""
        return [
            Said(self.article_id, model_id, self.request_id, reply)
            for model_id, reply in self.said.items()
            if reply.forecast is not None
        ]

    def enrolments(self) -> list[Enrolment]:
        """Return the article's entry into each experiment, with what its arm's sides said so far."""
        return [self._enrolment(one, arm) for one, arm in self.places]

    def _enrolment(self, one: Running, arm: Arm) -> Enrolment:
        known: dict[str, str] = {}
        for side in _ASKS[arm]:
            reply = self.said.get(one.model_of(side))
            if reply is not None and reply.forecast is not None:
                known[f"{side}_sentiment"] = str(reply.forecast.sentiment)
            elif reply is not None:
                known[f"{side}_failure"] = str(reply.failure or Failure.PROVIDER_ERROR)
        return Enrolment(one.id, self.article_id, self.request_id, arm, **known)

    def shadows(self, models: dict[int, ModelVersion], now: datetime) -> Iterator[Shadow]:
        """Yield the sides that are still to be asked."""
        for one, arm in self.places:
            for side in _ASKS[arm]:
                model_id = one.model_of(side)
                if model_id in self.said or model_id not in models:
                    continue
                item = OpenItem(
                    one.id,
                    one.key,
                    self.article_id,
                    self.request_id,
                    side,
                    model_id,
                    now,
                    self.text.title,
                    self.text.body,
                )
                yield Shadow(one, models[model_id], item, monotonic())


@dataclass(frozen=True)
class Board:
    """Who answers at this moment, and which experiments run; read once a batch.

    Parameters
    ----------
    champions : Champions
        By target.
    running : tuple of Running
        Experiments under way.
    models : dict of int to ModelVersion
        The models of these experiments.
    stamp : tuple
        Tells whether all this still holds; model versions themselves never change.
    """

    champions: Champions = field(default_factory=lambda: Champions({}, {}))
    running: tuple[Running, ...] = ()
    models: dict[int, ModelVersion] = field(default_factory=dict)
    stamp: tuple[Any, ...] | None = None

    def up_to_date(self, session: Session) -> "Board":
        """Return the state of the database: this board where nothing has changed."""
        stamp = predict.answering_stamp(session)
        if stamp == self.stamp:
            return self
        running = tuple(experiments.running(session))
        ids = {model_id for one in running for model_id in (one.champion_id, one.challenger_id)}
        return Board(predict.champions(session), running, predict.models_of(session, ids), stamp)

    def place(self, asked: Asked, now: datetime) -> Case:
        """Return the case of a question. Raises Refused where no champion answers for its target."""
        champion, target = self.champions.of(asked.target)
        article = predict.asked_article(asked.question, now)
        places, trial = [], None
        for one in self.running:
            if one.target != target or not one.takes(asked.question.family, int(champion.id or 0)):
                continue
            arm = Arm.BOTH
            if one.mode == ExperimentMode.SPLIT:
                arm = assigned(one.key, asked.question.url or article.content_hash, one.allocation or 0.5)
                trial = one if arm == Arm.CHALLENGER else trial
            places.append((one, arm))
        return Case(asked, champion, article, places, trial)


@dataclass(frozen=True)
class Back:
    """A request of a pool that has ended: with replies, an error, or cancelled."""

    model: ModelVersion
    cases: list[Case]
    future: Future[list[Reply]]

    def outcome(self, i: int) -> Reply | BaseException:
        """Return what came of asking about the i-th case."""
        try:
            return self.future.result()[i]
        except CancelledError as error:
            return error
        except BaseException as error:  # noqa: BLE001 - it is handed to who asked
            return error
