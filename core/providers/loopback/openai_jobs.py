"""OpenAI's shape: trainings, their events and checkpoints."""

from collections.abc import Mapping
from typing import Any

from core.providers.loopback.exchange import Refusal, Request, Response, ok
from core.providers.loopback.judge import as_object, count_tokens, turns
from core.providers.loopback.openai_files import keep, page
from core.providers.loopback.state import Thing
from core.providers.loopback.timeline import Plan, events, losses, reported_steps
from core.providers.loopback.world import World, new_id

MIN_EXAMPLES = 10
BLOCKED = (
    "OpenAI is winding down the fine-tuning platform and your organization is no longer able to create "
    "new fine-tuning training jobs."
)
#: What "auto" becomes.
_AUTO = {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 1.8}


def create(world: World, request: Request) -> Response:
    """Start a training."""
    if world.script.blocked:
        raise Refusal(403, BLOCKED, "training_not_available")
    body = request.json()
    hyper = _hyperparameters(body)
    _check_names(world, body)
    examples, tokens = _training_data(world, body, "training_file")
    if body.get("validation_file"):
        _training_data(world, body, "validation_file")
    seed = body.get("seed")
    facts = {
        "model": body["model"],
        "training_file": body["training_file"],
        "validation_file": body.get("validation_file"),
        "suffix": body.get("suffix"),
        "seed": seed if isinstance(seed, int) else examples,
        "metadata": body.get("metadata") or {},
        "hyperparameters": hyper,
        "tokens": tokens * hyper["n_epochs"],
        "steps": max(1, -(-examples * hyper["n_epochs"] // hyper["batch_size"])),
        "duration_s": world.script.tuning_s,
        "error": world.script.tuning_error,
    }
    return ok(shown(world, world.state.add("job", new_id("ftjob-"), world.clock(), facts)))


def _check_names(world: World, body: Mapping[str, Any]) -> None:
    name = body.get("model")
    if name not in world.tunable:
        said = f"Model {name} is not available for fine-tuning or does not exist."
        raise Refusal(400, said, "model_not_available", "model")
    if len(str(body.get("suffix") or "")) > 64:
        raise Refusal(400, "suffix is too long: at most 64 characters", "string_above_max_length", "suffix")
    check_metadata(body.get("metadata"))


def check_metadata(pairs: Any) -> None:
    """Raise Refusal for metadata over the vendor's limits: 16 pairs, names of 64, values of 512."""
    if pairs is None:
        return
    valid = isinstance(pairs, dict) and len(pairs) <= 16
    if not valid or not all(
        len(name) <= 64 and isinstance(value, str) and len(value) <= 512 for name, value in pairs.items()
    ):
        said = "Invalid 'metadata': at most 16 pairs of strings, 64 and 512 characters long"
        raise Refusal(400, said, "invalid_metadata", "metadata")


def _hyperparameters(body: Mapping[str, Any]) -> dict[str, Any]:
    method = body.get("method") or {}
    if method and method.get("type") != "supervised":
        raise Refusal(400, "Only method 'supervised' is played here.", "invalid_value", "method.type")
    given = (method.get("supervised") or {}).get("hyperparameters") or body.get("hyperparameters") or {}
    chosen = {**given, **{k: v if given.get(k, "auto") == "auto" else given[k] for k, v in _AUTO.items()}}
    for name, most in (("n_epochs", 50), ("batch_size", 256)):
        if not isinstance(chosen[name], int) or not 1 <= chosen[name] <= most:
            said = f"Invalid value for '{name}': expected 'auto' or an integer from 1 to {most}."
            raise Refusal(400, said, "invalid_value", f"hyperparameters.{name}")
    return chosen


def _training_data(world: World, body: Mapping[str, Any], field: str) -> tuple[int, int]:
    """Return the number of examples and of tokens. Raises Refusal for a file that cannot be learnt from."""
    key = str(body.get(field))
    content = world.state.content("file", key)
    if content is None:
        raise Refusal(400, f"invalid {field}: {key}", "invalid_file_id", field)
    lines = [line for line in content.decode("utf-8-sig", "replace").split("\n") if line.strip()]
    for number, line in enumerate(lines, 1):
        if not _is_chat(line):
            said = f"Invalid file format. Line {number} of {key} is no chat example."
            raise Refusal(400, said, "invalid_file_format", field)
    if field == "training_file" and len(lines) < MIN_EXAMPLES:
        said = f"Training file has {len(lines)} example(s), but must have at least {MIN_EXAMPLES} examples"
        raise Refusal(400, said, "invalid_n_examples", field)
    return len(lines), sum(map(_tokens, lines))


def _is_chat(line: str) -> bool:
    said = turns(as_object(line))
    return len(said) > 1 and said[-1][0] == "assistant"


def _tokens(line: str) -> int:
    return sum(count_tokens(text) + 4 for _, text in turns(as_object(line)))


def plan_of(job: Thing) -> Plan:
    """Return what decides a training's course."""
    facts = job.data
    return Plan(
        job.created,
        facts["duration_s"],
        facts["steps"],
        facts["hyperparameters"]["n_epochs"],
        facts["seed"],
        bool(facts["validation_file"]),
        facts["error"],
        facts.get("cancelled"),
    )


def tuned_name(job: Thing) -> str:
    """Return the name of a training's model, which holds the training's id."""
    return f"ft:{job.data['model']}:newstune:{job.data['suffix'] or ''}:{job.id.removeprefix('ftjob-')}"


def shown(world: World, job: Thing) -> dict[str, Any]:
    """Return a training as the vendor shows it now."""
    now, plan, facts = world.clock(), plan_of(job), job.data
    status = plan.status(now)
    done, finished = status == "succeeded", plan.finished(now)
    hyper = facts["hyperparameters"]
    failed = {"code": "training_failed", "message": facts["error"], "param": None}
    return {
        "object": "fine_tuning.job",
        "id": job.id,
        "model": facts["model"],
        "created_at": int(job.created),
        "finished_at": None if finished is None else int(finished),
        "estimated_finish": int(job.created + plan.duration_s) if status == "running" else None,
        "status": status,
        "error": failed if status == "failed" else None,
        "fine_tuned_model": tuned_name(job) if done else None,
        "trained_tokens": facts["tokens"] if done else None,
        "trained_steps": facts["steps"] if done else None,
        "total_steps": facts["steps"],
        "organization_id": "org-newstune-loopback",
        "result_files": [_result_file(world, job, plan)] if done else [],
        "training_file": facts["training_file"],
        "validation_file": facts["validation_file"],
        "hyperparameters": {name: hyper[name] for name in _AUTO},
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyper}},
        "seed": facts["seed"],
        "user_provided_suffix": facts["suffix"],
        "metadata": facts["metadata"],
        "integrations": [],
    }


def _result_file(world: World, job: Thing, plan: Plan) -> str:
    """Return the id of the file of step metrics, writing it where nobody has asked before."""
    key = f"file-{job.id.removeprefix('ftjob-')}-results"
    if world.state.get("file", key) is None:
        names = ("step", "train_loss", "train_mean_token_accuracy", "valid_loss", "valid_mean_token_accuracy")
        rows = (losses(plan, step) for step in reported_steps(plan))
        lines = [",".join(names), *(",".join(str(row.get(name, "")) for name in names) for row in rows)]
        keep(world, "step_metrics.csv", "fine-tune-results", "\n".join(lines).encode(), key=key)
    return key


def found(world: World, key: str) -> Thing:
    """Return a training. Raises Refusal where there is none."""
    job = world.state.get("job", key)
    if job is None:
        raise Refusal(404, f"Could not find fine tune: {key}", "fine_tune_not_found", "fine_tune_id")
    return job


def jobs(world: World, request: Request) -> Response:
    """List the trainings, newest first, by metadata where asked."""
    old = world.clock() - world.script.list_lag_s
    listed = [job for job in world.state.all("job") if job.created <= old and _asked(request, job)]
    return page(request, [shown(world, job) for job in listed])


def _asked(request: Request, job: Thing) -> bool:
    wanted = {
        name[len("metadata[") : -1]: value
        for name, value in request.query.items()
        if name.startswith("metadata[")
    }
    met: bool = wanted.items() <= job.data["metadata"].items()
    return met


def job(world: World, _request: Request, key: str) -> Response:
    """Return one training."""
    return ok(shown(world, found(world, key)))


def cancel(world: World, _request: Request, key: str) -> Response:
    """Stop a training."""
    one = found(world, key)
    status = plan_of(one).status(world.clock())
    if status in ("succeeded", "failed", "cancelled"):
        raise Refusal(400, f"Job has already {status}." if status != "cancelled" else "Job is cancelled.")
    world.state.change("job", key, cancelled=world.clock())
    return ok(shown(world, found(world, key)))


def job_events(world: World, request: Request, key: str) -> Response:
    """List what a training has reported, newest first."""
    one = found(world, key)
    plan = plan_of(one)
    names = {"job": key, "training_file": one.data["training_file"], "model": tuned_name(one)}
    told = events(plan, world.clock(), **names)
    listed = [
        {
            "object": "fine_tuning.job.event",
            "id": f"ftevent-{key.removeprefix('ftjob-')}-{number:04}",
            "created_at": int(one.created + event.share * plan.duration_s),
            "level": event.level,
            "message": event.message,
            "type": "metrics" if event.data else "message",
            "data": event.data or {},
        }
        for number, event in enumerate(told)
    ]
    return page(request, listed[::-1])


def checkpoints(world: World, request: Request, key: str) -> Response:
    """List a finished training's checkpoints, newest first. The last one is the model itself."""
    one = found(world, key)
    plan = plan_of(one)
    done = plan.status(world.clock()) == "succeeded"
    steps = plan.checkpoint_steps() if done else []
    listed = [
        {
            "object": "fine_tuning.job.checkpoint",
            "id": f"ftckpt_{key.removeprefix('ftjob-')}-{step}",
            "created_at": int(one.created + plan.at(step) * plan.duration_s),
            "fine_tuned_model_checkpoint": tuned_name(one)
            + (f":ckpt-step-{step}" if step < plan.steps else ""),
            "fine_tuning_job_id": key,
            "metrics": {k: v for k, v in losses(plan, step).items() if k != "total_steps"},
            "step_number": step,
        }
        for step in steps
    ]
    return page(request, listed[::-1], 10)
