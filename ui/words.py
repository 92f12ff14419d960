"""Sentences made of codes and numbers, in the reader's language."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from core.queries.overview import Arrivals
from ui import format as fmt
from ui.i18n import mark, t, tn

_STEPS = {
    "COLLECT": mark("Collect {goal} verified samples"),
    "QUALITY": mark("Check quality automatically"),
    "DATASET": mark("Freeze a dataset version, split 80/10/10"),
    "TRAIN": mark("Train a model"),
    "EVALUATE": mark("Evaluate it: accuracy and macro-F1"),
    "COMPARE": mark("Compare it with the few-shot model"),
    "PROMOTE": mark("Promote a champion"),
    "SERVE": mark("Answer AI News Trader through the API"),
    "RETRAIN": mark("Retrain on new samples"),
}
JOBS = {
    "outcomes due": mark("Settle outcomes that are due"),
    "training poll": mark("Follow training jobs"),
    "predictions": mark("Ask models, follow batches"),
    "imports broken off": mark("Close imports that broke off"),
    "live experiments": mark("Follow live experiments"),
}
#: what trainers and imports say while they work: pattern, and the sentence with its numbers in order
_TOLD = (
    (r"starting", mark("starting")),
    (r"Reading", mark("Reading")),
    (r"Reading (\d+) of (\d+) files", mark("Reading {0} of {1} files")),
    (r"Storing", mark("Storing")),
    (r"Working out outcomes", mark("Working out outcomes")),
    (r"Looking for duplicates and missing labels", mark("Looking for duplicates and missing labels")),
    (r"ended: (.+)", mark("ended: {0}")),
    (r"rows read: ([\d,]+)", mark("rows read: {0}")),
    (r"features built: ([\d,]+)", mark("features built: {0}")),
    (r"margins of (\d+) folds", mark("margins of {0} folds")),
    (r"support-vector machine fitted and calibrated", mark("support-vector machine fitted and calibrated")),
    (
        r"a class has fewer than (\d+) rows: logistic regression alone",
        mark("a class has fewer than {0} rows: logistic regression alone"),
    ),
    (
        r"validation: accuracy ([\d.]+), macro-F1 ([\d.]+) \(n=(\d+)\)",
        mark("validation: accuracy {0}, macro-F1 {1} (n = {2})"),
    ),
    (r"artefact written", mark("artefact written")),
    (r"Created fine-tuning job: (.+)", mark("job created: {0}")),
    (r"Validating training file: (.+)", mark("checking the training file: {0}")),
    (r"Files validated, moving job to queued state", mark("files checked, waiting in the vendor's queue")),
    (r"Fine-tuning job started", mark("training has started")),
    (r"Step (\d+)/(\d+): training loss=([\d.]+)", mark("step {0} of {1}: loss {2}")),
    (
        r"Step (\d+)/(\d+): training loss=([\d.]+), validation loss=([\d.]+)",
        mark("step {0} of {1}: loss {2}, on the validation part {3}"),
    ),
    (r"Checkpoint created at step (\d+)", mark("checkpoint at step {0}")),
    (r"New fine-tuned model created: (.+)", mark("model made: {0}")),
    (r"watch begun: experiment (\d+)", mark("the former champion watches: experiment {0}")),
    (r"concluded: experiment (\d+) \(better\)", mark("experiment {0} has ended: better")),
    (r"concluded: experiment (\d+) \(worse\)", mark("experiment {0} has ended: worse")),
    (r"concluded: experiment (\d+) \(inconclusive\)", mark("experiment {0} has ended: not decided")),
    (r"The job has successfully completed", mark("the job has succeeded")),
    (r"Fine-tuning job cancelled", mark("the job was cancelled")),
)
#: what imports and jobs count, in the order in which it is told; the rest is detail for the command line
_COUNTED = {
    "articles": mark("Articles"),
    "predictions": mark("Predictions"),
    "labels": mark("Human labels"),
    "market": mark("Market values"),
    "accuracy": mark("Accuracy logs"),
    "articles_conflicting": mark("Articles that differ from the stored copy"),
    "predictions_conflicting": mark("Predictions that differ from the stored copy"),
    "predictions_discarded": mark("Failed analyses left out"),
    "labels_changed": mark("Label changed between copies"),
    "files_rejected": mark("Files rejected"),
    "files_ignored": mark("Files ignored"),
    "outcomes_new": mark("New outcomes"),
    "outcomes_changed": mark("Changed outcomes"),
    "reasons_changed": mark("Articles judged anew"),
    "imports_closed": mark("Broken-off imports closed"),
    "enrolled": mark("Articles of live experiments"),
    "answered": mark("Answers for live experiments"),
    "given_up": mark("Questions given up"),
}
_TABLES = {
    "article": mark("Articles"),
    "prediction": mark("Predictions"),
    "outcome": mark("Outcomes"),
    "human_label": mark("Human labels"),
    "market_day": mark("Market days"),
    "accuracy_log": mark("Accuracy logs of the parent app"),
    "day_score": mark("Day scores"),
    "import_run": mark("Imports"),
    "dataset_version": mark("Dataset versions"),
    "dataset_item": mark("Dataset items"),
    "training_job": mark("Training jobs"),
    "training_event": mark("Training events"),
    "model_version": mark("Model versions"),
    "evaluation_run": mark("Evaluations"),
    "comparison": mark("Comparisons"),
    "champion": mark("Champions"),
    "promotion": mark("Promotions"),
    "experiment": mark("Live experiments"),
    "experiment_item": mark("Articles of live experiments"),
    "job_run": mark("Job runs"),
}
_SOURCES = {
    "backfill-close": mark("Back-filled closes"),
    "backfill-percent": mark("Back-filled percents"),
    "live": mark("Live client"),
    "parent": mark("AI News Trader"),
    "demo": mark("Demo"),
}


def counts(given: Mapping[str, Any]) -> str:
    """Return what was counted in words; zeros are left out, new ones stand in brackets."""
    parts = []
    for name, label in _COUNTED.items():
        if given.get(name):
            new = given.get(f"{name}_new")
            fresh = "" if new is None else t(" ({n} new)", n=fmt.number(new))
            parts.append(f"{t(label)} {fmt.number(given[name])}{fresh}")
    return " · ".join(parts)


def told(message: str) -> str:
    """Return what a trainer, a job or an import says, in the reader's language where we know it."""
    for pattern, sentence in _TOLD:
        found = re.fullmatch(pattern, message)
        if found:
            return t(sentence).format(*found.groups())
    if re.fullmatch(r"[a-z ]+: \d+(, [a-z ]+: \d+)*", message):
        pairs = (part.split(": ") for part in message.split(", "))
        return counts({name.replace(" ", "_"): int(n) for name, n in pairs}) or message
    if ", " in message:
        return ", ".join(told(part) for part in message.split(", "))
    return message


def of_core(sentence: str) -> str:
    """Return a sentence of core (a note, a reason, a setting's meaning) in the reader's language where known.

    The empty one stays empty: to gettext it is the name of the catalogue's own header.
    """
    return t(sentence) if sentence else ""


def table(name: str) -> str:
    """Return what the rows of a table are."""
    return t(_TABLES[name]) if name in _TABLES else name


def source(code: str) -> str:
    """Return where market data came from."""
    return t(_SOURCES[code]) if code in _SOURCES else code


@cache
def version() -> str:
    """Return the program's version, from the project file beside the code."""
    project = Path(__file__).resolve().parent.parent / "pyproject.toml"
    return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])


def step(code: str, *, goal: int) -> str:
    """Return one item of the plan's check-list."""
    return t(_STEPS[code], goal=fmt.number(goal))


def job(name: str) -> str:
    """Return what a background job does."""
    return t(JOBS[name]) if name in JOBS else fmt.plain(name)


def effective_days(target: str, days: int) -> str:
    """Return the note beside a count of samples: over how many days they spread."""
    if not days:
        return ""
    if target == "direction":
        return tn("over {n} market day", "over {n} market days", days)
    return tn("over {n} day", "over {n} days", days)


def verified(target: str, days: int) -> str:
    """Return what stands under a count of verified samples."""
    if not days:
        return t("verified")
    return t("verified, {days}", days=effective_days(target, days))


def arrival(target: str, rate: Arrivals, missing: int) -> str:
    """Return how fast samples of a target arrive, and when the goal is reached if that can be said."""
    name = fmt.word("target", target)
    if rate.per_week is None:
        reason = tn("{n} new article in four weeks", "{n} new articles in four weeks", rate.n)
        return t("{target}: no arrival rate ({reason}, too few to project).", target=name, reason=reason)
    pace = t("{target}: {rate} a week", target=name, rate=fmt.number(rate.per_week))
    weeks = rate.weeks_to(missing)
    if weeks is None:
        return t("{pace}; the goal is reached.", pace=pace)
    return t(
        "{pace}; the goal in about {weeks} weeks at this rate.", pace=pace, weeks=fmt.number(max(1, weeks))
    )


def balance(rows: Sequence[tuple[str, Mapping[str, int]]]) -> str:
    """Return class counts in words, for readers who do not see the chart."""
    return "; ".join(
        f"{label}: " + ", ".join(f"{fmt.word('sentiment', code)} {n}" for code, n in counts.items())
        for label, counts in rows
    )


def clock(found: Mapping[str, Any], now: datetime) -> list[str]:
    """Return one sentence for each coming close that decides outcomes."""
    waiting = [entry for entry in found["next_closes"] if entry["closes_at"] > now]
    if not waiting:
        return [t("No outcome is waiting for a close.")]
    return [
        tn(
            "{n} label matures at the close of {at}",
            "{n} labels mature at the close of {at}",
            entry["n"],
            at=f"{fmt.day(fmt.seoul(entry['closes_at']).date())} {fmt.seoul(entry['closes_at']):%H:%M}",
        )
        for entry in waiting[:4]
    ]
