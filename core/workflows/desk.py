"""The answer desk: questions from everywhere, answered in batches, kept in one transaction a batch.

One thread does all that is quick: it looks up who answers, lets local models judge what has gathered, keeps
answers and enrolments, and hands the answers out. What may take long runs elsewhere and comes back into
the same inbox: remote models and challengers in small pools, shadows behind the answers (`shadows`). So
nobody waits for a slow neighbour, and many questions cost one look-up and one commit.
"""

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import monotonic
from types import TracebackType
from typing import Self

from core.bootstrap import App
from core.db import reading, writing
from core.domain.question import Question
from core.domain.types import Target
from core.errors import Refused
from core.models import ModelVersion
from core.providers.base import Asker, Predictor, Reply
from core.services import experiments, predict
from core.workflows.answering import is_asker
from core.workflows.asking import Answered
from core.workflows.desk_case import Asked, Back, Board, Case
from core.workflows.desk_models import Loaded, ask_alone, judge, judge_each
from core.workflows.shadows import ShadowDesk

log = logging.getLogger(__name__)
#: Questions that are answered together at most.
BATCH = 64
#: Seconds that a crowded desk waits for another question to join: askers whose answers have just left come
#: back together. A desk with one question at a time never waits.
LINGER_S = 0.002
#: Askers in a row are back within milliseconds.
CALM_S = 0.05
#: Remote champions, and challengers of split experiments, that are asked at a time.
CHAMPIONS, CHALLENGERS = 8, 8
_Event = Asked | Back | None


class AnswerDesk:
    """Answers questions of any thread with the champion of the moment. To be closed by who made it.

    Parameters
    ----------
    app : App
        The application.
    shadow : bool
        Whether shadows are asked here; otherwise they are left to the scheduled job.
    calm_s : float
        Seconds without a question after which shadows of local models have their turn.
    """

    def __init__(self, app: App, *, shadow: bool = True, calm_s: float = CALM_S) -> None:
        self._app, self._calm_s = app, calm_s
        #: None says that nothing more will come
        self._inbox: SimpleQueue[_Event] = SimpleQueue()
        self._board, self._loaded = Board(), Loaded(app)
        self._champions = ThreadPoolExecutor(CHAMPIONS, thread_name_prefix="newstune-champion")
        self._challengers = ThreadPoolExecutor(CHALLENGERS, thread_name_prefix="newstune-challenger")
        self._shadows = ShadowDesk(app, self._loaded, self._is_calm) if shadow else None
        #: cases that wait for a challenger, and requests that are under way
        self._trials: set[Case] = set()
        self._flying = 0
        self._crowded = self._working = self._closed = False
        self._worked_at = 0.0
        self._lock = Lock()
        self._thread = Thread(target=self._run, name="newstune-desk", daemon=True)
        self._thread.start()

    def submit(self, question: Question, target: Target | None = None) -> Future[Answered]:
        """Take a question; its future holds the answer once that is kept.

        The future raises Refused where no champion can answer or no money is left for it, and whatever a
        provider raises. A reply without a forecast is a value: a vendor may fail.

        Raises
        ------
        Refused
            If the desk is closed.
        """
        asked = Asked(question, target)
        with self._lock:
            if self._closed:
                raise Refused("This server is about to stop", "Ask again in a moment")
            self._inbox.put(asked)
        return asked.future

    def close(self) -> None:
        """Answer what was taken, ask local shadows what is left, and stop. Twice is as once."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._inbox.put(None)
        self._thread.join()
        self._champions.shutdown()
        self._challengers.shutdown()
        if self._shadows is not None:
            self._shadows.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _is_calm(self) -> bool:
        """Tell whether no question came for a moment."""
        return not self._working and self._inbox.empty() and monotonic() - self._worked_at > self._calm_s

    def _run(self) -> None:
        closing = False
        while not closing or self._flying or not self._inbox.empty():
            events = self._collect()
            closing = closing or None in events
            self._working = True
            try:
                self._work(events)
            except Exception:  # every asker concerned has been told; the next batch may fare better
                log.exception("the answer desk could not answer a batch")
            self._working, self._worked_at = False, monotonic()

    def _collect(self) -> list[_Event]:
        """Wait for something to do, and return it with what gathers around it."""
        events: list[_Event] = []
        try:
            events.append(self._inbox.get(timeout=self._until_deadline()))
            linger_s = LINGER_S if self._crowded else 0.0
            while len(events) < BATCH:
                events.append(self._inbox.get(timeout=linger_s) if linger_s else self._inbox.get_nowait())
        except Empty:
            pass
        self._crowded = len(events) > 1
        return events

    def _until_deadline(self) -> float | None:
        nearest = min((case.deadline for case in self._trials), default=None)
        return None if nearest is None else max(0.0, nearest - monotonic())

    def _work(self, events: Sequence[_Event]) -> None:
        ready: list[Case] = []
        for_champion: list[Case] = []
        for event in events:
            if isinstance(event, Back):
                self._take_back(event, ready, for_champion)
        for_champion += self._begin(
            [
                event
                for event in events
                if isinstance(event, Asked) and event.future.set_running_or_notify_cancel()
            ]
        )
        self._end_overdue(for_champion)
        self._ask_champions(for_champion, ready)
        if ready:
            self._keep(ready)

    def _begin(self, asked: list[Asked]) -> list[Case]:
        """Place new questions, ask the challengers that some are for, and return the others."""
        if not asked:
            return []
        cases: list[Case] = []
        try:
            with reading(self._app.engine) as session:
                self._board = self._board.up_to_date(session)
        except Exception as error:
            log.exception("the answer desk cannot see who answers")
            for each in asked:
                each.future.set_exception(error)
            return []
        for each in asked:
            try:
                cases.append(self._board.place(each, self._app.now()))
            except Exception as error:  # noqa: BLE001 - it is handed to who asked
                each.future.set_exception(error)
        trials = (case for case in cases if case.trial is not None)
        for model_id, some in _grouped((case.trial.challenger_id, case) for case in trials if case.trial):
            self._ask_challenger(self._board.models[model_id], some)
        return [case for case in cases if case.waiting is None]

    def _ask_challenger(self, model: ModelVersion, cases: list[Case]) -> None:
        """Ask the challenger of a split experiment; whatever keeps it from answering is its own failure."""
        try:
            predictor = self._loaded(model)
        except Exception as error:  # noqa: BLE001 - see above
            log.warning("the challenger %s cannot answer: %s", model.name, error)
            for case in cases:
                case.take_from_challenger(model, RuntimeError(str(error)))
            return
        for some in [[case] for case in cases] if is_asker(predictor) else [cases]:
            request = self._send(self._challengers, model, predictor, some)
            for case in some:
                case.begin_trial(request, case.trial.deadline_s if case.trial else 0.0)
                self._trials.add(case)

    def _send(
        self, pool: ThreadPoolExecutor, model: ModelVersion, predictor: Predictor | Asker, cases: list[Case]
    ) -> Future[list[Reply]]:
        """Let a pool ask a model; what comes of it falls into the inbox."""
        request: Future[list[Reply]]
        if is_asker(predictor):
            request = pool.submit(ask_alone, self._app, model, predictor, cases[0])
        else:
            request = pool.submit(judge, predictor, [case.text for case in cases])
        for case in cases:
            case.waiting = request
        self._flying += 1
        request.add_done_callback(lambda done: self._inbox.put(Back(model, cases, done)))
        return request

    def _take_back(self, back: Back, ready: list[Case], for_champion: list[Case]) -> None:
        self._flying -= 1
        for i, case in enumerate(back.cases):
            if case.waiting is not back.future:
                continue  # too late: the champion has the question
            case.waiting = None
            outcome = back.outcome(i)
            if case in self._trials:
                self._trials.discard(case)
                answered = case.take_from_challenger(back.model, outcome)
                (ready if answered else for_champion).append(case)
            else:
                _note(case, outcome, ready)

    def _end_overdue(self, for_champion: list[Case]) -> None:
        now = monotonic()
        for case in [case for case in self._trials if case.deadline <= now]:
            self._trials.discard(case)
            case.give_up_challenger()
            for_champion.append(case)

    def _ask_champions(self, cases: list[Case], ready: list[Case]) -> None:
        """Let local champions judge at once; send what is for remote ones."""
        models = {int(case.champion.id or 0): case.champion for case in cases}
        for model_id, some in _grouped((int(case.champion.id or 0), case) for case in cases):
            try:
                predictor = self._loaded(models[model_id])
            except Exception as error:  # noqa: BLE001 - a missing key, a damaged artefact: the askers are told
                for case in some:
                    case.asked.future.set_exception(error)
                continue
            if is_asker(predictor):
                for case in some:
                    self._send(self._champions, models[model_id], predictor, [case])
            else:
                for case, outcome in zip(
                    some, judge_each(predictor, [case.text for case in some]), strict=True
                ):
                    _note(case, outcome, ready)

    def _keep(self, cases: list[Case]) -> None:
        """Keep answers and enrolments in one transaction, hand the answers out, then see to the shadows."""
        try:
            self._store([case for case in cases if case.is_worth_keeping])
        except Exception as error:
            for case in cases:
                case.asked.future.set_exception(error)
            raise
        for case in cases:
            case.hand_out()
        if self._shadows is not None:
            now, models = self._app.now(), self._board.models
            self._shadows.put([shadow for case in cases for shadow in case.shadows(models, now)])

    def _store(self, cases: list[Case]) -> None:
        if not cases:
            return
        now = self._app.now()
        with writing(self._app.engine) as session:
            ids = predict.keep_articles(session, [case.article for case in cases], now=now)
            for case, article_id in zip(cases, ids, strict=True):
                case.article_id = article_id
            predict.keep_answers(session, [said for case in cases for said in case.answers()], now=now)
            experiments.enrol(session, [entry for case in cases for entry in case.enrolments()], now=now)
            session.commit()


def _note(case: Case, outcome: Reply | BaseException, ready: list[Case]) -> None:
    """Note what the champion said, or tell the asker what went wrong."""
    if isinstance(outcome, BaseException):
        case.asked.future.set_exception(outcome)
    else:
        case.said[int(case.champion.id or 0)] = outcome
        ready.append(case)


def _grouped(pairs: Iterable[tuple[int, Case]]) -> list[tuple[int, list[Case]]]:
    groups: dict[int, list[Case]] = {}
    for key, case in pairs:
        groups.setdefault(key, []).append(case)
    return list(groups.items())
