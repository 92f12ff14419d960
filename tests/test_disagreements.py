"""The disagreement browser's query, on real SQLite."""

from datetime import date

import pytest

from core.db import insert_new, reading, writing
from core.errors import InputRejected
from core.models import Article, Outcome, Prediction
from core.queries.disagreements import disagreements
from tests.comparing import add_model, right
from tests.conftest import CLASSES, NOW


def said(i):
    """Right on the first five of the test part, then as wrong as it gets."""
    return right(i) if i < 80 else right(i + 1)


@pytest.fixture
def two(seeded):
    """The seeded application, whose model 1 misses every neutral article, with model 2."""
    assert add_model(seeded, "other", said, confidence=None) == 2
    return seeded


def browse(app, **wish):
    with reading(app.engine) as session:
        asked = {"champion_id": 1, "challenger_id": 2, "dataset_id": 1, "split": "test"} | wish
        return disagreements(session, **asked)


def places(app, **wish):
    rows, total = browse(app, **wish)
    assert total == len(rows)
    return [row.article_id - 1 for row in rows]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("challenger_only", [76, 79]),
        ("champion_only", [80, 81, 83, 84, 86, 87, 89]),
        ("both_wrong", [82, 85, 88]),
        ("all", [76, 79, *range(80, 90)]),
    ],
)
def test_each_kind_holds_its_articles_in_the_parts_order(two, kind, expected):
    assert places(two, kind=kind) == expected


def test_a_row_holds_the_article_and_both_answers(two):
    with writing(two.engine) as session:
        answer = session.get_one(Prediction, 77)
        answer.rationale = "a reason"
        session.get_one(Article, 77).url = "https://example.com/77"
        session.commit()
    [row, _], _ = browse(two, kind="challenger_only")
    assert (row.title, row.body, row.url) == (
        "News number 76 about company 532", "Body 76", "https://example.com/77")  # fmt: skip
    assert (row.label, row.champion, row.challenger) == ("neutral", "positive", "neutral")
    assert (row.champion_confidence, row.champion_reason) == (80.0, "a reason")
    assert (row.challenger_confidence, row.challenger_reason) == (None, None)
    assert (row.return_pct, row.day) == (None, None)


def test_what_the_market_did_is_told_once_it_is_known(two):
    known = {"article_id": 77, "state": "matured", "return_pct": -1.5, "direction": "negative"}
    pending = {"article_id": 80, "state": "pending", "return_pct": 9.9, "direction": None}
    with writing(two.engine) as session:
        rows = [row | {"session": date(2025, 11, 3), "decided_at": NOW} for row in (known, pending)]
        insert_new(session, Outcome, rows)
        session.commit()
    rows, _ = browse(two, kind="challenger_only")
    assert [(row.return_pct, row.day) for row in rows] == [
        (-1.5, date(2025, 11, 3)), (None, date(2025, 11, 3))]  # fmt: skip


def test_pages_follow_each_other_and_know_the_total(two):
    found = [browse(two, limit=5, offset=offset) for offset in (0, 5, 10, 15)]
    assert [total for _, total in found] == [12] * 4
    assert [row.article_id - 1 for rows, _ in found for row in rows] == [76, 79, *range(80, 90)]


def test_an_article_that_one_did_not_answer_is_no_disagreement(seeded):
    silent = add_model(seeded, "silent", lambda i: right(i) if i < 77 else None)
    assert [row.article_id - 1 for row in browse(seeded, challenger_id=silent)[0]] == [76]


def test_answers_to_requests_are_left_out(two):
    with writing(two.engine) as session:
        again = {"article_id": 76, "model_id": 2, "request_id": "r1", "sentiment": CLASSES[2]}
        insert_new(session, Prediction, [again | {"created_at": NOW}])
        session.commit()
    assert 75 not in places(two)


@pytest.mark.parametrize("wish", [{"kind": "both"}, {"limit": 201}, {"limit": -1}, {"offset": -1}])
def test_a_page_that_is_none_is_refused(two, wish):
    with pytest.raises(InputRejected):
        browse(two, **wish)
