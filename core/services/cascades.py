"""Cascades as rows: made of two model versions, and answering from what these two have answered."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from core.db import insert_new
from core.domain.cascade import escalates, latency
from core.domain.types import ItemState, ModelKind, Split
from core.errors import NotFound, Refused
from core.models import DatasetItem, DatasetVersion, ModelVersion, Prediction, PredictionItem, PredictionRun

#: Values of one IN list: below every SQLite build's limit of parameters.
_LOOKUP = 5_000
#: How the detail of a run's article begins whose request never left (see `prediction_runs.Ending`).
NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Parts:
    """Who answers for a cascade, and from which confidence (0-100) on the first one answers alone."""

    first: ModelVersion
    second: ModelVersion
    threshold: float

    @property
    def second_name(self) -> str:
        """What is kept as the one who answered where the second did not say its name: as a vendor bills it."""
        remote = self.second.artefact is None
        return str(
            self.second.params.get("remote_model") or (self.second.base_model if remote else self.second.name)
        )


def chosen_parts(
    session: Session, *, first_id: int, second_id: int, dataset_id: int
) -> tuple[ModelVersion, ModelVersion, DatasetVersion]:
    """Return two model versions that may form a cascade for the target of a dataset version.

    Raises
    ------
    NotFound
        If a model version or the dataset version does not exist.
    Refused
        If they are one and the same, one is a cascade itself, or one learned another target.
    """
    dataset = session.get(DatasetVersion, dataset_id)
    if dataset is None:
        raise NotFound("dataset version", dataset_id, "List them with the command 'datasets'")
    if first_id == second_id:
        raise Refused("A cascade needs two different models", "Choose another second model")
    first, second = _model(session, first_id), _model(session, second_id)
    for model in (first, second):
        if model.kind == ModelKind.CASCADE:
            raise Refused(f"{model.name} is a cascade already", "Choose two models that answer by themselves")
        if model.target is not None and model.target != dataset.target:
            raise Refused(
                f"{model.name} learned the target '{model.target}' and the dataset has '{dataset.target}'",
                "Choose two models of one target, and a dataset version of that target",
            )
    return first, second, dataset


def _model(session: Session, model_id: int) -> ModelVersion:
    model = session.get(ModelVersion, model_id)
    if model is None:
        raise NotFound("model version", model_id, "List them with the command 'models'")
    return model


def create_cascade(
    session: Session,
    *,
    first_id: int,
    second_id: int,
    threshold: float,
    dataset_id: int,
    remote: bool,
    actor: str,
    now: datetime,
) -> ModelVersion:
    """Store a cascade and return it; the same request again returns the one there is.

    Parameters
    ----------
    threshold : float
        Confidence in percent, above 0 up to 100, below which the second model is asked.
    dataset_id : int
        Dataset version on whose validation part the threshold was chosen.
    remote : bool
        Whether the second model answers over a network.

    Raises
    ------
    NotFound, Refused
        As `chosen_parts`; also if the threshold is out of range.
    """
    if not 0 < threshold <= 100:
        raise Refused(
            f"A threshold of {threshold:g} is not above 0 and at most 100",
            "Choose a point of the curve; at 0 the first model answers everything: promote that one",
        )
    first, second, dataset = chosen_parts(
        session, first_id=first_id, second_id=second_id, dataset_id=dataset_id
    )
    asked = {"first_id": first_id, "second_id": second_id, "threshold": threshold, "dataset_id": dataset_id}
    lent = {name: second.params[name] for name in ("remote_model", "retires") if name in second.params}
    fresh = ModelVersion(
        name=_name(first, second, threshold, dataset),
        kind=ModelKind.CASCADE,
        provider=second.provider,
        base_model=second.base_model,
        target=dataset.target,
        params=asked | lent | {"remote": remote, "created_by": actor},
        simulated=first.simulated or second.simulated,
        created_at=now,
    )
    known = session.exec(select(ModelVersion).where(ModelVersion.name == fresh.name)).first()
    if known is None:
        session.add(fresh)
    session.commit()
    return known or fresh


def _name(first: ModelVersion, second: ModelVersion, threshold: float, dataset: DatasetVersion) -> str:
    """Return a name that only the same request gives."""
    request = json.dumps([first.name, second.name, threshold, dataset.sha256], ensure_ascii=False)
    here = second.artefact is not None  # several models that are trained here have one base model
    asked = second.name if here else second.base_model or second.provider
    return f"cascade-{asked}-at-{threshold:g}-{sha256(request.encode()).hexdigest()[:8]}"


def parts(session: Session, model: ModelVersion) -> Parts:
    """Return who answers for a cascade.

    Raises
    ------
    Refused
        If a part is not there any more.
    """
    found = [session.get(ModelVersion, int(model.params[name])) for name in ("first_id", "second_id")]
    if found[0] is None or found[1] is None:
        raise Refused(f"A part of {model.name} was deleted", "Make a new cascade of models that are there")
    return Parts(found[0], found[1], float(model.params["threshold"]))


def part_articles(session: Session, dataset_id: int, split: Split) -> list[int]:
    """Return the articles of a part of a dataset version, in its order."""
    items = select(DatasetItem.article_id).where(
        DatasetItem.dataset_id == dataset_id, DatasetItem.split == split
    )
    return list(session.exec(items.order_by(col(DatasetItem.position))))


def composable(session: Session, model: ModelVersion, article_ids: Sequence[int]) -> set[int]:
    """Return the articles without an answer of a cascade that its parts' stored answers give it."""
    return {row["article_id"] for row in _answers(session, model, article_ids)}


def compose(session: Session, model: ModelVersion, article_ids: Sequence[int], *, now: datetime) -> int:
    """Store a cascade's answers that its parts' stored answers give, and commit; return how many.

    Nothing is asked. The latency is the first part's, and where it was unsure the second's with it; it stays
    unknown for all where one of the second's answers was not timed (a batch): those of the first alone would
    look like the cascade's.
    """
    rows = _answers(session, model, article_ids)
    if any(row["answered_by_second"] and row["latency_ms"] is None for row in rows):
        rows = [row | {"latency_ms": None} for row in rows]
    stored = [{name: value for name, value in row.items() if name != "answered_by_second"} for row in rows]
    insert_new(session, Prediction, [row | {"created_at": now} for row in stored])
    session.commit()
    return len(stored)


def _answers(session: Session, model: ModelVersion, article_ids: Sequence[int]) -> list[dict[str, Any]]:
    made = parts(session, model)
    missing = _without_answer(session, int(model.id or 0), article_ids)
    first = _stored(session, int(made.first.id or 0), missing)
    unsure = {key for key, said in first.items() if escalates(said.confidence, made.threshold)}
    second = _stored(session, int(made.second.id or 0), list(unsure))
    kept = [key for key in missing if key in first and (key not in unsure or key in second)]
    return [_composed(model, made, first[key], second.get(key)) for key in kept]


def _composed(
    model: ModelVersion, made: Parts, first: Prediction, second: Prediction | None
) -> dict[str, Any]:
    """Return a row of a cascade's answer; where a paid second part was not asked, it took no tokens."""
    said, remote = second or first, bool(model.params.get("remote"))
    none_asked = 0 if second is None and remote else None
    return {
        "article_id": said.article_id,
        "model_id": model.id,
        "request_id": "",
        "sentiment": said.sentiment,
        "confidence": said.confidence,
        "keywords": said.keywords,
        "rationale": said.rationale,
        "latency_ms": latency(
            first.latency_ms, second.latency_ms if second else None, escalated=second is not None
        ),
        "prompt_tokens": second.prompt_tokens if second else none_asked,
        "completion_tokens": second.completion_tokens if second else none_asked,
        "answered_by": (second.answered_by or made.second_name) if second else made.first.name,
        "answered_by_second": second is not None,
    }


def _without_answer(session: Session, model_id: int, article_ids: Sequence[int]) -> list[int]:
    known = _stored(session, model_id, article_ids)
    return [article_id for article_id in dict.fromkeys(article_ids) if article_id not in known]


def _stored(session: Session, model_id: int, article_ids: Sequence[int]) -> dict[int, Prediction]:
    """Return a model's stored answers about articles, by the article."""
    found: dict[int, Prediction] = {}
    for some in _chunks(article_ids):
        query = select(Prediction).where(
            Prediction.model_id == model_id,
            Prediction.request_id == "",
            col(Prediction.article_id).in_(some),
        )
        found.update((said.article_id, said) for said in session.exec(query))
    return found


def _chunks(values: Sequence[int]) -> Iterator[Sequence[int]]:
    return (values[start : start + _LOOKUP] for start in range(0, len(values), _LOOKUP))


def never_asked(session: Session, model: ModelVersion, article_ids: Sequence[int]) -> list[int]:
    """Return the articles about which a cascade's first part is unsure and nobody asked the second.

    Those that were asked and failed are not among them: like any model's, such answers are missing for good.
    A score of the others alone would be one of the articles about which the first part was sure.
    """
    made = parts(session, model)
    missing = _without_answer(session, int(model.id or 0), article_ids)
    tried: set[int] = set()
    for some in _chunks(missing):
        query = (
            select(PredictionItem.article_id)
            .join(PredictionRun, col(PredictionRun.id) == col(PredictionItem.run_id))
            .where(
                col(PredictionRun.model_id).in_((model.id, made.second.id)),
                PredictionItem.state == ItemState.FAILED,
                ~func.coalesce(PredictionItem.detail, "").startswith(NOT_ASKED),
                col(PredictionItem.article_id).in_(some),
            )
        )
        tried.update(session.exec(query))
    return [article_id for article_id in missing if article_id not in tried]
