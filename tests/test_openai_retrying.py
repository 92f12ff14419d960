"""Sending again where it is free: when, how often, and for how long."""

from itertools import pairwise
from time import monotonic

import pytest

from core.providers.retrying import Patience, TurnedAway, patiently, retry_after_s

NOON = "Wed, 21 Oct 2026 12:00:00 GMT"


class Busy(Exception):
    def __init__(self, wait_s=None):
        super().__init__("busy")
        self.wait_s = wait_s


def turned_away(error):
    return TurnedAway(error.wait_s) if isinstance(error, Busy) else None


def calls(*outcomes):
    """Return a function that raises or returns what it is told to, in turn, and the list of its calls."""
    made = []

    def call():
        made.append(monotonic())
        outcome = outcomes[min(len(made), len(outcomes)) - 1]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return call, made


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 12:00:30 GMT", "date": NOON}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 12:00:30 -0000", "date": NOON}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 11:00:00 GMT", "date": NOON}, 0.0),
        ({"retry-after": NOON}, None),
        ({"retry-after": NOON, "date": "yesterday"}, None),
    ],
)
def test_the_wait_is_a_number_of_seconds_or_a_date_measured_by_the_vendors_own_clock(headers, expected):
    assert retry_after_s(headers) == expected


def test_what_was_turned_away_is_sent_again_until_it_is_answered():
    call, made = calls(Busy(), Busy(), "answer")
    assert patiently(call, turned_away, Patience(first_wait_s=0.001)) == "answer"
    assert len(made) == 3


def test_the_last_attempt_s_own_error_is_raised():
    call, made = calls(Busy())
    with pytest.raises(Busy):
        patiently(call, turned_away, Patience(attempts=3, first_wait_s=0.001))
    assert len(made) == 3


def test_what_may_have_been_carried_out_is_not_sent_again():
    call, made = calls(ValueError("lost"), "answer")
    with pytest.raises(ValueError, match="lost"):
        patiently(call, turned_away, Patience(first_wait_s=0.001))
    assert len(made) == 1


def test_a_wait_that_is_asked_for_is_kept():
    call, made = calls(Busy(0.15), "answer")
    patiently(call, turned_away, Patience(first_wait_s=0.001))
    assert made[1] - made[0] >= 0.15


@pytest.mark.parametrize("asked", [61.0, 3_600.0, float("inf")])
def test_a_wait_beyond_the_deadline_is_not_begun(asked):
    call, made = calls(Busy(asked), "answer")
    started = monotonic()
    with pytest.raises(Busy):
        patiently(call, turned_away)
    assert (len(made), monotonic() - started < 5) == (1, True)


def test_pauses_double_and_stay_under_the_longest():
    call, made = calls(Busy())
    with pytest.raises(Busy):
        patiently(call, turned_away, Patience(attempts=9, first_wait_s=0.02, longest_wait_s=0.05))
    pauses = [later - sooner for sooner, later in pairwise(made)]
    assert pauses[0] >= 0.02
    assert pauses[1] >= 0.04
    assert sum(pauses) < 3  # doubled without an end they would take five seconds
