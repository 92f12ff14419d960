"""What can be wrong with the results of a batch: with single requests, or with the file of results."""

import json
from collections.abc import Callable
from typing import Any

from core.providers.loopback.answers import compact

Lines = list[str]
Results = list[dict[str, Any]]


def _errors(results: Results) -> Results:
    """Let every third request fail at the vendor."""
    error = {"message": "The server had an error.", "type": "server_error", "param": None, "code": None}
    failed = {"status_code": 500, "request_id": "req_failed", "body": {"error": error}}
    return [{**one, "response": failed} if n % 3 == 2 else one for n, one in enumerate(results)]


def _expired(results: Results) -> Results:
    """Let time run out after half of the requests."""
    late = {
        "code": "batch_expired",
        "message": "This request could not be executed before the batch expired.",
    }
    kept = len(results) // 2
    return results[:kept] + [{**one, "response": None, "error": late} for one in results[kept:]]


def _conflicting(lines: Lines) -> Lines:
    """Answer the first request a second time, and differently."""
    twin = json.loads(lines[0])
    choice = twin["response"]["body"]["choices"][0]
    choice["message"]["content"] = compact(
        {"sentiment": "neutral", "confidence": 1, "keywords": [], "reason": ""}
    )
    return [*lines, json.dumps(twin)]


def _unknown(lines: Lines) -> Lines:
    """Answer a request that nobody sent."""
    return [*lines, json.dumps({**json.loads(lines[0]), "custom_id": "nobody-asked-for-this"})]


#: Done to the results before they are dealt to the files of answers and of errors.
RESULT_FAULTS: dict[str, Callable[[Results], Results]] = {"errors": _errors, "expired": _expired}
#: Done to the lines of the file of answers.
LINE_FAULTS: dict[str, Callable[[Lines], Lines]] = {
    "shuffled": lambda lines: lines[::-1],
    "duplicate": lambda lines: [*lines, *lines[:1]],
    "conflicting": _conflicting,
    "missing": lambda lines: lines[1:],
    "unknown": _unknown,
    "not_json": lambda lines: [*lines, "<html>502 Bad Gateway</html>"],
    "blank_lines": lambda lines: [part for line in lines for part in (line, "")],
    "truncated": lambda lines: [*lines[:-1], lines[-1][: len(lines[-1]) // 2]],
}
BATCH_FAULTS = (*RESULT_FAULTS, *LINE_FAULTS)


def spoil_results(names: list[str], results: Results) -> Results:
    """Return the results after the named faults, in turn."""
    for name in names:
        results = RESULT_FAULTS[name](results) if name in RESULT_FAULTS else results
    return results


def spoil_lines(names: list[str], lines: Lines) -> Lines:
    """Return the lines after the named faults, in turn; there is nothing to spoil in none."""
    for name in names:
        lines = LINE_FAULTS[name](lines) if name in LINE_FAULTS and lines else lines
    return lines
