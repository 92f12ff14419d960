"""What a dataset version holds: parts that do not know each other, rows that no prediction chose."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.dataset import WARNING_SENTENCES, Recipe, plan_dataset, warning_sentence
from core.domain.policy import Policy
from core.domain.splits import Candidate, split_by_class, split_chronologically
from core.domain.types import Balance, Sentiment, Split, SplitMethod, Strategy, Target
from core.errors import Refused

POLICY = Policy()
START = datetime(2025, 11, 3, tzinfo=UTC)
LABELS = tuple(Sentiment)
SHARES = {"train_share": 0.8, "validation_share": 0.1}
BY_HUMANS = Recipe(Target.SENTIMENT)
BY_MARKET = Recipe(Target.DIRECTION)


def labelled(n, day=0, label=None, prefix="a", **values):
    at = START + timedelta(days=day, hours=3)
    return [
        Candidate(
            article_id=1000 * day + i,
            article_key=f"{prefix}{day:03}-{i:04}",
            label=label or LABELS[i % 3],
            **{"effective_at": at, **values},
        )
        for i in range(n)
    ]


def crypto(day, n=10):
    """Samples of one crypto day: its label covers exactly that UTC day."""
    opens = START + timedelta(days=day)
    session = opens.date()
    return labelled(
        n,
        day,
        prefix="c",
        market_day=f"crypto|{session}",
        opens_after=opens,
        closes_at=opens + timedelta(days=1),
    )


def stock(day, n=10, days_before=1):
    """Samples of one exchange session, from the close before (06:30 UTC) to its own."""
    closes = START + timedelta(days=day, hours=6, minutes=30)
    return labelled(
        n,
        day,
        prefix="g",
        market_day=f"general|{closes.date()}",
        opens_after=closes - timedelta(days=days_before),
        closes_at=closes,
    )


def keys(rows):
    return [row.article_key for row in rows]


def of(plan, split):
    return [item for item in plan.items if item.split == split]


def test_a_part_ends_at_the_day_boundary_nearest_its_share():
    rows = [row for day, n in enumerate([30, 30, 17, 6, 9, 8]) for row in labelled(n, day)]
    parts = split_chronologically(rows, Target.SENTIMENT, **SHARES).parts
    assert {split: len(part) for split, part in parts.items()} == {
        Split.TRAIN: 77,  # as near to 80 as 83 is: the earlier boundary wins
        Split.VALIDATION: 15,  # 92 is nearest to 90
        Split.TEST: 8,
    }


def test_days_stay_whole_in_korean_time():
    evening = labelled(5, 0, effective_at=datetime(2025, 11, 3, 14, 50, tzinfo=UTC))  # 23:50 KST
    midnight = labelled(5, 1, effective_at=datetime(2025, 11, 3, 15, 10, tzinfo=UTC))  # 00:10 KST
    parts = split_chronologically(evening + midnight, Target.SENTIMENT, **SHARES).parts
    assert keys(parts[Split.TRAIN]) == keys(evening)
    assert keys(parts[Split.TEST]) == keys(midnight)


def test_a_crypto_day_and_a_session_of_the_same_date_never_part():
    rows = [row for day in range(10) for row in stock(day, 5) + crypto(day, 5)]
    parts = split_chronologically(rows, Target.DIRECTION, **SHARES).parts
    dates = [{row.market_day.partition("|")[2] for row in part} for part in parts.values()]
    assert not dates[0] & dates[1]
    assert not dates[1] & dates[2]


def test_the_embargo_drops_crypto_days_that_reach_into_the_next_session_but_no_touching_ones():
    """A session's label begins at the close before it: it contains most of the crypto day before."""
    rows = [row for day in range(10) for row in stock(day) + crypto(day)]
    division = split_chronologically(rows, Target.DIRECTION, **SHARES)
    train, validation = division.parts[Split.TRAIN], division.parts[Split.VALIDATION]
    assert Counter(row.article_key[0] for row in train) == {"g": 80, "c": 70}
    assert Counter(row.article_key[0] for row in validation) == {"g": 10}
    assert division.embargoed == 20


def test_sessions_of_one_market_only_touch_and_lose_nothing():
    rows = [row for day in range(10) for row in stock(day)]
    assert split_chronologically(rows, Target.DIRECTION, **SHARES).embargoed == 0


def test_a_validation_part_shorter_than_the_overlap_does_not_end_the_embargo():
    """Friday's crypto does not overlap Saturday's (validation) but Monday's session (test)."""
    friday, saturday = crypto(4, 80), crypto(5, 10)
    monday = stock(7, 10, days_before=3)
    thursday = crypto(3, 20)
    division = split_chronologically(thursday + friday + saturday + monday, Target.DIRECTION, **SHARES)
    assert keys(division.parts[Split.TRAIN]) == keys(thursday)
    assert division.parts[Split.VALIDATION] == []
    assert division.embargoed == 90


def test_no_training_label_knows_the_time_of_a_later_part():
    shuffled = [row for day in range(30) for row in crypto(day, 4) + (stock(day, 6) if day % 7 < 5 else [])]
    Random(1).shuffle(shuffled)
    parts = split_chronologically(shuffled, Target.DIRECTION, **SHARES).parts
    for earlier, later in ((Split.TRAIN, Split.VALIDATION), (Split.TRAIN, Split.TEST)):
        last = max(row.closes_at for row in parts[earlier])
        assert last <= min(row.opens_after for row in parts[later])


def test_a_story_told_twice_stays_in_the_part_that_told_it_first():
    rows = [row for day in range(10) for row in labelled(10, day)]
    rows[0] = replace(rows[0], near_duplicate_group=7)
    rows[-1] = replace(rows[-1], near_duplicate_group=7)
    division = split_chronologically(rows, Target.SENTIMENT, **SHARES)
    assert rows[0] in division.parts[Split.TRAIN]
    assert rows[-1] not in division.parts[Split.TEST]
    assert division.near_duplicates == 1


def test_two_days_train_on_the_first_and_test_on_the_second_with_a_warning():
    plan = plan_dataset(labelled(50) + labelled(50, 1), BY_HUMANS, POLICY)
    assert [len(of(plan, split)) for split in Split] == [50, 0, 50]
    assert {"code": "EMPTY_PART", "split": "validation"} in plan.warnings


def test_one_day_is_refused_and_told_how_many_are_needed():
    with pytest.raises(Refused, match=r"one day.*at least 3 days"):
        plan_dataset(labelled(50), BY_HUMANS, POLICY)


def test_an_embargo_that_leaves_no_training_is_refused_and_told_how_many_days_are_needed():
    with pytest.raises(Refused, match=r"nothing to train on.*at least 4 days"):
        plan_dataset(crypto(4) + crypto(5) + stock(7, days_before=3), BY_MARKET, POLICY)


def test_undated_samples_are_refused_by_time_and_pointed_to_the_stratified_split():
    rows = labelled(20) + labelled(20, 1, effective_at=None)
    with pytest.raises(Refused, match=r"20 of 40 samples have no date.*--split stratified"):
        plan_dataset(rows, BY_HUMANS, POLICY)


def test_market_labels_are_never_split_at_random():
    with pytest.raises(Refused, match="--split chronological"):
        plan_dataset(crypto(0) + crypto(1), replace(BY_MARKET, split_method=SplitMethod.STRATIFIED), POLICY)


def test_nothing_to_build_from_is_refused_with_a_way_on():
    with pytest.raises(Refused, match="no verified sample for the target direction"):
        plan_dataset([], BY_MARKET, POLICY)


STRATIFIED = replace(BY_HUMANS, split_method=SplitMethod.STRATIFIED)


def test_a_stratified_split_keeps_the_shares_of_every_class():
    rows = [
        row
        for label, n in zip(LABELS, (100, 60, 40), strict=True)
        for row in labelled(n, 0, label, label[:3], effective_at=None)
    ]
    plan = plan_dataset(rows, STRATIFIED, POLICY)
    assert plan.counts["train"] == {"positive": 80, "neutral": 48, "negative": 32}
    assert plan.counts["validation"] == {"positive": 10, "neutral": 6, "negative": 4}
    assert plan.counts["test"] == {"positive": 10, "neutral": 6, "negative": 4}


def test_a_stratified_split_keeps_groups_whole():
    rows = [replace(row, near_duplicate_group=i // 4) for i, row in enumerate(labelled(200))]
    parts = split_by_class(rows, seed=1, **SHARES).parts
    homes = [{row.near_duplicate_group for row in part} for part in parts.values()]
    assert sum(map(len, homes)) == len(set.union(*homes)) == 50


def test_another_seed_deals_another_test_part():
    rows = labelled(200)
    one, two = (split_by_class(rows, seed=seed, **SHARES).parts[Split.TEST] for seed in (1, 2))
    assert keys(one) != keys(two)


def test_a_random_split_of_dated_samples_warns_that_it_flatters():
    plan = plan_dataset(labelled(60), STRATIFIED, POLICY)
    assert {"code": "RANDOM_SPLIT", "dated": 60} in plan.warnings


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(Balance), st.sampled_from(SplitMethod))
def test_neither_row_order_nor_row_ids_change_the_fingerprint(random, balance, split_method):
    rows = [row for day in range(8) for row in labelled(9, day)]
    recipe = Recipe(Target.SENTIMENT, balance=balance, split_method=split_method)
    moved = [replace(row, article_id=row.article_id + 5000) for row in rows]
    random.shuffle(moved)
    assert plan_dataset(moved, recipe, POLICY).sha256 == plan_dataset(rows, recipe, POLICY).sha256


def test_a_changed_label_strategy_or_balance_changes_the_fingerprint():
    rows = [row for day in range(8) for row in labelled(9, day)]
    prints = {
        plan_dataset(rows, BY_HUMANS, POLICY).sha256,
        plan_dataset([replace(rows[0], label="negative"), *rows[1:]], BY_HUMANS, POLICY).sha256,
        plan_dataset(rows, replace(BY_HUMANS, strategy=Strategy.SUCCESS_FIRST), POLICY).sha256,
        plan_dataset(rows, replace(BY_HUMANS, balance=Balance.CLASS_WEIGHTS), POLICY).sha256,
    }
    assert len(prints) == 4


def judged(day):
    """30 positive, 15 neutral and 6 negative samples of a day, the first five of each a success."""
    return [
        replace(row, success=i < 5, plan_strict=i < 2)
        for label, n in zip(LABELS, (30, 15, 6), strict=True)
        for i, row in enumerate(labelled(n, day, label, label[:3]))
    ]


JUDGED = [row for day in range(10) for row in judged(day)]
STRICT = {row.article_key for row in JUDGED if row.plan_strict}
SUCCESSES = {row.article_key for row in JUDGED if row.success}


def evaluation_rows(plan):
    return [(item.article_key, item.split) for item in plan.items if item.split != Split.TRAIN]


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("balance", Balance)
def test_validation_and_test_are_the_same_whatever_the_strategy_and_balance(strategy, balance):
    plan = plan_dataset(JUDGED, Recipe(Target.SENTIMENT, strategy, balance), POLICY)
    assert evaluation_rows(plan) == evaluation_rows(plan_dataset(JUDGED, BY_HUMANS, POLICY))


def test_success_first_equals_all_verified_without_balancing():
    plan = plan_dataset(JUDGED, replace(BY_HUMANS, strategy=Strategy.SUCCESS_FIRST), POLICY)
    assert plan.items == plan_dataset(JUDGED, BY_HUMANS, POLICY).items


def test_undersampling_cuts_every_class_of_the_training_part_to_the_smallest():
    plan = plan_dataset(JUDGED, replace(BY_HUMANS, balance=Balance.UNDERSAMPLE), POLICY)
    assert plan.counts["train"] == {"positive": 48, "neutral": 48, "negative": 48}
    assert plan.counts["test"] == {"positive": 30, "neutral": 15, "negative": 6}
    assert plan.counts["left_out"] == 8 * 51 - 3 * 48


def test_undersampling_keeps_every_day_represented():
    plan = plan_dataset(JUDGED, replace(BY_HUMANS, balance=Balance.UNDERSAMPLE), POLICY)
    assert len({item.article_key[3:6] for item in of(plan, Split.TRAIN)}) == 8


def test_success_first_decides_who_survives_undersampling():
    recipe = Recipe(Target.SENTIMENT, Strategy.SUCCESS_FIRST, Balance.UNDERSAMPLE)
    train = of(plan_dataset(JUDGED, recipe, POLICY), Split.TRAIN)
    positive = [item.article_key for item in train if item.label == "positive"]
    assert len(positive) == 48
    assert sum(key in SUCCESSES for key in positive) == 40  # all of them; the other 8 fill the class


def test_success_only_trains_on_strict_cases_alone_and_says_what_that_does():
    plan = plan_dataset(JUDGED, replace(BY_HUMANS, strategy=Strategy.SUCCESS_ONLY), POLICY)
    assert {item.article_key for item in of(plan, Split.TRAIN)} < STRICT
    assert {"code": "SUCCESS_ONLY_BIAS", "kept": 48, "of": 408} in plan.warnings


def test_success_only_without_a_strict_case_is_refused():
    recipe = replace(BY_HUMANS, strategy=Strategy.SUCCESS_ONLY)
    with pytest.raises(Refused, match="None of the 80 training samples is a success case"):
        plan_dataset([row for day in range(10) for row in labelled(10, day)], recipe, POLICY)


def test_class_weights_are_inverse_to_frequency_average_one_and_spare_the_test_part():
    plan = plan_dataset(JUDGED, replace(BY_HUMANS, balance=Balance.CLASS_WEIGHTS), POLICY)
    train = of(plan, Split.TRAIN)
    weights = {item.label: item.weight for item in train}
    assert weights["negative"] == pytest.approx(408 / (3 * 48))
    assert sum(item.weight for item in train) / len(train) == pytest.approx(1, abs=1e-5)
    assert {item.weight for item in plan.items if item.split != Split.TRAIN} == {1.0}


def test_positions_count_from_zero_in_order_of_time():
    plan = plan_dataset([row for day in range(10) for row in labelled(3, day)], BY_HUMANS, POLICY)
    assert [item.position for item in of(plan, Split.TRAIN)] == list(range(24))
    assert [i.article_key for i in plan.items] == sorted(i.article_key for i in plan.items)


def test_warnings_carry_the_numbers():
    rows = [row for day in range(10) for row in stock(day, 2)]
    assert plan_dataset(rows, BY_MARKET, POLICY).warnings == (
        {"code": "BELOW_GOAL", "n": 20, "goal": 500},
        {"code": "FEW_DAYS", "days": 10, "test_days": 1, "needed": 30},
        {"code": "SMALL_TEST", "n": 2, "needed": 200},
        {"code": "CLASS_MISSING", "split": "train", "label": "negative"},
        {"code": "CLASS_MISSING", "split": "validation", "label": "negative"},
        {"code": "CLASS_MISSING", "split": "test", "label": "negative"},
    )


def test_a_warning_becomes_a_sentence_after_its_template_was_translated():
    warning = {"code": "BELOW_GOAL", "n": 161, "goal": 500}
    assert warning_sentence(warning) == "161 verified samples are below the goal of 500."
    korean = {WARNING_SENTENCES["BELOW_GOAL"]: "검증 샘플 {n}건: 목표 {goal}건 미달"}
    assert warning_sentence(warning, korean.__getitem__) == "검증 샘플 161건: 목표 500건 미달"


def test_an_unknown_warning_reads_as_its_code():
    assert warning_sentence({"code": "OF_LATER"}) == "OF_LATER"


# --- a larger test part ------------------------------------------------------------------------------


def sizes(plan):
    return [len(of(plan, split)) for split in Split]


def with_test_share(share, split_method=SplitMethod.STRATIFIED):
    rows = [row for day in range(100) for row in labelled(3, day)]
    return plan_dataset(rows, Recipe(Target.SENTIMENT, split_method=split_method, test_share=share), POLICY)


@pytest.mark.parametrize("split_method", SplitMethod)
@pytest.mark.parametrize(
    ("share", "expected"), [(0.1, [240, 30, 30]), (0.3, [180, 30, 90]), (0.5, [120, 30, 150])]
)
def test_a_larger_test_part_is_taken_from_the_training_part_alone(split_method, share, expected):
    assert sizes(with_test_share(share, split_method)) == expected


@pytest.mark.parametrize("split_method", SplitMethod)
def test_the_policys_own_test_share_asked_for_by_hand_is_the_same_version(split_method):
    assert with_test_share(0.1, split_method).sha256 == with_test_share(None, split_method).sha256
    assert with_test_share(0.2, split_method).sha256 != with_test_share(None, split_method).sha256


@pytest.mark.parametrize("share", [0.0, 0.09, 0.51, 1.0, -0.2, float("nan")])
def test_a_test_share_out_of_range_is_refused(share):
    with pytest.raises(Refused, match=r"outside 0\.1 to 0\.5"):
        with_test_share(share)


@settings(max_examples=20)
@given(st.floats(0.1, 0.5), st.sampled_from(SplitMethod))
def test_any_test_share_leaves_the_validation_part_as_large_as_it_was(share, split_method):
    train, validation, test = sizes(with_test_share(share, split_method))
    assert abs(validation - 30) <= 3  # a day is three samples, and so is one of each class
    assert abs(test - 300 * share) <= 3
    assert train + validation + test == 300


def test_a_larger_test_part_ends_the_warning_that_it_cannot_tell_models_apart():
    rows = [row for day in range(250) for row in labelled(3, day)]
    plans = [plan_dataset(rows, Recipe(Target.SENTIMENT, test_share=share), POLICY) for share in (None, 0.3)]
    assert [["SMALL_TEST" in str(plan.warnings)] for plan in plans] == [[True], [False]]
