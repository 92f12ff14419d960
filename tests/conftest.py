"""What many tests need: an application on a temporary database, with a fixed clock."""

import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from sqlalchemy import case, func, select, update

from core.bootstrap import build_app, set_app
from core.db import insert_new, migrate, open_engine, writing
from core.domain.text import content_hash
from core.models import Article, DatasetItem, DatasetVersion, HumanLabel, ModelVersion, Prediction
from core.providers.scripted import ScriptedProvider
from core.settings import Settings

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
CLASSES = ("positive", "neutral", "negative")

# Machines are shared: an example that took long is no finding.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def own_main():
    """Streamlit's AppTest puts its script in the place of ``__main__``, which spawned children would run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@cache
def _template() -> bytes:
    """Return the bytes of an empty migrated database: migrating takes a tenth of a second, copying none."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "template.db")
        engine = open_engine(f"sqlite:///{path}")
        migrate(engine)
        with engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()
        return path.read_bytes()


def empty_database(path):
    """Write an empty migrated database to `path` and return its engine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_template())
    return open_engine(f"sqlite:///{path}")


@pytest.fixture
def app(tmp_path):
    """An application with the scripted provider, on an empty database, at a fixed moment."""
    settings = Settings(data_dir=tmp_path / "data", _env_file=None)
    empty_database(tmp_path / "data" / "newstune.db").dispose()
    app = build_app(settings, providers={"scripted": ScriptedProvider()}, now=lambda: NOW)
    set_app(app)
    yield app
    set_app(None)
    app.close()


@pytest.fixture
def seeded(app):
    """The same with 90 labelled articles, a dataset version and a few-shot model right on two of three.

    Dataset 1: 60 train, 15 validation, 15 test. Model 1 answers positive where the label is neutral.
    """
    with writing(app.engine) as session:
        insert_new(session, Article, [article(i) for i in range(90)])
        labels = [
            {"article_id": i + 1, "sentiment": CLASSES[i % 3], "reviewer": "kim", "created_at": NOW}
            for i in range(90)
        ]
        insert_new(session, HumanLabel, labels)
        few_shot = {
            "name": "few-shot",
            "kind": "few_shot",
            "provider": "imported",
            "base_model": "gemini",
            "created_at": NOW,
        }
        insert_new(session, ModelVersion, [few_shot])
        insert_new(session, Prediction, [few_shot_answer(i) for i in range(90)])
        session.add(
            DatasetVersion(
                target="sentiment",
                strategy="all_verified",
                balance="none",
                split_method="stratified",
                sha256="0" * 64,
                counts={},
                config={},
                created_at=NOW,
            )
        )
        session.flush()
        insert_new(session, DatasetItem, [item(i) for i in range(90)])
        session.commit()
    return app


def article(i):
    title = f"News number {i} about company {i * 7}"
    return {
        "key": f"labelled|{i}",
        "family": "general",
        "origin": "labelled",
        "title": title,
        "body": f"Body {i}",
        "content_hash": content_hash(title, f"Body {i}"),
        "created_at": NOW,
    }


def few_shot_answer(i):
    said = CLASSES[i % 3] if i % 3 != 1 else "positive"
    return {"article_id": i + 1, "model_id": 1, "sentiment": said, "confidence": 80.0, "created_at": NOW}


def item(i):
    split = "train" if i < 60 else "validation" if i < 75 else "test"
    return {
        "dataset_id": 1,
        "article_id": i + 1,
        "split": split,
        "position": i,
        "label": CLASSES[i % 3],
    }


def agree(session):
    """Write each article's gold sentiment as the quality service does: the class of all its labels."""
    votes = select(
        case(
            (func.min(HumanLabel.sentiment) == func.max(HumanLabel.sentiment), func.min(HumanLabel.sentiment))
        )
    )
    mine = votes.where(HumanLabel.article_id == Article.id).scalar_subquery()
    session.execute(update(Article).values(gold_sentiment=mine).execution_options(synchronize_session=False))
    session.commit()
