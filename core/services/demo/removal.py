"""The demo's way out again, with everything that was built on it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Delete, delete, func, or_, tuple_, update
from sqlalchemy import select as sa_select
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, SQLModel, col, select

from core.domain.registry import champions_so_far
from core.domain.types import (
    ACTIVE_JOB_STATUSES,
    ItemState,
    MarketSource,
    ModelKind,
    Origin,
)
from core.errors import Refused
from core.models import (
    Alert,
    Article,
    Champion,
    Comparison,
    DatasetItem,
    DatasetVersion,
    DayScore,
    EvaluationRun,
    Experiment,
    ExperimentItem,
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
from core.services.demo.loading import IMPORT_KIND, MODEL_NAME


@dataclass(frozen=True)
class DemoLeftovers:
    """What a removal cannot take along, since it lies on the disk: artefact files and job folders."""

    artefacts: tuple[str, ...]
    job_ids: tuple[int, ...]


# What is of the demo: its articles, datasets with any of them, what was trained on these, and its model.
_ARTICLES = select(Article.id).where(Article.origin == Origin.DEMO)
_DAYS = sa_select(col(Article.file_date), col(Article.family)).where(col(Article.origin) == Origin.DEMO)
_DATASETS = select(DatasetItem.dataset_id).where(col(DatasetItem.article_id).in_(_ARTICLES))
_JOBS = select(TrainingJob.id).where(col(TrainingJob.dataset_id).in_(_DATASETS))
_RUNS = select(ImportRun.id).where(ImportRun.kind == IMPORT_KIND)
_PLAIN_MODELS = select(ModelVersion.id).where(
    or_(
        col(ModelVersion.name) == MODEL_NAME,
        col(ModelVersion.dataset_id).in_(_DATASETS),
        col(ModelVersion.job_id).in_(_JOBS),
    )
)
# A cascade with a part of the demo, or with a threshold chosen on demo news, is of the demo too.
_MODELS = select(ModelVersion.id).where(
    or_(
        col(ModelVersion.id).in_(_PLAIN_MODELS),
        *(
            col(ModelVersion.params)[name].as_integer().in_(_PLAIN_MODELS)
            for name in ("first_id", "second_id")
        ),
        (col(ModelVersion.kind) == ModelKind.CASCADE)
        & col(ModelVersion.params)["dataset_id"].as_integer().in_(_DATASETS),
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
    (the ledger loses no row), real news, labels, models, their promotions and experiments. Where a demo model is champion, the
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
    counts = _delete(session, _live(models))  # a watch names the promotion that it watches
    _take_back_promotions(session, models)
    counts |= _delete(session, _deletions(datasets, jobs, models, runs))
    _recount(session, runs)
    session.commit()
    return counts


def _delete(
    session: Session, deletions: Sequence[tuple[type[SQLModel], ColumnElement[bool]]]
) -> dict[str, int]:
    """Delete rows table by table, and return how many by the table's name."""
    return {
        str(table.__tablename__): int(session.execute(_without(table, where)).rowcount)  # type: ignore[attr-defined]
        for table, where in deletions
    }


def _live(models: list[int]) -> list[tuple[type[SQLModel], ColumnElement[bool]]]:
    """Return what to delete of live experiments: those with a demo model, and demo articles in any other."""
    pair = or_(col(Experiment.champion_id).in_(models), col(Experiment.challenger_id).in_(models))
    theirs = select(Experiment.id).where(pair)
    of_demo = or_(
        col(ExperimentItem.experiment_id).in_(theirs), col(ExperimentItem.article_id).in_(_ARTICLES)
    )
    return [
        (Alert, col(Alert.detail)["experiment_id"].as_integer().in_(theirs)),
        (ExperimentItem, of_demo),
        (Experiment, pair),
    ]


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
