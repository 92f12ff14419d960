"""Fine-tuning jobs: what is refused beforehand, what one costs, and its start: files up, one paid request."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from core.domain.tokens import TokenEstimate
from core.domain.training_format import chat_example
from core.errors import ProviderFailed, ProviderUnreachable
from core.providers.base import JobReport, Launch, Preflight, TrainingRow, TrainingSpec
from core.providers.openai_compat import files, job_request, reports, settings
from core.providers.openai_compat.client import Connection
from core.providers.openai_compat.faults import Fault, as_error, unreachable
from core.providers.openai_compat.following import JobFollower
from core.providers.openai_compat.launching import (
    Handle,
    PaidRequest,
    belongs_to,
    listed,
    may_have_left,
    oldest_first,
    send_once,
)

_PURPOSE: Final = "fine-tune"
_TRAIN, _VALIDATION = "train", "validation"
#: Tokens that frame a message, and a conversation (OpenAI's cookbook on counting tokens).
_MESSAGE_TOKENS, _CONVERSATION_TOKENS = 3, 3
#: Reported durations are some ten minutes of waiting and a few hundred rows a minute.
_WAITING_S, _ROWS_PER_S = 600.0, 5.0
_CREATING = "creating the training job"


class OpenAITrainer:
    """Trains at one vendor.

    Parameters
    ----------
    connection : Connection
        The vendor.
    count : callable
        Tokens of a text.
    """

    remote = True
    slots = 3

    def __init__(self, connection: Connection, count: Callable[[str], TokenEstimate]) -> None:
        self._connection, self._count = connection, count
        self._flavour = connection.flavour
        self._follower = JobFollower(connection)

    def preflight(self, spec: TrainingSpec) -> Preflight:
        """Say what is wrong with a training without asking the vendor. Dates are the card's affair."""
        flavour = self._flavour
        if flavour.key_needed and not self._connection.has_key:
            return Preflight.blocked(f"No key: set {flavour.key_setting}.", "no_key")
        known = {model.name: model for model in flavour.base_models}
        if not spec.base_model or (spec.base_model in known and not known[spec.base_model].trainable):
            names = ", ".join(name for name, model in known.items() if model.trainable)
            return Preflight.blocked(f"Choose a model that can be tuned: {names}.", "base_model")
        problem = self._problem(spec) or settings.problem(flavour, spec.hyperparameters)
        if problem:
            return Preflight.blocked(problem)
        if spec.base_model not in known:
            return Preflight.unknown(
                f"It is not known whether {spec.base_model} can be tuned; the vendor says so at the start."
            )
        if any(row.weight != 1.0 for row in spec.train):
            return Preflight.ready(
                "Class weights are not passed on: this vendor has none. Undersample instead."
            )
        return Preflight.ready()

    def _problem(self, spec: TrainingSpec) -> str:
        """Return a sentence on rows that cannot be trained on; "" where all can."""
        rows, title = len(spec.train), self._flavour.title
        if rows < self._flavour.min_rows:
            return f"{title} needs {self._flavour.min_rows} training rows; there are {rows}."
        if any(row.answer is None for row in (*spec.train, *spec.validation)):
            return "Some rows have no answer to teach. Build the dataset anew."
        if len({row.label for row in spec.train}) < 2:
            return "All training rows have the same label: there is nothing to tell apart."
        return ""

    def estimate_s(self, spec: TrainingSpec) -> float:
        """Return a rough duration in seconds: ten minutes, and a fifth of a second for each row and epoch."""
        _, likely, _ = settings.epochs(self._flavour, spec.hyperparameters)
        return _WAITING_S + len(spec.train) * likely / _ROWS_PER_S

    def estimate_tokens(self, spec: TrainingSpec) -> TokenEstimate:
        """Return the tokens of the training file times the epochs: what vendors bill.

        The validation file is not counted: no vendor lists a price for it. Epochs that are left to the
        vendor widen the range (`settings.AUTO_EPOCHS`).
        """
        system = self._count(spec.system)
        file = TokenEstimate.total(self._row_tokens(row, spec.system, system) for row in spec.train)
        low, likely, high = settings.epochs(self._flavour, spec.hyperparameters)
        return TokenEstimate(file.low * low, file.likely * likely, file.high * high)

    def _row_tokens(self, row: TrainingRow, system: str, counted: TokenEstimate) -> TokenEstimate:
        if row.answer is None:
            return TokenEstimate(0, 0, 0)
        messages = chat_example(system, row.text.title, row.text.body, row.answer)["messages"]
        frame = TokenEstimate.exactly(_MESSAGE_TOKENS * len(messages) + _CONVERSATION_TOKENS)
        return TokenEstimate.total((counted, frame, *(self._count(one["content"]) for one in messages[1:])))

    def start(self, spec: TrainingSpec, folder: Path, launch: Launch) -> Handle:
        """Upload the files and create the job, going on from whatever an earlier driver saved.

        Raises
        ------
        ProviderBlocked, ProviderUnreachable, FateUnknown, ProviderFailed
            See base.Trainer.
        """
        del folder  # the files go from memory to the vendor; nothing of the news stays on the disk
        handle = dict(launch.handle)
        if handle.get("job"):
            return handle
        request = PaidRequest(
            _CREATING,
            send=lambda: self._connection.read_alone(
                lambda client: client.fine_tuning.jobs.with_raw_response.create(
                    **job_request.build_job(self._flavour, spec, launch.key, handle)
                )
            ),
            find=lambda: self._jobs_of(launch.key),
            status=reports.status_of,
        )
        try:
            if not may_have_left(handle):
                self._upload(spec, launch, handle)
            return send_once(self._connection, launch, handle, request)
        except Fault as fault:
            error = as_error(fault, self._flavour, "uploading the training files")
        except ProviderFailed as failed:
            error = failed
        if not isinstance(error, ProviderUnreachable):  # else it is tried again later, with these files
            self._take_back(launch, handle)
        raise error from None

    def _upload(self, spec: TrainingSpec, launch: Launch, handle: Handle) -> None:
        parts = {_TRAIN: spec.train, _VALIDATION: spec.validation}
        for part, rows in parts.items():
            name = f"{part}_file"
            if rows and name not in handle:
                content = job_request.build_file(rows, spec.system, bom=self._flavour.bom)
                handle[name] = files.upload_once(
                    self._connection, files.intent_file(launch.key, part), content, _PURPOSE
                )
                launch.save(handle)
        for part in parts:
            if f"{part}_file" in handle:
                files.await_processed(self._connection, handle[f"{part}_file"], lambda: launch.save(handle))

    def _take_back(self, launch: Launch, handle: Handle) -> None:
        """Delete the files of a start that was refused: nothing was created, and they hold the news."""
        if may_have_left(handle):  # a job may be there that needs them
            return
        uploaded = [handle.pop(name) for name in ("train_file", "validation_file") if name in handle]
        if uploaded:
            launch.save(handle)
        for file_id in uploaded:
            files.delete_quietly(self._connection, file_id)

    def find(self, key: str) -> list[Handle]:
        """Return the handles of all jobs of an intent, oldest first, with `status` in our own words."""
        try:
            return [listed(job, reports.status_of(job)) for job in self._jobs_of(key)]
        except Fault as fault:
            raise unreachable(fault, self._flavour, "looking for training jobs") from None

    def _jobs_of(self, key: str) -> list[dict[str, Any]]:
        """Return the jobs of an intent as the vendor shows them, oldest first.

        Found by metadata; where it is not known whether the vendor keeps it, also by the training file,
        whose name is the intent's. A filter is not trusted: one that the vendor passes over returns
        everybody's jobs.
        """
        if self._flavour.lookup:
            wanted = {"metadata": {"intent_id": key}}
            ours: set[str] = set()
        else:
            wanted = {}
            ours = files.named(self._connection, files.intent_file(key, _TRAIN), _PURPOSE)
        jobs = self._connection.everything(
            lambda client, **page: client.fine_tuning.jobs.with_raw_response.list(**wanted, **page)
        )
        return oldest_first(job for job in jobs if belongs_to(job, key) or job.get("training_file") in ours)

    def poll(self, handle: Mapping[str, Any], folder: Path) -> JobReport:
        """Say where a job stands; see `JobFollower.poll`."""
        del folder
        return self._follower.poll(self._job_id(handle))

    def cancel(self, handle: Mapping[str, Any], folder: Path) -> None:
        """Stop a job; see `JobFollower.cancel`."""
        del folder
        self._follower.cancel(self._job_id(handle))

    def _job_id(self, handle: Mapping[str, Any]) -> str:
        if not handle.get("job"):
            raise ProviderFailed(self._flavour.title, "this job was never created", "Start it again")
        return str(handle["job"])
