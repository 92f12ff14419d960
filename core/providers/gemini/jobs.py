"""Tuning jobs as values: what is sent for one, and what Vertex's record of one says. Nothing is asked here."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from core.domain.gemini_format import (
    FILE_LIMIT_BYTES,
    TRAINING_LIMIT,
    VALIDATION_LIMIT,
    json_line,
    tuning_example,
)
from core.domain.types import JobStatus
from core.providers.base import JobReport, TrainedModel, TrainerEvent, TrainingRow, TrainingSpec
from core.providers.gemini.catalogue import HYPERPARAMETERS
from core.providers.gemini.client import clean

#: Label by which a job is found again; its value is the intent's key.
LABEL = "newstune"
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{1,63}")

_UNDER_WAY = {
    "JOB_STATE_QUEUED": "waiting at Vertex",
    "JOB_STATE_PENDING": "being prepared at Vertex",
    "JOB_STATE_RUNNING": "training at Vertex",
    "JOB_STATE_UPDATING": "being changed at Vertex",
    "JOB_STATE_PAUSED": "paused at Vertex",
    "JOB_STATE_CANCELLING": "being cancelled at Vertex",
}
_ENDED = {
    "JOB_STATE_SUCCEEDED": JobStatus.SUCCEEDED,
    "JOB_STATE_PARTIALLY_SUCCEEDED": JobStatus.SUCCEEDED,
    "JOB_STATE_FAILED": JobStatus.FAILED,
    "JOB_STATE_EXPIRED": JobStatus.FAILED,
    "JOB_STATE_CANCELLED": JobStatus.CANCELLED,
}


def label_of(key: str) -> str:
    """Return an intent's key as a label's value: itself where it fits, else its checksum."""
    return key if _LABEL_VALUE.fullmatch(key) else sha256(key.encode()).hexdigest()[:40]


def display_name(key: str) -> str:
    """Return the tuned model's name in the vendor's console, at most 128 characters."""
    return f"newstune-{label_of(key)}"


def settings(spec: TrainingSpec) -> dict[str, Any]:
    """Return the hyper-parameters that are sent: those given, else the defaults of the card."""
    given = {known.name: spec.hyperparameters.get(known.name) for known in HYPERPARAMETERS}
    return {
        known.name: known.default if given[known.name] is None else given[known.name]
        for known in HYPERPARAMETERS
    }


def build_config(spec: TrainingSpec, key: str, validation_uri: str | None) -> dict[str, Any]:
    """Return the SDK's configuration of a tuning job."""
    config = settings(spec) | {
        "tuned_model_display_name": display_name(key),
        "labels": {LABEL: label_of(key)},
        "description": "newstune",
        "export_last_checkpoint_only": True,  # each further one would be an endpoint of its own
    }
    return config | ({"validation_dataset": {"gcs_uri": validation_uri}} if validation_uri else {})


def training_file(rows: Sequence[TrainingRow], system: str) -> bytes:
    """Return rows as a tuning file; rows without an answer teach nothing and are not in it."""
    examples = (
        tuning_example(system, row.text.title, row.text.body, row.answer) for row in rows if row.answer
    )
    return "".join(f"{json_line(example)}\n" for example in examples).encode("utf-8", "replace")


def problem_of(spec: TrainingSpec) -> str:
    """Return why Vertex would refuse a training, as far as that can be told from here; "" if nothing is known."""
    if not spec.base_model:
        return "No base model is named"
    if not any(row.answer for row in spec.train):
        return "No training row has an answer to teach"
    if len(spec.validation) > VALIDATION_LIMIT:
        return (
            f"{len(spec.validation)} validation rows are more than the {VALIDATION_LIMIT} that Vertex takes"
        )
    if len(spec.train) > TRAINING_LIMIT:
        return f"{len(spec.train)} training rows are more than the {TRAINING_LIMIT} that Vertex takes"
    if len(training_file(spec.train, spec.system)) > FILE_LIMIT_BYTES:
        return "The training file is larger than the 1 GB that Vertex takes"
    return _unfit_setting(spec.hyperparameters)


def _unfit_setting(given: Mapping[str, Any]) -> str:
    known = {setting.name: setting for setting in HYPERPARAMETERS}
    for name, value in given.items():
        setting = known.get(name)
        if setting is None:
            return f"Vertex has no setting '{name}' (it has {', '.join(known)})"
        if value is None:
            continue
        fits = value in setting.choices if setting.choices else _within(value, setting.low, setting.high)
        if not fits or (setting.kind == "int" and not isinstance(value, int)):
            allowed = ", ".join(setting.choices) or f"{setting.low:g} to {setting.high:g}"
            return f"'{value}' is no {name} ({allowed})"
    return ""


def _within(value: Any, low: float | None, high: float | None) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and (low is None or value >= low) and (high is None or value <= high)


def belongs(job: Mapping[str, Any], key: str) -> bool:
    """Whether a job at the vendor is the one of an intent."""
    label = (job.get("labels") or {}).get(LABEL)
    return label == label_of(key) or job.get("tuned_model_display_name") == display_name(key)


def report(job: Mapping[str, Any], base_model: str, redact: Callable[[str], str]) -> JobReport:
    """Return what a job's record says.

    Parameters
    ----------
    job : mapping
        The SDK's record as JSON values, by the SDK's names.
    base_model : str
        What is tuned, as it was ordered.
    """
    state = str(job.get("state") or "")
    status = _ENDED.get(state, JobStatus.RUNNING)
    events = _events(job)
    if status == JobStatus.RUNNING:
        message = _UNDER_WAY.get(state, "Vertex does not say where it stands")
        return JobReport(status, _progress(job), message, events)
    if status == JobStatus.CANCELLED:
        return JobReport(status, _progress(job), "cancelled at Vertex", events, may_be_billed=_had_begun(job))
    model = _model(job, base_model)
    if status == JobStatus.SUCCEEDED and model is not None:
        return JobReport(status, 1.0, "trained", events, model)
    return JobReport(
        JobStatus.FAILED,
        _progress(job),
        "failed at Vertex",
        events,
        error=_error(job, state, redact),
        may_be_billed=_had_begun(job),
    )


def status_of(job: Mapping[str, Any]) -> JobStatus:
    """Return where a job stands, or is going: one that is being cancelled leaves no model."""
    state = str(job.get("state") or "")
    if state == "JOB_STATE_CANCELLING":
        return JobStatus.CANCELLED
    return _ENDED.get(state, JobStatus.RUNNING)


def _had_begun(job: Mapping[str, Any]) -> bool:
    """Tell whether a job had ever been running (`start_time` is when it first was), and not only waiting."""
    trained = bool((job.get("tuned_model") or {}).get("model"))
    return trained or bool(job.get("start_time")) or _progress(job) > 0


def _error(job: Mapping[str, Any], state: str, redact: Callable[[str], str]) -> str:
    said = clean(str((job.get("error") or {}).get("message") or ""), redact)
    sentence = f"Vertex says: {said}" if said else f"Vertex ended the job ({state}) without saying why."
    if (job.get("tuned_model") or {}).get("model"):
        sentence += " The model was trained without an endpoint to answer from, and is probably billed."
    return sentence


def _model(job: Mapping[str, Any], base_model: str) -> TrainedModel | None:
    tuned = job.get("tuned_model") or {}
    if not tuned.get("endpoint"):
        return None
    stats, epochs = _stats(job), _epochs(job)
    tokens = stats.get("total_billable_token_count")
    facts = {
        "tuning_job": job.get("name"),
        "epochs": epochs,
        "steps": stats.get("tuning_step_count"),
        "rows": stats.get("tuning_dataset_example_count"),
        "tokens_in_file": tokens,
    }
    return TrainedModel(
        artefact=None,
        sha256=None,
        base_model=base_model or str(job.get("base_model") or ""),
        params={name: fact for name, fact in facts.items() if fact is not None},
        remote_model=tuned["endpoint"],
        # The vendor counts the file once (its sum of input and output tokens), and bills each pass over it.
        billed_tokens=tokens * epochs if tokens is not None and epochs is not None else None,
    )


def _progress(job: Mapping[str, Any]) -> float:
    done = job.get("tuning_job_metadata") or {}
    for part, whole in (
        (done.get("completed_step_count"), _stats(job).get("tuning_step_count")),
        (done.get("completed_epoch_count"), _epochs(job)),
    ):
        if part and whole:
            return min(1.0, float(part) / float(whole))
    return 0.0


def _stats(job: Mapping[str, Any]) -> Mapping[str, Any]:
    return (job.get("tuning_data_stats") or {}).get("supervised_tuning_data_stats") or {}


def _epochs(job: Mapping[str, Any]) -> int | None:
    return ((job.get("supervised_tuning_spec") or {}).get("hyper_parameters") or {}).get("epoch_count")


def _events(job: Mapping[str, Any]) -> tuple[TrainerEvent, ...]:
    """Return the moments that the record holds; Vertex has no list of events, and no losses."""
    moments = (("create_time", "created"), ("start_time", "started"), ("end_time", "ended"))
    return tuple(
        TrainerEvent(place, datetime.fromisoformat(job[name]), message)
        for place, (name, message) in enumerate(moments)
        if job.get(name)
    )
