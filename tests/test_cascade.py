"""Cascades: the trade-off that is read off stored answers, two models as one, and the version made of them."""

import json
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import select

from core import workflows
from core.cli.grammar import parser
from core.db import writing
from core.domain.cascade import RULES, Pair, choose, curve, escalates, rule_sentence
from core.domain.types import Failure, ModelKind, Sentiment
from core.errors import NotFound, ProviderBlocked, Refused
from core.models import Article, DatasetItem, DatasetVersion, ModelVersion
from core.providers.base import Forecast, NewsText, Reply, Usage
from core.providers.scripted import ScriptedPredictor, ScriptedProvider
from core.services import demo, prediction_runs
from core.services.demo.loading import MODEL_NAME
from core.workflows import answering
from core.workflows.composed import LocalCascade, RemoteCascade
from tests.cascading import (
    CASCADE,
    FIRST,
    SECOND,
    VALIDATION,
    first_says,
    local_model,
    number,
    predict,
    second_says,
    version,
    with_parts,
)
from tests.conftest import CLASSES, NOW, article
from tests.predicting import MODEL, PRICE, USAGE, VENDOR, ScriptedAsker, bad, good, money

CLASS = st.sampled_from(CLASSES)
PAIRS = st.lists(
    st.builds(Pair, CLASS, CLASS, st.none() | st.floats(0, 100), CLASS, second_micro_usd=st.just(200.0)),
    min_size=1,
    max_size=40,
)


def pair(confidence, *, first=True, second=True, **more):
    """Return an article of which both models said what is right, or something else."""
    said = {True: "positive", False: "negative"}
    return Pair("positive", said[first], confidence, said[second], **more)


def on_sentiment(pairs):
    return curve(pairs, target="sentiment", seed=1)


# --- the trade-off -----------------------------------------------------------------------------------


def test_who_is_sure_enough_is_not_escalated():
    assert [escalates(each, 70) for each in (69.9, 70, 100, None)] == [True, False, False, True]


def test_the_curve_goes_from_the_first_model_alone_towards_the_second():
    report = on_sentiment([pair(40, first=False), pair(60, first=False), pair(90, second=False)])
    assert [(p["threshold"], p["share_second"]) for p in report["points"]] == [
        (0, 0),
        (41, 1 / 3),
        (61, 2 / 3),
        (91, 1),
    ]
    assert [round(3 * p["accuracy"]) for p in report["points"]] == [1, 2, 3, 2]
    assert report["first_only"] == report["points"][0]
    assert (report["second_only"]["threshold"], round(3 * report["second_only"]["accuracy"])) == (None, 2)


def test_the_cheapest_of_the_points_within_a_point_of_the_best_is_chosen():
    points = [
        {"accuracy": accuracy, "share_second": share}
        for accuracy, share in ((0.70, 0.0), (0.891, 0.3), (0.9, 0.6), (0.895, 0.4))
    ]
    assert choose(points)["share_second"] == 0.3


def test_a_second_model_that_adds_nothing_is_said_not_to():
    report = on_sentiment([pair(60), pair(80, first=False, second=False)])
    assert (report["chosen"]["share_second"], report["rule_code"]) == (0, "first")
    assert report["rule"].startswith(
        "The first model alone is within 1 point of the best of the curve (50.0% on 2"
    )


def test_the_rule_is_translated_before_its_figures_go_in():
    report = on_sentiment([pair(40, first=False), pair(90)])
    assert (
        rule_sentence(report, lambda template: f"{RULES['cascade'] == template}: {{best}}") == "True: 100.0%"
    )


@settings(max_examples=25)
@given(PAIRS)
def test_every_point_is_what_composing_by_hand_gives(pairs):
    report = on_sentiment(pairs)
    shares = [point["share_second"] for point in report["points"]]
    assert shares == sorted(set(shares))
    for point in report["points"]:
        said = [p.second if escalates(p.confidence, point["threshold"]) else p.first for p in pairs]
        if point["threshold"] == 0:
            said = [p.first for p in pairs]
        right = sum(answer == p.label for answer, p in zip(said, pairs, strict=True))
        assert point["accuracy"] == pytest.approx(right / len(pairs))
        assert point["interval"][0] <= point["accuracy"] <= point["interval"][1]
        assert point["cost_per_1000_micro_usd"] == round(200_000 * point["share_second"])
    assert json.loads(json.dumps(report)) == report


def test_a_cost_that_nobody_knows_is_none_and_never_zero():
    report = on_sentiment([pair(40), pair(90)])
    assert [point["cost_per_1000_micro_usd"] for point in report["points"]] == [0, None, None]
    free = on_sentiment([pair(40, second_micro_usd=0.0)])
    assert free["second_only"]["cost_per_1000_micro_usd"] == 0


def test_the_known_costs_stand_for_those_that_are_not_known():
    report = on_sentiment([pair(10, second_micro_usd=300.0), pair(20, second_micro_usd=100.0), pair(30)])
    assert report["second_only"]["cost_per_1000_micro_usd"] == 200_000


def test_an_answer_of_the_second_takes_the_time_of_both():
    slow = [pair(10, first_ms=2.0, second_ms=500.0) for _ in range(3)]
    report = on_sentiment([*slow, *(pair(90, first_ms=2.0, second_ms=500.0) for _ in range(7))])
    first, middle, _ = report["points"]
    assert (first["latency_p50"], first["latency_p95"]) == (2, 2)
    assert (middle["latency_p50"], middle["latency_p95"]) == (2, 502)
    assert report["second_only"]["latency_p50"] == 500


def test_both_kinds_of_answers_keep_their_share_however_few_of_one_were_timed():
    """Of a local model only the first few answers are timed; the rest must not vanish from the median."""
    sure = [pair(90, first_ms=2.0 if i < 2 else None, second_ms=500.0) for i in range(60)]
    report = on_sentiment([*sure, *(pair(10, second_ms=500.0) for _ in range(40))])
    assert (report["points"][1]["latency_p50"], report["points"][1]["latency_p95"]) == (2, 502)


def test_a_kind_of_answer_that_was_never_timed_leaves_the_latency_unknown():
    report = on_sentiment([pair(10, first_ms=2.0), pair(90, first_ms=2.0)])
    assert [point["latency_p50"] for point in report["points"]] == [2, None, None]


def test_on_direction_days_are_resampled_and_one_day_gives_no_interval():
    days = [pair(60, day=f"general|2025-11-{day:02}", first=day < 4) for day in (3, 3, 4, 5, 6)]
    assert curve(days, target="direction", seed=1)["first_only"]["interval"] is not None
    assert curve(days[:2], target="direction", seed=1)["first_only"]["interval"] is None


# --- two models as one -------------------------------------------------------------------------------


def text(i):
    return NewsText(article(i)["title"], f"Body {i}")


def remote(asker):
    return RemoteCascade(ScriptedPredictor(first_says), asker, 70.0, "local-1", "vendor-1")


def test_a_local_cascade_keeps_the_order_and_shows_the_second_only_what_the_first_is_unsure_of():
    seen = []

    def second(title):
        seen.append(number(title))
        return Forecast(Sentiment.NEUTRAL, 99.0)

    cascade = LocalCascade(ScriptedPredictor(first_says), ScriptedPredictor(second), 70.0)
    said = cascade.predict([text(i) for i in (2, 3, 4, 7)])
    assert ([each.confidence for each in said], seen) == ([90, 99, 90, 99], [3, 7])
    assert not answering.is_asker(cascade)


def test_what_the_first_is_sure_of_costs_nothing_and_never_leaves():
    asker = ScriptedAsker(second_says)
    reply = remote(asker).ask(text(2))
    assert (reply.billed, reply.usage, reply.answered_by) == (False, Usage(0, 0, 0), "local-1")
    assert (reply.forecast.rationale, asker.asked.total()) == ("from here", 0)
    assert reply.latency_ms > 0


def test_what_the_first_is_unsure_of_is_the_seconds_with_the_time_of_both():
    reply = remote(ScriptedAsker(second_says)).ask(text(3))
    assert (reply.billed, reply.usage, reply.answered_by) == (True, USAGE, MODEL)
    assert reply.latency_ms > 5.0


@pytest.mark.parametrize(
    ("there", "by", "latency"),
    [(good("x", answered_by=None), "vendor-1", True), (good("x", latency_ms=None), MODEL, False)],
)
def test_what_a_vendor_does_not_say_is_not_made_up(there, by, latency):
    reply = remote(ScriptedAsker(lambda _: there)).ask(text(3))
    assert (reply.answered_by, reply.latency_ms is not None) == (by, latency)


def test_a_failure_of_the_second_is_the_cascades():
    reply = remote(ScriptedAsker(lambda _: bad(Failure.TIMEOUT))).ask(text(3))
    assert (reply.forecast, reply.failure) == (None, Failure.TIMEOUT)


def test_a_remote_cascade_looks_like_its_second_part_to_who_reckons_with_it():
    asker = ScriptedAsker(second_says, max_answer_tokens=123)
    cascade = remote(asker)
    assert answering.is_asker(cascade)
    assert (cascade.max_answer_tokens, cascade.messages(text(3))) == (123, asker.messages(text(3)))
    assert answering.leaving(cascade, [text(2), text(3)]) == [False, True]
    assert answering.leaving(asker, [text(2)]) == [True]
    assert answering.answered_here(asker, text(2)) is None
    assert isinstance(answering.answered_here(cascade, text(2)), Reply)


# --- model versions ----------------------------------------------------------------------------------


@pytest.fixture
def vendor(seeded):
    return with_parts(seeded)


@pytest.fixture
def parts(seeded, vendor):
    """The seeded application with model 2, free and here, and model 3, a paid vendor's few-shot version."""
    return seeded


@pytest.fixture
def cascade(parts):
    """The same with model 4, the cascade of both at 70 %."""
    assert workflows.create_cascade(parts, FIRST, SECOND, 70, 1) == CASCADE
    return parts


def test_the_curve_is_measured_on_the_validation_part_and_pays_nothing(parts):
    predict(parts, SECOND, **VALIDATION)
    paid = money(parts)
    report = workflows.cascade_curve(parts, FIRST, SECOND, 1)
    assert (report["split"], report["asked"], report["n"]) == ("validation", 15, 15)
    assert (report["first_only"]["accuracy"], report["second_only"]["accuracy"]) == (8 / 15, 1)
    assert (report["chosen"]["threshold"], report["chosen"]["accuracy"]) == (51, 1)
    assert report["chosen"]["share_second"] == 7 / 15
    assert report["second_only"]["cost_per_1000_micro_usd"] == 1000 * PRICE
    assert report["chosen"]["cost_per_1000_micro_usd"] == round(1000 * PRICE * 7 / 15)
    assert (report["first_name"], report["simulated"], money(parts)) == ("local-1", False, paid)
    assert json.loads(json.dumps(report)) == report


def test_without_answers_of_the_paid_model_the_run_that_would_help_is_named_with_its_price(parts, vendor):
    with pytest.raises(
        Refused, match=r"Start a prediction run of openai-few-shot.* validation part .*\$0\.0"
    ):
        workflows.cascade_curve(parts, FIRST, SECOND, 1)
    assert vendor.asker.asked.total() == 0


def test_the_curve_says_what_a_part_has_seen_of_the_validation_part(parts):
    predict(parts, SECOND, **VALIDATION)
    assert workflows.cascade_curve(parts, FIRST, SECOND, 1)["contaminated"] == {"first": 0, "second": 0}


def test_imported_answers_can_be_measured_as_a_second_part_and_their_cost_is_not_known(parts):
    report = workflows.cascade_curve(parts, FIRST, 1, 1)
    assert (report["n"], report["second_only"]["cost_per_1000_micro_usd"]) == (15, None)


def test_what_a_server_paid_by_the_hour_answers_is_not_free_as_a_second_part(parts):
    with writing(parts.engine) as session:
        session.add(local_model("own server", kind="few_shot", dataset_id=None))
        session.add(local_model("file here", artefact="a.joblib"))
        session.commit()
    own, here = (workflows.cascade_curve(parts, FIRST, second, 1)["second_only"] for second in (4, 5))
    assert (own["cost_per_1000_micro_usd"], here["cost_per_1000_micro_usd"]) == (None, 0)


def test_a_server_paid_by_the_hour_is_no_first_part_of_a_curve(parts, vendor):
    predict(parts, SECOND, **VALIDATION)
    vendor.priced = False
    with pytest.raises(Refused, match="does not answer on this machine for free"):
        workflows.cascade_curve(parts, SECOND, FIRST, 1)


def test_a_cascade_is_a_version_of_its_second_parts_provider_and_of_the_datasets_target(cascade):
    made = version(cascade, 4)
    assert (made.kind, made.provider, made.base_model) == (ModelKind.CASCADE, VENDOR, MODEL)
    assert (made.target, made.dataset_id, made.artefact, made.simulated) == ("sentiment", None, None, False)
    asked = {"first_id": 2, "second_id": 3, "threshold": 70, "dataset_id": 1, "remote": True}
    assert asked.items() <= made.params.items()


def test_the_same_cascade_again_is_the_one_there_is_and_another_threshold_another(cascade):
    assert workflows.create_cascade(cascade, FIRST, SECOND, 70, 1) == 4
    assert workflows.create_cascade(cascade, FIRST, SECOND, 70.5, 1) == 5


def test_what_a_tuned_second_part_is_called_at_its_vendor_and_when_it_retires_is_the_cascades_too(parts):
    lent = {"remote_model": "ft:gpt-4.1-mini:org::1", "retires": "2027-01-14"}
    with writing(parts.engine) as session:
        session.add(local_model("tuned", provider=VENDOR, base_model=MODEL, params=lent | {"rows": 60}))
        session.commit()
    made = version(parts, workflows.create_cascade(parts, FIRST, 4, 70, 1))
    assert lent.items() <= made.params.items()
    assert "rows" not in made.params
    assert prediction_runs.billed_name(made) == lent["remote_model"]


def test_a_cascade_with_a_simulated_part_is_simulated(parts):
    with writing(parts.engine) as session:
        session.add(local_model("play", simulated=True))
        session.commit()
    assert version(parts, workflows.create_cascade(parts, 4, SECOND, 70, 1)).simulated


@pytest.mark.parametrize("threshold", [0, -1, 100.5, float("nan")])
def test_a_threshold_that_is_none_is_refused(parts, threshold):
    with pytest.raises(Refused, match="is not above 0 and at most 100"):
        workflows.create_cascade(parts, FIRST, SECOND, threshold, 1)


@pytest.mark.parametrize("pair", [(FIRST, 4), (4, SECOND)])
def test_a_cascade_of_a_cascade_is_refused(cascade, pair):
    for made in (
        lambda: workflows.create_cascade(cascade, *pair, 50, 1),
        lambda: workflows.cascade_curve(cascade, *pair, 1),
    ):
        with pytest.raises(Refused, match="is a cascade already"):
            made()


@pytest.mark.parametrize(
    ("first", "second", "dataset", "problem"),
    [
        (FIRST, FIRST, 1, "two different models"),
        (99, SECOND, 1, "no model version '99'"),
        (FIRST, SECOND, 99, "no dataset version '99'"),
        (SECOND, FIRST, 1, "does not answer on this machine for free"),
        (FIRST, 1, 1, "few-shot has stored predictions only"),
        (4, SECOND, 1, "learned the target 'direction'"),
    ],
)
def test_two_models_that_make_no_cascade_are_refused_with_a_sentence(parts, first, second, dataset, problem):
    with writing(parts.engine) as session:
        session.add(local_model("other", target="direction"))
        session.commit()
    with pytest.raises((Refused, NotFound), match=problem):
        workflows.create_cascade(parts, first, second, 70, dataset)
    assert version(parts, 5) is None


def test_a_second_part_whose_key_is_missing_is_refused_with_its_providers_sentence(parts, vendor):
    vendor.asker = ProviderBlocked(VENDOR, "no key is set", "Set OPENAI_API_KEY")
    with pytest.raises(ProviderBlocked, match="no key is set"):
        workflows.create_cascade(parts, FIRST, SECOND, 70, 1)


def test_removing_the_demo_takes_the_cascades_that_lean_on_it(cascade):
    with writing(cascade.engine) as session:
        session.add(local_model(MODEL_NAME, dataset_id=None, provider="imported", simulated=True))
        session.add(DatasetVersion(**demo_dataset()))
        session.flush()
        session.add(leaning("on a demo model", second_id=5))
        session.add(leaning("on demo news", dataset_id=2))
        session.add(Article(**article(500) | {"key": "demo|1", "origin": "demo"}))
        session.flush()
        session.add(item_of(session, dataset_id=2))
        session.commit()
        demo.remove_demo(session)
        names = set(session.exec(select(ModelVersion.name)))
    assert version(cascade, 4).name in names
    assert names.isdisjoint({"on a demo model", "on demo news", MODEL_NAME})


def demo_dataset():
    with_target = {"target": "sentiment", "strategy": "all_verified", "balance": "none"}
    return with_target | {
        "split_method": "stratified",
        "sha256": "1" * 64,
        "counts": {},
        "config": {},
        "created_at": NOW,
    }


def leaning(name, **params):
    asked = {"first_id": FIRST, "second_id": SECOND, "threshold": 70.0, "dataset_id": 1, "remote": True}
    return local_model(name, kind="cascade", dataset_id=None, params=asked | params)


def item_of(session, dataset_id):
    article_id = session.exec(select(Article.id).where(Article.key == "demo|1")).one()
    return DatasetItem(
        dataset_id=dataset_id, article_id=article_id, split="validation", position=0, label="neutral"
    )


def test_a_damaged_artefact_of_the_first_part_is_refused_with_a_sentence(parts):
    parts.providers["here"] = Damaged()
    with pytest.raises(ProviderBlocked, match="its artefact is damaged"):
        workflows.create_cascade(parts, FIRST, SECOND, 70, 1)


@dataclass
class Damaged(ScriptedProvider):
    """A provider whose model cannot be loaded."""

    name: str = "here"
    error: Exception = field(
        default_factory=lambda: ProviderBlocked("here", "its artefact is damaged", "Train it again")
    )

    def load(self, model):
        raise self.error


# --- the command line --------------------------------------------------------------------------------


def command(app, *words):
    options = parser().parse_args(list(words))
    return options.run(app, options)


def test_the_command_line_makes_the_cascade_that_the_curve_chooses(parts):
    predict(parts, SECOND, **VALIDATION)
    pair = ("--first", "2", "--second", "3", "--dataset", "1")
    chosen = command(parts, "cascade", "curve", *pair)["chosen"]
    made = command(parts, "cascade", "create", *pair)
    assert (made["id"], made["kind"], made["threshold"]) == (CASCADE, "cascade", chosen["threshold"])
    assert command(parts, "cascade", "create", *pair, "--threshold", "80")["threshold"] == 80


def test_the_command_line_makes_no_cascade_where_the_first_model_alone_is_as_good(parts, vendor):
    vendor.asker.script = lambda text: good(text.title, first_says(text.title).sentiment)
    predict(parts, SECOND, **VALIDATION)
    with pytest.raises(Refused, match=r"The first model alone is within 1 point .* --threshold"):
        command(parts, "cascade", "create", "--first", "2", "--second", "3", "--dataset", "1")
