"""Setting a tuned model up for answering, at the one vendor that lets this program do it.

Requests as in docs.tokenfactory.nebius.com, post-training, and in public programs; never called for real.

A look has nowhere to write down that it asked for a set-up, and the request may cost something. So the
vendor's own list is read first, and nothing is asked for unless that list can be read and lacks the adapter;
and each process asks once for a job, unless its request certainly never arrived. What remains: a process
that begins anew before the list shows what an earlier one asked for asks a second time.
"""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

from core.domain.types import Failure
from core.providers.openai_compat.faults import Fault

if TYPE_CHECKING:
    from core.providers.openai_compat.client import Connection

#: Beside the version folder: https://host/v0/models.
_MODELS = "v0/models"
_SETTLED = ("active", "error")
_NOT_ARRIVED = (Failure.NO_CONNECTION, Failure.RATE_LIMITED)
_asked_for: set[tuple[str, str]] = set()
_asking = Lock()


def deploy_adapter(
    connection: "Connection", job: Mapping[str, Any], checkpoints: Sequence[Mapping[str, Any]]
) -> str | None:
    """Return the name under which the last checkpoint of a Nebius job answers.

    It is None while the adapter is set up, and "" where the vendor has no list that could be read: it is not
    known then whether it was asked for, so that a person has to. An adapter whose set-up failed keeps its
    name: the training is paid, and asking the model says what is wrong.

    Raises
    ------
    Fault
        If the vendor refuses or does not answer.
    """
    last = max(checkpoints, key=_step, default={})
    source = f"{job['id']}:{last.get('id', '')}"
    url = connection.beside(_MODELS)
    listed = _listed(connection, url)
    if listed is None:
        return ""
    found = next((model for model in listed if model.get("source") == source), None)
    if found is None:
        found = _ask_once(connection, url, source, job)
    name = str(found.get("name") or "")
    return name if name and found.get("status", "active") in _SETTLED else None


def _ask_once(connection: "Connection", url: str, source: str, job: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the vendor says to the request; {} where this process has made it before."""
    with _asking:
        if (url, source) in _asked_for:
            return {}
        _asked_for.add((url, source))
    body = {"source": source, "base_model": job.get("model"), "name": f"newstune-{job['id']}"[:60]}
    try:
        return connection.post(url, body)
    except Fault as fault:
        if fault.failure in _NOT_ARRIVED:
            with _asking:
                _asked_for.discard((url, source))
        raise


def _step(checkpoint: Mapping[str, Any]) -> float:
    step = checkpoint.get("step_number")
    return step if isinstance(step, int | float) else -1


def _listed(connection: "Connection", url: str) -> list[Mapping[str, Any]] | None:
    """Return what is set up; None where there is no such list: that there is one is not documented."""
    try:
        said = connection.get(url)
    except Fault as fault:
        if fault.status == 404:
            return None
        raise
    models = said.get("data") if isinstance(said, dict) else said
    return [model for model in models if isinstance(model, dict)] if isinstance(models, list) else None
