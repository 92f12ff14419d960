"""Setting a tuned model up for answering, at the one vendor that lets this program do it.

Requests as in docs.tokenfactory.nebius.com, post-training, and in public programs; never called for real.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from core.providers.openai_compat.faults import Fault

if TYPE_CHECKING:
    from core.providers.openai_compat.client import Connection

#: Beside the version folder: https://host/v0/models.
_MODELS = "v0/models"
_SETTLED = ("active", "error")


def deploy_adapter(
    connection: "Connection", job: Mapping[str, Any], checkpoints: Sequence[Mapping[str, Any]]
) -> str | None:
    """Return the name under which the last checkpoint of a Nebius job answers; None while it is set up.

    Asked again it finds what was set up before, by its source. One whose set-up failed keeps its name: the
    training is paid, and asking the model says what is wrong.

    Raises
    ------
    Fault
        If the vendor refuses or does not answer.
    """
    last = max(checkpoints, key=_step, default={})
    source = f"{job['id']}:{last.get('id', '')}"
    url = connection.beside(_MODELS)
    found = _set_up_before(connection, url, source) or connection.post(
        url,
        {"source": source, "base_model": job.get("model"), "name": f"newstune-{job['id']}"[:60]},
    )
    name = str(found.get("name") or "")
    return name if name and found.get("status", "active") in _SETTLED else None


def _step(checkpoint: Mapping[str, Any]) -> float:
    step = checkpoint.get("step_number")
    return step if isinstance(step, int | float) else -1


def _set_up_before(connection: "Connection", url: str, source: str) -> Mapping[str, Any] | None:
    with suppress(Fault):  # that there is such a list is not documented
        listed = connection.get(url)
        models = listed.get("data") if isinstance(listed, dict) else listed
        for model in models if isinstance(models, list) else ():
            if isinstance(model, dict) and model.get("source") == source:
                return model
    return None
