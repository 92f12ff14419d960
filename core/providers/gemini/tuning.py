"""Supervised tuning on Vertex: the durable launch, following a job, and stopping it.

A launch saves what it knows before each step, so that any process can go on with it:

- ``train_uri``, ``validation_uri``: the files, under names of the intent (sent again they replace themselves);
- ``sends``: paid requests that may have left, saved before one leaves;
- ``lost``: one left and its answer did not arrive;
- ``unsure``: one may have left; it stays for good;
- ``passed_over``: what had ended badly when a request was allowed once more: it is not what comes of it;
- ``job``: what came of it.

The vendor's list of jobs is looked at before every paid request. A driver that was killed around its request
leaves ``sends`` of 1; if its job is not in the list then, the request is sent once more. Where an answer was
lost, or two may have left, nothing is sent again: a person may clear ``sends`` and ``lost``. What is found
cancelled or failed then does not count as under way.

The paid request leaves right after a save, which extends the driver's lease, and is given up well before that
lease ends (`core.providers.deadline`); its connections are closed then, so that it cannot leave later.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from core.domain.gemini_format import ADVISED_ROWS
from core.domain.tokens import TokenEstimate, estimate_messages
from core.domain.training_format import chat_example
from core.domain.types import Failure, JobStatus
from core.errors import ProviderBlocked, ProviderFailed
from core.providers.base import JobReport, Launch, Preflight, TrainingSpec
from core.providers.deadline import REQUEST_S, UPLOAD_S, within
from core.providers.gemini import jobs
from core.providers.gemini.catalogue import TUNABLE
from core.providers.gemini.client import GeminiFailed
from core.providers.gemini.genai import expect_experiment, translated
from core.providers.gemini.verdicts import NAME, STARTING, as_error, gone, of_look, unknown

if TYPE_CHECKING:
    from google.genai import Client

_PAGE = 100
Handle = dict[str, Any]
T = TypeVar("T")


class VertexTrainer:
    """Tunes Gemini models in a project of one's own.

    Parameters
    ----------
    connect : callable
        Returns the SDK's client, or raises ProviderBlocked where something is missing.
    open_anew : callable
        Returns another client, for the paid request alone; closed after it.
    upload : callable
        ``upload(name, data) -> "gs://..."``; an upload under the same name replaces the former.
    missing : callable
        Returns a sentence about what is not set up, "" where nothing is.
    redact : callable
        Takes keys out of a text.
    """

    remote = True
    slots = 3

    def __init__(
        self,
        connect: Callable[[], "Client"],
        open_anew: Callable[[], "Client"],
        upload: Callable[[str, bytes], str],
        missing: Callable[[], str],
        redact: Callable[[str], str],
    ) -> None:
        self._connect, self._open_anew = connect, open_anew
        self._upload, self._missing, self._redact = upload, missing, redact

    def preflight(self, spec: TrainingSpec) -> Preflight:
        """Say whether `spec` could be trained now, as far as that can be told without asking Google."""
        problem = self._missing() or jobs.problem_of(spec)
        if problem:
            return Preflight.blocked(f"{problem}.")
        if spec.base_model not in {model.name for model in TUNABLE}:
            return Preflight.unknown(
                f"{spec.base_model} is not among the models that are known to be tunable."
            )
        if len(spec.train) < ADVISED_ROWS:
            return Preflight.ready(
                f"Google advises {ADVISED_ROWS} training rows; there are {len(spec.train)}."
            )
        return Preflight.ready()

    def estimate_s(self, spec: TrainingSpec) -> float:
        """Return the expected duration in seconds. Google names none; an hour is a guess."""
        del spec
        return 3_600.0

    def estimate_tokens(self, spec: TrainingSpec) -> TokenEstimate:
        """Return the probable tokens of the training rows, times the epochs. Gemini's own count differs."""
        once = TokenEstimate.total(
            estimate_messages(
                chat_example(spec.system, row.text.title, row.text.body, row.answer)["messages"]
            )
            for row in spec.train
            if row.answer
        )
        return once * int(jobs.settings(spec)["epoch_count"])

    def start(self, spec: TrainingSpec, folder: Path, launch: Launch) -> Handle:
        """Upload the files and start the tuning; resumable, and never sending the paid request twice."""
        del folder  # nothing is kept on this machine
        handle: Handle = dict(launch.handle)
        if handle.get("job"):
            return handle
        sent = int(handle.get("sends", 0))
        uncertain = bool(sent or handle.get("unsure"))
        if not uncertain:  # else what is missing by now must not hide that a request may have left
            self._prepare(spec, launch, handle)
        alive, ended = self._ours(launch.key, handle, uncertain=uncertain)
        if alive or (ended and sent):
            return _adopt(launch, handle, [*alive, *ended])
        if sent > 1 or handle.get("lost"):
            handle["unsure"] = True
            launch.save(dict(handle))
            raise unknown("an earlier driver was cut off while it was sent")
        if ended:  # nothing of ours has left since a person allowed one more: these came of earlier ones
            handle["passed_over"] = [*handle.get("passed_over", ()), *(job["job"] for job in ended)]
        handle["sends"] = sent + 1
        launch.save(dict(handle))
        try:
            created = self._create(spec, launch.key, handle)
        except GeminiFailed as failed:
            return self._after_a_failure(launch, handle, failed)
        return _adopt(launch, handle, [created])

    def find(self, key: str) -> list[Handle]:
        """Return the handles of all jobs of an intent, oldest first, with `status` in our own words.

        Raises
        ------
        ProviderFailed
            If they cannot be looked for.
        """
        return self._look(key, uncertain=False)

    def poll(self, handle: Mapping[str, Any], folder: Path) -> JobReport:
        """Say where the tuning stands; UNKNOWN where Google has no such job (any more).

        Raises
        ------
        ProviderUnreachable
            Whatever keeps the look from succeeding: the tuning goes on all the same.
        """
        del folder
        try:
            job = self._asked(lambda sdk: sdk.tunings.get(name=handle["job"]).to_json_dict())
        except GeminiFailed as failed:
            if self._is_gone(failed):
                return gone(str(handle["job"]))
            raise of_look(failed, "looking at the tuning") from None
        return jobs.report(job, str(handle.get("base_model", "")), self._redact)

    def cancel(self, handle: Mapping[str, Any], folder: Path) -> None:
        """Stop the tuning; one that has ended stays as it is, and one that is gone needs no stopping."""
        try:
            self._asked(lambda sdk: sdk.tunings.cancel(name=handle["job"]))
        except GeminiFailed as failed:
            if self.poll(handle, folder).status == JobStatus.RUNNING:
                raise of_look(failed, "cancelling the tuning") from None

    def _asked(self, call: "Callable[[Client], T]") -> T:
        """Return what a free request brings, within a bounded time; raises GeminiFailed."""
        sdk = self._connected()
        with translated(self._redact):
            return within(REQUEST_S, partial(call, sdk))

    def _is_gone(self, failed: GeminiFailed) -> bool:
        """Whether a 404 speaks of the job: a wrong address has no list of jobs either."""
        if failed.status != 404:
            return False
        try:
            self._asked(lambda sdk: sdk.tunings.list(config={"page_size": 1}))
        except GeminiFailed:
            return False
        return True

    def _connected(self) -> "Client":
        """Return the SDK's client for a look at what may be under way, which goes on without us."""
        try:
            return self._connect()
        except ProviderBlocked as blocked:
            raise GeminiFailed(Failure.KEY_REFUSED, blocked.problem) from None

    def _prepare(self, spec: TrainingSpec, launch: Launch, handle: Handle) -> None:
        """See that everything is there, and upload the files that are not yet."""
        problem = self._missing() or jobs.problem_of(spec)
        if problem:
            raise ProviderFailed(NAME, problem, "Change the settings or the dataset, then start again")
        self._connect()
        handle.setdefault("base_model", spec.base_model)
        for part, rows in (("train", spec.train), ("validation", spec.validation)):
            if not rows or f"{part}_uri" in handle:
                continue
            name = f"newstune/{jobs.label_of(launch.key)}-{part}.jsonl"
            content = jobs.training_file(rows, spec.system)
            try:
                with translated(self._redact):
                    handle[f"{part}_uri"] = within(UPLOAD_S, partial(self._upload, name, content))
            except GeminiFailed as failed:
                raise as_error(failed, f"uploading the {part} rows") from None
            launch.save(dict(handle))

    def _create(self, spec: TrainingSpec, key: str, handle: Mapping[str, Any]) -> Handle:
        """Make the paid request, once."""
        expect_experiment()
        sdk = self._open_anew()
        tune = partial(
            sdk.tunings.tune,
            base_model=spec.base_model,
            training_dataset={"gcs_uri": handle["train_uri"]},
            config=jobs.build_config(spec, key, handle.get("validation_uri")),
        )
        try:
            with translated(self._redact):
                job = within(REQUEST_S, tune)
        finally:
            sdk.close()
        if not job.name:
            raise GeminiFailed(Failure.UNREADABLE, "the response names no job")
        return {"job": job.name}

    def _after_a_failure(self, launch: Launch, handle: Handle, failed: GeminiFailed) -> Handle:
        """Settle a request without a usable answer: refused, found all the same, or of unknown fate."""
        if not failed.perhaps_done:
            handle["sends"] -= 1
            launch.save(dict(handle))
            error = as_error(failed, STARTING)
            if failed.failure == Failure.RATE_LIMITED:  # a paid request is sent again by a person only
                error = ProviderFailed(NAME, error.problem, "Start it again in a few minutes")
            raise error from None
        handle |= {"lost": True, "unsure": True}
        launch.save(dict(handle))
        alive, ended = self._ours(launch.key, handle, uncertain=True)
        if not alive and not ended:
            raise unknown(failed.detail) from None
        return _adopt(launch, handle, [*alive, *ended])

    def _ours(
        self, key: str, handle: Mapping[str, Any], *, uncertain: bool
    ) -> tuple[list[Handle], list[Handle]]:
        """Return what may be the present request's: what goes on or succeeded, and what ended badly."""
        passed = handle.get("passed_over", ())
        left = [job for job in self._look(key, uncertain=uncertain) if job["job"] not in passed]
        alive = [job for job in left if job["status"] not in (JobStatus.FAILED, JobStatus.CANCELLED)]
        return alive, [job for job in left if job not in alive]

    def _look(self, key: str, *, uncertain: bool) -> list[Handle]:
        """Return what the vendor has of an intent; `uncertain` where a paid request may have left before."""
        try:
            listed = self._asked(
                lambda sdk: [job.to_json_dict() for job in sdk.tunings.list(config={"page_size": _PAGE})]
            )
        except GeminiFailed as failed:
            if uncertain:
                raise unknown(f"it could not be looked for: {failed.detail}") from None
            raise as_error(failed, "looking for an earlier start") from None
        mine = [job for job in listed if jobs.belongs(job, key) and job.get("name")]
        mine.sort(key=lambda job: (job.get("create_time") or "", job["name"]))
        return [{"job": job["name"], "status": jobs.status_of(job).value} for job in mine]


def _adopt(launch: Launch, handle: Handle, found: list[Handle]) -> Handle:
    """Save what was created; of several the first is ours, others are for the caller's sweep."""
    handle["job"] = found[0]["job"]
    handle.pop("lost", None)
    launch.save(dict(handle))
    return handle
