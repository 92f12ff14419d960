"""Supervised tuning on Vertex: the durable launch, following a job, and stopping it.

A launch saves what it knows before each step, so that any process can go on with it:

- ``train_uri``, ``validation_uri``: the files, under names of the intent (sent again they replace themselves);
- ``sends``: paid requests that may have left, saved before one leaves;
- ``lost``: one left and its answer did not arrive;
- ``job``: what came of it.

The vendor's list of jobs is looked at before every paid request. A driver that was killed around its request
leaves ``sends`` of 1; if its job is not in the list then, the request is sent once more. Where an answer was
lost, or two may have left, nothing is sent again: a person may clear ``sends`` and ``lost``.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.domain.gemini_format import ADVISED_ROWS
from core.domain.tokens import TokenEstimate, estimate_messages
from core.domain.training_format import chat_example
from core.domain.types import Failure, JobStatus
from core.errors import FateUnknown, ProviderBlocked, ProviderFailed, ProviderUnreachable
from core.providers.base import JobReport, Launch, Preflight, TrainingSpec
from core.providers.gemini import jobs
from core.providers.gemini.catalogue import TUNABLE
from core.providers.gemini.client import GeminiFailed
from core.providers.gemini.genai import expect_experiment, translated

if TYPE_CHECKING:
    from google.genai import Client

NAME = "vertex"
_STARTING = "starting the tuning"
_PAGE = 100
Handle = dict[str, Any]


class VertexTrainer:
    """Tunes Gemini models in a project of one's own.

    Parameters
    ----------
    connect : callable
        Returns the SDK's client, or raises ProviderBlocked where something is missing.
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
        upload: Callable[[str, bytes], str],
        missing: Callable[[], str],
        redact: Callable[[str], str],
    ) -> None:
        self._connect, self._upload, self._missing, self._redact = connect, upload, missing, redact

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
        if not sent:  # else what is missing by now must not hide that a request may have left
            self._prepare(spec, launch, handle)
        found = self._look(launch.key, uncertain=bool(sent))
        if found:
            return _adopt(launch, handle, found[0])
        if sent > 1 or handle.get("lost"):
            raise _unknown("an earlier driver was cut off while it was sent")
        handle["sends"] = sent + 1
        launch.save(dict(handle))
        try:
            created = self._create(spec, launch.key, handle)
        except GeminiFailed as failed:
            return self._after_a_failure(launch, handle, failed)
        return _adopt(launch, handle, created)

    def find(self, key: str) -> list[Handle]:
        """Return the handles of all jobs of an intent, oldest first; raises ProviderFailed."""
        return self._look(key, uncertain=False)

    def poll(self, handle: Mapping[str, Any], folder: Path) -> JobReport:
        """Say where the tuning stands."""
        del folder
        try:
            with translated(self._redact):
                job = self._connected().tunings.get(name=handle["job"]).to_json_dict()
        except GeminiFailed as failed:
            raise _of_look(failed, "looking at the tuning") from None
        return jobs.report(job, str(handle.get("base_model", "")), self._redact)

    def cancel(self, handle: Mapping[str, Any], folder: Path) -> None:
        """Stop the tuning; one that has ended stays as it is."""
        try:
            with translated(self._redact):
                self._connected().tunings.cancel(name=handle["job"])
        except GeminiFailed as failed:
            if self.poll(handle, folder).status == JobStatus.RUNNING:
                raise _of_look(failed, "cancelling the tuning") from None

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
            try:
                handle[f"{part}_uri"] = self._upload(name, jobs.training_file(rows, spec.system))
            except GeminiFailed as failed:
                raise as_error(failed, f"uploading the {part} rows") from None
            launch.save(dict(handle))

    def _create(self, spec: TrainingSpec, key: str, handle: Mapping[str, Any]) -> Handle:
        """Make the paid request, once."""
        expect_experiment()
        with translated(self._redact):
            job = self._connected().tunings.tune(
                base_model=spec.base_model,
                training_dataset={"gcs_uri": handle["train_uri"]},
                config=jobs.build_config(spec, key, handle.get("validation_uri")),
            )
        if not job.name:
            raise GeminiFailed(Failure.UNREADABLE, "the response names no job")
        return {"job": job.name}

    def _after_a_failure(self, launch: Launch, handle: Handle, failed: GeminiFailed) -> Handle:
        """Settle a request without a usable answer: refused, found all the same, or of unknown fate."""
        if not failed.perhaps_done:
            handle["sends"] -= 1
            launch.save(dict(handle))
            raise as_error(failed, _STARTING) from None
        handle["lost"] = True
        launch.save(dict(handle))
        found = self._look(launch.key, uncertain=True)
        if not found:
            raise _unknown(failed.detail) from None
        return _adopt(launch, handle, found[0])

    def _look(self, key: str, *, uncertain: bool) -> list[Handle]:
        """Return what the vendor has of an intent; `uncertain` where a paid request may have left before."""
        try:
            with translated(self._redact):
                jobs_there = self._connected().tunings.list(config={"page_size": _PAGE})
                listed = [job.to_json_dict() for job in jobs_there]
        except GeminiFailed as failed:
            if uncertain:
                raise _unknown(f"it could not be looked for: {failed.detail}") from None
            raise as_error(failed, "looking for an earlier start") from None
        mine = [job for job in listed if jobs.belongs(job, key) and job.get("name")]
        mine.sort(key=lambda job: (job.get("create_time") or "", job["name"]))
        return [{"job": job["name"]} for job in mine]


def _adopt(launch: Launch, handle: Handle, found: Handle) -> Handle:
    """Save what was created; of several the oldest is ours, later ones are for the caller's sweep."""
    handle |= found
    handle.pop("lost", None)
    launch.save(dict(handle))
    return handle


def _unknown(why: str) -> FateUnknown:
    return FateUnknown(
        NAME,
        f"{_STARTING} may have been carried out ({why})",
        "Wait, it is looked for by itself; or look for it among the tuning jobs of Google's console",
    )


def as_error(failed: GeminiFailed, doing: str) -> ProviderFailed:
    """Return the error that callers of the provider see, for a request that costs nothing or was refused."""
    saw = f"{doing}: {failed.detail}"
    if failed.failure == Failure.KEY_REFUSED:
        return ProviderFailed(NAME, saw, "Sign in anew with: gcloud auth application-default login")
    if failed.failure == Failure.NOT_AVAILABLE:
        return ProviderBlocked(NAME, saw, "Choose another model, region or provider")
    if failed.failure == Failure.REQUEST_REFUSED:
        return ProviderFailed(NAME, saw, "Correct what Google names, then start again")
    return ProviderUnreachable(NAME, saw, "Try again in a few minutes")


def _of_look(failed: GeminiFailed, doing: str) -> ProviderFailed:
    """Return the error of a look at work that goes on whatever happens to the look, unless it is gone."""
    if failed.status == 404:
        return ProviderFailed(NAME, f"{doing}: {failed.detail}", "Look for it in Google's console")
    return ProviderUnreachable(NAME, f"{doing}: {failed.detail}", "Try again in a few minutes")
