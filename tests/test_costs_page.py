"""The Costs page as a person uses it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from core.bootstrap import build_app, set_app
from core.db import reading, writing
from core.domain.types import CostPurpose
from core.ledger import Charge, release, reserve, spend
from core.models import Article, Budget, CostEntry, ModelVersion, Prediction, PriceEdit
from core.providers.scripted import ScriptedProvider
from core.settings import Settings
from tests.conftest import article, empty_database
from ui import charts, cost_charts

pytestmark = pytest.mark.screens

NOW = datetime(2026, 3, 13, 3, 0, tzinfo=UTC)
TABS = ("This month", "Ledger", "Prices", "Break-even")


@pytest.fixture
def app(tmp_path):
    """The program on an empty database."""
    empty_database(tmp_path / "data" / "newstune.db").dispose()
    app = build_app(
        Settings(data_dir=tmp_path / "data", _env_file=None),
        providers={"local": ScriptedProvider(name="local")},
        now=lambda: NOW,
    )
    set_app(app)
    yield app
    set_app(None)
    app.close()


@pytest.fixture
def busy(app):
    """The same with five days of answers, a training, a reservation, and play money."""
    with writing(app.engine) as session:
        for back in range(5):
            charge = bill(f"run-{back}", CostPurpose.INFERENCE, "gemini", "gemini-3.5-flash-lite")
            spend(session, charge, micro_usd=400_000 + 10_000 * back, now=NOW - timedelta(days=back))
        training = bill("job-1", CostPurpose.TRAINING, "openai", "gpt-4.1-mini")
        reserve(session, app.policy, training, likely=9_000_000, high=12_000_000, now=NOW)
        spend(session, training, micro_usd=8_000_000, now=NOW)
        release(session, training, now=NOW)
        held = bill("job-2", CostPurpose.TRAINING, "openai", "gpt-4.1-mini")
        reserve(session, app.policy, held, likely=4_000_000, high=5_000_000, now=NOW)
        played = bill("job-3", CostPurpose.TRAINING, "simulator", "sim-mini", simulated=True)
        spend(session, played, micro_usd=12_340_000, now=NOW)
        session.commit()
    return app


def bill(reference, purpose, provider, model, *, simulated=False):
    return Charge(reference, purpose, provider, model, "kim", simulated=simulated)


def visit(tab=None, **state):
    screen = AppTest.from_file("../ui/router.py", default_timeout=60)
    screen.context = {"locale": "en-US"}
    screen.run()
    for name, value in state.items():
        screen.session_state[name] = value
    if tab:
        screen.session_state["costs_tab_next"] = tab
    screen.switch_page("../pages/costs.py").run()
    return screen


def words_on(screen):
    kinds = ("title", "subheader", "markdown", "caption", "error", "warning", "info")
    seen = [str(element.value) for kind in kinds for element in getattr(screen, kind)]
    seen += [f"{metric.label} {metric.value}" for metric in screen.metric]
    for frame in [*screen.dataframe, *screen.table]:
        seen += [str(cell) for column in frame.value for cell in [column, *frame.value[column]]]
    return seen


def stored(app, table):
    with reading(app.engine) as session:
        return list(session.exec(select(table)))


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_draws_on_an_empty_database(app, tab):
    screen = visit(tab)
    assert not screen.exception
    assert not screen.error


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_draws_with_money_in_the_ledger(busy, tab):
    screen = visit(tab)
    assert not screen.exception
    assert not screen.error


@pytest.mark.parametrize("tab", TABS)
def test_no_code_of_ours_reaches_the_screen(busy, tab):
    seen = " ".join(words_on(visit(tab)))
    codes = ("cached_input", "batch_output", "hosting_hour", "not_cheaper", "reservation", "inference")
    assert not [code for code in codes if code in seen]


def test_the_month_shows_what_is_billed_held_and_left(busy):
    screen = visit("This month")
    shown = {metric.label: metric.value for metric in screen.metric[:3]}
    assert shown == {"Billed": "$10.10", "Held": "$5.00", "Left": "$34.90"}


def test_the_forecast_says_its_range_and_how_it_was_computed(busy):
    screen = visit("This month")
    line = next(caption for caption in screen.caption if "Forecast" in caption.value)
    # 4 full days of 0.41 to 0.44 dollars, 18.5 days left of March
    assert line.value.startswith("Forecast for the month: about \\$22\\.96")
    assert "mean of the last 4 full days" in line.help


def test_with_few_days_no_forecast_is_shown(app):
    assert any("No forecast yet" in caption.value for caption in visit("This month").caption)


def test_play_money_is_shown_apart_and_marked_in_words_and_charts(busy):
    screen = visit("This month")
    assert "SIMULATED" in " ".join(words_on(screen))
    assert screen.metric[3].value == "$12.34"
    drawn = [chart.proto.spec for chart in screen.get("plotly_chart")]
    assert len(drawn) == 6
    assert ["SIMULATED" in spec for spec in drawn] == [False] * 3 + [True] * 3


def test_without_play_money_nothing_is_marked(app):
    assert "SIMULATED" not in " ".join(words_on(visit("This month")))


def test_a_budget_is_set_and_its_history_shown(app):
    screen = visit("This month")
    screen.number_input(key="budget_cap").set_value(75.0)
    screen.number_input(key="budget_warn").set_value(60)
    screen.button(key="FormSubmitter:budget-Set the budget").click().run()
    (row,) = stored(app, Budget)
    assert (row.monthly_micro_usd, row.warn_share) == (75_000_000, 0.6)
    assert "$75.00" in words_on(screen)


def test_a_budget_below_what_is_committed_says_that_everything_stops(busy):
    with writing(busy.engine) as session:
        session.add(Budget(monthly_micro_usd=9_000_000, warn_share=0.8, actor="kim", at=NOW))
        session.commit()
    assert "used up" in visit("This month").error[0].value


def test_at_the_warning_line_the_page_warns(busy):
    with writing(busy.engine) as session:
        session.add(Budget(monthly_micro_usd=18_000_000, warn_share=0.8, actor="kim", at=NOW))
        session.commit()
    assert any("warning line is 80 %" in warning.value for warning in visit("This month").warning)


def test_hours_are_recorded_with_the_known_price(app):
    screen = visit("This month")
    screen.text_input(key="hours_provider").set_value("azure")
    screen.text_input(key="hours_model").set_value("dep-1")
    screen.number_input(key="hours_spent").set_value(10.0).run()
    assert any("example numbers" in caption.value for caption in screen.caption)
    assert screen.button(key="hours_record").label == "Record \\$17\\.00"
    screen.button(key="hours_record").click().run()
    (row,) = stored(app, CostEntry)
    assert (row.purpose, row.micro_usd, row.model) == ("hosting", 17_000_000, "dep-1")


def test_hours_without_a_name_or_an_amount_cannot_be_recorded(app):
    assert visit("This month").button(key="hours_record").disabled


def test_the_plans_figures_stand_beside_the_measured_ones(busy):
    table = visit("This month").table[0].value
    assert table["Plan"].tolist()[:2] == ["\\$50–100", "\\$10–20"]
    assert table["Here"].tolist()[:2] == ["\\$50\\.00", "\\$8\\.00"]


def test_the_ledger_is_filtered_with_its_sums(busy):
    screen = visit("Ledger")
    assert [len(frame.value) for frame in screen.dataframe] == [3, 13]
    assert screen.dataframe[0].value["Billed"].tolist() == ["$12.34", "$8.00", "$2.10"]
    screen.selectbox(key="ledger_kind").set_value("actual").run()
    assert set(screen.dataframe[1].value["What it says"]) == {"Billed"}
    screen.selectbox(key="ledger_simulated").set_value(True).run()
    assert screen.dataframe[1].value["Money"].tolist() == ["SIMULATED"]
    screen.selectbox(key="ledger_provider").set_value("gemini").run()
    assert any("No row passes" in caption.value for caption in screen.caption)


def test_the_ledger_is_downloaded_as_it_is_filtered(busy):
    screen = visit("Ledger")
    assert [button.key for button in screen.download_button] == ["ledger_export"]


def test_every_price_says_its_day_source_certainty_and_what_the_library_says(app):
    screen = visit("Prices")
    frame = screen.dataframe[0].value
    assert len(frame) == len(app.prices)
    assert set(frame["Certainty"]) == {"published", "reported"}
    assert (frame["genai-prices"] == "the same").sum() >= 60
    assert all(frame["Source"])
    assert all(frame["As of"])
    assert any("says the same of all" in caption.value for caption in screen.caption)


def test_a_price_is_entered_counts_at_once_and_shows_where_the_library_differs(app):
    screen = visit("Prices")
    screen.selectbox(key="price_provider").set_value("openai")
    screen.text_input(key="price_model").set_value("gpt-4.1-mini")
    screen.selectbox(key="price_kind").set_value("input")
    screen.text_input(key="price_usd").set_value("0.55")
    screen.text_input(key="price_source").set_value("our contract")
    screen.button(key="FormSubmitter:price-Enter the price").click().run()
    assert not screen.error
    assert [(row.usd, row.source) for row in stored(app, PriceEdit)] == [("0.55", "our contract")]
    first = screen.dataframe[0].value.iloc[0]
    assert (first["Certainty"], first["genai-prices"], first["Counts today"]) == (
        "entered here",
        "$0.40",
        True,
    )
    assert "1 price differs" in screen.warning[0].value


def test_a_price_that_is_none_is_refused_in_a_sentence(app):
    screen = visit("Prices")
    screen.text_input(key="price_model").set_value("m")
    screen.text_input(key="price_usd").set_value("cheap")
    screen.text_input(key="price_source").set_value("x")
    screen.button(key="FormSubmitter:price-Enter the price").click().run()
    assert "cheap" in screen.error[0].value
    assert stored(app, PriceEdit) == []


@pytest.fixture
def measured(app):
    """A few-shot and a tuned model version, each with an answer of counted tokens."""
    with writing(app.engine) as session:
        session.add(Article(**article(0)))
        for name, kind, base, asked in (
            ("few", "few_shot", "gpt-4.1-mini", 2_000),
            ("tuned", "fine_tuned", "ft:gpt-4.1-mini", 100),
        ):
            model = ModelVersion(name=name, kind=kind, provider="openai", base_model=base, created_at=NOW)
            model.params = {"retires": "2027-03-13"} if kind == "fine_tuned" else {}
            session.add(model)
            session.flush()
            counted = {"prompt_tokens": asked, "completion_tokens": 100, "created_at": NOW}
            session.add(Prediction(article_id=1, model_id=model.id, sentiment="neutral", **counted))
        session.commit()
    return app


def test_break_even_begins_with_what_was_measured_and_asks_for_the_training(measured):
    screen = visit("Break-even")
    # 2,000 x 0.40 + 100 x 1.60 against 100 x 0.80 + 100 x 3.20 dollars a million
    assert screen.dataframe[0].value["1,000 articles"].tolist() == ["$0.96", "$0.40"]
    assert any("Fill in" in caption.value for caption in screen.caption)
    screen.number_input(key="even_training_None").set_value(16.80).run()
    seen = " ".join(words_on(screen))
    # 3,000 articles a month save 560 micro-dollars each: 1.68 dollars a month
    assert "after 10.0 months, or 30,000 articles" in seen
    assert "Saved a month $1.68" in seen


def test_a_tuned_model_that_costs_more_never_pays_and_says_why(measured):
    screen = visit("Break-even")
    screen.number_input(key="even_training_None").set_value(1.0)
    screen.number_input(key="even_hosting_0.0").set_value(1_224.0).run()
    assert "does not cover the hosting" in " ".join(words_on(screen))


def test_the_overviews_card_shows_the_month_and_leads_to_the_costs(busy):
    def page():
        from ui.costs import month_card
        from ui.state import reading

        with reading() as session:
            month_card(session)

    screen = AppTest.from_function(page, default_timeout=60).run()
    assert not screen.exception
    assert (screen.metric[0].value, screen.metric[0].delta) == ("$10.10", "of $50.00")
    assert "SIMULATED" in screen.caption[0].value
    assert screen.button(key="card_costs")


def test_the_budget_bar_draws_cap_warning_and_forecast_to_scale():
    words = {name: name for name in ("billed", "held", "warning", "cap", "forecast", "note")}
    figure = cost_charts.budget_bar(cost_charts.Month(50, 10, 5, 40, (20, 60, 70)), words)
    assert [trace.x[0] for trace in figure.data[:2]] == [10, 5]
    assert sum(trace.x[0] for trace in figure.data[:3]) == pytest.approx(70 * 1.06)
    assert tuple(figure.data[3].x) == (20, 70)
    assert [shape.x0 for shape in figure.layout.shapes] == [40, 50]


def test_an_empty_budget_is_drawn_too():
    words = dict.fromkeys(("billed", "held", "warning", "cap", "forecast", "note"), "")
    assert cost_charts.budget_bar(cost_charts.Month(0, 0, 0, 0), words).layout.xaxis.range[1] > 0


def test_purposes_have_the_colours_that_stay_apart():
    known = {*charts.SPLIT_COLOURS.values(), *charts.SENTIMENT_COLOURS.values()}
    assert set(cost_charts.PURPOSE_COLOURS.values()) <= known


def test_spend_is_stacked_by_purpose_and_names_of_others_are_no_markup():
    words = {str(code): str(code) for code in CostPurpose}
    figure = cost_charts.spend_parts([("<b>x</b>", {"training": 3.0, "gpu": 0.1})], words)
    assert [trace.x[0] for trace in figure.data] == [3.0, 0, 0, 0, 0.1]
    assert "&lt;b&gt;" in figure.layout.annotations[0].text
