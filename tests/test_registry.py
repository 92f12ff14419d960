"""Promotion and rollback."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import workflows
from core.db import reading
from core.domain.registry import champions_so_far, stage
from core.domain.types import Split, Stage, Target
from core.errors import NotFound, Refused
from core.models import Champion, Promotion
from core.queries import listings


@pytest.fixture
def trained(seeded):
    """The seeded application with two trained models, 2 and 3."""
    for _ in range(2):
        workflows.wait_for_training(
            seeded, workflows.start_training(seeded, workflows.Request(1, "scripted")).job_id
        )
    return seeded


def champion(app, target="sentiment"):
    with reading(app.engine) as session:
        entry = session.get(Champion, target)
        return entry.model_id if entry else None


def test_a_promoted_model_is_the_champion_of_its_target_only(trained):
    workflows.promote(trained, 2, Target.SENTIMENT, "first trained model")
    assert (champion(trained), champion(trained, "direction")) == (2, None)


def test_the_ledger_keeps_who_why_from_and_to(trained):
    workflows.promote(trained, 2, Target.SENTIMENT, "first", actor="kim")
    workflows.promote(trained, 3, Target.SENTIMENT, "better by 8 points", actor="lee", override=True)
    with reading(trained.engine) as session:
        last = session.get(Promotion, 2)
    assert (last.from_model_id, last.to_model_id, last.reason, last.actor) == (
        2,
        3,
        "better by 8 points",
        "lee",
    )


def test_of_two_people_who_roll_the_same_champion_back_the_second_is_told(trained):
    for model_id in (2, 3, 2):
        workflows.promote(trained, model_id, Target.SENTIMENT, "because", override=True)
    workflows.rollback(trained, Target.SENTIMENT, "worse", leaving=2)
    with pytest.raises(Refused, match="has changed in the meantime"):
        workflows.rollback(trained, Target.SENTIMENT, "worse", leaving=2)
    assert champion(trained) == 3


def test_a_rollback_goes_back_one_champion_at_a_time(trained):
    for model_id in (2, 3, 2):
        workflows.promote(trained, model_id, Target.SENTIMENT, "because", override=True)
    workflows.rollback(trained, Target.SENTIMENT, "worse")
    assert champion(trained) == 3
    workflows.rollback(trained, Target.SENTIMENT, "worse still")
    assert champion(trained) == 2


def test_without_an_earlier_champion_a_rollback_is_refused(trained):
    workflows.promote(trained, 2, Target.SENTIMENT, "first")
    with pytest.raises(Refused, match="no earlier champion"):
        workflows.rollback(trained, Target.SENTIMENT, "worse")
    assert champion(trained) == 2


@pytest.mark.parametrize(
    ("model_id", "target", "reason", "said"),
    [
        (1, Target.SENTIMENT, "because", "stored predictions only"),
        (2, Target.DIRECTION, "because", "trained for the target 'sentiment'"),
        (2, Target.SENTIMENT, "  ", "needs a reason"),
    ],
)
def test_a_promotion_that_breaks_a_rule_is_refused_and_changes_nothing(
    trained, model_id, target, reason, said
):
    with pytest.raises(Refused, match=said):
        workflows.promote(trained, model_id, target, reason)
    assert champion(trained) is None


def test_the_champion_cannot_be_promoted_again(trained):
    workflows.promote(trained, 2, Target.SENTIMENT, "first")
    with pytest.raises(Refused, match="already"):
        workflows.promote(trained, 2, Target.SENTIMENT, "again")


def test_an_unknown_model_is_named(trained):
    with pytest.raises(NotFound, match="99"):
        workflows.promote(trained, 99, Target.SENTIMENT, "because")


def test_a_promotion_keeps_the_figures_that_were_on_the_table(trained):
    workflows.evaluate(trained, 2, 1)
    workflows.compare(trained, 1, 2, 1)
    workflows.promote(trained, 2, Target.SENTIMENT, "because")
    with reading(trained.engine) as session:
        evidence = session.get(Promotion, 1).evidence
    assert evidence["evaluation"]["n"] == evidence["comparison"]["n"] == 15


def test_models_are_listed_with_their_stage(trained):
    workflows.promote(trained, 2, Target.SENTIMENT, "first")
    workflows.promote(trained, 3, Target.SENTIMENT, "second", override=True)
    with reading(trained.engine) as session:
        stages = {model["id"]: model["stages"] for model in listings.models(session)}
    assert stages == {
        1: {"sentiment": "candidate", "direction": "candidate"},
        2: {"sentiment": "retired"},
        3: {"sentiment": "champion"},
    }


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_rolling_back_every_promotion_but_the_first_leaves_the_first(models):
    ledger = [("promote", model) for model in models] + [("rollback", None)] * (len(models) - 1)
    assert champions_so_far(ledger) == models[:1]


def test_a_model_never_promoted_is_a_candidate():
    assert stage(3, champion_id=1, past_champions=[1, 2]) == Stage.CANDIDATE


def test_a_comparison_with_another_champion_or_on_another_part_is_no_evidence(trained):
    workflows.compare(trained, 1, 3, 1)
    workflows.promote(trained, 2, Target.SENTIMENT, "first")
    workflows.compare(trained, 2, 3, 1, Split.VALIDATION)
    workflows.promote(trained, 3, Target.SENTIMENT, "better", override=True)
    with reading(trained.engine) as session:
        assert "comparison" not in session.get(Promotion, 2).evidence
