"""OpenAI's shape: batches. Answers are made when a batch that has ended is first looked at."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from core.providers.loopback.answers import PLAIN, Twist
from core.providers.loopback.batch_faults import spoil_lines, spoil_results
from core.providers.loopback.exchange import Refusal, Request, Response, ok
from core.providers.loopback.openai_files import keep, page
from core.providers.loopback.openai_jobs import check_metadata
from core.providers.loopback.openai_shape import complete, refused
from core.providers.loopback.state import Thing
from core.providers.loopback.world import World, new_id

ENDPOINT = "/v1/chat/completions"
#: Shares of the duration at which the file is read, and all requests are done.
_READ, _DONE = 0.1, 0.9
#: Seconds between the wish to stop and the end.
_STOPPING_S = 0.2
_ENDED = ("completed", "expired", "cancelled")


def create(world: World, request: Request) -> Response:
    """Start a batch."""
    body = request.json()
    key = str(body.get("input_file_id"))
    content = world.state.content("file", key)
    if content is None:
        raise Refusal(400, f"Invalid 'input_file_id': no such file {key}", "invalid_file", "input_file_id")
    if body.get("endpoint") != ENDPOINT or body.get("completion_window") != "24h":
        raise Refusal(400, f"Only {ENDPOINT} within 24h is played here.", "invalid_value", "endpoint")
    check_metadata(body.get("metadata"))
    lines = _lines(content)
    facts = {
        "input_file_id": key,
        "metadata": body.get("metadata"),
        "total": len(lines),
        "problems": _problems(lines)[:50],
        "duration_s": world.script.batch_s,
        "faults": world.script.batch,
    }
    return ok(_shown(world, world.state.add("batch", new_id("batch_"), world.clock(), facts)))


def _lines(content: bytes) -> list[str]:
    return [line for line in content.decode("utf-8-sig", "replace").split("\n") if line.strip()]


def _problems(lines: list[str]) -> list[dict[str, Any]]:
    """Return what the vendor finds wrong with a file before it begins; one problem fails the whole batch."""
    if not lines:
        return [_problem("empty_file", "The input file contains no requests.", None)]
    seen: set[str] = set()
    return [_problem(*said, number) for number, line in enumerate(lines, 1) if (said := _wrong(line, seen))]


def _problem(code: str, message: str, line: int | None) -> dict[str, Any]:
    return {"code": code, "message": message, "param": None, "line": line}


def _wrong(line: str, seen: set[str]) -> tuple[str, str] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return "invalid_json_line", "This line is not parseable as valid JSON."
    if not isinstance(value, dict) or not isinstance(value.get("body"), dict):
        return "invalid_request", "This line is no request."
    if value.get("url") != ENDPOINT or value.get("method") != "POST":
        return "mismatched_endpoint", f"Each request must be POST {ENDPOINT}."
    name = value.get("custom_id")
    if not isinstance(name, str) or name in seen:
        return "duplicate_custom_id", f"The custom_id {name!r} is missing or not unique."
    seen.add(name)
    return None


def _status(world: World, batch: Thing) -> str:
    now, facts = world.clock(), batch.data
    done = (now - batch.created) / facts["duration_s"] if facts["duration_s"] > 0 else 1.0
    if facts["problems"]:
        return "failed" if done >= _READ else "validating"
    stopped = facts.get("cancelled")
    if stopped is not None:
        return "cancelled" if now >= stopped + _STOPPING_S else "cancelling"
    if done >= 1:
        return "expired" if "expired" in facts["faults"] else "completed"
    return "validating" if done < _READ else "in_progress" if done < _DONE else "finalizing"


def _shown(world: World, batch: Thing) -> dict[str, Any]:
    """Return a batch as the vendor shows it now."""
    status = _status(world, batch)
    made = _made(world, batch) if status in _ENDED else {}
    facts, ended = batch.data, int(batch.created + batch.data["duration_s"])
    stopped = facts.get("cancelled")
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": ENDPOINT,
        "completion_window": "24h",
        "input_file_id": facts["input_file_id"],
        "status": status,
        "created_at": int(batch.created),
        "expires_at": int(batch.created) + 86_400,
        "completed_at": ended if status == "completed" else None,
        "expired_at": ended if status == "expired" else None,
        "failed_at": int(batch.created) if status == "failed" else None,
        "cancelling_at": None if stopped is None else int(stopped),
        "cancelled_at": int(stopped + _STOPPING_S) if stopped and status == "cancelled" else None,
        "errors": {"object": "list", "data": facts["problems"]} if status == "failed" else None,
        "output_file_id": made.get("output"),
        "error_file_id": made.get("errors"),
        "request_counts": made.get("counts") or {"total": facts["total"], "completed": 0, "failed": 0},
        "metadata": facts["metadata"],
    }


def _made(world: World, batch: Thing) -> dict[str, Any]:
    """Return the files of a batch that has ended, making them where nobody has looked before."""
    if "made" not in batch.data:
        results = spoil_results(batch.data["faults"], list(_results(world, batch)))
        good = [json.dumps(one) for one in results if _succeeded(one)]
        bad = [json.dumps(one) for one in results if not _succeeded(one)]
        made = {
            "output": _file(world, batch, "output", spoil_lines(batch.data["faults"], good)),
            "errors": _file(world, batch, "errors", bad),
            "counts": {"total": batch.data["total"], "completed": len(good), "failed": len(bad)},
        }
        world.state.change("batch", batch.id, made=made)
        batch.data["made"] = made
    found: dict[str, Any] = batch.data["made"]
    return found


def _succeeded(result: Mapping[str, Any]) -> bool:
    return bool(result["response"]) and result["response"]["status_code"] == 200


def _file(world: World, batch: Thing, kind: str, lines: list[str]) -> str | None:
    key = f"file-{batch.id}-{kind}"
    content = "\n".join(lines).encode()
    return keep(world, f"{batch.id}_{kind}.jsonl", "batch_output", content, key=key).id if lines else None


def _results(world: World, batch: Thing) -> Iterator[dict[str, Any]]:
    """Yield the result of each request; a batch that was stopped has done as many as time allowed."""
    lines = _lines(world.state.content("file", batch.data["input_file_id"]) or b"")
    stopped = batch.data.get("cancelled")
    if stopped is not None:
        share = (stopped - batch.created) / batch.data["duration_s"] if batch.data["duration_s"] else 1.0
        lines = lines[: int(len(lines) * max(0.0, (share - _READ) / (_DONE - _READ)))]
    for line in lines:
        asked = json.loads(line)
        status, body = _result(world, Request("BATCH", ENDPOINT, body=line.encode()), asked["body"])
        response = {"status_code": status, "request_id": new_id("req_"), "body": body}
        yield {
            "id": new_id("batch_req_"),
            "custom_id": asked["custom_id"],
            "response": response,
            "error": None,
        }


def _result(world: World, request: Request, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return status and body of one request; the faults of route ``BATCH /v1/chat/completions`` apply."""
    fault = world.director.fault(request)
    if fault is not None and fault.outcome == "status":
        return fault.status, json.loads(refused(fault.status))
    try:
        return 200, complete(world, body, Twist(fault.answer, fault.content) if fault else PLAIN)
    except Refusal as said:
        return said.status, json.loads(refused(said.status, said.message, said.code, said.param))


def _found(world: World, key: str) -> Thing:
    batch = world.state.get("batch", key)
    if batch is None:
        raise Refusal(404, f"No batch found with id '{key}'.")
    return batch


def batches(world: World, request: Request) -> Response:
    """List the batches, newest first."""
    old = world.clock() - world.script.list_lag_s
    return page(request, [_shown(world, one) for one in world.state.all("batch") if one.created <= old])


def batch(world: World, _request: Request, key: str) -> Response:
    """Return one batch."""
    return ok(_shown(world, _found(world, key)))


def cancel(world: World, _request: Request, key: str) -> Response:
    """Stop a batch."""
    status = _status(world, _found(world, key))
    if status in (*_ENDED, "failed"):
        raise Refusal(409, f"Cannot cancel a batch with status '{status}'.")
    if status != "cancelling":
        world.state.change("batch", key, cancelled=world.clock())
    return ok(_shown(world, _found(world, key)))
