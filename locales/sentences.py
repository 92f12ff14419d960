"""Extraction of the sentences that core keeps in tables: core itself knows nothing of languages."""
# ruff: noqa: INP001, ARG001 - a folder of data, and the signature is Babel's

import ast
from collections.abc import Iterator
from typing import IO, Any


def extract(
    fileobj: IO[bytes], keywords: Any, comment_tags: Any, options: Any
) -> Iterator[tuple[int, None, str, list[str]]]:
    """Yield the values of every module-level dict whose name ends in ``_SENTENCES``, for Babel."""
    for node in ast.parse(fileobj.read()).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Dict):
            continue
        if any(isinstance(name, ast.Name) and name.id.endswith("_SENTENCES") for name in node.targets):
            for value in node.value.values:
                yield value.lineno, None, ast.literal_eval(value), []
