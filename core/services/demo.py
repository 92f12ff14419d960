"""Put the demo into an empty database, and take everything out again that came from it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Delete, delete, func, or_, tuple_, update
from sqlalchemy import select as sa_select
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, SQLModel, col, select

from core.db import insert_new
from core.domain.demo import DemoData
from core.domain.records import ArticleRecord
from core.domain.registry import champions_so_far
from core.domain.types import (
    ACTIVE_JOB_STATUSES,
    ItemState,
    MarketSource,
    ModelKind,
    Origin,
    Reason,
    RunStatus,
)
from core.errors import Refused
from core.models import (
    Article,
    Champion,
    Comparison,
    DatasetItem,
    DatasetVersion,
    DayScore,
    EvaluationRun,
    HumanLabel,
    ImportRun,
    MarketDay,
    ModelVersion,
    Outcome,
    Prediction,
    PredictionItem,
    PredictionRun,
    Promotion,
    TrainingEvent,
    TrainingJob,
)

MODEL_NAME = "DEMO few-shot"
IMPORT_KIND = "demo"


@dataclass(frozen=True)
class DemoLeftovers:
    """What a removal cannot take along, since it lies on the disk: artefact files and job folders."""

    artefacts: tuple[str, ...]
    job_ids: tuple[int, ...]


def load_demo(session: Session, data: DemoData, *, now: datetime) -> dict[str, int]:
    """Store the demo in one transaction, commit, and return how many rows of each kind went in.

    Outcomes and reasons are not computed here: refresh both afterwards.

    Parameters
    ----------
    session : Session
        A writing session.
    data : DemoData
        What `core.sources.demo.generate` wrote.
    now : datetime
        Aware UTC.

    Raises
    ------
    Refused
        If the database holds any news, market row or model: the demo never mixes with real data.
    """
    for kept in (Article, MarketDay, ModelVersion):
        if session.exec(select(kept.id).limit(1)).first() is not None:
            raise Refused(
                "The demo loads into an empty database only, and this one holds data",
                "Point NEWSTUNE_DATA_DIR at an empty folder, or remove the demo that is loaded",
            )
    counts = {
        "articles": len(data.articles),
        "labels": len(data.labels),
        "predictions": len(data.predictions),
        "market": len(data.market),
    }
    run = ImportRun(
        kind=IMPORT_KIND,
        name="DEMO",
        status=RunStatus.SUCCEEDED,
        started_at=now,
        finished_at=now,
        counts=counts,
    )
    model = ModelVersion(
        name=MODEL_NAME,
        kind=ModelKind.FEW_SHOT,
        provider="imported",
        base_model="DEMO generator",
        simulated=True,
        created_at=now,
    )
    session.add_all([run, model])
    session.flush()
    _insert(session, data, run.id, model.id)
    session.commit()
    return counts


def _insert(session: Session, data: DemoData, run_id: int | None, model_id: int | None) -> None:
    insert_new(session, Article, [_article_row(article, run_id) for article in data.articles])
    found = session.exec(select(Article.key, Article.id, Article.scraped_at)).all()
    ids = {key: article_id for key, article_id, _ in found}
    seen = {key: at for key, _, at in found}
    labels = [
        {
            "article_id": ids[label.article_key],
            "sentiment": label.sentiment.value,
            "reviewer": label.reviewer,
            "import_id": run_id,
            "created_at": seen[label.article_key],
        }
        for label in data.labels
    ]
    predictions = [
        {
            "article_id": ids[said.record.article_key],
            "model_id": model_id,
            "request_id": "",
            "sentiment": said.record.sentiment.value,
            "confidence": said.record.confidence,
            "keywords": list(said.record.keywords),
            "rationale": said.record.rationale,
            "latency_ms": said.latency_ms,
            "import_id": run_id,
            "created_at": seen[said.record.article_key],
        }
        for said in data.predictions
    ]
    insert_new(session, HumanLabel, labels)
    insert_new(session, Prediction, predictions)
    insert_new(session, MarketDay, [vars(row) | {"import_id": run_id} for row in data.market])


def _article_row(article: ArticleRecord, run_id: int | None) -> dict[str, Any]:
    own = {"flags": [flag.value for flag in article.flags], "import_id": run_id, "reason": Reason.NO_LABEL}
    return vars(article) | own | {"created_at": article.scraped_at}


# What is of the demo: its articles, datasets with any of them, what was trained on these, and its model.
_ARTICLES = select(Article.id).where(Article.origin == Origin.DEMO)
_DAYS = sa_select(col(Article.file_date), col(Article.family)).where(col(Article.origin) == Origin.DEMO)
_DATASETS = select(DatasetItem.dataset_id).where(col(DatasetItem.article_id).in_(_ARTICLES))
_JOBS = select(TrainingJob.id).where(col(TrainingJob.dataset_id).in_(_DATASETS))
_RUNS = select(ImportRun.id).where(ImportRun.kind == IMPORT_KIND)
_MODELS = select(ModelVersion.id).where(
    or_(
        col(ModelVersion.name) == MODEL_NAME,
        col(ModelVersion.dataset_id).in_(_DATASETS),
        col(ModelVersion.job_id).in_(_JOBS),
    )
)
# Prediction runs that asked a demo model, or about a demo article.
_ASKED = select(PredictionItem.run_id).where(col(PredictionItem.article_id).in_(_ARTICLES))
_PREDICTIONS = select(PredictionRun.id).where(
    or_(col(PredictionRun.model_id).in_(_MODELS), col(PredictionRun.id).in_(_ASKED))
)


def demo_leftovers(session: Session) -> DemoLeftovers:
    """Return the files that removing the demo makes useless; ask before `remove_demo`, delete after it."""
    kept = select(ModelVersion.artefact).where(
        col(ModelVersion.id).not_in(_MODELS), col(ModelVersion.artefact).is_not(None)
    )
    artefacts = session.exec(
        select(ModelVersion.artefact)
        .where(col(ModelVersion.id).in_(_MODELS), col(ModelVersion.artefact).not_in(kept))
        .distinct()
    )
    jobs = session.exec(_JOBS)
    return DemoLeftovers(tuple(filter(None, artefacts)), tuple(filter(None, jobs)))


def remove_demo(session: Session) -> dict[str, int]:
    """Delete the demo and everything built on it in one transaction; return rows deleted by table.

    A dataset version with a single demo article is built on the demo, and so are its models. A prediction
    run of a real model keeps its real articles and goes if it has none. Anything else stays: what was paid
    (the ledger loses no row), real news, labels, models and their promotions. Where a demo model is champion, the
    champion before it returns, if a real one was promoted. Outcomes, day scores and reasons of real
    articles may have leant on demo rows (and scores of days that both share go): refresh them afterwards.

    Raises
    ------
    Refused
        If a training job or a prediction run is at work on demo data.
    """
    _check_idle(session)
    # Lists, not subqueries: what they ask for disappears on the way.
    datasets = [key for key in session.exec(_DATASETS.distinct()) if key is not None]
    jobs = [key for key in session.exec(_JOBS) if key is not None]
    models = [key for key in session.exec(_MODELS) if key is not None]
    runs = [key for key in session.exec(_PREDICTIONS) if key is not None]
    _take_back_promotions(session, models)
    counts = {
        table.__tablename__: session.execute(_without(table, where)).rowcount  # type: ignore[attr-defined]
        for table, where in _deletions(datasets, jobs, models, runs)
    }
    _recount(session, runs)
    session.commit()
    return {str(name): int(n) for name, n in counts.items()}


def _check_idle(session: Session) -> None:
    """Raise Refused where something is at work on the demo."""
    for name, table, mine in (
        ("Training job", TrainingJob, _JOBS),
        ("Prediction run", PredictionRun, _PREDICTIONS),
    ):
        busy = select(table.id).where(col(table.id).in_(mine), col(table.status).in_(ACTIVE_JOB_STATUSES))
        if (at_work := session.exec(busy).first()) is not None:
            raise Refused(
                f"{name} {at_work} is at work on demo data", "Cancel it, or wait until it has ended"
            )


def _recount(session: Session, runs: list[int]) -> None:
    """Set the counts of what is left of prediction runs to what is left of their items."""
    mine = sa_select(func.count()).where(col(PredictionItem.run_id) == col(PredictionRun.id))
    ok, bad = (
        mine.where(col(PredictionItem.state) == state).scalar_subquery()
        for state in (ItemState.OK, ItemState.FAILED)
    )
    left = update(PredictionRun).where(col(PredictionRun.id).in_(runs))
    counted = left.values(total=mine.scalar_subquery(), answered=ok, failed=bad)
    session.execute(counted.execution_options(synchronize_session=False))


def _without(table: type[SQLModel], where: ColumnElement[bool]) -> Delete:
    return delete(table).where(where).execution_options(synchronize_session=False)


def _deletions(
    datasets: list[int], jobs: list[int], models: list[int], runs: list[int]
) -> list[tuple[type[SQLModel], ColumnElement[bool]]]:
    """Return what to delete from each table, those that refer to others first."""
    of_models = col(Prediction.model_id).in_(models)
    of_runs = select(PredictionRun.id).where(col(PredictionRun.model_id).in_(models))
    asked = col(PredictionItem.article_id).in_(_ARTICLES) | col(PredictionItem.run_id).in_(of_runs)
    emptied = col(PredictionRun.id).in_(runs) & col(PredictionRun.id).not_in(select(PredictionItem.run_id))
    pair = or_(col(Comparison.champion_id).in_(models), col(Comparison.challenger_id).in_(models))
    return [
        (TrainingEvent, col(TrainingEvent.job_id).in_(jobs)),
        (Comparison, or_(col(Comparison.dataset_id).in_(datasets), pair)),
        (
            EvaluationRun,
            or_(col(EvaluationRun.dataset_id).in_(datasets), col(EvaluationRun.model_id).in_(models)),
        ),
        (PredictionItem, asked),
        (PredictionRun, emptied),
        (Prediction, or_(col(Prediction.article_id).in_(_ARTICLES), of_models)),
        (ModelVersion, col(ModelVersion.id).in_(models)),
        (TrainingJob, col(TrainingJob.id).in_(jobs)),
        (DatasetItem, col(DatasetItem.dataset_id).in_(datasets)),
        (DatasetVersion, col(DatasetVersion.id).in_(datasets)),
        (HumanLabel, col(HumanLabel.article_id).in_(_ARTICLES)),
        (Outcome, col(Outcome.article_id).in_(_ARTICLES)),
        (DayScore, tuple_(col(DayScore.file_date), col(DayScore.family)).in_(_DAYS)),
        (Article, col(Article.origin) == Origin.DEMO),
        (MarketDay, col(MarketDay.source) == MarketSource.DEMO),
        (ImportRun, col(ImportRun.id).in_(_RUNS)),
    ]


def _take_back_promotions(session: Session, models: list[int]) -> None:
    """Take demo models out of the ledger and give their targets back to the real champion before them.

    Promotions of a demo model go, and the rollbacks that undid them. What is left of the ledger may name
    a demo model as the one that went or came; those names go, so that the line of real champions holds.
    """
    went, came = col(Promotion.from_model_id).in_(models), col(Promotion.to_model_id).in_(models)
    promoted, undone = col(Promotion.action) == "promote", col(Promotion.action) == "rollback"
    session.execute(_without(Promotion, (promoted & came) | (undone & went)))
    session.execute(update(Promotion).where(went).values(from_model_id=None))
    session.execute(update(Promotion).where(came).values(to_model_id=None))
    for champion in session.exec(select(Champion).where(col(Champion.model_id).in_(models))).all():
        ledger = session.exec(
            select(Promotion).where(Promotion.target == champion.target).order_by(col(Promotion.id))
        ).all()
        line = champions_so_far([(entry.action, entry.to_model_id) for entry in ledger])
        if line:
            champion.model_id = line[-1]
            session.add(champion)
        else:
            session.delete(champion)
    session.flush()
