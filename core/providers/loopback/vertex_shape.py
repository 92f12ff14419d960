"""Google's cloud service: supervised tuning, and answers of what was tuned."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from core.providers.loopback.exchange import Refusal, Request, Response, ok
from core.providers.loopback.gemini_shape import MODELS, known
from core.providers.loopback.google_shape import generated, pages
from core.providers.loopback.judge import Memory, as_object, count_tokens, examples_of, turns
from core.providers.loopback.state import Thing
from core.providers.loopback.timeline import Plan
from core.providers.loopback.world import World, new_id

#: Steps of an unknown number of examples, and examples a step.
_STEPS, _BATCH = 30, 4
_STATES = {
    "validating_files": "JOB_STATE_PENDING",
    "queued": "JOB_STATE_QUEUED",
    "running": "JOB_STATE_RUNNING",
    "succeeded": "JOB_STATE_SUCCEEDED",
    "failed": "JOB_STATE_FAILED",
    "cancelled": "JOB_STATE_CANCELLED",
}
_CONDITION = re.compile(r'(labels\.[\w-]+|tuned_?[mM]odel_?[dD]isplay_?[nN]ame)\s*[=:]\s*"?([^"\s]+)"?')
_GIVEN = ("baseModel", "supervisedTuningSpec", "tunedModelDisplayName", "labels", "description")


def keep_object(world: World, name: str, content: bytes) -> str:
    """Store what would lie in a bucket, and return its ``gs://`` address."""
    address = f"gs://newstune-loopback/{name}"
    world.state.add("object", address, world.clock(), {}, content)
    return address


def create(world: World, request: Request, project: str, location: str) -> Response:
    """Start a tuning. A data set that was not stored here is taken for read, and not counted."""
    if world.script.blocked:
        raise Refusal(403, f"Tuning is not available for project {project}.")
    body = request.json()
    known(world, str(body.get("baseModel", "")).removeprefix("publishers/google/"))
    spec = body.get("supervisedTuningSpec") or {}
    if not str(spec.get("trainingDatasetUri", "")).startswith("gs://"):
        raise Refusal(400, "training_dataset_uri must be a Google Cloud Storage URI.")
    epochs = int((spec.get("hyperParameters") or {}).get("epochCount") or 3)
    facts = {
        **{field: body[field] for field in _GIVEN if field in body},
        "parent": f"projects/{project}/locations/{location}",
        "epochs": epochs,
        "counted": _counted(world, spec["trainingDatasetUri"], epochs),
        "duration_s": world.script.tuning_s,
        "error": world.script.tuning_error,
    }
    key = str(int(new_id("")[:15], 16))
    return ok(_shown(world, world.state.add("tuning", key, world.clock(), facts)))


def _counted(world: World, address: str, epochs: int) -> dict[str, int]:
    content = world.state.content("object", address)
    if content is None:
        return {}
    lines = [line for line in content.decode("utf-8-sig", "replace").split("\n") if line.strip()]
    said = [text for line in lines for _, text in turns(as_object(line))]
    return {
        "tuningDatasetExampleCount": len(lines),
        "totalTuningCharacterCount": sum(map(len, said)),
        "totalBillableTokenCount": sum(map(count_tokens, said)),  # of one pass, as Vertex counts
        "tuningStepCount": max(1, -(-len(lines) * epochs // _BATCH)),
    }


def _plan(one: Thing) -> Plan:
    facts = one.data
    steps = facts["counted"].get("tuningStepCount", _STEPS)
    return Plan(
        one.created,
        facts["duration_s"],
        steps,
        facts["epochs"],
        error=facts["error"],
        cancelled=facts.get("cancelled"),
    )


def _shown(world: World, one: Thing) -> dict[str, Any]:
    """Return a tuning as the vendor shows it now; whole numbers as text, as Google's JSON has them."""
    plan, now, facts = _plan(one), world.clock(), one.data
    status, ended = plan.status(now), plan.finished(now)
    name = f"{facts['parent']}/tuningJobs/{one.id}"
    told: dict[str, Any] = {
        "name": name,
        **{field: facts[field] for field in _GIVEN if field in facts},
        "state": _STATES[status],
        "createTime": _time(one.created),
        "updateTime": _time(now if ended is None else ended),
    }
    if status not in ("validating_files", "queued"):
        told["startTime"] = _time(one.created + 0.2 * plan.duration_s)
    if ended is not None:
        told["endTime"] = _time(ended)
    if status == "failed":
        told["error"] = {"code": 3, "message": facts["error"]}
    if status == "succeeded":
        told["tunedModel"] = _tuned(one, plan)
        counts = {field: str(count) for field, count in facts["counted"].items()}
        told |= {"tuningDataStats": {"supervisedTuningDataStats": counts}} if counts else {}
    return told


def _tuned(one: Thing, plan: Plan) -> dict[str, Any]:
    parent = one.data["parent"]
    endpoint = f"{parent}/endpoints/{one.id}"
    steps = enumerate(plan.checkpoint_steps(), 1)
    checkpoints = [
        {"checkpointId": str(n), "epoch": str(n), "step": str(step), "endpoint": endpoint}
        for n, step in steps
    ]
    return {"model": f"{parent}/models/{one.id}@1", "endpoint": endpoint, "checkpoints": checkpoints}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _found(world: World, parent: str, key: str) -> Thing:
    one = world.state.get("tuning", key)
    if one is None or one.data["parent"] != parent:
        raise Refusal(404, f"The TuningJob does not exist: {parent}/tuningJobs/{key}")
    return one


def tunings(world: World, request: Request, project: str, location: str) -> Response:
    """List the tunings of a place, newest first, by labels or display name where asked."""
    parent, old = f"projects/{project}/locations/{location}", world.clock() - world.script.list_lag_s
    conditions = _CONDITION.findall(request.query.get("filter", ""))
    mine = [
        one
        for one in world.state.all("tuning")
        if one.data["parent"] == parent and one.created <= old and _meets(one.data, conditions)
    ]
    return pages(request, "tuningJobs", [_shown(world, one) for one in mine])


def _meets(facts: Mapping[str, Any], conditions: list[tuple[str, str]]) -> bool:
    labels = facts.get("labels") or {}
    return all(
        (labels.get(field.removeprefix("labels.")) if field.startswith("labels.") else _title(facts)) == value
        for field, value in conditions
    )


def _title(facts: Mapping[str, Any]) -> str:
    return str(facts.get("tunedModelDisplayName", ""))


def tuning(world: World, _request: Request, project: str, location: str, key: str) -> Response:
    """Return one tuning."""
    return ok(_shown(world, _found(world, f"projects/{project}/locations/{location}", key)))


def cancel(world: World, _request: Request, project: str, location: str, key: str) -> Response:
    """Stop a tuning; what has ended stays as it is."""
    one = _found(world, f"projects/{project}/locations/{location}", key)
    if _plan(one).finished(world.clock()) is None:
        world.state.change("tuning", key, cancelled=world.clock())
    return ok({})


def generate_tuned(world: World, request: Request, project: str, location: str, key: str) -> Response:
    """Answer one question as a tuned model."""
    name = f"projects/{project}/locations/{location}/endpoints/{key}"
    one = world.state.get("tuning", key) if name not in world.memories else None
    if name not in world.memories and (one is None or _plan(one).status(world.clock()) != "succeeded"):
        raise Refusal(404, f"Endpoint `{name}` not found.")
    memory = world.memory(name, lambda: _memory(world, one))
    return generated(world, request, name, memory if memory and memory.examples else None)


def _memory(world: World, one: Thing | None) -> Memory:
    address = one.data["supervisedTuningSpec"]["trainingDatasetUri"] if one else ""
    return Memory.of(examples_of(world.state.content("object", address) or b""))


def generate(world: World, request: Request, name: str) -> Response:
    """Answer one question as a base model."""
    return generated(world, request, known(world, name), None)


def models(world: World, request: Request) -> Response:
    """List the base models."""
    names = (*MODELS, *world.script.models)
    return pages(request, "publisherModels", [{"name": f"publishers/google/models/{name}"} for name in names])
