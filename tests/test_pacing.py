"""The client-side rate limit, over seconds that the test counts."""

from itertools import accumulate, count, pairwise
from random import Random

import pytest

from core.domain.pacing import Pace, Pacer

ONE = {"requests": 1.0}


def times(pacer, amounts, start=0.0):
    """Let everything go as early as it may and return when each went."""
    now, went = start, []
    for amount in amounts:
        now += pacer.wait_s(amount, now)
        pacer.went(amount, now)
        went.append(now)
    return went


def busiest_minute(went, sizes):
    """Return the most that went within any 60 seconds."""
    most = held = first = 0
    for last, at in enumerate(went):
        held += sizes[last]
        while went[first] <= at - 60:
            held -= sizes[first]
            first += 1
        most = max(most, held)
    return most


def test_the_first_request_goes_at_once():
    assert Pacer({"requests": 60}).wait_s(ONE, 12.5) == 0


def test_requests_follow_each_other_evenly():
    went = times(Pacer({"requests": 30}), [ONE] * 5)
    gaps = [b - a for a, b in pairwise(went)]
    assert gaps == pytest.approx([61 / 30] * 4)


@pytest.mark.parametrize("limit", [1, 7, 60, 500, 3_000])
def test_no_minute_holds_more_requests_than_allowed(limit):
    went = times(Pacer({"requests": limit}), [ONE] * (2 * limit + 20))
    assert busiest_minute(went, [1] * len(went)) <= limit


@pytest.mark.parametrize("seed", range(5))
def test_no_minute_holds_more_tokens_than_allowed_whatever_their_sizes_and_pauses(seed):
    rng = Random(seed)
    sizes = [rng.randint(1, 160) for _ in range(400)]
    pacer, now, went = Pacer({"tokens": 10_000}), 0.0, []
    for size in sizes:
        now += rng.choice([0, 0, 0, 0.01, 5])
        now += pacer.wait_s({"tokens": size}, now)
        pacer.went({"tokens": size}, now)
        went.append(now)
    assert busiest_minute(went, sizes) <= 10_000


def test_nearly_all_of_the_allowance_can_be_used():
    went = times(Pacer({"requests": 600}), [ONE] * 1_200)
    assert 1_200 / went[-1] * 60 >= 0.98 * 600


def test_the_tighter_of_two_limits_counts():
    pacer = Pacer({"requests": 6_000, "tokens": 6_000})
    went = times(pacer, [{"requests": 1, "tokens": 100}] * 61)
    assert went[-1] >= 60


def test_a_pause_saves_up_no_more_than_a_second():
    pacer = Pacer({"requests": 600})
    times(pacer, [ONE] * 50)
    late = times(pacer, [ONE] * 100, start=3_600.0)
    assert sum(at == 3_600.0 for at in late) <= 10


def test_an_amount_above_the_limit_goes_once_everything_before_it_is_paid():
    pace = Pace(100.0)
    assert pace.wait_s(1_000, 5.0) == 0
    after = pace.after(1_000, 5.0)
    assert after.wait_s(1, 5.0) > 590
    assert next(n for n in count() if after.wait_s(1, 5.0 + n) == 0) <= 611


def test_time_that_is_waited_is_exactly_enough():
    pacer = Pacer({"requests": 90})
    steps = list(accumulate([0.0, 0.1, 0.2, 0.3]))
    for now in steps:
        wait = pacer.wait_s(ONE, now)
        assert pacer.wait_s(ONE, now + wait) == pytest.approx(0, abs=1e-9)
        pacer.went(ONE, now + wait)
