"""The demo's way into an empty database."""

from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from core.db import insert_new
from core.domain.demo import DemoData
from core.domain.records import ArticleRecord
from core.domain.types import (
    ModelKind,
    Reason,
    RunStatus,
)
from core.errors import Refused
from core.models import (
    Article,
    HumanLabel,
    ImportRun,
    MarketDay,
    ModelVersion,
    Prediction,
)

MODEL_NAME = "DEMO few-shot"
IMPORT_KIND = "demo"


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
