"""Near-duplicates: exact against a comparison of all pairs, and the rules for titles and dates."""

import time
from datetime import UTC, datetime, timedelta
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.duplicates import Story, near_duplicate_groups, similar_pairs
from core.domain.text import char_ngrams, normalise

DAY_ONE = datetime(2025, 11, 1, tzinfo=UTC)
LONG = "The central bank keeps its policy rate where it is for the third time"


def story(article_id, title=LONG, body=None, day=0.0):
    return Story(article_id, title, body, None if day is None else DAY_ONE + timedelta(days=day))


def groups(*stories, jaccard=0.8):
    return near_duplicate_groups(tuple(stories), jaccard=jaccard, days=7, short_title_chars=20)


def all_pairs(stories, jaccard):
    """Compare every pair, as the rule is written, and return the components as sets."""
    components = [{s.article_id} for s in stories]
    for a, b in combinations(stories, 2):
        if a.at and b.at and abs(a.at - b.at) > timedelta(days=7):
            continue
        texts = [normalise(f"{s.title} {s.body or ''}") for s in (a, b)]
        grams = [char_ngrams(text) for text in texts]
        near = texts[0] == texts[1]
        if min(len(normalise(s.title)) for s in (a, b)) >= 20:
            near = near or len(grams[0] & grams[1]) / len(grams[0] | grams[1]) >= jaccard
        if near:
            joined = {x for c in components if c & {a.article_id, b.article_id} for x in c}
            components = [c for c in components if not c & joined] + [joined]
    return {frozenset(c) for c in components if len(c) > 1}


words = st.sampled_from(["rate", "금리", "코스피", "bank", "수출", "up", "a"])
titles = st.one_of(
    st.lists(words, min_size=1, max_size=12).map(" ".join),
    st.integers(0, 60).map(lambda n: LONG[:n] + "!" + LONG[n:]),
    st.integers(1, 69).map(lambda n: LONG[:n]),
)
dates = st.one_of(st.none(), st.floats(0, 30))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(titles, dates), max_size=25), st.sampled_from([0.5, 0.7, 0.8, 0.9, 1.0]))
def test_the_groups_are_those_of_comparing_all_pairs(rows, jaccard):
    stories = [story(n, title, None, day) for n, (title, day) in enumerate(rows, start=1)]
    found = groups(*stories, jaccard=jaccard)
    assert {frozenset(group) for group in found} == all_pairs(stories, jaccard)


grams = st.frozensets(st.sampled_from([f"{a}{b}" for a in "abcde" for b in "abcde"]), max_size=20)


@settings(max_examples=300, deadline=None)
@given(st.lists(grams, max_size=20), st.floats(0.3, 1.0))
def test_the_similar_pairs_are_exactly_those_above_the_threshold(sets, jaccard):
    found = [tuple(sorted(pair)) for pair in similar_pairs(sets, jaccard)]
    expected = {
        (i, j)
        for (i, a), (j, b) in combinations(enumerate(sets), 2)
        if a | b and len(a & b) / len(a | b) >= jaccard
    }
    assert set(found) == expected
    assert len(found) == len(expected)


def test_a_similarity_of_exactly_the_threshold_counts():
    assert list(similar_pairs([frozenset("abcd"), frozenset("abcde")], 0.8)) == [(0, 1)]


def test_the_earliest_published_is_kept():
    assert groups(story(1, day=3), story(2, day=1), story(3, day=2)) == [(2, 3, 1)]


def test_undated_ones_come_after_dated_ones_in_order_of_import():
    assert groups(story(1, day=None), story(2, day=None), story(3, day=5)) == [(3, 1, 2)]
    assert groups(story(2, day=None), story(1, day=None)) == [(1, 2)]


@pytest.mark.parametrize(("days", "found"), [(7.0, [(1, 2)]), (7.001, [])])
def test_the_same_story_more_than_a_week_later_is_another(days, found):
    assert groups(story(1), story(2, day=days)) == found
    assert groups(story(1), story(2, LONG + " (2)", day=days)) == found


def test_an_undated_story_is_compared_with_all():
    assert groups(story(1), story(2, day=None), story(3, day=100)) == [(1, 3, 2)]


def test_groups_are_connected_through_their_members():
    assert groups(story(1), story(2, day=6), story(3, day=12)) == [(1, 2, 3)]


def test_a_short_title_is_a_duplicate_only_of_an_equal_text():
    assert groups(story(1, "코스피 상승 마감"), story(2, "코스피 상승 마감!")) == []
    assert groups(story(1, "코스피 상승 마감"), story(2, "코스피  상승 마감")) == [(1, 2)]
    body = "The index closed higher on foreign buying of chip makers and car makers. " * 3
    assert groups(story(1, "KOSPI up", body), story(2, "KOSPI up!", body)) == []
    assert groups(story(1, LONG, body), story(2, LONG + "!", body)) == [(1, 2)]


def test_the_body_counts_as_much_as_the_title():
    bodies = [
        "Exports rose for the sixth month on chips. " * 4,
        "A storm closed two harbours in the south. " * 4,
    ]
    assert groups(story(1, LONG, bodies[0]), story(2, LONG, bodies[1])) == []


def test_width_case_and_spaces_make_no_difference():
    assert groups(story(1, LONG), story(2, LONG.upper().replace(" ", "\u3000"))) == [(1, 2)]


def test_nothing_and_empty_texts_have_no_groups():
    assert groups() == []
    assert groups(story(1, "")) == []


def test_ten_thousand_headlines_take_seconds_not_minutes():
    random = Random(5)
    syllables = "가나다라마바사아자차카타파하거너더러머버서"
    vocabulary = ["".join(random.choices(syllables, k=random.randint(2, 4))) for _ in range(4000)]
    stories = [story(n, " ".join(random.choices(vocabulary, k=9)), None, n / 1000) for n in range(9500)]
    copies = [story(10_000 + n, stories[n * 19].title + " 속보", None, n * 19 / 1000) for n in range(500)]
    started = time.process_time()
    found = groups(*stories, *copies)
    assert len(found) == 500
    assert time.process_time() - started < 15
