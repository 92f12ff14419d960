"""One reason an article, in order; and the service that writes them."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from core.db import insert_new, reading, writing
from core.domain.policy import Policy
from core.domain.types import Reason, Sentiment
from core.domain.waterfall import ArticleFacts, reason, superseded, unique_articles
from core.errors import NotFound, Refused
from core.models import Article, HumanLabel, Outcome
from core.services.labels import label_article
from core.services.quality import exclude, refresh_reasons, restore
from tests.conftest import empty_database

NOW = datetime(2025, 12, 1, tzinfo=UTC)
POLICY = Policy()


def facts(article_id=1, **values):
    usual = {
        "url": None,
        "placeholder": False,
        "scraped_at": NOW,
        "import_id": 1,
        "has_outcome": True,
        "labels": 0,
        "excluded": False,
    }
    return ArticleFacts(article_id, **(usual | values))


def code(*, older=False, near=False, **values):
    return reason(facts(**values), superseded=older, near_duplicate=near)


def test_an_article_with_an_outcome_or_one_label_is_a_sample():
    assert code() is None
    assert code(has_outcome=False, labels=1) is None


def test_the_first_reason_in_order_is_the_one_that_is_kept():
    everything = {"older": True, "near": True, "placeholder": True, "excluded": True, "has_outcome": False}
    order = []
    for undo in ({"placeholder": False}, {"older": False}, {"near": False}, {"labels": 2}, {"labels": 1}):
        order.append(code(**everything))
        everything |= undo
    order.append(code(**everything))
    assert order == list(Reason)


def test_reviewers_who_disagree_exclude_an_article_that_has_an_outcome():
    assert code(has_outcome=True, labels=2) == "LABEL_CONFLICT"


def test_the_newest_scrape_of_a_url_is_kept():
    old, new = facts(1, url="u", scraped_at=NOW - timedelta(hours=1)), facts(2, url="u")
    assert superseded([old, new]) == {1}
    assert superseded([new, old]) == {1}


def test_equal_scrape_times_keep_the_latest_import():
    assert superseded([facts(1, url="u", import_id=2), facts(2, url="u", import_id=1)]) == {2}
    assert superseded([facts(1, url="u"), facts(2, url="u"), facts(3, url="u")]) == {1, 2}
    assert superseded([facts(1, url="u", scraped_at=None), facts(2, url="u", scraped_at=None)]) == {1}


def test_an_article_without_a_url_is_no_duplicate():
    assert superseded([facts(1), facts(2), facts(3, url=""), facts(4, url="")]) == set()


def test_a_placeholder_neither_replaces_nor_is_replaced():
    rows = [facts(1, url="u", scraped_at=NOW - timedelta(hours=1)), facts(2, url="u", placeholder=True)]
    assert superseded(rows) == set()
    assert unique_articles(rows) == (1,)


# --- the service -------------------------------------------------------------------------------------

LONG = "The exchange widens its trading hours from next month on"


@pytest.fixture
def engine(tmp_path):
    engine = empty_database(tmp_path / "test.db")
    yield engine
    engine.dispose()


def add(engine, *articles):
    """Insert articles given as dicts of what is not usual; ids count from one."""
    with writing(engine) as session:
        for n, values in enumerate(articles, start=1):
            usual = {
                "key": f"a{n}",
                "family": "general",
                "origin": "ai-news-trader",
                "title": f"{n * 7919} is a number that no other headline has, unlike {n * 104729}",
                "content_hash": str(n),
                "effective_at": NOW + timedelta(minutes=n),
                "created_at": NOW,
            }
            session.add(Article(**(usual | values)))
        session.commit()


def label(engine, article_id, *sentiments):
    with writing(engine) as session:
        rows = [
            {"article_id": article_id, "sentiment": word, "reviewer": f"r{n}", "created_at": NOW}
            for n, word in enumerate(sentiments)
        ]
        insert_new(session, HumanLabel, rows)
        session.commit()


def mature(engine, article_id):
    with writing(engine) as session:
        session.add(
            Outcome(
                article_id=article_id,
                state="matured",
                direction="positive",
                return_pct=2.0,
                session=NOW.date(),
                decided_at=NOW,
            )
        )
        session.commit()


def refresh(engine):
    with writing(engine) as session:
        return refresh_reasons(session, POLICY, now=NOW)


def reasons(engine):
    with reading(engine) as session:
        return [row.reason for row in session.exec(select(Article).order_by(Article.id)).all()]


def group_ids(engine):
    with reading(engine) as session:
        return [row.near_duplicate_group for row in session.exec(select(Article).order_by(Article.id)).all()]


def test_every_reason_is_written_and_a_second_refresh_writes_nothing(engine):
    later = NOW + timedelta(hours=1)
    add(
        engine,
        {"placeholder": True},
        {"url": "u", "scraped_at": NOW},
        {"url": "u", "scraped_at": later},
        {"title": LONG, "effective_at": NOW},
        {"title": LONG + "!", "effective_at": later},
        {},
        {},
        {"excluded_reason": "an advertisement"},
        {},
    )
    for article_id in (1, 2, 3, 4, 5, 8):
        mature(engine, article_id)
    label(engine, 7, "positive", "negative")
    label(engine, 9, "neutral", "neutral")
    counts = refresh(engine)
    assert reasons(engine) == [
        "PLACEHOLDER_BODY",
        "DUPLICATE_URL",
        None,
        None,
        "NEAR_DUPLICATE",
        "NO_LABEL",
        "LABEL_CONFLICT",
        "EXCLUDED_BY_HAND",
        None,
    ]
    assert counts == {"eligible": 3, "reasons_changed": 8, "near_duplicate_groups": 1}
    assert refresh(engine) == {"eligible": 3, "reasons_changed": 0, "near_duplicate_groups": 1}


def test_the_class_on_which_all_labels_agree_is_the_gold_sentiment(engine):
    add(engine, {}, {}, {})
    label(engine, 1, "negative", "negative")
    label(engine, 2, "positive", "negative")
    refresh(engine)
    with reading(engine) as session:
        gold = session.scalars(select(Article.gold_sentiment).order_by(Article.id)).all()
    assert gold == ["negative", None, None]


def test_every_member_of_a_group_carries_its_smallest_id(engine):
    add(
        engine,
        {},
        {"title": LONG, "effective_at": NOW + timedelta(days=2)},
        {"title": LONG, "effective_at": NOW},
    )
    refresh(engine)
    assert group_ids(engine) == [None, 2, 2]
    for article_id in (2, 3):
        mature(engine, article_id)
    refresh(engine)
    assert reasons(engine) == ["NO_LABEL", "NEAR_DUPLICATE", None]


def test_a_reason_goes_when_its_cause_goes(engine):
    add(engine, {})
    refresh(engine)
    assert reasons(engine) == ["NO_LABEL"]
    label(engine, 1, "positive")
    refresh(engine)
    assert reasons(engine) == [None]
    label(engine, 1, "negative")
    refresh(engine)
    assert reasons(engine) == ["LABEL_CONFLICT"]


def test_a_duplicate_url_takes_no_part_in_near_duplicates(engine):
    add(
        engine,
        {"title": LONG, "url": "u", "scraped_at": NOW, "effective_at": NOW},
        {"title": LONG, "url": "u", "scraped_at": NOW + timedelta(hours=1)},
    )
    mature(engine, 2)
    refresh(engine)
    assert reasons(engine) == ["DUPLICATE_URL", None]
    assert group_ids(engine) == [None, None]


def test_an_article_is_excluded_and_restored_by_hand(engine):
    add(engine, {}, {})
    mature(engine, 1)
    refresh(engine)
    with writing(engine) as session:
        exclude(session, 1, why=" an advertisement ", now=NOW)
        assert exclude(session, 2, why="a test", now=NOW).reason == "NO_LABEL"
    assert reasons(engine) == ["EXCLUDED_BY_HAND", "NO_LABEL"]
    assert refresh(engine)["reasons_changed"] == 0
    with writing(engine) as session:
        assert restore(session, 1, now=NOW).excluded_reason is None
        restore(session, 2, now=NOW)
    assert reasons(engine) == [None, "NO_LABEL"]
    assert refresh(engine)["reasons_changed"] == 0


def test_an_exclusion_needs_a_reason_and_an_article(engine):
    add(engine, {})
    with writing(engine) as session:
        with pytest.raises(Refused, match="without a reason"):
            exclude(session, 1, why="  ", now=NOW)
        with pytest.raises(NotFound, match="article '9'"):
            exclude(session, 9, why="a test", now=NOW)
        with pytest.raises(NotFound):
            restore(session, 9, now=NOW)


def test_an_empty_database_has_nothing_to_refresh(engine):
    assert refresh(engine) == {"eligible": 0, "reasons_changed": 0, "near_duplicate_groups": 0}


def test_a_label_given_on_a_conflict_settles_it(engine):
    add(engine, {})
    label(engine, 1, "positive", "negative")
    refresh(engine)
    with writing(engine) as session:
        label_article(session, 1, sentiment=Sentiment.NEUTRAL, reviewer="lee", now=NOW)
    refresh(engine)
    assert reasons(engine) == [None]
    with reading(engine) as session:
        assert session.scalars(select(Article.gold_sentiment)).one() == "neutral"
