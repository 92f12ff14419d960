"""Driving a run article by article: several requests at a time, each noted before it leaves.

Only the driving thread touches the database; the others do nothing but ask. Texts are read some dozens at a
time, so memory does not grow with the run.
"""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from time import monotonic, sleep

from core.db import reading, writing
from core.domain.billing import Bill, Tariff
from core.domain.pacing import Pacer
from core.domain.tokens import ANSWER, TokenEstimate
from core.domain.types import Failure, JobStatus
from core.errors import NewstuneError
from core.providers.base import Asker, NewsText, Reply
from core.services import prediction_runs
from core.services.prediction_runs import Account, Ending, Item, Landed
from core.workflows.answering import PromptTokens, answered_here, usage_of
from core.workflows.prediction_driver import CANCELLED, Driver, over_budget, over_price

#: Requests until the first that shows that key and model are right.
SCOUTS = 3
#: So many failures of a kind in a row, and nothing else, stop a run: the first two never mend by themselves,
#: the others are of the connection, the vendor or the request's form, and not of one text.
HOPELESS_AFTER = {
    Failure.KEY_REFUSED: 3,
    Failure.NOT_AVAILABLE: 3,
    Failure.REQUEST_REFUSED: 20,
    Failure.NO_CONNECTION: 20,
    Failure.CONNECTION_LOST: 20,
    Failure.TIMEOUT: 20,
    Failure.RATE_LIMITED: 20,
    Failure.OVERLOADED: 20,
    Failure.PROVIDER_ERROR: 20,
}
AT_ONCE = (Failure.KEY_REFUSED, Failure.NOT_AVAILABLE)
#: Tokens of a prompt above which nothing is sent: what is imported is far shorter.
MAX_PROMPT_TOKENS = 60_000
#: Seconds after which the lease is lengthened, and a cancel looked for, even if nothing came back.
HEARTBEAT_S = 20.0
#: Seconds in which what comes back is gathered for one transaction.
GATHER_S = 0.02
MAYBE_BILLED = "the program stopped while this was asked; it may have been billed"


@dataclass(frozen=True)
class _Waiting:
    item: Item
    prompt: TokenEstimate
    #: micro-dollars that asking about it may cost
    most: int = 0


@dataclass
class AskerDrive:
    """Drives a run whose model answers over a network.

    Parameters
    ----------
    driver : Driver
        What it drives.
    asker : Asker
        Who is asked.
    tariff : Tariff or None
        At what prices; None where answers are free.
    """

    driver: Driver
    asker: Asker
    tariff: Tariff | None
    _waiting: deque[_Waiting] = field(default_factory=deque)
    _flying: dict[Future[Reply], _Waiting] = field(default_factory=dict)
    _back: list[Landed] = field(default_factory=list)
    _position: int = -1
    _exhausted: bool = False
    _ending: Ending | None = None
    _paused: bool = False
    _scouts: int | None = 0
    _streak: tuple[Failure | None, int] = (None, 0)
    _written_at: float = field(default_factory=monotonic)
    _account: Account = field(default_factory=lambda: Account(0, 0))
    _left: int = 0
    _overrun: int = 0

    def __post_init__(self) -> None:
        keys = self.driver.app.settings.keys
        self._pacer = Pacer({"requests": keys.requests_per_minute, "tokens": keys.tokens_per_minute})
        self._slots = keys.provider_concurrency
        self._tokens = PromptTokens(self.asker)

    def drive(self) -> None:
        """Ask until everything is asked, the time is over, or something forbids going on."""
        self._settle_interrupted()
        with reading(self.driver.app.engine) as session:
            self._account = prediction_runs.account(session, self.driver.run)
        with ThreadPoolExecutor(self._slots, thread_name_prefix="ask") as pool:
            try:
                self._fly(pool)
            except KeyboardInterrupt:
                self._paused = True
                self._fly(pool)  # what is under way is paid for: it is waited for and kept
                self._conclude()
                raise
        self._conclude()

    def _conclude(self) -> None:
        if self._ending is not None:
            self.driver.end(self._ending)
        elif self._waiting or not self._exhausted:
            self.driver.hand_back()
        else:
            self.driver.end(Ending(JobStatus.SUCCEEDED))

    def _settle_interrupted(self) -> None:
        """Close what an earlier driver sent and left: it may have been billed, so it is not sent again."""
        with writing(self.driver.app.engine, durable=True) as session:
            self.driver.lease.extend(session, self.driver.app.now())
            left = prediction_runs.interrupted(session, self.driver.run)
            session.commit()
        lost = Reply(None, Failure.INTERRUPTED, MAYBE_BILLED, billed=None)
        self.driver.write([self._landed(self._queued(item), lost) for item in left])

    def _queued(self, item: Item) -> _Waiting:
        prompt = self._tokens(item.text)
        return _Waiting(item, prompt, 0 if self.tariff is None else self.tariff.most(prompt))

    def _fly(self, pool: ThreadPoolExecutor) -> None:
        while True:
            leaving, wait_s = self._ready()
            late = monotonic() - self._written_at > HEARTBEAT_S
            if (self._back or leaving or late) and self._write(self._back, [each.item for each in leaving]):
                leaving = []
            self._back.clear()
            if self._scouts is not None:
                self._scouts += len(leaving)
            for each in leaving:
                self._flying[pool.submit(_ask, self.asker, each.item.text)] = each
            if not self._flying and not leaving and wait_s is None:
                return
            self._land(wait_s)
            self._judge(self._back)

    def _write(self, landed: Sequence[Landed], leaving: Sequence[Item] = ()) -> bool:
        cancelled = self.driver.write(landed, leaving)
        self._written_at = monotonic()
        if cancelled and self._ending is None:
            self._ending = CANCELLED
        return cancelled

    def _ready(self) -> tuple[list[_Waiting], float | None]:
        """Return what may leave now, and the seconds until more may (None: nothing waits for its turn)."""
        leaving: list[_Waiting] = []
        while len(leaving) < self._free():
            if not self._waiting and self._goes_on():
                self._refill()
            if not self._waiting or not self._goes_on() or not self._affords(leaving):
                return leaving, None
            amounts = {"requests": 1.0, "tokens": float((self._waiting[0].prompt + ANSWER).likely)}
            now_s = monotonic()
            if (wait_s := self._pacer.wait_s(amounts, now_s)) > 0:
                return leaving, wait_s
            self._pacer.went(amounts, now_s)
            leaving.append(self._waiting.popleft())
        return leaving, None

    def _affords(self, leaving: Sequence[_Waiting]) -> bool:
        """Tell whether price and budget bear one request more, should all that fly cost their most.

        A vendor that billed more than the most of a request may do so again: that is reckoned with.
        """
        committed = [*self._flying.values(), *leaving, self._waiting[0]]
        needed = sum(each.most + self._overrun for each in committed)
        if self.tariff is not None and self._account.spent + needed > self._account.accepted:
            self._ending = over_price(needed, self._account)
        elif self.tariff is not None and needed > self._left:
            self._ending = over_budget(needed, self._left)
        return self._ending is None

    def _free(self) -> int:
        """Return how many requests may be begun now: some more than fly, so that no thread waits for this one."""
        if self._scouts is not None:
            return SCOUTS - self._scouts
        return self._slots + self._slots // 4 - len(self._flying)

    def _goes_on(self) -> bool:
        self._paused = self._paused or monotonic() >= self.driver.stop_at
        return not self._paused and self._ending is None

    def _refill(self) -> None:
        """Read the next items; an over-long text is not sent, nor what a cascade's first part is sure of."""
        while not self._waiting and not self._exhausted and self._goes_on():
            window = self._not_answered_here(self._next_window())
            self._waiting.extend(each for each in window if each.prompt.likely <= MAX_PROMPT_TOKENS)
            if too_long := [each for each in window if each.prompt.likely > MAX_PROMPT_TOKENS]:
                reply = Reply(None, Failure.TOO_LONG, f"not sent: above {MAX_PROMPT_TOKENS:,} tokens")
                self._write([Landed(each.item, reply) for each in too_long])

    def _not_answered_here(self, window: list[_Waiting]) -> list[_Waiting]:
        """Write what is answered on this machine, for free; return what has to leave for its answer."""
        replies = [answered_here(self.asker, each.item.text) for each in window]
        pairs = list(zip(window, replies, strict=True))
        if here := [Landed(each.item, reply) for each, reply in pairs if reply is not None]:
            self._write(here)
        return [each for each, reply in pairs if reply is None]

    def _next_window(self) -> list[_Waiting]:
        """Read the next items, and what the month's budget leaves now."""
        driver = self.driver
        with reading(driver.app.engine) as session:
            items = prediction_runs.next_items(
                session, driver.lease.run_id, after=self._position, limit=4 * self._slots
            )
            now = driver.app.now()
            left = prediction_runs.may_still_spend(session, driver.app.policy, driver.run, now=now)
        window = [self._queued(item) for item in items]
        self._exhausted = not window
        self._left = left - sum(each.bill.micro_usd for each in self._back if each.bill is not None)
        self._position = window[-1].item.position if window else self._position
        return window

    def _land(self, wait_s: float | None) -> None:
        """Wait for what comes back; it is kept until it is written, whatever interrupts in between."""
        timeout = HEARTBEAT_S if wait_s is None else min(wait_s, HEARTBEAT_S)
        if not self._flying:
            sleep(timeout)
            return
        wait(self._flying, timeout=timeout, return_when=FIRST_COMPLETED)
        if len(self._flying) > self._slots:  # others are queued: no thread waits while more come in
            sleep(GATHER_S)
        for future in [each for each in self._flying if each.done()]:
            waiting = self._flying.pop(future)
            landed = self._landed(waiting, future.result())
            self._back.append(landed)
            if landed.bill is not None:
                billed = landed.bill.micro_usd
                self._account = replace(self._account, spent=self._account.spent + billed)
                self._left -= billed
                self._overrun = max(self._overrun, billed - waiting.most)

    def _landed(self, waiting: _Waiting, reply: Reply) -> Landed:
        return Landed(waiting.item, reply, self._bill(waiting, reply))

    def _bill(self, waiting: _Waiting, reply: Reply) -> Bill | None:
        """Return what a request cost; one whose answer was lost counts as if it had been billed."""
        if self.tariff is None or reply.billed is False:
            return None
        return self.tariff.bill(usage_of(reply) if reply.billed else None, waiting.prompt)

    def _judge(self, landed: Sequence[Landed]) -> None:
        """Follow the failures of one kind in a row: some mean that asking on is hopeless."""
        for each in landed:
            failure = each.reply.failure if each.reply.forecast is None else None
            n = self._streak[1] + 1 if failure == self._streak[0] else 1
            self._streak = (failure, n)
            if failure not in AT_ONCE:
                self._scouts = None
            if failure in HOPELESS_AFTER and n >= HOPELESS_AFTER[failure]:
                self._ending = self._ending or _hopeless(failure, n, each.reply.detail)
        if (
            landed and self._scouts == SCOUTS and not self._flying and self._ending is None
        ):  # refused in several ways
            failure, n = self._streak
            self._ending = _hopeless(failure or Failure.PROVIDER_ERROR, n, landed[-1].reply.detail)


def _ask(asker: Asker, text: NewsText) -> Reply:
    try:
        return asker.ask(text)
    except NewstuneError as error:  # an asker answers with a failure; this is one that could not even begin
        return Reply(None, Failure.PROVIDER_ERROR, str(error)[:300], billed=None)


def _hopeless(failure: Failure, n: int, detail: str) -> Ending:
    times = f"{n} failures of the same kind in a row" if n > 1 else "a failure that concerns every article"
    return Ending(
        JobStatus.BLOCKED, f"Stopped after {times} ({failure}): {detail}", failure, f"not asked after {times}"
    )
