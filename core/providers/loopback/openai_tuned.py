"""OpenAI's shape: the models that trainings left behind, and Nebius's way of making one answer."""

from typing import Any

from core.providers.loopback.exchange import Refusal, Request, Response, ok
from core.providers.loopback.judge import Memory, examples_of
from core.providers.loopback.openai_jobs import found, plan_of, tuned_name
from core.providers.loopback.state import Thing
from core.providers.loopback.world import World, new_id

_DEPLOYED = ("base_model", "source", "description")


def tuned_models(world: World) -> dict[str, str | None]:
    """Return the names of the tuned models with their bases' shutdown dates."""
    now = world.clock()
    ended = [job for job in world.state.all("job") if plan_of(job).status(now) == "succeeded"]
    return {tuned_name(job): world.tunable.get(job.data["model"]) for job in ended}


def memory_of(world: World, name: str) -> Memory | None:
    """Return what a tuned or deployed model remembers; None where there is no such model (yet)."""
    return world.memory(name, lambda: _load(world, name))


def _load(world: World, name: str) -> Memory | None:
    deployed = world.state.get("deployment", name)
    if deployed is not None:
        key = deployed.data["source"].partition(":")[0] if _ready(world, deployed) else ""
    else:
        parts = name.partition(":ckpt-step-")[0].split(":")
        key = f"ftjob-{parts[-1]}" if parts[0] == "ft" else ""
    one = world.state.get("job", key)
    if one is None or plan_of(one).status(world.clock()) != "succeeded":
        return None
    return Memory.of(examples_of(world.state.content("file", one.data["training_file"]) or b""))


def _ready(world: World, one: Thing) -> bool:
    return world.clock() >= one.created + float(one.data["duration_s"])


def deploy(world: World, request: Request) -> Response:
    """Make a checkpoint answer under a name, as Nebius wants it done."""
    body = request.json()
    for field in ("name", "base_model", "source"):
        if not isinstance(body.get(field), str):
            raise Refusal(422, f"Field required: {field}", param=field)
    one = found(world, body["source"].partition(":")[0])
    if plan_of(one).status(world.clock()) != "succeeded":
        raise Refusal(400, "The fine-tuning job has not succeeded.", param="source")
    name = f"{body['base_model']}-LoRa:{body['name']}-{new_id('')[:4]}"
    facts = {field: body.get(field) for field in _DEPLOYED} | {"duration_s": world.script.deploy_s}
    return ok(_deployment(world, world.state.add("deployment", name, world.clock(), facts)))


def _deployment(world: World, one: Thing) -> dict[str, Any]:
    status = "active" if _ready(world, one) else "validating"
    facts = {field: one.data[field] for field in _DEPLOYED}
    return {"name": one.id, **facts, "created_at": int(one.created), "status": status}


def deployments(world: World, _request: Request) -> Response:
    """List the deployed models."""
    return ok([_deployment(world, one) for one in world.state.all("deployment")])


def deployment(world: World, _request: Request, name: str) -> Response:
    """Return one deployed model."""
    one = world.state.get("deployment", name)
    if one is None:
        raise Refusal(404, f"Model {name} not found", "model_not_found")
    return ok(_deployment(world, one))
