"""What people enter about money, where it went, and the reports made of it."""

import csv
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from sqlmodel import select

from core.db import reading, writing
from core.domain.types import CostPurpose, PriceKind
from core.errors import InputRejected, Refused
from core.ledger import Charge, release, reserve, spend
from core.models import Article, Budget, CostEntry, ModelVersion, Prediction, PriceEdit, TrainingJob
from core.queries import costs as queries
from core.queries.costs import By, LedgerFilter
from core.services import costs as services
from core.workflows import costs, prices
from tests.conftest import NOW, article

TODAY = date(2026, 1, 5)
USD = 1_000_000


def bill(reference="run-1", purpose=CostPurpose.INFERENCE, provider="gemini", model="m", *, simulated=False):
    return Charge(reference, purpose, provider, model, "kim", simulated=simulated)


def pay(app, *bills):
    """Write bills: (charge, micro-dollars, days ago)."""
    with writing(app.engine) as session:
        for charge, micro_usd, back in bills:
            spend(session, charge, micro_usd=micro_usd, now=NOW - timedelta(days=back))
        session.commit()


def ask(app, query, *args, **values):
    with reading(app.engine) as session:
        return query(session, *args, **values)


def stored(app, table):
    return ask(app, lambda session: list(session.exec(select(table))))


def enter(app, **changes):
    row = {"provider": "vertex", "model": "g", "kind": "training", "usd": "3.00", "source": "the console"}
    prices.edit_price(app, **row | changes)


def found(app, provider="vertex", model="g", kind=PriceKind.TRAINING, on=TODAY):
    return ask(app, services.price_book, app.prices).find(provider, model, kind, on)


# prices that people enter


def test_an_entered_price_counts_at_once_and_says_who_entered_it_and_from_where(app):
    assert found(app) is None
    enter(app)
    assert (found(app).usd, found(app).source, found(app).as_of) == (Decimal("3.00"), "the console", TODAY)
    assert found(app).edited
    assert [row.actor for row in stored(app, PriceEdit)] == ["local"]


def test_the_newest_entered_price_counts_and_older_ones_stay_in_the_history(app):
    enter(app)
    enter(app, usd="4.00", valid_until=date(2026, 1, 6))
    assert str(found(app).usd) == "4.00"
    assert found(app, on=date(2026, 1, 7)) is None
    assert len(stored(app, PriceEdit)) == 2


def test_an_entered_price_lies_over_the_shipped_one_while_it_holds(app):
    enter(app, provider="openai", model="gpt-4.1", usd="26", valid_until=TODAY)
    assert str(found(app, "openai", "gpt-4.1-2025-04-14").usd) == "26"
    assert str(found(app, "openai", "gpt-4.1-2025-04-14", on=date(2026, 1, 6)).usd) == "25.00"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"provider": " "}, "column 'provider'): it is empty"),
        ({"model": ""}, "'model'"),
        ({"source": ""}, "'source'"),
        ({"source": "x" * 501}, "501 characters"),
        ({"model": "gpt\u202e4"}, "cannot be seen"),
        ({"model": "gpt\n4"}, "cannot be seen"),
        ({"kind": "tokens"}, "no kind of price"),
        ({"usd": "-1"}, "no amount"),
        ({"usd": "NaN"}, "no amount"),
        ({"usd": "1e3"}, "no amount"),
        ({"usd": "three"}, "no amount"),
        ({"usd": "999999"}, "no price"),
        ({"valid_until": date(2026, 1, 4)}, "past"),
    ],
)
def test_a_price_that_cannot_be_meant_is_refused_and_nothing_is_kept(app, change, said):
    with pytest.raises(InputRejected) as refused:
        enter(app, **change)
    assert said.split("): ")[-1] in str(refused.value)
    assert stored(app, PriceEdit) == []


def test_the_price_table_marks_what_counts_and_what_the_library_says(app):
    enter(app, provider="openai", model="gpt-4.1-mini", kind="input", usd="0.50")
    rows = [
        row
        for row in prices.price_table(app)
        if (row.price.provider, row.price.model, row.price.kind) == ("openai", "gpt-4.1-mini", "input")
    ]
    assert [(str(row.price.usd), row.counts, row.differs) for row in rows] == [
        ("0.50", True, True),
        ("0.40", False, False),
    ]
    assert {row.theirs for row in rows} == {Decimal("0.4")}


def test_prices_to_come_do_not_count_today(app):
    steps = [
        (str(row.price.usd), row.counts)
        for row in prices.price_table(app)
        if (row.price.model, row.price.kind) == ("gemini-3.8-flash", "input")
    ]
    assert steps == [("0.75", True), ("1.50", False)]


# the budget


def test_a_budget_counts_at_once_and_keeps_the_warning_share_unless_told(app):
    costs.set_budget(app, Decimal(80), 0.5, "kim")
    costs.set_budget(app, 12.34)
    now = costs.budget_report(app)
    assert (now["real"]["cap_usd"], now["real"]["warn_share"]) == (12.34, 0.5)
    assert [(row["cap_usd"], row["actor"]) for row in now["history"]] == [(12.34, "local"), (80.0, "kim")]


@pytest.mark.parametrize(
    ("usd", "share"),
    [(-1, None), (2_000_000, None), ("NaN", None), ("Infinity", None), (5, 0.0), (5, 1.1), (5, float("nan"))],
)
def test_a_budget_that_cannot_be_meant_is_refused(app, usd, share):
    with pytest.raises(InputRejected):
        costs.set_budget(app, usd, share)
    assert stored(app, Budget) == []


def test_a_cap_lowered_under_what_is_committed_stops_everything_and_zero_stops_all(app):
    pay(app, (bill(), 5 * USD, 0))
    costs.set_budget(app, 3)
    assert costs.budget_report(app)["real"]["stopped"]
    costs.set_budget(app, 0)
    with writing(app.engine) as session, pytest.raises(Refused, match="Raise the budget"):
        reserve(session, app.policy, bill("new"), likely=1, high=1, now=NOW)


# hours


def test_hours_are_written_as_money_spent_with_the_price_they_were_entered_at(app):
    cost = costs.record_hours(
        app, purpose=CostPurpose.HOSTING, provider="azure", model="dep-1", hours="10.5", usd_per_hour="1.70"
    )
    (row,) = stored(app, CostEntry)
    assert (cost, row.kind, row.purpose, row.micro_usd) == (17_850_000, "actual", "hosting", 17_850_000)
    assert (row.detail["hours"], row.detail["price"]["usd"]) == ("10.5", "1.70")
    assert not row.simulated


def test_hours_are_never_refused_for_the_budget_since_they_are_over(app):
    costs.set_budget(app, 1)
    costs.record_hours(
        app, purpose=CostPurpose.GPU, provider="a host", model="L4", hours="5", usd_per_hour="0.80"
    )
    assert costs.budget_report(app)["real"]["spent_usd"] == 4.0
    assert costs.budget_report(app)["real"]["stopped"]


@pytest.mark.parametrize(
    "change",
    [
        {"hours": "0"},
        {"hours": "-1"},
        {"hours": "20000"},
        {"hours": "ten"},
        {"usd_per_hour": "x"},
        {"provider": ""},
        {"model": " "},
        {"purpose": CostPurpose.TRAINING},
    ],
)
def test_hours_that_cannot_be_meant_are_refused(app, change):
    row = {"purpose": CostPurpose.GPU, "provider": "a", "model": "b", "hours": "1", "usd_per_hour": "1"}
    with pytest.raises(InputRejected):
        costs.record_hours(app, **row | change)
    assert stored(app, CostEntry) == []


def test_the_form_of_hours_begins_with_the_known_price(app):
    assert str(prices.hourly_price(app, CostPurpose.HOSTING, "azure", "any").usd) == "1.70"
    assert prices.hourly_price(app, CostPurpose.GPU, "azure", "any") is None


# where it went


@pytest.fixture
def spent(app):
    """Bills of two providers over a month's end in Seoul, and play money."""
    begin = datetime(2025, 12, 31, 15, 0, tzinfo=UTC)  # 2026-01-01 00:00 in Seoul
    with writing(app.engine) as session:
        spend(session, bill("a"), micro_usd=1, now=begin - timedelta(seconds=1))
        spend(session, bill("b"), micro_usd=20, now=begin)
        spend(session, bill("c", CostPurpose.BATCH, "openai", "x"), micro_usd=300, now=NOW)
        spend(session, bill("d", CostPurpose.TRAINING, "openai", "y"), micro_usd=4_000, now=NOW)
        spend(session, bill("e", simulated=True), micro_usd=9, now=NOW)
        reserve(session, app.policy, bill("f"), likely=5, high=50_000, now=NOW)
        session.commit()
    return app


def sums(app, *by, simulated=False, since=None):
    rows = ask(app, queries.spend, by, simulated=simulated, since=since)
    return {row.key if len(by) > 1 else row.key[0]: row.micro_usd for row in rows}


def test_spend_is_summed_by_anything_in_the_calendar_of_seoul_and_holds_no_reservations(spent):
    assert sums(spent, By.PROVIDER) == {"gemini": 21, "openai": 4_300}
    assert sums(spent, By.PURPOSE) == {"inference": 21, "batch": 300, "training": 4_000}
    assert sums(spent, By.MODEL) == {"m": 21, "x": 300, "y": 4_000}
    assert sums(spent, By.DAY) == {"2025-12-31": 1, "2026-01-01": 20, "2026-01-05": 4_300}
    assert sums(spent, By.MONTH) == {"2025-12": 1, "2026-01": 4_320}
    assert sums(spent, By.PROVIDER, By.MONTH)["gemini", "2026-01"] == 20
    assert sums(spent, By.PROVIDER, simulated=True) == {"gemini": 9}


def test_this_month_holds_no_bill_of_the_last(spent):
    rows = ask(spent, queries.spend_this_month, [By.PROVIDER], simulated=False, now=NOW)
    assert {row.key[0]: row.micro_usd for row in rows} == {"gemini": 20, "openai": 4_300}
    assert [str(day) for day in queries.days_of_month(NOW)] == [f"2026-01-0{n}" for n in range(1, 6)]


@pytest.mark.parametrize(
    ("wanted", "references"),
    [
        (LedgerFilter(), ["f", "f", "e", "d", "c", "b", "a"]),
        (LedgerFilter(simulated=True), ["e"]),
        (LedgerFilter(provider="openai"), ["d", "c"]),
        (LedgerFilter(purpose="inference", kind="actual", simulated=False), ["b", "a"]),
        (LedgerFilter(kind="reservation"), ["f"]),
        (LedgerFilter(month="2025-12"), ["a"]),
        (LedgerFilter(provider="nobody"), []),
    ],
)
def test_the_ledger_is_listed_newest_first_and_filtered(spent, wanted, references):
    rows = ask(spent, queries.ledger_page, wanted, page=1, size=50)
    assert [row.reference for row in rows] == references
    assert ask(spent, queries.count_ledger, wanted) == len(references)


def test_the_way_from_estimate_to_bill_is_summed_by_what_was_bought(app):
    with writing(app.engine) as session:
        for reference in ("a", "b"):
            reserve(session, app.policy, bill(reference), likely=10, high=30, now=NOW)
            spend(session, bill(reference), micro_usd=12, now=NOW)
        release(session, bill("a"), now=NOW)
        spend(session, bill("c", provider="openai", simulated=True), micro_usd=5, now=NOW)
        session.commit()
    first, second = ask(app, queries.purchases, queries.ALL)
    assert (first.provider, first.estimated, first.reserved, first.billed, first.released) == (
        "gemini",
        20,
        60,
        24,
        12 + 12 + 18,
    )
    assert (second.provider, second.simulated, second.billed) == ("openai", True, 5)
    assert len(ask(app, queries.purchases, LedgerFilter(simulated=True))) == 1


def test_the_ledger_has_pages(spent):
    second = ask(spent, queries.ledger_page, LedgerFilter(), page=2, size=3)
    assert [row.reference for row in second] == ["d", "c", "b"]
    assert ask(spent, queries.ledger_values, By.MONTH) == ["2025-12", "2026-01"]


def test_the_mean_of_trainings_counts_each_training_once(spent):
    assert ask(spent, queries.mean_training, simulated=False) == 4_000
    assert ask(spent, queries.mean_training, simulated=True) is None


def test_days_of_recurring_spend_begin_with_the_first_and_end_yesterday(app):
    assert ask(app, queries.daily_recurring, simulated=False, now=NOW) == []
    pay(app, (bill("a"), 10, 4), (bill("b"), 30, 2), (bill("c"), 7, 2), (bill("d"), 99, 0))
    pay(app, (bill("t", CostPurpose.TRAINING), 5_000, 1), (bill("s", simulated=True), 8, 1))
    assert ask(app, queries.daily_recurring, simulated=False, now=NOW) == [10, 0, 37, 0]


def test_no_more_than_the_last_fourteen_days_are_looked_at(app):
    pay(app, *((bill(f"r{back}"), back, back) for back in range(1, 30)))
    assert ask(app, queries.daily_recurring, simulated=False, now=NOW) == list(range(14, 0, -1))


def test_the_forecast_covers_the_rest_of_the_month(app):
    pay(app, *((bill(f"r{back}"), USD, back) for back in range(1, 5)))
    ahead = ask(app, queries.month_forecast, app.policy, simulated=False, now=NOW)
    left = 26.5  # NOW is noon of the fifth of January in Seoul
    assert ahead.days_left == left
    assert ahead.likely == 4 * USD + round(left * USD)  # the four days lie in January


# reports


@pytest.fixture
def models(app):
    """A few-shot and a tuned model version with counted answers, and what the training cost."""
    with writing(app.engine) as session:
        session.add(Article(**article(0)))
        session.add(Article(**article(1)))
        versions = [
            ("few", "few_shot", "gemini", "gemini-3.5-flash-lite", {}),
            (
                "tuned",
                "fine_tuned",
                "openai",
                "gpt-4.1-mini",
                {"remote_model": "ft:gpt-4.1-mini-2025-04-14:o::a"},
            ),
            ("own", "few_shot", "custom", "qwen", {}),
            ("silent", "few_shot", "gemini", "gemini-3.5-flash-lite", {}),
        ]
        for name, kind, provider, base, params in versions:
            session.add(
                ModelVersion(
                    name=name, kind=kind, provider=provider, base_model=base, params=params, created_at=NOW
                )
            )
        session.flush()
        for model_id, tokens in ((1, (800, 900)), (2, (100, 200)), (3, (5, 5)), (4, (None, None))):
            for article_id, asked in enumerate(tokens, start=1):
                session.add(
                    Prediction(
                        article_id=article_id,
                        model_id=model_id,
                        sentiment="neutral",
                        prompt_tokens=asked,
                        completion_tokens=None if asked is None else 100,
                        created_at=NOW,
                    )
                )
        session.commit()
    return app


def test_an_article_costs_its_mean_tokens_at_todays_price_of_the_name_that_is_billed(models):
    per_article = {each.use.model.name: each for each in prices.article_costs(models)}
    assert set(per_article) == {"few", "tuned", "own"}
    assert per_article["few"].micro_usd == pytest.approx(850 * 0.30 + 100 * 2.50)
    assert per_article["tuned"].micro_usd == pytest.approx(150 * 0.80 + 100 * 3.20)
    assert per_article["own"].micro_usd is None
    assert per_article["few"].use.n == 2


def test_a_tuned_model_says_what_its_training_cost(seeded):
    with writing(seeded.engine) as session:
        job = TrainingJob(dataset_id=1, provider="openai", key="job-7", actor="kim", created_at=NOW)
        session.add(job)
        session.flush()
        tuned = {"kind": "fine_tuned", "provider": "openai", "base_model": "gpt-4.1-mini", "created_at": NOW}
        model = ModelVersion(name="tuned", job_id=job.id, **tuned)
        session.add(model)
        session.flush()
        counted = {"prompt_tokens": 9, "completion_tokens": 9, "created_at": NOW}
        session.add(Prediction(article_id=1, model_id=model.id, sentiment="neutral", **counted))
        reserve(session, seeded.policy, bill("job-7", CostPurpose.TRAINING), likely=1, high=900, now=NOW)
        spend(session, bill("job-7", CostPurpose.TRAINING), micro_usd=700, now=NOW)
        session.commit()
    (use,) = ask(seeded, queries.model_use)
    assert (use.model.name, use.training_micro_usd) == ("tuned", 700)


def test_the_costs_report_is_plain_and_keeps_real_and_play_money_apart(models):
    pay(models, (bill(), 2 * USD, 0), (bill("s", simulated=True), 7 * USD, 0))
    report = json.loads(json.dumps(costs.costs_report(models)))
    assert report["month"] == "2026-01"
    assert (report["real"]["spent_usd"], report["simulated"]["spent_usd"]) == (2.0, 7.0)
    assert report["spend_usd"]["real"]["provider"] == {"gemini": 2.0}
    assert report["spend_usd"]["simulated"]["day"] == {"2026-01-05": 7.0}
    assert report["real"]["forecast"] is None
    assert {row["name"]: row["usd_per_1000"] for row in report["article_cost"]} == {
        "few": 0.505,
        "tuned": 0.44,
        "own": None,
    }
    assert [line["source"] for line in report["plan"]] == ["the plan"] * 5


def test_the_export_opens_in_a_spreadsheet_runs_no_formula_and_marks_play_money(app):
    with writing(app.engine) as session:
        charge = Charge(
            "=1+1", CostPurpose.INFERENCE, "@prov", "+m", "-kim", simulated=True, detail={"제목": 1}
        )
        reserve(session, app.policy, charge, likely=1, high=1_234_567, now=NOW)
        release(session, charge, now=NOW)
        session.commit()
    content = costs.export_ledger(app, LedgerFilter(kind="reservation"))
    assert content.startswith(b"\xef\xbb\xbf")
    (row,) = csv.DictReader(StringIO(content.decode("utf-8-sig")))
    assert (row["usd"], row["simulated"], row["kind"]) == ("1.234567", "SIMULATED", "reservation")
    assert [row[name] for name in ("reference", "provider", "model", "actor")] == [
        "'=1+1",
        "'@prov",
        "'+m",
        "'-kim",
    ]
    assert json.loads(row["detail"]) == {"제목": 1}
    assert len(costs.export_ledger(app).decode("utf-8-sig").splitlines()) == 4
