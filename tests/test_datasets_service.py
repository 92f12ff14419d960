"""Verified samples out of the database, dataset versions into it."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import select

from core.db import insert_new, writing
from core.domain.policy import Policy
from core.domain.types import Balance, Split, SplitMethod, Strategy, Target
from core.errors import Refused
from core.models import (
    Article,
    DatasetItem,
    DatasetVersion,
    DayScore,
    HumanLabel,
    ModelVersion,
    Outcome,
    Prediction,
)
from core.services.datasets import build_dataset, load_candidates, preview_dataset
from tests.conftest import agree, empty_database

NOW = datetime(2026, 1, 5, tzinfo=UTC)
POLICY = Policy()
CLASSES = ("positive", "neutral", "negative")


@pytest.fixture
def session(tmp_path):
    engine = empty_database(tmp_path / "test.db")
    with writing(engine) as session:
        yield session
    engine.dispose()


def store(session, n=60, *, order=1, labelled=True, outcomes=False, **values):
    """Store n articles, six a day, with a human label and an outcome each; `order` -1 stores backwards."""
    for i in range(n)[::order]:
        at = datetime(2025, 11, 3, 1, tzinfo=UTC) + timedelta(days=i // 6, minutes=i % 6)
        article = Article(
            key=f"k{i:03}",
            family="general",
            origin="labelled",
            title=f"title {i}",
            content_hash=str(i),
            created_at=NOW,
            **{"effective_at": at, "file_date": at.date(), **values},
        )
        session.add(article)
        session.flush()
        if labelled:
            session.add(
                HumanLabel(article_id=article.id, sentiment=CLASSES[i % 3], reviewer="kim", created_at=NOW)
            )
        if outcomes:
            session.add(
                Outcome(
                    article_id=article.id,
                    state="matured",
                    session=at.date(),
                    opens_after=at - timedelta(days=1, minutes=i % 6),
                    closes_at=at - timedelta(minutes=i % 6),
                    return_pct=1.5,
                    direction="positive",
                    decided_at=NOW,
                )
            )
    session.commit()
    agree(session)


def predict(session, article_id, sentiment, *, name="few-shot", kind="few_shot", request_id="", at=NOW):
    model = session.exec(select(ModelVersion).where(ModelVersion.name == name)).first()
    if model is None:
        model = ModelVersion(name=name, kind=kind, provider="imported", base_model="b", created_at=NOW)
        session.add(model)
        session.flush()
    session.add(
        Prediction(
            article_id=article_id,
            model_id=model.id,
            sentiment=sentiment,
            request_id=request_id,
            created_at=at,
        )
    )
    session.commit()


def one(session, target=Target.SENTIMENT):
    (candidate,) = load_candidates(session, POLICY, target)
    return candidate


def test_a_version_is_stored_with_its_items_counts_and_warnings(session):
    store(session)
    version = build_dataset(session, POLICY, now=NOW)
    items = session.exec(select(DatasetItem).order_by(DatasetItem.id)).all()
    assert (version.target, version.split_method, version.created_at) == ("sentiment", "chronological", NOW)
    assert version.counts["train"] == {"positive": 16, "neutral": 16, "negative": 16}
    assert [item.position for item in items] == [*range(48), *range(6), *range(6)]
    assert version.config["warnings"][0] == {"code": "BELOW_GOAL", "n": 60, "goal": 500}
    assert version.config["split_seed"] == POLICY.split_seed


def test_building_the_same_again_returns_the_same_version(session):
    store(session)
    first = build_dataset(session, POLICY, now=NOW)
    again = build_dataset(session, POLICY, now=NOW + timedelta(days=1))
    assert (again.id, again.created_at) == (first.id, NOW)
    assert len(session.exec(select(DatasetVersion)).all()) == 1


@pytest.mark.parametrize("split_method", SplitMethod)
def test_the_order_of_rows_in_the_database_does_not_matter(tmp_path, split_method):
    prints = set()
    for order in (1, -1):
        engine = empty_database(tmp_path / f"{order}.db")
        with writing(engine) as session:
            store(session, order=order)
            prints.add(build_dataset(session, POLICY, split_method=split_method, now=NOW).sha256)
        engine.dispose()
    assert len(prints) == 1


def test_a_preview_stores_nothing(session):
    store(session)
    plan = preview_dataset(session, POLICY, balance=Balance.CLASS_WEIGHTS)
    assert sum(item.split == Split.TRAIN for item in plan.items) == 48
    assert session.exec(select(DatasetVersion)).all() == []


def test_the_target_defaults_to_the_one_with_more_samples(session):
    store(session, labelled=False, outcomes=True)
    label = HumanLabel(article_id=1, sentiment="neutral", reviewer="kim", created_at=NOW)
    insert_new(session, HumanLabel, [label.model_dump(exclude={"id"})])
    agree(session)
    assert preview_dataset(session, POLICY).recipe.target == "direction"


def test_market_labels_carry_their_market_day(session):
    store(session, outcomes=True)
    build_dataset(session, POLICY, target=Target.DIRECTION, now=NOW)
    item = session.exec(select(DatasetItem).where(DatasetItem.article_id == 1)).one()
    assert (item.label, item.market_day) == ("positive", "general|2025-11-03")


def test_an_empty_database_is_refused_with_a_way_on(session):
    with pytest.raises(Refused, match=r"no verified sample yet.*Import a table with labels"):
        build_dataset(session, POLICY, now=NOW)
    with pytest.raises(Refused, match="for the target direction"):
        build_dataset(session, POLICY, target=Target.DIRECTION, now=NOW)


def test_undated_samples_need_the_stratified_split(session):
    store(session, effective_at=None)
    with pytest.raises(Refused, match="--split stratified"):
        build_dataset(session, POLICY, now=NOW)
    version = build_dataset(session, POLICY, split_method=SplitMethod.STRATIFIED, now=NOW)
    assert version.counts["test"] == {"positive": 2, "neutral": 2, "negative": 2}


def test_an_article_with_a_reason_is_no_sample(session):
    store(session, 1, reason="NEAR_DUPLICATE", outcomes=True)
    assert [load_candidates(session, POLICY, target) for target in Target] == [[], []]


def test_reviewers_who_disagree_give_no_gold_label_and_reviewers_who_agree_give_one(session):
    store(session, 2)
    for article_id, sentiment in ((1, "negative"), (2, "neutral")):
        session.add(HumanLabel(article_id=article_id, sentiment=sentiment, reviewer="lee", created_at=NOW))
    agree(session)
    assert [c.article_id for c in load_candidates(session, POLICY, Target.SENTIMENT)] == [2]


@pytest.mark.parametrize("change", [{"state": "pending"}, {"session": None}])
def test_an_outcome_that_is_not_known_gives_no_gold_label(session, change):
    store(session, 1, outcomes=True)
    session.get(Outcome, 1).sqlmodel_update(change)
    session.commit()
    assert load_candidates(session, POLICY, Target.DIRECTION) == []


def test_a_human_label_covers_no_stretch_of_the_market(session):
    store(session, 1, outcomes=True)
    assert (one(session).market_day, one(session).closes_at) == (None, None)


def test_success_is_judged_by_the_prediction_that_the_article_came_with(session):
    store(session, 1)
    assert one(session).success is None
    predict(session, 1, "negative")
    assert one(session).success is False
    predict(session, 1, "positive", name="later", at=NOW + timedelta(hours=1))
    predict(session, 1, "negative", name="tuned", kind="fine_tuned", at=NOW + timedelta(hours=2))
    predict(session, 1, "negative", request_id="api", at=NOW + timedelta(hours=3))
    assert one(session).success is False


@pytest.mark.parametrize(
    ("accuracy", "said", "strict"),
    [(80, "positive", True), (79.9, "positive", False), (None, "positive", False), (95, "neutral", False)],
)
def test_plan_strict_needs_a_right_prediction_on_a_day_that_reached_the_gate(session, accuracy, said, strict):
    store(session, 1, outcomes=True)
    predict(session, 1, said)
    session.add(
        DayScore(
            file_date=date(2025, 11, 3),
            family="general",
            index_value=70,
            predicted_direction="positive",
            accuracy=accuracy,
        )
    )
    session.commit()
    assert one(session, Target.DIRECTION).plan_strict is strict


def test_success_only_without_strict_cases_is_refused_and_nothing_is_stored(session):
    store(session)
    with pytest.raises(Refused, match="success case by the plan's rule"):
        build_dataset(session, POLICY, strategy=Strategy.SUCCESS_ONLY, now=NOW)
    assert session.exec(select(DatasetVersion)).all() == []


def test_a_larger_test_share_is_kept_with_the_version(session):
    store(session, 120)
    plan = preview_dataset(session, POLICY, test_share=0.3)
    version = build_dataset(session, POLICY, test_share=0.3, now=NOW)
    assert (plan.recipe.test_share, plan.sha256) == (0.3, version.sha256)
    shares = {name: version.config[f"{name}_share"] for name in ("train", "validation", "test")}
    assert shares == {"train": 0.6, "validation": 0.1, "test": 0.3}
    assert [sum(version.counts[split].values()) for split in Split] == [72, 12, 36]


def test_a_version_without_a_share_of_its_own_keeps_the_policys(session):
    store(session)
    assert build_dataset(session, POLICY, now=NOW).config["test_share"] == pytest.approx(0.1)


def test_the_same_samples_at_another_share_are_another_version_and_at_the_same_share_the_same(session):
    store(session, 120)
    built = [build_dataset(session, POLICY, test_share=share, now=NOW).id for share in (None, 0.3, 0.3, 0.1)]
    assert built == [1, 2, 2, 1]
