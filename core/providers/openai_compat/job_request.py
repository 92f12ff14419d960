"""What is sent for a training: its files and the paid request. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

from core.domain.training_format import chat_example
from core.providers.base import TrainingRow, TrainingSpec
from core.providers.openai_compat import settings
from core.providers.openai_compat.flavours import Flavour

_BOM = b"\xef\xbb\xbf"


def build_file(rows: tuple[TrainingRow, ...], system: str, *, bom: bool) -> bytes:
    """Return training rows as JSONL in UTF-8, Korean as it is."""
    examples = (
        chat_example(system, row.text.title, row.text.body, row.answer)
        for row in rows
        if row.answer is not None
    )
    lines = (json.dumps(example, ensure_ascii=False) for example in examples)
    return (_BOM if bom else b"") + "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def build_job(flavour: Flavour, spec: TrainingSpec, key: str, handle: Mapping[str, Any]) -> dict[str, Any]:
    """Return the paid request's fields as the SDK's method takes them."""
    hyperparameters, beside = settings.split(flavour, spec.hyperparameters)
    request: dict[str, Any] = {
        "model": spec.base_model,
        "training_file": handle["train_file"],
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        "seed": spec.seed,
        "suffix": suffix(flavour, key),
        "metadata": {"intent_id": key},
    }
    if "validation_file" in handle:
        request["validation_file"] = handle["validation_file"]
    return request | ({"extra_body": beside} if beside else {})


def suffix(flavour: Flavour, key: str) -> str:
    """Return what is added to a tuned model's name, so that it can be told in the vendor's console."""
    return f"newstune-{re.sub('[^a-z0-9]+', '-', key.lower())}"[: min(flavour.suffix_max, 24)].strip("-")
