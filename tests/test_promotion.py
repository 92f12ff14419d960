"""The gates of a promotion, the watch of the former champion, and the way back."""

from datetime import timedelta

import pytest
from sqlmodel import select

from core import workflows
from core.db import reading, writing
from core.domain.policy import Policy
from core.domain.types import GateState, Target
from core.errors import Refused
from core.models import Comparison, DatasetVersion, Experiment, ModelVersion, Promotion
from core.providers.scripted import ScriptedProvider
from core.queries import experiments as looks
from core.services import registry
from core.services.experiments import Wish
from core.workflows.promotion import Promoted
from tests.conftest import NOW
from tests.experimenting import NEW, OLD, alerts, begin, champion, duel, experiment, live_through, wins
from tests.predicting import Clock

WISH = Wish(Target.SENTIMENT, NEW)
CLASSES = ("positive", "neutral", "negative")


@pytest.fixture
def app(seeded):
    duel(seeded)
    seeded.now = Clock()
    return seeded


def promote(app, model_id=NEW, **more):
    return workflows.promote(app, model_id, Target.SENTIMENT, "because", **more)


def compared(app, n=300, **changed):
    """Store a comparison of the two that passes the offline gates, but for what is `changed`."""
    report = {
        "n": n,
        "coverage": {"asked": n, "both_answered": n},
        "per_class": {name: {"support": n // 3} for name in CLASSES},
        "contaminated": {"champion": 0, "challenger": 0},
        "selected_on": {"champion": False, "challenger": False},
        "difference": 0.05,
        "interval": [0.0, 0.1],
        "macro_f1_difference": {"difference": 0.05, "interval": [-0.01, 0.1]},
        "table": {"champion_only": 20, "challenger_only": 35},
    } | changed
    row = Comparison(
        champion_id=OLD, challenger_id=NEW, dataset_id=1, split="test", report=report, created_at=NOW
    )
    with writing(app.engine) as session:
        session.add(row)
        session.commit()
        return row.id


def live(app, titles, family=None):
    """Run a challenge to its end."""
    lived(app, begin(app, Wish(Target.SENTIMENT, NEW, family=family)), titles)


def lived(app, experiment_id, titles):
    live_through(app, experiment_id, titles)
    workflows.follow_experiments(app)


def states(report):
    return {gate.code: gate.state for gate in report.gates}


def ledger(app):
    with reading(app.engine) as session:
        return session.exec(select(Promotion).order_by(Promotion.id)).all()


def test_a_first_champion_passes_no_gate_and_is_watched_by_nobody(app):
    report = workflows.promotion_gates(app, OLD, Target.DIRECTION)
    assert (report.gates, report.champion_id, report.passed) == ((), None, True)
    done = workflows.promote(app, OLD, Target.DIRECTION, "the first")
    assert done == Promoted(1, None, "FIRST")
    assert ledger(app)[0].evidence["override"] is False


def test_without_evidence_every_gate_waits_and_the_promotion_is_refused(app):
    report = workflows.promotion_gates(app, NEW, Target.SENTIMENT)
    assert set(states(report).values()) == {GateState.WAITING}
    with pytest.raises(Refused, match=r"waiting: same_items, rows, .*live"):
        promote(app)
    assert (champion(app), ledger(app)) == (OLD, [])


def test_a_gate_that_failed_is_named(app):
    compared(app, n=150)
    with pytest.raises(Refused, match="failed: rows; waiting: live"):
        promote(app)


def test_a_model_that_passes_every_gate_is_promoted_and_the_gates_are_kept(app):
    comparison = compared(app)
    live(app, wins(60))
    report = workflows.promotion_gates(app, NEW, Target.SENTIMENT)
    assert set(states(report).values()) == {GateState.PASSED}
    assert (report.passed, report.comparison_id, report.experiment_id) == (True, comparison, 1)
    promote(app)
    [entry] = ledger(app)
    assert champion(app) == NEW
    assert [gate["state"] for gate in entry.evidence["gates"]] == ["passed"] * 7
    assert (entry.evidence["override"], entry.evidence["against"], entry.evidence["experiment_id"]) == (
        False,
        OLD,
        1,
    )


def test_a_person_may_go_past_the_gates_and_that_is_kept(app):
    promote(app, override=True)
    [entry] = ledger(app)
    assert (champion(app), entry.evidence["override"]) == (NEW, True)
    assert {gate["state"] for gate in entry.evidence["gates"]} == {"waiting"}


def test_an_experiment_that_ended_undecided_fails_its_gate(app):
    begin(app, WISH)
    workflows.stop_experiment(app, 1, "no time")
    report = workflows.promotion_gates(app, NEW, Target.SENTIMENT)
    assert states(report)["live"] == GateState.FAILED


def test_an_experiment_on_one_family_is_no_evidence_for_all(app):
    live(app, wins(60), family="general")
    assert experiment(app).conclusion["verdict"] == "better"
    report = workflows.promotion_gates(app, NEW, Target.SENTIMENT)
    assert (states(report)["live"], report.experiment_id) == (GateState.WAITING, None)


def test_the_gates_say_that_a_tenth_of_five_hundred_cannot_decide_ten_points(app):
    assert workflows.promotion_gates(app, NEW, Target.SENTIMENT).power_note["n_test"] == 0
    with writing(app.engine) as session:
        session.get(DatasetVersion, 1).counts = {
            "train": {"positive": 400},
            "validation": {"positive": 50},
            "test": {"positive": 30, "negative": 20},
        }
        session.commit()
    note = workflows.promotion_gates(app, NEW, Target.SENTIMENT).power_note
    assert (note["decidable"], note["n_test"], note["needed"], note["test_share_needed"]) == (
        False,
        50,
        194,
        0.4,
    )


def test_a_champion_that_changed_since_the_gates_were_measured_is_noticed(app):
    with pytest.raises(Refused, match="has changed meanwhile"), writing(app.engine) as session:
        registry.promote(
            session,
            model_id=NEW,
            target=Target.SENTIMENT,
            reason="because",
            actor="kim",
            answering_providers=frozenset(app.providers),
            instead_of=1,
            gates={},
            now=NOW,
        )
    assert champion(app) == OLD


def test_the_former_champion_watches_the_new_one(app):
    done = promote(app, override=True)
    watch = experiment(app, done.watch_id)
    assert (watch.purpose, watch.champion_id, watch.challenger_id, watch.promotion_id) == (
        "watch",
        NEW,
        OLD,
        1,
    )
    assert watch.ends_at - watch.started_at == timedelta(days=Policy().watch_days)
    with reading(app.engine) as session:
        assert looks.watch(session, "sentiment").challenger == "old"


def test_a_promotion_stops_the_running_challenge_and_keeps_what_it_showed(app):
    begin(app, WISH)
    promote(app, override=True)
    row = experiment(app)
    assert (row.status, row.conclusion["ended_by"], row.conclusion["note"]) == (
        "stopped",
        "champion_changed",
        "new was promoted",
    )


def test_a_refused_promotion_stops_nothing(app):
    begin(app, WISH)
    with pytest.raises(Refused):
        promote(app)
    with pytest.raises(Refused, match="stored predictions only"):
        promote(app, 1, override=True)
    assert experiment(app).status == "running"


def bare_promotion(app):
    """Promote as a program does that ends right after the ledger's row is written."""
    with writing(app.engine) as session:
        registry.promote(
            session,
            model_id=NEW,
            target=Target.SENTIMENT,
            reason="because",
            actor="kim",
            answering_providers=frozenset(app.providers),
            instead_of=OLD,
            gates={},
            now=app.now(),
        )


def watches(app):
    with reading(app.engine) as session:
        return session.exec(select(Experiment).where(Experiment.purpose == "watch")).all()


def test_a_watch_that_a_crash_left_out_is_begun_by_the_job_once(app):
    bare_promotion(app)
    app.now.forward(days=1)
    assert workflows.follow_experiments(app) == "watch begun: experiment 1"
    assert workflows.follow_experiments(app) == ""
    assert [watch.ends_at for watch in watches(app)] == [NOW + timedelta(days=56)]


def test_a_promotion_of_long_ago_is_not_watched_any_more(app):
    bare_promotion(app)
    app.now.forward(days=57)
    assert (workflows.follow_experiments(app), watches(app)) == ("", [])


def test_a_watch_that_a_person_stopped_is_not_begun_again(app):
    workflows.stop_experiment(app, promote(app, override=True).watch_id, "enough")
    assert (workflows.follow_experiments(app), len(watches(app))) == ("", 1)


def test_a_former_champion_whose_answers_cost_money_does_not_watch(app):
    app.providers["old"] = ScriptedProvider("old", app.providers["old"].script, priced=True, simulated=False)
    assert promote(app, override=True) == Promoted(1, None, "PAID")
    assert workflows.follow_experiments(app) == ""


def test_a_real_former_champion_does_not_watch_a_simulated_one(app):
    with writing(app.engine) as session:
        session.get(ModelVersion, NEW).simulated = True
        session.commit()
    assert promote(app, override=True) == Promoted(1, None, "SIMULATED")
    assert workflows.follow_experiments(app) == ""


def test_a_former_champion_that_does_better_raises_an_alert_and_nothing_is_rolled_back(app):
    watch_id = promote(app, override=True).watch_id
    lived(app, watch_id, wins(0, lost=60))
    [alert] = alerts(app)
    assert (alert.rule, alert.state) == ("former_champion_better", "open")
    assert {key: alert.detail[key] for key in ("experiment_id", "target", "promotion_id", "verdict")} == {
        "experiment_id": watch_id,
        "target": "sentiment",
        "promotion_id": 1,
        "verdict": "better",
    }
    assert (champion(app), experiment(app, watch_id).status) == (NEW, "concluded")


def test_a_new_champion_that_does_better_is_watched_to_the_end(app):
    watch_id = promote(app, override=True).watch_id
    lived(app, watch_id, wins(60))
    assert (workflows.experiment_evidence(app, watch_id)["verdict"], alerts(app)) == ("worse", [])
    assert experiment(app, watch_id).status == "running"
    app.now.forward(days=50)
    workflows.follow_experiments(app)
    assert (experiment(app, watch_id).status, alerts(app)) == ("concluded", [])


def test_a_rollback_ends_the_watch_and_closes_its_alert(app):
    workflows.promote(app, OLD, Target.DIRECTION, "another target")
    bare_first(app)
    watch_id = promote(app, override=True).watch_id
    lived(app, watch_id, wins(0, lost=60))
    workflows.rollback(app, Target.SENTIMENT, "the former one is better")
    assert (champion(app), champion(app, "direction")) == (OLD, OLD)
    assert [alert.state for alert in alerts(app)] == ["resolved"]
    assert workflows.follow_experiments(app) == ""
    with reading(app.engine) as session:
        assert looks.watch(session, "sentiment") is None


def bare_first(app):
    """Put the champion that the fixture crowned into the ledger."""
    with writing(app.engine) as session:
        session.add(
            Promotion(
                target="sentiment", action="promote", to_model_id=OLD, reason="first", actor="kim", at=NOW
            )
        )
        session.commit()


def test_a_rollback_before_its_verdict_stops_the_watch(app):
    bare_first(app)
    watch_id = promote(app, override=True).watch_id
    workflows.rollback(app, Target.SENTIMENT, "on second thoughts")
    row = experiment(app, watch_id)
    assert (row.status, row.conclusion["ended_by"]) == ("stopped", "rolled_back")
