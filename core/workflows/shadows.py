"""What other models of a running experiment say of a question, asked after its answer has left.

Kept in memory for the moment: every side that is still to be asked stands in the database too, and the
scheduled job asks what is left there (a crash, a closing, a backlog too long to hold).
"""

import logging
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Condition, Thread
from time import monotonic, sleep

from core.bootstrap import App
from core.errors import NewstuneError
from core.models import ModelVersion
from core.providers.base import Asker, Predictor
from core.services.experiments import OpenItem, Running
from core.workflows.answering import is_asker
from core.workflows.experiment_asking import OutOfMoney, ask_open

log = logging.getLogger(__name__)
#: Sides that are held here at most.
BACKLOG = 5_000
#: Local sides that are judged in one go: small enough to step aside soon when a question comes in.
CHUNK = 32
#: Seconds that local sides make way for questions; then they have their turn among them, as the scheduled
#: job would ask them by then.
PATIENCE_S = 30.0
#: Remote sides asked at a time.
REMOTE = 4
_FOR_EVER = float("inf")


@dataclass(frozen=True)
class Shadow:
    """A side of an article that is still to be asked: by which experiment, of whom."""

    experiment: Running
    model: ModelVersion
    item: OpenItem
    asked_at: float

    @property
    def group(self) -> tuple[int, int]:
        """What can be asked together: sides of one experiment and one model."""
        return self.experiment.id, self.item.model_id


class ShadowDesk:
    """Asks shadows in a thread of its own, local models when no question waits, remote ones in a small pool.

    Parameters
    ----------
    app : App
        The application.
    load : callable
        Returns what answers for a model version.
    is_calm : callable
        Tells whether no question is waiting or being answered.
    """

    def __init__(
        self,
        app: App,
        load: Callable[[ModelVersion], Predictor | Asker | None],
        is_calm: Callable[[], bool],
    ) -> None:
        self._app, self._load, self._is_calm = app, load, is_calm
        self._waiting: dict[tuple[int, int], deque[Shadow]] = defaultdict(deque)
        self._changed = Condition()
        self._closing = False
        self._remote = ThreadPoolExecutor(REMOTE, thread_name_prefix="newstune-shadow")
        self._thread: Thread | None = None

    def put(self, shadows: Sequence[Shadow]) -> None:
        """Take sides to be asked; those beyond the backlog are left to the scheduled job."""
        with self._changed:
            room = 0 if self._closing else BACKLOG - sum(map(len, self._waiting.values()))
            for shadow in shadows[: max(0, room)]:
                self._waiting[shadow.group].append(shadow)
            if self._thread is None and self._waiting:
                self._thread = Thread(target=self._run, name="newstune-shadows", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Ask local models what is still waiting, let remote questions that have left come back, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        self._remote.shutdown(wait=True, cancel_futures=True)

    def _run(self) -> None:
        while (oldest := self._oldest()) is not None:
            while not (self._closing or self._is_calm() or monotonic() - oldest.asked_at > PATIENCE_S):
                sleep(0.01)
            self._ask(self._next(oldest.group))

    def _oldest(self) -> Shadow | None:
        """Wait for a shadow and return the oldest; None once there are none and there will be none."""
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            return min((group[0] for group in self._waiting.values()), key=_asked_at, default=None)

    def _next(self, group: tuple[int, int]) -> list[Shadow]:
        """Take the oldest shadows of a group."""
        with self._changed:
            waiting = self._waiting[group]
            taken = [waiting.popleft() for _ in range(min(CHUNK, len(waiting)))]
            if not waiting:
                del self._waiting[group]
        return taken

    def _ask(self, shadows: list[Shadow]) -> None:
        """Ask local models at once, remote ones through the pool; what is not asked stays open in the database."""
        first = shadows[0]
        try:
            if not is_asker(self._load(first.model)):
                self._ask_open(shadows)
            elif not self._closing:
                for each in shadows:
                    self._remote.submit(self._ask_open, [each])
        except Exception as error:  # noqa: BLE001 - this thread must live on for the next ones
            log.warning("the shadow %s cannot be asked now: %s", first.model.name, error)

    def _ask_open(self, shadows: list[Shadow]) -> None:
        first = shadows[0]
        items = [each.item for each in shadows]
        try:
            ask_open(self._app, first.experiment, items, first.model, _FOR_EVER)
        except (NewstuneError, OutOfMoney) as error:  # the scheduled job tries again, or ends the experiment
            log.warning("shadows of experiment %d stay open: %s", first.experiment.id, error)
        except Exception:
            log.exception("shadows of experiment %d stay open", first.experiment.id)


def _asked_at(shadow: Shadow) -> float:
    return shadow.asked_at
