"""Prices: finding the one that holds, what requests and quotes cost, and the shipped list."""

from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.domain.pricing import (
    Price,
    PriceBook,
    Quote,
    Unpriced,
    cost,
    hours_cost,
    parse_usd,
    prediction_quote,
    request_cost,
    training_quote,
)
from core.domain.tokens import TokenEstimate
from core.domain.types import PriceKind
from core.errors import InputRejected
from core.sources.prices import cross_check, read_prices

#: a busy machine is no failure
patient = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SHIPPED = Path(__file__).resolve().parent.parent / "core/prices.yaml"
TODAY = date(2026, 11, 22)


def price(model="gpt-4.1-mini", kind=PriceKind.INPUT, usd="0.40", **more):
    return Price("openai", model, kind, Decimal(usd), TODAY, "a page", **more)


def book(*prices):
    return PriceBook(prices)


def usd(found):
    return None if found is None else str(found.usd)


@pytest.mark.parametrize(
    ("asked", "row"),
    [
        ("gpt-4.1-mini", "gpt-4.1-mini"),
        ("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"),
        ("gpt-4.1-mini-20250414", "gpt-4.1-mini"),
        ("ft:gpt-4.1-mini-2025-04-14:org::abc", "ft:gpt-4.1-mini"),
        ("ft:gpt-4.1-mini-2025-04-14:org:suffix:abc", "ft:gpt-4.1-mini"),
        ("ft:gpt-4.1-mini:org::abc", "ft:gpt-4.1-mini"),
        ("anything-else", "*"),
        ("ft:gpt-4.1:org::abc", "*"),
    ],
)
def test_a_model_is_priced_by_its_name_its_family_or_the_row_for_all(asked, row):
    prices = book(price(), price("ft:gpt-4.1-mini"), price("*"))
    assert prices.find("openai", asked, PriceKind.INPUT, TODAY).model == row


def test_a_tuned_model_never_takes_the_price_of_its_base():
    assert book(price()).find("openai", "ft:gpt-4.1-mini-2025-04-14:o::a", PriceKind.INPUT, TODAY) is None


def test_another_provider_or_kind_has_no_price():
    assert book(price("*")).find("azure", "gpt-4.1-mini", PriceKind.INPUT, TODAY) is None
    assert book(price("*")).find("openai", "gpt-4.1-mini", PriceKind.OUTPUT, TODAY) is None


def test_the_exact_name_counts_before_the_family():
    prices = book(price(usd="1"), price("gpt-4.1-mini-2025-04-14", usd="2"))
    assert usd(prices.find("openai", "gpt-4.1-mini-2025-04-14", PriceKind.INPUT, TODAY)) == "2"


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 11, 21), None),
        (date(2026, 11, 22), "1"),
        (date(2026, 12, 31), "1"),
        (date(2027, 1, 1), "2"),
        (date(2030, 1, 1), "2"),
    ],
)
def test_a_price_holds_from_its_first_to_its_last_day(day, expected):
    until = price(usd="1", valid_from=TODAY, valid_until=date(2026, 12, 31))
    after = price(usd="2", valid_from=date(2027, 1, 1))
    assert usd(book(until, after).find("openai", "gpt-4.1-mini", PriceKind.INPUT, day)) == expected


def test_what_a_person_entered_counts_first_and_the_shipped_price_again_after_its_last_day():
    entered = price(usd="9", edited=True, valid_until=date(2026, 12, 1))
    prices = book(price(usd="1"), entered)
    assert usd(prices.find("openai", "gpt-4.1-mini", PriceKind.INPUT, TODAY)) == "9"
    assert usd(prices.find("openai", "gpt-4.1-mini", PriceKind.INPUT, date(2026, 12, 2))) == "1"


def test_dollars_a_million_tokens_are_micro_dollars_a_token_rounded_up():
    assert cost(1_000_000, price(usd="5.00")) == 5_000_000
    assert cost(1, price(usd="0.075")) == 1
    assert cost(0, price(usd="25")) == 0


def test_hours_cost_dollars_an_hour():
    assert hours_cost(Decimal("1.5"), price(kind=PriceKind.HOSTING_HOUR, usd="1.70")) == 2_550_000


IN_OUT = (price(usd="0.40"), price(kind=PriceKind.OUTPUT, usd="1.60"))
CACHED = price(kind=PriceKind.CACHED_INPUT, usd="0.10")
BATCH = (price(kind=PriceKind.BATCH_INPUT, usd="0.20"), price(kind=PriceKind.BATCH_OUTPUT, usd="0.80"))


@pytest.mark.parametrize(
    ("prices", "usage", "batch", "expected"),
    [
        (IN_OUT, (1_000, 100, None), False, 560),
        (IN_OUT, (1_000, 100, 600), False, 560),  # no cached price known: as any other input
        ((*IN_OUT, CACHED), (1_000, 100, 600), False, 380),
        ((*IN_OUT, CACHED), (1_000, 100, None), False, 560),
        ((*IN_OUT, CACHED), (1_000, 100, 5_000), False, 260),  # more cached than asked: all of it
        ((*IN_OUT, CACHED, *BATCH), (1_000, 100, 600), True, 280),
        ((*IN_OUT, CACHED), (1_000, 100, 0), True, None),
        (IN_OUT, (None, 100, None), False, None),
        (IN_OUT, (1_000, None, None), False, None),
        (IN_OUT[:1], (1_000, 100, None), False, None),
        ((), (1_000, 100, None), False, None),
    ],
)
def test_a_request_costs_what_was_counted_and_nothing_is_known_without_price_or_count(
    prices, usage, batch, expected
):
    found = request_cost(book(*prices), "openai", "gpt-4.1-mini", *usage, TODAY, batch=batch)
    assert found == expected


def test_requests_are_rounded_up_one_by_one():
    cheap = (price(usd="0.1"), price(kind=PriceKind.OUTPUT, usd="0.5"))
    assert request_cost(book(*cheap), "openai", "gpt-4.1-mini", 1, 1, 0, TODAY) == 1


def test_a_training_is_quoted_as_a_range_with_the_price_it_used():
    training = price(kind=PriceKind.TRAINING, usd="5.00", certain=False)
    quote = training_quote(
        book(training), "openai", "gpt-4.1-mini-2025-04-14", TODAY, billable=TokenEstimate(70, 100, 130)
    )
    assert (quote.low, quote.likely, quote.high) == (350, 500, 650)
    assert quote.prices == (training,)
    assert not quote.certain
    assert quote.as_json()["prices"][0]["as_of"] == "2026-11-22"


def test_a_missing_price_is_named_with_what_to_enter():
    quote = training_quote(book(), "nebius", "llama", TODAY, billable=TokenEstimate(1, 1, 1))
    assert isinstance(quote, Unpriced)
    assert "training tokens of 'llama' at nebius on 2026-11-22" in quote.sentence
    assert "training (US dollars per million tokens)" in quote.remedy


def test_of_two_prices_only_the_missing_one_is_named():
    quote = ask(book(IN_OUT[0]))
    assert quote.kinds == (PriceKind.OUTPUT,)


def ask(prices, *, n=10, batch=False):
    return prediction_quote(
        prices,
        "openai",
        "gpt-4.1-mini",
        TODAY,
        n=n,
        prompts=TokenEstimate(700, 1_000, 1_300),
        answers=TokenEstimate(50, 100, 200),
        batch=batch,
    )


def test_predictions_are_quoted_from_prompts_and_answers_and_a_batch_at_its_own_price():
    quote = ask(book(*IN_OUT, *BATCH))
    assert (quote.low, quote.likely, quote.high) == (360, 560, 850)  # 840 and a micro-dollar a request
    assert ask(book(*IN_OUT, *BATCH), batch=True).likely == 280


@patient
@given(
    rows=st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 300)), min_size=1, max_size=30),
    into=st.decimals("0.0001", "30", places=4),
    out=st.decimals("0.0001", "60", places=4),
)
def test_the_upper_end_of_a_quote_covers_the_bills_of_its_requests(rows, into, out):
    prices = book(price(usd=str(into)), price(kind=PriceKind.OUTPUT, usd=str(out)))
    bills = [request_cost(prices, "openai", "gpt-4.1-mini", *row, 0, TODAY) for row in rows]
    quote = prediction_quote(
        prices,
        "openai",
        "gpt-4.1-mini",
        TODAY,
        n=len(rows),
        prompts=TokenEstimate.exactly(sum(asked for asked, _ in rows)),
        answers=TokenEstimate.exactly(sum(said for _, said in rows)),
    )
    assert isinstance(quote, Quote)
    assert quote.low <= sum(bills) <= quote.high


@pytest.mark.parametrize("text", ["0", "0.80", "600", " 1.5 ", "100000", "0.000000001"])
def test_amounts_are_plain_decimals(text):
    assert parse_usd(text) == Decimal(text.strip())


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1e3", "NaN", "Infinity", "$5", "1,000", "5.", ".5", "٣", "100001", "1 2", "0x1"]
)
def test_what_is_no_amount_is_refused_in_words(text):
    with pytest.raises(ValueError, match="US dollars"):
        parse_usd(text)


# the shipped list


@cache
def shipped():
    return PriceBook(read_prices(SHIPPED))


def test_every_shipped_price_says_when_and_where_it_was_read():
    prices = list(shipped())
    assert len(prices) > 100
    assert all(price.as_of <= TODAY and price.source and not price.edited for price in prices)


@pytest.mark.parametrize(
    ("provider", "model", "kind", "day", "expected"),
    [
        ("openai", "gpt-4.1-mini-2025-04-14", PriceKind.TRAINING, TODAY, "5.00"),
        ("openai", "ft:gpt-4.1-mini-2025-04-14:o::x", PriceKind.OUTPUT, TODAY, "3.20"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:o::x", PriceKind.CACHED_INPUT, TODAY, "0.15"),
        ("gemini", "gemini-3.8-flash", PriceKind.INPUT, date(2026, 12, 31), "0.75"),
        ("gemini", "gemini-3.8-flash", PriceKind.INPUT, date(2027, 1, 1), "1.50"),
        ("gemini", "gemini-2.5-flash", PriceKind.INPUT, date(2026, 12, 1), None),
        ("azure", "any-deployment", PriceKind.HOSTING_HOUR, TODAY, "1.70"),
        ("simulator", "sim-mini", PriceKind.TRAINING, TODAY, "5.00"),
        ("openai", "gpt-4o-mini-2024-07-18", PriceKind.TRAINING, TODAY, None),
        ("vertex", "gemini-3.5-flash-lite", PriceKind.TRAINING, TODAY, None),
        ("azure", "gpt-4.1-mini", PriceKind.TRAINING, TODAY, None),
        ("nebius", "meta-llama/Llama-3.1-8B-Instruct", PriceKind.TRAINING, TODAY, None),
    ],
)
def test_the_shipped_list_knows_what_has_a_source_and_nothing_else(provider, model, kind, day, expected):
    assert usd(shipped().find(provider, model, kind, day)) == expected


def test_training_prices_that_only_third_parties_report_and_example_prices_are_marked():
    assert not shipped().find("openai", "gpt-4.1", PriceKind.TRAINING, TODAY).certain
    assert not shipped().find("azure", "x", PriceKind.HOSTING_HOUR, TODAY).certain


def test_a_batch_costs_half_where_the_vendor_says_so():
    for model in ("gpt-4.1-mini", "ft:gpt-4.1-mini", "gpt-6-luna"):
        full = shipped().find("openai", model, PriceKind.INPUT, TODAY)
        half = shipped().find("openai", model, PriceKind.BATCH_INPUT, TODAY)
        assert 2 * half.usd == full.usd


def test_the_simulator_has_prices_only_of_its_own_and_says_so():
    own = [price for price in shipped() if price.provider == "simulator"]
    assert own
    assert all("play money" in price.source for price in own)


def test_an_independent_library_says_the_same_of_every_price_it_knows():
    checks = cross_check(shipped(), TODAY)
    assert len(checks) >= 90
    assert [check for check in checks if check.differs] == []
    assert {"openai", "gemini", "vertex"} == {check.price.provider for check in checks}


def test_a_batch_price_is_compared_only_from_when_the_library_knows_it():
    half = price(kind=PriceKind.BATCH_INPUT, usd="0.20")
    assert cross_check([half], date(2026, 3, 1)) == ()
    assert [check.differs for check in cross_check([half], TODAY)] == [False]


def test_the_cross_check_shows_a_wrong_price():
    (check,) = cross_check([price(usd="0.41")], TODAY)
    assert check.differs
    assert check.theirs == Decimal("0.4")


@pytest.mark.parametrize(
    "unknown",
    [
        price("no-such-model"),
        price(kind=PriceKind.TRAINING),
        price(valid_until=date(2026, 11, 1)),
        Price("nebius", "gpt-4.1-mini", PriceKind.INPUT, Decimal(1), TODAY, "a page"),
    ],
    ids=["model", "kind", "ended", "provider"],
)
def test_the_cross_check_leaves_out_what_it_cannot_compare(unknown):
    assert cross_check([unknown], TODAY) == ()


ROW = '  - {provider: openai, model: m, kind: input, usd: "1.0", per: million tokens, as_of: 2026-11-22, source: page'


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("prices: [", "row 1", "no YAML"),
        ("a: 1", "prices.yaml", "no list"),
        ("prices: []", "prices.yaml", "no list"),
        ("prices:\n  - just text", "row 2", "no mapping"),
        (f"prices:\n{ROW}, colour: red}}", "row 2, column 'colour'", "no such field"),
        (f"prices:\n{ROW}}}".replace("openai", '""'), "row 2, column 'provider'", "text is needed"),
        (f"prices:\n{ROW}}}".replace("input", "inputs"), "row 2, column 'kind'", "none of"),
        (f"prices:\n{ROW}}}".replace("million tokens", "hour"), "row 2, column 'per'", "million tokens"),
        (f"prices:\n{ROW}}}".replace('"1.0"', "1.0"), "row 2, column 'usd'", "quotes"),
        (f"prices:\n{ROW}}}".replace("1.0", "-1.0"), "row 2, column 'usd'", "no amount"),
        (f"prices:\n{ROW}}}".replace("2026-11-22", "soon"), "row 2, column 'as_of'", "no day"),
        (f"prices:\n{ROW}}}".replace("as_of: 2026-11-22, ", ""), "row 2, column 'as_of'", "day"),
        (f"prices:\n{ROW}}}".replace("2026-11-22", "2026-13-45"), "prices.yaml", "no YAML"),
        (f"prices:\n{ROW}, certain: maybe}}", "row 2, column 'certain'", "true or false"),
        (
            f"prices:\n{ROW}, valid_from: 2026-02-01, valid_until: 2026-01-01}}",
            "column 'valid_until'",
            "before",
        ),
        (f"prices:\n\n{ROW}}}\n# twice\n{ROW}}}", "row 5", "already"),
        (
            f"prices:\n{ROW}, valid_until: 2026-05-01}}\n{ROW}, valid_from: 2026-05-01}}",
            "row 3",
            "already",
        ),
    ],
)
def test_a_bad_price_list_is_refused_naming_row_and_field(tmp_path, text, place, problem):
    path = tmp_path / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputRejected) as refused:
        read_prices(path)
    assert place in str(refused.value)
    assert problem in str(refused.value)


def test_a_price_list_that_is_not_there_or_is_no_text_is_refused(tmp_path):
    path = tmp_path / "prices.yaml"
    with pytest.raises(InputRejected, match="cannot be read"):
        read_prices(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputRejected, match=r"prices\.yaml"):
        read_prices(path)
