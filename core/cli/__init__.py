"""The command line: the same use cases as the pages, for people and for scripts.

With ``--json`` one object goes to standard output; everything else goes to standard error. Exit codes:
0 done, 1 refused or failed, 2 wrong usage.
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

from core.bootstrap import build_app
from core.cli.grammar import Parser, parser
from core.errors import NewstuneError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    Parser.asked_for_json = "--json" in given
    options = parser().parse_args(given)
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    app = None
    try:
        app = build_app()
        result = options.run(app, options)
    except NewstuneError as error:
        return _fail(options, str(error))
    except KeyboardInterrupt:
        return _fail(options, "Interrupted. What was committed before stays.")
    finally:
        if app is not None:
            app.close()
    print(json.dumps(result, ensure_ascii=False) if options.json else _readable(result))  # noqa: T201
    return 0


def _fail(options: argparse.Namespace, sentence: str) -> int:
    if options.json:
        print(json.dumps({"error": sentence}, ensure_ascii=False))  # noqa: T201
    print(sentence, file=sys.stderr)  # noqa: T201
    return 1


def _readable(result: dict[str, Any], indent: str = "") -> str:
    """Return a result for people: one fact a line, nested facts indented, tables row by row."""
    lines = []
    for name, value in result.items():
        label = f"{indent}{name if name.isupper() else name.replace('_', ' ')}:"
        if isinstance(value, dict):
            lines += [label, _readable(value, indent + "  ")] if value else [f"{label} none"]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [label, *(_row(row, indent + "  ") for row in value)]
        else:
            lines.append(f"{label} {_plain(value)}")
    return "\n".join(lines)


def _row(row: dict[str, Any], indent: str) -> str:
    """Return one row of a table on a line, or as a block where a table is nested in it."""
    if any(map(_is_deep, row.values())):
        name, *rest = row.items()
        return f"{indent}{name[1]}\n{_readable(dict(rest), indent + '  ')}"
    return indent + ", ".join(f"{key} {_plain(value)}" for key, value in row.items())


def _is_deep(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(each, dict) for each in inner)


def _plain(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(each)}" for key, each in value.items()).join("()") if value else "-"
    return ", ".join(map(_plain, value)) or "none" if isinstance(value, list | tuple) else str(value)
