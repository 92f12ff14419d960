"""The vendor's batch service: a file of requests up, within a day a file of answers down, joined by id."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from core.domain.prompting import Prompt
from core.domain.types import Failure, JobStatus
from core.errors import ProviderFailed, ProviderUnreachable, Refused
from core.providers.base import BatchReport, Launch, ModelRef, NewsText, Reply
from core.providers.openai_compat import files
from core.providers.openai_compat.bodies import objects
from core.providers.openai_compat.chat import asked_model, build_request, parse_completion, reply_to
from core.providers.openai_compat.client import Connection
from core.providers.openai_compat.faults import Fault, as_error, clean, fault_of_status, unreachable
from core.providers.openai_compat.flavours import Flavour
from core.providers.openai_compat.launching import (
    Handle,
    PaidRequest,
    belongs_to,
    listed,
    may_have_left,
    oldest_first,
    send_once,
)

ENDPOINT: Final = "/v1/chat/completions"
#: The vendor's limits of a file (docstring of the SDK's batches).
MAX_REQUESTS, MAX_BYTES = 50_000, 200_000_000
_PURPOSE: Final = "batch"
_CREATING = "creating the batch"

_STATUSES = {
    "completed": JobStatus.SUCCEEDED,
    "failed": JobStatus.FAILED,
    "expired": JobStatus.FAILED,
    "cancelled": JobStatus.CANCELLED,
}


def _status(batch: Mapping[str, Any]) -> JobStatus:
    return _STATUSES.get(str(batch.get("status")), JobStatus.RUNNING)


def _going(batch: Mapping[str, Any]) -> JobStatus:
    """Return where a batch is going: one that is being cancelled answers nothing more."""
    return JobStatus.CANCELLED if batch.get("status") == "cancelling" else _status(batch)


def build_lines(flavour: Flavour, model: ModelRef, texts: Sequence[tuple[str, NewsText]]) -> Iterator[bytes]:
    """Yield the lines of a batch's file: each article's request under its id."""
    prompt, name = Prompt.from_json(model.prompt), asked_model(model)
    for custom_id, text in texts:
        body = build_request(flavour, name, prompt.messages(text.title, text.body))
        line = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body}
        yield json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def parse_results(content: bytes, redact: Callable[[str], str]) -> dict[str, Reply]:
    """Return the replies of a file of results by id; of several for one id the first.

    Lines that are cut off or no JSON are passed over: their articles are missing, and can be asked again.
    """
    replies: dict[str, Reply] = {}
    for line in content.split(b"\n"):
        try:
            result = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):
            continue
        if isinstance(result, dict) and isinstance(custom_id := result.get("custom_id"), str):
            replies.setdefault(custom_id, _reply(result, redact))
    return replies


def _reply(result: Mapping[str, Any], redact: Callable[[str], str]) -> Reply:
    response, error = result.get("response"), result.get("error")
    said = response if isinstance(response, dict) else {}
    body, status = said.get("body"), said.get("status_code")
    if isinstance(error, dict) or not isinstance(body, dict):
        text = error.get("message") or error.get("code") if isinstance(error, dict) else "no response"
        billed = False if isinstance(error, dict) else None
        return Reply(None, Failure.PROVIDER_ERROR, clean(f"not answered: {text}", redact), billed=billed)
    if isinstance(status, int) and status >= 300:
        return reply_to(fault_of_status(status, body.get("error", body), {}, redact))
    return parse_completion(body)


class OpenAIBatcher:
    """Sends batches to one vendor.

    Parameters
    ----------
    connection : Connection
        The vendor.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection, self._flavour = connection, connection.flavour

    def start(self, model: ModelRef, texts: Sequence[tuple[str, NewsText]], launch: Launch) -> Handle:
        """Send (id, text) pairs as one batch and return its handle.

        Raises
        ------
        Refused
            If they are too many or too long for one file.
        ProviderBlocked, ProviderUnreachable, FateUnknown, ProviderFailed
            See base.Trainer.
        """
        handle = dict(launch.handle)
        if handle.get("job"):
            return handle
        request = PaidRequest(
            _CREATING,
            send=lambda: self._connection.read_alone(
                lambda client: client.batches.with_raw_response.create(
                    input_file_id=handle["input_file"],
                    endpoint=ENDPOINT,
                    completion_window="24h",
                    metadata={"intent_id": launch.key},
                )
            ),
            find=lambda: self._batches_of(launch.key),
            status=_going,
        )
        try:
            if not may_have_left(handle):
                self._upload(model, texts, launch, handle)
            return send_once(self._connection, launch, handle, request)
        except Fault as fault:
            error = as_error(fault, self._flavour, "uploading the batch's file")
        except ProviderFailed as failed:
            error = failed
        if not isinstance(error, ProviderUnreachable):
            self._take_back(launch, handle)
        raise error from None

    def _upload(
        self, model: ModelRef, texts: Sequence[tuple[str, NewsText]], launch: Launch, handle: Handle
    ) -> None:
        if "input_file" not in handle:
            content = (
                b"".join(build_lines(self._flavour, model, texts)) if len(texts) <= MAX_REQUESTS else b""
            )
            if not content or len(content) > MAX_BYTES:
                raise Refused(
                    f"A batch takes 1 to {MAX_REQUESTS:,} articles and {MAX_BYTES // 1_000_000} MB; these are "
                    f"{len(texts):,} articles and {len(content) / 1e6:,.0f} MB",
                    "Send them in several batches",
                )
            name = files.intent_file(launch.key, _PURPOSE)
            handle["input_file"] = files.upload_once(self._connection, name, content, _PURPOSE)
            launch.save(handle)
        files.await_processed(self._connection, handle["input_file"], lambda: launch.save(handle))

    def _take_back(self, launch: Launch, handle: Handle) -> None:
        """Delete the file of a batch that was refused; see the trainer's."""
        if "input_file" not in handle or may_have_left(handle):
            return
        file_id = handle.pop("input_file")
        launch.save(handle)
        files.delete_quietly(self._connection, file_id)

    def find(self, key: str) -> list[Handle]:
        """Return the handles of all batches of an intent, oldest first."""
        try:
            return [listed(batch, _going(batch)) for batch in self._batches_of(key)]
        except Fault as fault:
            raise unreachable(fault, self._flavour, "looking for batches") from None

    def _batches_of(self, key: str) -> list[dict[str, Any]]:
        """Return the batches of an intent: the list knows no filter, so all are read."""
        batches = self._connection.everything(
            lambda client, **page: client.batches.with_raw_response.list(**page)
        )
        return oldest_first(batch for batch in batches if belongs_to(batch, key))

    def poll(self, handle: Mapping[str, Any]) -> BatchReport:
        """Say where a batch stands; ended early it still holds what was answered by then.

        Raises
        ------
        ProviderUnreachable
            Whatever keeps the look from succeeding: the batch goes on at the vendor all the same.
        """
        batch_id = self._batch_id(handle)
        try:
            batch = self._connection.read(lambda client: client.batches.with_raw_response.retrieve(batch_id))
            status = _status(batch)
            replies = {} if status == JobStatus.RUNNING else self._replies(batch)
        except Fault as fault:
            raise unreachable(fault, self._flavour, f"asking about batch {batch_id}") from None
        return BatchReport(status, _message(batch), replies, self._error(batch, status, len(replies)))

    def _replies(self, batch: Mapping[str, Any]) -> dict[str, Reply]:
        replies: dict[str, Reply] = {}
        for name in ("output_file_id", "error_file_id"):
            if isinstance(file_id := batch.get(name), str) and file_id:
                content = files.content_of(self._connection, file_id)
                replies = parse_results(content, self._connection.redact) | replies
        return replies

    def _error(self, batch: Mapping[str, Any], status: JobStatus, answered: int) -> str | None:
        if status != JobStatus.FAILED:
            return None
        if batch.get("status") == "expired":
            return f"The batch was not finished within a day; {answered} articles have a result."
        errors = batch.get("errors")
        said = objects(errors.get("data")) if isinstance(errors, dict) else []
        text = "; ".join(str(one.get("message")) for one in said[:3]) or "the vendor gives no reason"
        return clean(f"The batch failed: {text}", self._connection.redact)

    def cancel(self, handle: Mapping[str, Any]) -> None:
        """Stop a batch. A refusal means that it has ended, a 404 that it is gone. Raises ProviderUnreachable."""
        batch_id = self._batch_id(handle)
        try:
            self._connection.send(lambda client: client.batches.with_raw_response.cancel(batch_id))
        except Fault as fault:
            if fault.failure != Failure.REQUEST_REFUSED and fault.status != 404:
                raise unreachable(fault, self._flavour, f"cancelling batch {batch_id}") from None

    def _batch_id(self, handle: Mapping[str, Any]) -> str:
        if not handle.get("job"):
            raise ProviderFailed(self._flavour.title, "this batch was never created", "Start it again")
        return str(handle["job"])


def _message(batch: Mapping[str, Any]) -> str:
    counts = batch.get("request_counts")
    status = str(batch.get("status") or "")
    if not isinstance(counts, dict):
        return status
    done, total = counts.get("completed"), counts.get("total")
    return f"{status}, {done} of {total}" if isinstance(done, int) and isinstance(total, int) else status
