"""Write a dataset version as files that other tools read, with a manifest that vouches for them."""

import csv
import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlmodel import Session

from core.domain.gemini_format import ADVISED_ROWS, VALIDATION_LIMIT, json_line, tuning_example
from core.domain.policy import Policy
from core.domain.training_format import (
    Answer,
    chat_example,
    guard_formula,
    template,
)
from core.domain.types import Origin, Sentiment, Split
from core.errors import NotFound, Refused
from core.files import write_files
from core.models import DatasetVersion
from core.queries.taught import Sample, samples

#: Training examples under which OpenAI refuses a fine-tuning file.
VENDOR_MINIMUM = 10
CSV_COLUMNS = [
    "key",
    "title",
    "body",
    "label",
    "split",
    "weight",
    "family",
    "market_day",
    "published_at",
    "url",
    "publisher",
    "origin",
]

#: English sentence of each warning of an export.
EXPORT_WARNINGS = {
    "BELOW_GOAL": "{n} samples are below the {goal} that the plan asks for.",
    "BELOW_VENDOR_MINIMUM": "{n} training samples are below the {minimum} that OpenAI accepts.",
    "BELOW_VENDOR_ADVICE": "{n} training samples are below the {advised} that Google advises for tuning on Vertex.",
    "ABOVE_VALIDATION_LIMIT": "{n} validation samples are more than the {limit} that Vertex takes.",
    "WEIGHTS_NOT_IN_FILE": "Chat messages carry no class weights: this file trains unweighted.",
    "DEMO_DATA": "{n} samples are DEMO texts written by a generator; nothing measured on them is a finding.",
}


def export_dataset(
    session: Session, policy: Policy, dataset_id: int, *, fmt: str, out: Path, now: datetime
) -> dict[str, Any]:
    """Write train, validation, test and ``manifest.json`` into the folder `out`; return the manifest.

    The four files replace same-named ones as a set, or nothing changes; other files there stay. An empty
    part is an empty file (CSV: the header). Exporting a version again gives the same bytes but for the
    manifest's time.

    Parameters
    ----------
    fmt : {"openai", "gemini", "csv"}
        Chat messages as JSON Lines, which TRL reads too; the same texts in the shape that tuning on Vertex
        takes; or a table for a spreadsheet.
    now : datetime
        Aware UTC, written to the manifest.

    Raises
    ------
    NotFound, Refused
        No such version; unknown format, or the disk refuses (nothing has changed then).
    """
    manifest, files = _render(session, policy, dataset_id, fmt=fmt, now=now)
    session.rollback()  # no lock is held while the disk works
    write_files(out, files)
    return manifest


def export_zip(session: Session, policy: Policy, dataset_id: int, *, fmt: str, now: datetime) -> bytes:
    """Return the same four files as one zip archive, for a download."""
    _, files = _render(session, policy, dataset_id, fmt=fmt, now=now)
    session.rollback()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, date_time=now.timetuple()[:6])
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _render(
    session: Session, policy: Policy, dataset_id: int, *, fmt: str, now: datetime
) -> tuple[dict[str, Any], dict[str, bytes]]:
    formats: dict[str, tuple[str, Callable[..., bytes]]] = {
        "openai": ("jsonl", partial(_jsonl, chat_example, policy)),
        "gemini": ("jsonl", partial(_jsonl, tuning_example, policy)),
        "csv": ("csv", _csv),
    }
    if fmt not in formats:
        raise Refused(f"There is no export format '{fmt}'", f"Choose one of: {', '.join(formats)}")
    version = session.get(DatasetVersion, dataset_id)
    if version is None:
        raise NotFound("dataset version", dataset_id, "List the versions with: python -m core datasets")
    ending, write = formats[fmt]
    rows = samples(session, version, policy)
    parts = {split: [row for row in rows if row.item.split == split] for split in Split}
    files = {f"{split}.{ending}": write(part) for split, part in parts.items()}
    manifest = _manifest(version, policy, fmt, now) | {
        "files": {
            name: {
                "sha256": sha256(content).hexdigest(),
                "bytes": len(content),
                "rows": len(part),
                "classes": {label.value: sum(row.item.label == label for row in part) for label in Sentiment},
            }
            for (name, content), part in zip(files.items(), parts.values(), strict=True)
        },
        "warnings": _export_warnings(rows, policy, fmt),
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
    return manifest, {**files, "manifest.json": text.encode()}


def _jsonl(
    example: Callable[[str, str, str | None, Answer], dict[str, Any]],
    policy: Policy,
    rows: Sequence[Sample],
) -> bytes:
    lines = (
        json_line(example(policy.system_prompt, row.article.title, row.article.body, row.answer))
        for row in rows
    )
    return "".join(f"{line}\n" for line in lines).encode()


def _csv(rows: Sequence[Sample]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_cells(row) for row in rows)
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()


def _cells(row: Sample) -> list[str]:
    article, item = row.article, row.item
    published = article.effective_at.astimezone(UTC).isoformat() if article.effective_at else None
    texts = (
        article.key,
        article.title,
        article.body,
        item.label,
        item.split,
        f"{item.weight:g}",
        article.family,
        item.market_day,
        published,
        article.url,
        article.publisher,
        article.origin,
    )
    return [guard_formula(text or "") for text in texts]


def _manifest(version: DatasetVersion, policy: Policy, fmt: str, now: datetime) -> dict[str, Any]:
    return {
        "dataset": version.id,
        "dataset_sha256": version.sha256,
        "target": version.target,
        "strategy": version.strategy,
        "balance": version.balance,
        "split_method": version.split_method,
        "built_at": version.created_at.astimezone(UTC).isoformat(),
        "exported_at": now.astimezone(UTC).isoformat(),
        "format": fmt,
        "template": template(policy),
        "counts": version.counts,
    }


def _export_warnings(rows: Sequence[Sample], policy: Policy, fmt: str) -> list[dict[str, Any]]:
    parts = Counter(row.item.split for row in rows)
    trained, validated = parts[Split.TRAIN], parts[Split.VALIDATION]
    demo = sum(row.article.origin == Origin.DEMO for row in rows)
    found: list[dict[str, Any]] = []
    if len(rows) < policy.goal:
        found.append({"code": "BELOW_GOAL", "n": len(rows), "goal": policy.goal})
    if fmt == "openai" and trained < VENDOR_MINIMUM:
        found.append({"code": "BELOW_VENDOR_MINIMUM", "n": trained, "minimum": VENDOR_MINIMUM})
    if fmt == "gemini" and trained < ADVISED_ROWS:
        found.append({"code": "BELOW_VENDOR_ADVICE", "n": trained, "advised": ADVISED_ROWS})
    if fmt == "gemini" and validated > VALIDATION_LIMIT:
        found.append({"code": "ABOVE_VALIDATION_LIMIT", "n": validated, "limit": VALIDATION_LIMIT})
    if fmt != "csv" and any(row.item.weight != 1.0 for row in rows):
        found.append({"code": "WEIGHTS_NOT_IN_FILE"})
    if demo:
        found.append({"code": "DEMO_DATA", "n": demo})
    return [each | {"sentence": EXPORT_WARNINGS[each["code"]].format(**each)} for each in found]
