"""Driving a run through the vendor's batch service: a durable start, a look a minute, results by item."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from core.db import reading, writing
from core.domain.billing import Bill, Tariff
from core.domain.pricing import Unpriced
from core.domain.tokens import TokenEstimate
from core.domain.types import ACTIVE_JOB_STATUSES, Failure, JobStatus
from core.errors import (
    FateUnknown,
    NewstuneError,
    ProviderBlocked,
    ProviderFailed,
    ProviderUnreachable,
    Refused,
)
from core.providers.base import Asker, Batcher, BatchReport, Launch, NewsText, Reply
from core.services import prediction_runs
from core.services.prediction_runs import Ending, Landed
from core.workflows.answering import PromptTokens, model_ref, usage_of
from core.workflows.prediction_driver import CANCELLED, Driver, over_budget, over_price

#: A vendor is asked about a batch no more often than this; so is one that could not be reached.
LOOK_EVERY = timedelta(seconds=60)
#: Within this time after its start others of the same intent may still turn up in the vendor's list.
LOOK_FOR_MORE = timedelta(minutes=35)
#: A batch ends within a day; whose results cannot be fetched a day later are given up.
GIVE_UP_AFTER = timedelta(hours=48)
#: Results written in one transaction.
WINDOW = 200
#: A result that is not there may have been cut off on its way: it counts as billed.
MISSING = Reply(None, Failure.MISSING, "the batch has no result for this article", billed=None)


class BatchDrive:
    """Drives a run whose articles go to the vendor as one batch.

    Parameters
    ----------
    driver : Driver
        What it drives.
    batcher : Batcher
        The vendor's batch service.
    asker : Asker
        Who knows what is sent for a text.
    tariff : Tariff or None
        At what prices; None where answers are free.
    """

    def __init__(self, driver: Driver, batcher: Batcher, asker: Asker, tariff: Tariff | None) -> None:
        self._driver, self._batcher, self._tariff = driver, batcher, tariff
        self._app, self._run, self._lease = driver.app, driver.run, driver.lease
        self._tokens = PromptTokens(asker)

    def drive(self) -> None:
        """Send the batch if it was not sent yet, else look how it stands and write its results."""
        if self._run.status == JobStatus.RUNNING:
            self._look()
        else:
            self._send()

    def _send(self) -> None:
        first = not prediction_runs.has_left(self._run.handle)
        if first and self._run.cancel_requested:
            return self._driver.end(CANCELLED)
        texts = self._texts()
        if first and (forbidden := self._forbidden([text for _, text in texts])):
            return self._driver.end(forbidden)
        launch = Launch(self._run.key, dict(self._run.handle or {}), self._save)
        try:
            handle = self._batcher.start(model_ref(self._app, self._driver.model), texts, launch)
        except FateUnknown as error:
            return self._ask_a_person(str(error))
        except ProviderUnreachable as error:
            return self._driver.hand_back(LOOK_EVERY, message=str(error))
        except (ProviderFailed, Refused) as error:
            return self._driver.end(_refused(error))
        return self._sent(handle)

    def _sent(self, handle: Mapping[str, Any]) -> None:
        now = self._app.now()
        values = {"status": JobStatus.RUNNING, "handle": dict(handle), "submitted_at": now}
        with writing(self._app.engine, durable=True) as session:
            self._lease.extend(session, now)
            prediction_runs.close_alert(session, self._run, now=now)
            self._lease.hand_back(session, now, again_at=now + LOOK_EVERY, message="", error=None, **values)

    def _texts(self) -> list[tuple[str, NewsText]]:
        """Note all items as sent, for good, before anything leaves; return them by their ids."""
        with writing(self._app.engine, durable=True) as session:
            self._lease.extend(session, self._app.now())
            prediction_runs.mark_all_sent(session, self._lease.run_id)
            session.commit()
            sent = prediction_runs.sent_items(session, self._lease.run_id, after=-1, limit=-1)
            return [(str(item.id), item.text) for item in sent]

    def _forbidden(self, texts: list[NewsText]) -> Ending | None:
        """Return why a batch may not leave: no price, more than was agreed to, or more than the budget bears."""
        if self._tariff is None:
            return None
        prompts = TokenEstimate.total(self._tokens(text) for text in texts)
        quote = self._tariff.quote(len(texts), prompts)
        if isinstance(quote, Unpriced):
            return Ending(JobStatus.BLOCKED, quote.sentence, detail="not asked: its price is not known")
        with reading(self._app.engine) as session:
            left = prediction_runs.may_still_spend(session, self._app.policy, self._run, now=self._app.now())
            account = prediction_runs.account(session, self._run)
        if quote.high > account.accepted:
            return over_price(quote.high, account)
        return over_budget(quote.high, left) if quote.high > left else None

    def _save(self, handle: Mapping[str, Any]) -> None:
        with writing(self._app.engine, durable=True) as session:
            self._lease.extend(session, self._app.now(), handle=dict(handle))
            session.commit()

    def _ask_a_person(self, error: str) -> None:
        """Keep the reservation and ask; what was sent is looked for again, and never sent again by itself."""
        now = self._app.now()
        with writing(self._app.engine, durable=True) as session:
            self._lease.extend(session, now)
            prediction_runs.open_alert(session, self._run, error, now=now)
            values: dict[str, Any] = {"status": JobStatus.UNKNOWN, "error": error}
            if self._run.submitted_at is None:
                values["submitted_at"] = now
            self._lease.hand_back(session, now, again_at=now + LOOK_EVERY, **values)
        self._driver.tell(error)

    def _look(self) -> None:
        handle, run = dict(self._run.handle or {}), self._run
        age = self._app.now() - (run.submitted_at or run.created_at)
        try:
            if run.cancel_requested:
                self._batcher.cancel(handle)
            if age < LOOK_FOR_MORE:
                self._cancel_others(handle)
            report = self._batcher.poll(handle)
        except ProviderFailed as error:
            if age > GIVE_UP_AFTER or not isinstance(error, ProviderUnreachable):
                status = JobStatus.CANCELLED if run.cancel_requested else JobStatus.FAILED
                said = f"{error} What it may have cost counts as spent, at its estimate."
                return self._driver.end(Ending(status, said, lost=Failure.MISSING))
            return self._driver.hand_back(LOOK_EVERY, message=str(error))
        if report.status in ACTIVE_JOB_STATUSES:
            return self._driver.hand_back(LOOK_EVERY, message=report.message)
        return self._write(report)

    def _cancel_others(self, handle: Mapping[str, Any]) -> None:
        """Cancel later batches of the same intent: a driver that was cut off may have sent one all the same."""
        find = getattr(self._batcher, "find", None)
        found = find(self._run.key) if find is not None else []
        for extra in (each for each in found if each["job"] != handle.get("job")):
            said = f"a second batch of prediction run {self._run.id} ({extra['job']}) was cancelled"
            try:
                self._batcher.cancel(extra)
            except NewstuneError as error:
                said = f"a second batch of prediction run {self._run.id} ({extra['job']}) could not be cancelled, "
                said += f"do it by hand: {error}"
            with writing(self._app.engine) as session:
                name = f"DUPLICATE_BATCH|{extra['job']}"
                prediction_runs.open_alert(session, self._run, said, key=name, now=self._app.now())
                session.commit()

    def _write(self, report: BatchReport) -> None:
        """Write the results in portions; a crash in between leaves the rest to the next look."""
        missing = replace(MISSING, billed=False) if _turned_away(report) else MISSING
        position = -1
        while True:
            with reading(self._app.engine) as session:
                items = prediction_runs.sent_items(session, self._lease.run_id, after=position, limit=WINDOW)
            if not items:
                break
            position = items[-1].position
            replies = [(item, report.replies.get(str(item.id), missing)) for item in items]
            self._driver.write([Landed(item, reply, self._bill(item.text, reply)) for item, reply in replies])
        self._driver.end(Ending(report.status, report.error, Failure.MISSING, MISSING.detail))

    def _bill(self, text: NewsText, reply: Reply) -> Bill | None:
        if self._tariff is None or reply.billed is False:
            return None
        return self._tariff.bill(usage_of(reply) if reply.billed else None, self._tokens(text))


def _turned_away(report: BatchReport) -> bool:
    """Tell whether the vendor did not accept a batch's file: then there is no result at all."""
    return report.status == JobStatus.FAILED and not report.replies


def _refused(error: ProviderFailed | Refused) -> Ending:
    blocked = isinstance(error, ProviderBlocked)
    return Ending(
        JobStatus.BLOCKED if blocked else JobStatus.FAILED,
        str(error),
        Failure.NOT_AVAILABLE if blocked else Failure.REQUEST_REFUSED,
        f"not asked: {error}",
    )
