"""Two models that say what an article's title tells them, and articles that come in while they are compared."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

from sqlmodel import select

from core.db import insert_new, reading, writing
from core.domain.text import content_hash
from core.domain.types import Arm, Sentiment, Target
from core.models import (
    Alert,
    Article,
    Champion,
    Experiment,
    ExperimentItem,
    HumanLabel,
    ModelVersion,
    Outcome,
)
from core.providers.base import Forecast
from core.providers.scripted import ScriptedProvider
from core.services import experiments
from core.services.experiments import Enrolment
from tests.conftest import NOW
from tests.predicting import MODEL, VENDOR, PaidVendor, good

#: ids of the models that `duel` adds to the seeded application
OLD, NEW = 2, 3
_numbers = count(1_000)


def says(position):
    """Return a script that answers with the word at a position of the title."""

    def script(title):
        return Forecast(Sentiment(title.split()[position]), 80.0, ("word",), "because the title says so")

    return script


def model(name, provider, **more):
    return {
        "name": name,
        "kind": "few_shot",
        "provider": provider,
        "base_model": "scripted",
        "simulated": False,
        "created_at": NOW,
        **more,
    }


def duel(app):
    """Add an old and a new model whose answers stand in the titles; the old one is champion for sentiment."""
    app.providers["old"] = ScriptedProvider("old", says(1), simulated=False)
    app.providers["new"] = ScriptedProvider("new", says(2), simulated=False)
    with writing(app.engine) as session:
        insert_new(session, ModelVersion, [model("old", "old"), model("new", "new")])
        session.add(Champion(target=Target.SENTIMENT, model_id=OLD, since=NOW))
        session.commit()
    return app


def paid_challenger(app):
    """Make the challenger a paid model whose answers stand in the titles, and return its vendor."""
    made = PaidVendor()
    made.asker.script = lambda text: good(text.title, says(2)(text.title).sentiment)
    app.providers[VENDOR] = made
    with writing(app.engine) as session:
        row = session.get(ModelVersion, NEW)
        row.provider, row.base_model = VENDOR, MODEL
        session.commit()
    return made


def begin(app, wish, budget=0):
    """Begin a challenge without its plan, whose simulation would be most of a test's time; return its id."""
    with writing(app.engine) as session:
        pair = experiments.check(session, wish)
        row = experiments.begin(
            session,
            app.policy,
            wish,
            pair,
            planned={},
            budget_micro_usd=budget,
            actor="kim",
            now=app.now(),
        )
        return row.id


def title(gold="positive", old="positive", new="positive"):
    return f"{gold} {old} {new} #{next(_numbers)}"


def arrive(app, titles, *, at, labelled_at=None, **more):
    """Store articles that came in at a moment, with a human label where `labelled_at` says when; their ids."""
    rows = [
        {
            "key": f"labelled|{said}",
            "family": "general",
            "origin": "labelled",
            "title": said,
            "body": None,
            "content_hash": content_hash(said, None),
            "effective_at": at,
            "gold_sentiment": said.split()[0] if labelled_at else None,
            "created_at": at,
            **more,
        }
        for said in titles
    ]
    with writing(app.engine) as session:
        insert_new(session, Article, rows)
        ids = [session.exec(select(Article.id).where(Article.title == said)).one() for said in titles]
        if labelled_at:
            labels = [
                {
                    "article_id": key,
                    "sentiment": said.split()[0],
                    "reviewer": "kim",
                    "created_at": labelled_at,
                }
                for key, said in zip(ids, titles, strict=True)
            ]
            insert_new(session, HumanLabel, labels)
        session.commit()
    return ids


def wins(n, *, lost=0):
    """Return titles of articles that only the new model gets right, and of some that only the old one does."""
    return [title("positive", "negative", "positive") for _ in range(n)] + [
        title("positive", "positive", "negative") for _ in range(lost)
    ]


def live_through(app, experiment_id, titles, *, days=8):
    """Let articles be answered as their titles say and be labelled over some days, and go to the day after."""
    entries, share = [], -(-len(titles) // days)
    for day in range(days):
        some = titles[day * share : (day + 1) * share]
        ids = arrive(app, some, at=app.now(), labelled_at=app.now() + timedelta(days=day))
        entries += [
            Enrolment(experiment_id, key, "", Arm.BOTH, old, None, new, None)
            for key, (_gold, old, new, _number) in zip(ids, map(str.split, some), strict=True)
        ]
    with writing(app.engine) as session:
        if session.get(Experiment, experiment_id).champion_id == NEW:
            entries = [_swapped(entry) for entry in entries]
        experiments.enrol(session, entries, now=app.now())
        session.commit()
    app.now.forward(days=days)


def _swapped(entry):
    sides = {
        "champion_sentiment": entry.challenger_sentiment,
        "challenger_sentiment": entry.champion_sentiment,
    }
    return replace(entry, **sides)


def closes(app, article_id, at, *, direction="positive", state="matured"):
    """Store the market's answer to an article."""
    with writing(app.engine) as session:
        session.add(
            Outcome(
                article_id=article_id,
                state=state,
                session=at.date(),
                opens_after=at - timedelta(days=1),
                closes_at=at,
                return_pct=2.0 if state == "matured" else None,
                direction=direction if state == "matured" else None,
                void_reason="MARKET_UNKNOWN" if state == "void" else None,
                decided_at=at,
            )
        )
        session.commit()


def items(app, experiment_id=1):
    with reading(app.engine) as session:
        query = select(ExperimentItem).where(ExperimentItem.experiment_id == experiment_id)
        return session.exec(query.order_by(ExperimentItem.article_id)).all()


def experiment(app, experiment_id=1):
    with reading(app.engine) as session:
        return session.get(Experiment, experiment_id)


def alerts(app, rule=None):
    with reading(app.engine) as session:
        found = session.exec(select(Alert).order_by(Alert.id)).all()
    return [alert for alert in found if rule in (None, alert.rule)]


def champion(app, target="sentiment"):
    with reading(app.engine) as session:
        row = session.get(Champion, target)
        return row.model_id if row else None
