"""Following a training job to its end, and stopping it."""

from collections.abc import Mapping
from threading import Lock
from time import monotonic
from typing import Any, Final

from core.domain.types import Failure, JobStatus
from core.providers.base import JobReport, TrainedModel
from core.providers.openai_compat import reports
from core.providers.openai_compat.bodies import json_object
from core.providers.openai_compat.client import Connection
from core.providers.openai_compat.faults import Fault, unreachable

#: Seconds after the end of a training within which the vendor must name its model, and longer ones within
#: which a model that it shows as being set up must answer.
NAMED_S: Final = 1_800.0
SET_UP_S: Final = 86_400.0
_SETTING_UP = "Trained; the model is being set up for answering"


class JobFollower:
    """Looks at the jobs of one vendor. Safe to use from several threads.

    Parameters
    ----------
    connection : Connection
        The vendor.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection, self._flavour = connection, connection.flavour
        self._first_seen: dict[str, float] = {}
        self._lock = Lock()

    def poll(self, job_id: str) -> JobReport:
        """Say where a job stands; UNKNOWN where the vendor has no such job (any more).

        Raises
        ------
        ProviderUnreachable
            Whatever keeps the look from succeeding: the job goes on at the vendor all the same.
        """
        doing = f"asking about job {job_id}"
        try:
            response = self._connection.send(
                lambda client: client.fine_tuning.jobs.with_raw_response.retrieve(job_id)
            )
        except Fault as fault:
            if self._is_gone(fault):
                return self._gone(job_id)
            raise unreachable(fault, self._flavour, doing) from None
        try:
            job = json_object(response.content)
            events = self._connection.everything(
                lambda client, **page: client.fine_tuning.jobs.with_raw_response.list_events(job_id, **page)
            )
            return self._report(job_id, job, events, response.headers)
        except Fault as fault:
            raise unreachable(fault, self._flavour, doing) from None

    def _is_gone(self, fault: Fault) -> bool:
        """Whether a 404 speaks of the job: a wrong address has no list of jobs either."""
        if fault.status != 404:
            return False
        try:
            listed = self._connection.read(
                lambda client: client.fine_tuning.jobs.with_raw_response.list(limit=1)
            )
        except Fault:
            return False
        return isinstance(listed.get("data"), list)

    def _gone(self, job_id: str) -> JobReport:
        error = (
            f"{self._flavour.title} has no job {job_id} (any more): it was deleted there, or the key belongs to "
            "another account or project."
        )
        return JobReport(JobStatus.UNKNOWN, message="gone at the vendor", error=error)

    def _report(
        self, job_id: str, job: dict[str, Any], events: list[dict[str, Any]], headers: Mapping[str, str]
    ) -> JobReport:
        status, redact = reports.status_of(job), self._connection.redact
        told = reports.parse_events(events, redact, ended=status != JobStatus.RUNNING)
        message = reports.newest_message(events, redact) or str(job.get("status") or "")
        if status == JobStatus.SUCCEEDED:
            checkpoints, answering = self._answering(job_id, job)
            if answering:
                model = self._model(job, checkpoints, answering)
                return JobReport(status, 1.0, message, told, model)
            error = self._overdue(
                job_id, job, reports.age_s(job, events, headers), promised=answering is None
            )
            ended = (JobStatus.FAILED, message, error, True)
            status, message, error, billed = ended if error else (JobStatus.RUNNING, _SETTING_UP, None, False)
        else:
            error = reports.error_of(job, redact) if status == JobStatus.FAILED else None
            billed = status in self._flavour.may_bill and reports.had_begun(job, events)
        progress = reports.progress_of(job, events)
        tokens = reports.billed_tokens(job) if billed else None
        return JobReport(status, progress, message, told, None, error, billed, tokens)

    def _answering(self, job_id: str, job: dict[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
        """Return a finished job's checkpoints, and the name under which its model answers.

        The name is None while the vendor shows it as being set up, "" where there is none.
        """
        checkpoints = self._connection.everything(
            lambda client, **page: client.fine_tuning.jobs.checkpoints.with_raw_response.list(job_id, **page)
        )
        if self._flavour.deploy:
            return checkpoints, self._flavour.deploy(self._connection, job, checkpoints)
        tuned = job.get("fine_tuned_model")
        return checkpoints, tuned if isinstance(tuned, str) else ""

    def _overdue(
        self, job_id: str, job: dict[str, Any], age_s: float | None, *, promised: bool
    ) -> str | None:
        """Return a sentence once a finished job's model has been waited for long enough; None before.

        Where the vendor's clock does not tell, it is waited for from the first look of this process on.
        """
        with self._lock:
            since = self._first_seen.setdefault(job_id, monotonic())
        waited = monotonic() - since if age_s is None else age_s
        if waited < (SET_UP_S if promised else NAMED_S):
            return None
        name = job.get("fine_tuned_model")
        known = f" Its own name is '{name}'." if isinstance(name, str) and name else ""
        return (
            f"{self._flavour.title} reports that job {job_id} succeeded, but names no model that answers, "
            f"{waited / 60:.0f} minutes after its end.{known} Look for it in the vendor's console; the training is "
            "probably billed."
        )

    def _model(self, job: dict[str, Any], checkpoints: list[dict[str, Any]], answering: str) -> TrainedModel:
        names = (answering, str(job.get("fine_tuned_model") or ""), str(job.get("model")))
        retires = reports.retirement(self._models(), names)
        return reports.trained_model(job, checkpoints, remote_model=answering, retires=retires)

    def _models(self) -> list[dict[str, Any]]:
        """Return the vendor's models; none where it has no such list (a busy vendor is asked again later)."""
        try:
            return self._connection.everything(lambda client, **_: client.models.with_raw_response.list())
        except Fault as fault:
            if fault.failure in (Failure.NOT_AVAILABLE, Failure.REQUEST_REFUSED, Failure.UNREADABLE):
                return []
            raise

    def cancel(self, job_id: str) -> None:
        """Stop a job. A refusal means that it has ended already; one that is gone needs no stopping.

        Raises
        ------
        ProviderUnreachable
            If the vendor cannot be asked now.
        """
        try:
            self._connection.send(lambda client: client.fine_tuning.jobs.with_raw_response.cancel(job_id))
        except Fault as fault:
            if fault.failure != Failure.REQUEST_REFUSED and not self._is_gone(fault):
                raise unreachable(fault, self._flavour, f"cancelling job {job_id}") from None
