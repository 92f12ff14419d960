"""``make bench``: one JSON object on standard output; exit 1 when a figure falls short.

``python -m benchmarks NAME ...`` runs the chapters named; a chapter that needs real data is left out
where the folder ``../shared`` is absent.
"""

import json
import sys
import time
from importlib import import_module
from pathlib import Path

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
#: modules of this package with a function ``rows(shared)``, imported when their turn comes: the children
#: of one chapter re-import this file and must not load the others
CHAPTERS = ("database", "pages", "local_model", "predictions", "answers")


def main(names: list[str]) -> int:
    """Run the chapters named (all without names), print the report, return the exit code."""
    shared = SHARED if SHARED.is_dir() else None
    report = {}
    for name in names or CHAPTERS:
        started = time.perf_counter()
        for row in import_module(f"benchmarks.{name}").rows(shared):
            report[row.name] = row.as_json()
            print(f"{'ok  ' if row.ok else 'MISS'} {row}", file=sys.stderr)
        print(f"     {name} took {time.perf_counter() - started:.0f} s", file=sys.stderr)
    print(json.dumps(report, ensure_ascii=False, indent=1))
    return 0 if all(row["ok"] for row in report.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
