"""The demo: an invented history worth learning from, in and out of the database without a trace."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func
from sqlmodel import select

from core.db import writing
from core.domain.policy import Policy
from core.domain.sessions import SessionTable, horizon, instants
from core.domain.types import CostPurpose, Family, MarketSource, Target
from core.errors import Refused
from core.ledger import Charge, reserve, spend
from core.models import (
    Alert,
    Article,
    Base,
    Champion,
    Comparison,
    CostEntry,
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
from core.services.datasets import build_dataset
from core.services.demo import demo_leftovers, load_demo, remove_demo
from core.services.few_shot import create_few_shot
from core.services.outcomes import refresh_day_scores, refresh_outcomes
from core.services.quality import refresh_reasons
from core.sources.demo import generate

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
POLICY = Policy()


def weekdays(n=80):
    """A calendar of n weekdays up to a week after NOW, 09:00 to 15:30 in Seoul."""
    days = [date(2026, 1, 12) - timedelta(days=back) for back in range(n * 2)]
    days = sorted(day for day in days if day.weekday() < 5)[-n:]
    midnights = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days]
    closes = instants([at + timedelta(hours=6, minutes=30) for at in midnights])
    return SessionTable(instants(midnights).astype("datetime64[D]"), instants(midnights), closes)


CALENDAR = weekdays()
DATA = generate(CALENDAR, now=NOW)


@pytest.fixture
def session(app):
    with writing(app.engine) as session:
        yield session


def test_the_same_seed_writes_the_same_demo_and_another_seed_another():
    assert generate(CALENDAR, now=NOW) == DATA
    assert generate(CALENDAR, now=NOW, seed=8) != DATA


def test_it_is_about_700_articles_of_both_families_and_languages_with_several_hundred_texts():
    assert len(DATA.articles) == len({article.key for article in DATA.articles}) == 700
    assert len({article.content_hash for article in DATA.articles}) > 650
    families = Counter(article.family for article in DATA.articles)
    assert min(families.values()) > 200
    korean = sum(any("가" <= letter <= "힣" for letter in article.title) for article in DATA.articles)
    assert 350 < korean < 500


def test_nothing_is_dated_later_than_now_and_every_article_is_marked():
    assert max(article.scraped_at for article in DATA.articles) <= NOW
    assert max(row.collected_at for row in DATA.market) <= NOW
    assert {article.origin for article in DATA.articles} == {"demo"}
    assert {row.source for row in DATA.market} == {MarketSource.DEMO}


def gold():
    said = defaultdict(set)
    for label in DATA.labels:
        said[label.article_key].add(label.sentiment)
    return {key: labels.pop() for key, labels in said.items() if len(labels) == 1}


def test_the_few_shot_model_is_right_about_72_percent_of_the_time():
    labels = gold()
    predicted = {said.record.article_key: said.record.sentiment for said in DATA.predictions}
    right = sum(predicted[key] == label for key, label in labels.items())
    assert 0.69 <= right / len(labels) <= 0.75


WARY = ("우려", "걱정", "위기", "공포", "신중론", "경계", "보수적", "조심", "몸 사린")
WARY += ("autious", "areful", "ary ", "fears", "orries", "escapes")


def test_its_errors_follow_habits_that_a_model_can_learn():
    """Gains told with caution or relief read as losses to it."""
    predicted = {said.record.article_key: said.record.sentiment for said in DATA.predictions}
    labels = gold()
    wary = [
        article.key
        for article in DATA.articles
        if labels.get(article.key) == "positive" and any(word in article.title for word in WARY)
    ]
    assert len(wary) >= 15
    assert Counter(predicted[key] for key in wary)["negative"] / len(wary) > 0.7


def test_confidences_and_latencies_are_plausible():
    assert all(40 <= said.record.confidence <= 98 for said in DATA.predictions)
    latencies = sorted(said.latency_ms for said in DATA.predictions)
    assert 2000 < latencies[350] < 3000
    assert all(1 <= len(said.record.keywords) <= 5 for said in DATA.predictions)


def test_tones_lean_on_the_market_without_telling_it():
    """Labels agree with the sign of the coming move more often than chance and far from always."""
    closes = {(row.instrument, row.day): row.close for row in DATA.market}
    labels, agree = gold(), []
    for article in DATA.articles:
        ahead = horizon(article.family, article.effective_at, CALENDAR)
        lead = "kospi" if article.family == Family.GENERAL else "btc"
        end = closes.get((lead, ahead.session.day))
        if end and labels.get(article.key) in ("positive", "negative"):
            agree.append((end > closes[lead, ahead.base_day]) == (labels[article.key] == "positive"))
    assert 0.52 < sum(agree) / len(agree) < 0.75


def test_a_calendar_that_is_too_short_is_refused():
    with pytest.raises(Refused, match="61 closed sessions"):
        generate(weekdays(40), now=NOW)


def refresh(session):
    refresh_outcomes(session, CALENDAR, POLICY, now=NOW)
    refresh_day_scores(session, CALENDAR, POLICY, now=NOW)
    refresh_reasons(session, POLICY, now=NOW)


def test_loaded_it_shows_every_page_something(session):
    assert load_demo(session, DATA, now=NOW)["articles"] == 700
    refresh(session)
    reasons = Counter(session.exec(select(Article.reason)).all())
    assert reasons["PLACEHOLDER_BODY"] == 6
    assert reasons["DUPLICATE_URL"] == 8
    assert 8 <= reasons["NEAR_DUPLICATE"] <= 14
    assert reasons["LABEL_CONFLICT"] == 4
    states = Counter(session.exec(select(Outcome.state)).all())
    assert states["matured"] > 600
    assert states["pending"] > 0
    for target in Target:
        version = build_dataset(session, POLICY, target=target, now=NOW)
        assert sum(version.counts["train"].values()) > 400
        assert min(version.counts["test"].values()) > 0
    model = session.exec(select(ModelVersion)).one()
    assert (model.name, model.simulated, model.provider) == ("DEMO few-shot", True, "imported")


def test_it_loads_into_an_empty_database_only(session):
    load_demo(session, DATA, now=NOW)
    with pytest.raises(Refused, match="empty database"):
        load_demo(session, DATA, now=NOW)


def rows(session):
    counts = {
        table.name: session.execute(select(func.count()).select_from(table)).scalar_one()
        for table in Base.metadata.sorted_tables
    }
    return {name: n for name, n in counts.items() if n}


def model_of(session, name, dataset_id=None, **values):
    job = None
    if dataset_id is not None:
        job = TrainingJob(
            provider="local", dataset_id=dataset_id, status="succeeded", actor="local", created_at=NOW
        )
        session.add(job)
        session.flush()
        session.add(TrainingEvent(job_id=job.id, sequence=0, at=NOW, message="fitted"))
    model = ModelVersion(
        name=name,
        kind="fine_tuned",
        provider="local",
        base_model="b",
        target="sentiment",
        dataset_id=dataset_id,
        job_id=job.id if job else None,
        created_at=NOW,
        **values,
    )
    session.add(model)
    session.flush()
    return model


def ledger(session, action, came, went=None):
    entry = Promotion(
        target="sentiment",
        action=action,
        from_model_id=went and went.id,
        to_model_id=came.id,
        reason="because",
        actor="local",
        at=NOW,
    )
    session.add(entry)
    champion = session.get(Champion, "sentiment") or Champion(target="sentiment", model_id=0, since=NOW)
    champion.model_id = came.id
    session.add(champion)
    session.flush()


def built_on_demo(session):
    """The demo with all that can be built on it; returns its trained model."""
    load_demo(session, DATA, now=NOW)
    refresh(session)
    dataset = build_dataset(session, POLICY, target=Target.SENTIMENT, now=NOW)
    model = model_of(session, "local-demo", dataset.id, artefact="demo.skops")
    few_shot = session.exec(select(ModelVersion).where(ModelVersion.kind == "few_shot")).one()
    session.add(Prediction(article_id=1, model_id=model.id, sentiment="neutral", created_at=NOW))
    session.add(
        EvaluationRun(
            model_id=model.id,
            dataset_id=dataset.id,
            split="test",
            target="sentiment",
            n=1,
            metrics={},
            created_at=NOW,
        )
    )
    session.add(
        Comparison(
            champion_id=few_shot.id,
            challenger_id=model.id,
            dataset_id=dataset.id,
            split="test",
            report={},
            created_at=NOW,
        )
    )
    session.commit()
    return model


def test_removing_it_leaves_the_database_empty(session):
    model = built_on_demo(session)
    ledger(session, "promote", model)
    session.commit()
    counts = remove_demo(session)
    assert rows(session) == {}
    assert (counts["article"], counts["model_version"], counts["comparison"]) == (700, 2, 1)


def test_removing_where_there_is_none_does_nothing(session):
    assert set(remove_demo(session).values()) == {0}


def real_world(session):
    """An article of the user's with label, outcome, prediction and a market row, and a model."""
    article = Article(
        key="labelled|real",
        family="general",
        origin="labelled",
        title="진짜 뉴스",
        content_hash="x",
        file_date=DATA.articles[0].file_date,
        created_at=NOW,
    )
    model = model_of(session, "real", artefact="real.skops")
    session.add(article)
    session.flush()
    session.add(HumanLabel(article_id=article.id, sentiment="neutral", reviewer="kim", created_at=NOW))
    session.add(Outcome(article_id=article.id, state="pending", decided_at=NOW))
    session.add(Prediction(article_id=article.id, model_id=model.id, sentiment="neutral", created_at=NOW))
    session.add(MarketDay(day=NOW.date(), instrument="kospi", source="live", close=2600.0))
    session.add(ImportRun(kind="labelled", name="mine.csv", started_at=NOW))
    session.commit()
    return article, model


def test_what_is_real_stays(session):
    demo_model = built_on_demo(session)
    article, _ = real_world(session)
    session.add(
        Prediction(article_id=article.id, model_id=demo_model.id, sentiment="positive", created_at=NOW)
    )
    score = {"index_value": 50, "predicted_direction": "neutral"}
    session.merge(DayScore(id=900, file_date=date(2020, 1, 1), family="general", **score))
    session.commit()
    remove_demo(session)
    left = rows(session)
    assert left == {
        "day_score": 1,
        "article": 1,
        "human_label": 1,
        "outcome": 1,
        "prediction": 1,
        "market_day": 1,
        "import_run": 1,
        "model_version": 1,
    }


def lived(session, champion, challenger, *articles, **more):
    """Add an experiment of two models with some articles, and the alert of its end."""
    row = Experiment(
        key=f"exp-{champion}-{challenger}",
        target="sentiment",
        champion_id=champion,
        challenger_id=challenger,
        deadline_s=10.0,
        actor="kim",
        started_at=NOW,
        ends_at=NOW,
        **more,
    )
    session.add(row)
    session.flush()
    session.add_all(
        ExperimentItem(experiment_id=row.id, article_id=article, arm="both", asked_at=NOW)
        for article in articles
    )
    rule = "experiment_concluded"
    session.add(
        Alert(
            key=f"{rule}|{row.key}", rule=rule, message="it ended", detail={"experiment_id": row.id}, at=NOW
        )
    )
    session.commit()
    return row.id


def test_experiments_with_a_demo_model_go_and_real_ones_lose_only_demo_articles(session):
    load_demo(session, DATA, now=NOW)
    article, real = real_world(session)
    other, of_demo = model_of(session, "other"), session.exec(select(ModelVersion.id)).first()
    demo_article = session.exec(select(Article.id).where(Article.origin == "demo")).first()
    ledger(session, "promote", real)
    promotion = session.exec(select(Promotion.id)).one()
    lived(session, real.id, of_demo, article.id, demo_article, promotion_id=promotion)
    kept = lived(session, real.id, other.id, article.id, demo_article)
    counts = remove_demo(session)
    assert (counts["experiment"], counts["experiment_item"], counts["alert"]) == (1, 3, 1)
    assert session.exec(select(Experiment.id)).all() == [kept]
    assert session.exec(select(ExperimentItem.article_id)).all() == [article.id]
    assert [alert.detail for alert in session.exec(select(Alert))] == [{"experiment_id": kept}]


def test_the_real_champion_before_the_demos_returns_and_its_promotion_is_kept(session):
    demo_model = built_on_demo(session)
    _, real = real_world(session)
    ledger(session, "promote", real)
    ledger(session, "promote", demo_model, real)
    session.commit()
    remove_demo(session)
    assert session.get(Champion, "sentiment").model_id == real.id
    assert [(p.action, p.to_model_id) for p in session.exec(select(Promotion))] == [("promote", real.id)]


def test_a_real_champion_that_followed_the_demos_stays_with_its_promotion(session):
    demo_model = built_on_demo(session)
    _, real = real_world(session)
    ledger(session, "promote", demo_model)
    ledger(session, "promote", real, demo_model)
    session.commit()
    remove_demo(session)
    assert session.get(Champion, "sentiment").model_id == real.id
    entry = session.exec(select(Promotion)).one()
    assert (entry.from_model_id, entry.to_model_id) == (None, real.id)


def test_a_real_champion_rolled_back_to_the_demos_does_not_return(session):
    demo_model = built_on_demo(session)
    _, real = real_world(session)
    ledger(session, "promote", demo_model)
    ledger(session, "promote", real, demo_model)
    ledger(session, "rollback", demo_model, real)
    session.commit()
    remove_demo(session)
    assert session.get(Champion, "sentiment") is None
    assert [(p.action, p.to_model_id) for p in session.exec(select(Promotion))] == [
        ("promote", real.id),
        ("rollback", None),
    ]


def test_a_running_job_on_demo_data_forbids_the_removal(session):
    built_on_demo(session)
    session.exec(select(TrainingJob)).one().status = "running"
    session.commit()
    with pytest.raises(Refused, match="Cancel it"):
        remove_demo(session)
    assert session.exec(select(DatasetVersion)).all() != []


def predicted(session, model, articles, *, status="succeeded", answered=1):
    """A prediction run over articles, the first of which were answered, with its money."""
    run = PredictionRun(
        key=f"predictions-{model.id}-{len(articles)}",
        model_id=model.id,
        status=status,
        total=len(articles),
        answered=answered,
        failed=len(articles) - answered,
        actor="local",
        created_at=NOW,
    )
    session.add(run)
    session.flush()
    for n, article_id in enumerate(articles):
        state = "ok" if n < answered else "failed"
        session.add(PredictionItem(run_id=run.id, article_id=article_id, position=n, state=state))
    about = Charge(run.key, CostPurpose.INFERENCE, model.provider, model.base_model, "local")
    reserve(session, POLICY, about, likely=5, high=9, now=NOW)
    spend(session, about, micro_usd=9, now=NOW)
    session.commit()
    return run


def test_prediction_runs_on_the_demo_go_and_what_was_paid_for_them_stays(session):
    demo_model = built_on_demo(session)
    article, real = real_world(session)
    predicted(session, real, [1, 2, 3])
    predicted(session, demo_model, [article.id, 1])
    mixed = predicted(session, real, [4, article.id, 5, 6], answered=2)
    paid = len(session.exec(select(CostEntry)).all())
    counts = remove_demo(session)
    assert (counts["prediction_run"], counts["prediction_item"]) == (2, 8)
    session.expire_all()
    assert [each.id for each in session.exec(select(PredictionRun))] == [mixed.id]
    assert (mixed.total, mixed.answered, mixed.failed) == (1, 1, 0)
    assert session.exec(select(PredictionItem.article_id)).all() == [article.id]
    assert len(session.exec(select(CostEntry)).all()) == paid > 0
    assert session.connection().exec_driver_sql("PRAGMA foreign_key_check").all() == []


@pytest.mark.parametrize("of_demo_model", [True, False])
def test_a_running_prediction_on_the_demo_forbids_the_removal(session, of_demo_model):
    demo_model = built_on_demo(session)
    article, real = real_world(session)
    asked = (demo_model, [article.id]) if of_demo_model else (real, [article.id, 1])
    run = predicted(session, *asked, status="unknown")
    with pytest.raises(Refused, match=f"Prediction run {run.id} is at work on demo data"):
        remove_demo(session)
    assert session.exec(select(DatasetVersion)).all() != []


def test_few_shot_models_of_demo_datasets_go_with_their_runs(session):
    built_on_demo(session)
    article, real = real_world(session)
    dataset = session.exec(select(DatasetVersion)).one()
    few_shot = create_few_shot(
        session,
        POLICY,
        provider="openai",
        base_model="gpt-4.1-mini",
        dataset_id=dataset.id,
        simulated=False,
        actor="kim",
        now=NOW,
    )
    assert few_shot.simulated
    predicted(session, few_shot, [1, article.id])
    ledger(session, "promote", few_shot)
    session.commit()
    remove_demo(session)
    assert [each.id for each in session.exec(select(ModelVersion))] == [real.id]
    assert session.exec(select(PredictionRun)).all() == session.exec(select(Promotion)).all() == []


def test_the_files_of_demo_models_and_jobs_are_named_and_shared_ones_are_not(session):
    model = built_on_demo(session)
    real_world(session)
    leftovers = demo_leftovers(session)
    assert (leftovers.artefacts, leftovers.job_ids) == (("demo.skops",), (model.job_id,))
    model_of(session, "twin", artefact="demo.skops")
    assert demo_leftovers(session).artefacts == ()
