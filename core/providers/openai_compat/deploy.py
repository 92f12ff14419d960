"""Setting a tuned model up for answering, at the one vendor that lets this program do it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.providers.openai_compat.client import Connection


def deploy_adapter(connection: "Connection", job: Mapping[str, Any]) -> str:
    """Set up the last checkpoint of a job at Nebius and return the name under which it answers.

    ``POST /v0/models`` stands beside ``/v1``. The name is made from the job's, so that asking twice asks for
    the same model. Request as in docs.tokenfactory.nebius.com, post-training; never called for real.

    Raises
    ------
    Fault
        If the vendor refuses or does not answer.
    """
    checkpoints = connection.everything(
        lambda client, **page: client.fine_tuning.jobs.checkpoints.with_raw_response.list(job["id"], **page)
    )
    last = max(checkpoints, key=lambda one: one.get("step_number") or 0, default={})
    body = {
        "source": f"{job['id']}:{last.get('id', '')}",
        "base_model": job.get("model"),
        "name": f"newstune-{job['id']}"[:60],
    }
    answer = connection.post(connection.beside("v0/models"), body)
    return str(answer.get("name") or body["name"])
