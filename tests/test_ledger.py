"""The ledger: four kinds of rows that only ever grow, and a cap that no race and no order of calls breaks."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from core.db import reading, writing
from core.domain.policy import Policy
from core.domain.types import CostKind, CostPurpose
from core.errors import Refused
from core.ledger import Charge, month_start, release, reserve, reserved, spend, standing
from core.models import Budget, CostEntry
from tests import race
from tests.conftest import empty_database

NOW = datetime(2026, 3, 13, 3, 0, tzinfo=UTC)
POLICY = Policy(monthly_budget_usd=10.0)


@pytest.fixture
def engine(tmp_path):
    """An empty migrated database."""
    engine = empty_database(tmp_path / "ledger.db")
    yield engine
    engine.dispose()


def charge(reference="job-1", *, simulated=False):
    return Charge(reference, CostPurpose.TRAINING, "openai", "gpt-4.1-mini", "kim", simulated=simulated)


def rows(engine):
    with reading(engine) as session:
        return [(row.kind, row.micro_usd) for row in session.exec(select(CostEntry))]


def state(engine, *, simulated=False, now=NOW, policy=POLICY):
    with reading(engine) as session:
        return standing(session, policy, simulated=simulated, now=now)


def test_a_training_leaves_estimate_reservation_bill_and_what_is_given_back(engine):
    with writing(engine) as session:
        reserve(session, POLICY, charge(), likely=4_000_000, high=6_000_000, now=NOW)
        spend(session, charge(), micro_usd=4_500_000, now=NOW)
        assert release(session, charge(), now=NOW) == 1_500_000
        session.commit()
    assert rows(engine) == [
        (CostKind.ESTIMATE, 4_000_000),
        (CostKind.RESERVATION, 6_000_000),
        (CostKind.ACTUAL, 4_500_000),
        (CostKind.RELEASE, 4_500_000),
        (CostKind.RELEASE, 1_500_000),
    ]
    assert (state(engine).spent, state(engine).reserved) == (4_500_000, 0)


def test_giving_back_twice_gives_back_once(engine):
    with writing(engine) as session:
        reserve(session, POLICY, charge(), likely=1, high=2_000_000, now=NOW)
        assert release(session, charge(), now=NOW) == 2_000_000
        assert release(session, charge(), now=NOW) == 0
        session.commit()
    assert state(engine).reserved == 0


def test_a_bill_above_its_reservation_is_written_whole_and_frees_no_more_than_was_held(engine):
    with writing(engine) as session:
        reserve(session, POLICY, charge(), likely=1_000_000, high=2_000_000, now=NOW)
        spend(session, charge(), micro_usd=3_000_000, now=NOW)
        session.commit()
    assert (state(engine).spent, state(engine).reserved) == (3_000_000, 0)


def test_what_would_pass_the_cap_is_refused_with_the_amounts_and_leaves_no_row(engine):
    with writing(engine) as session:
        reserve(session, POLICY, charge(), likely=1, high=7_000_000, now=NOW)
        with pytest.raises(Refused, match=r"\$3\.01 and \$3\.00 .* \$10\.00"):
            reserve(session, POLICY, charge("job-2"), likely=1, high=3_010_000, now=NOW)
        session.commit()
    assert len(rows(engine)) == 2


def test_the_last_dollar_may_be_spent_and_what_is_free_always_fits(engine):
    with writing(engine) as session:
        reserve(session, POLICY, charge(), likely=1, high=10_000_000, now=NOW)
        reserve(session, POLICY, charge("free"), likely=0, high=0, now=NOW)
        session.commit()
    assert state(engine).stopped


def test_play_money_is_kept_apart_from_real_money(engine):
    with writing(engine) as session:
        reserve(session, POLICY, charge("s", simulated=True), likely=1, high=9_000_000, now=NOW)
        reserve(session, POLICY, charge("r"), likely=1, high=9_000_000, now=NOW)
        session.commit()
    assert state(engine, simulated=True).reserved == state(engine).reserved == 9_000_000


def test_a_budget_that_was_set_counts_before_the_default_and_the_newest_before_older_ones(engine):
    assert state(engine).is_default
    with writing(engine) as session:
        for usd in (20, 5):
            session.add(Budget(monthly_micro_usd=usd * 1_000_000, warn_share=0.5, actor="kim", at=NOW))
        session.commit()
    assert (state(engine).cap, state(engine).warn_share, state(engine).is_default) == (5_000_000, 0.5, False)


def test_a_month_begins_at_midnight_in_seoul(engine):
    assert month_start(NOW) == datetime(2026, 2, 28, 15, 0, tzinfo=UTC)
    begin = month_start(NOW)
    with writing(engine) as session:
        spend(session, charge("before"), micro_usd=1_000, now=begin - timedelta(seconds=1))
        spend(session, charge("after"), micro_usd=20, now=begin)
        session.commit()
    assert state(engine).spent == 20


def test_what_is_held_counts_in_every_month_until_it_is_given_back(engine):
    with writing(engine) as session:
        reserve(session, POLICY, charge(), likely=1, high=2_000_000, now=NOW - timedelta(days=40))
        session.commit()
    assert state(engine).reserved == 2_000_000


@pytest.mark.parametrize(
    "change",
    [
        update(CostEntry).values(micro_usd=0),
        update(CostEntry).values(actor="somebody"),
        delete(CostEntry),
    ],
    ids=["amount", "actor", "delete"],
)
def test_the_database_refuses_to_change_or_delete_a_row(engine, change):
    with writing(engine) as session:
        spend(session, charge(), micro_usd=5, now=NOW)
        session.commit()
    with writing(engine) as session, pytest.raises(IntegrityError, match="append-only"):
        session.execute(change)
    assert rows(engine) == [(CostKind.ACTUAL, 5)]


def test_the_database_refuses_an_amount_below_zero(engine):
    with writing(engine) as session, pytest.raises(IntegrityError, match="ck_not_negative"):
        spend(session, charge(), micro_usd=-1, now=NOW)


steps = st.lists(
    st.tuples(st.sampled_from(["reserve", "spend", "release"]), st.integers(0, 4), st.integers(0, 6_000_000)),
    max_size=15,
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=steps)
def test_spent_and_reserved_never_pass_the_cap_however_calls_interleave(engine, steps):
    with writing(engine) as session:
        for what, job, amount in steps:
            bill = charge(f"job-{job}")
            if what == "reserve":
                try:
                    reserve(session, POLICY, bill, likely=amount // 2, high=amount, now=NOW)
                except Refused:
                    assert standing(session, POLICY, simulated=False, now=NOW).left < amount
            elif what == "spend":
                spend(session, bill, micro_usd=min(amount, reserved(session, bill.reference)), now=NOW)
            else:
                release(session, bill, now=NOW)
            now = standing(session, POLICY, simulated=False, now=NOW)
            assert now.left >= 0
            assert now.reserved >= 0
            assert reserved(session, bill.reference) >= 0
        session.rollback()  # the next example begins with an empty ledger


def test_of_eight_processes_that_click_at_once_three_may_spend_when_three_fit(engine):
    assert race.winners(race.careful, str(engine.url), rounds=10) == [3] * 10


def test_looking_before_writing_lets_all_eight_spend(engine):
    assert race.winners(race.naive, str(engine.url), rounds=3) == [8] * 3
