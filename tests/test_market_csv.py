"""Market back-fill files: closes or percent changes, an empty cell is missing."""

from datetime import date

import pytest

from core.domain.types import Instrument, MarketSource
from core.errors import InputRejected
from core.sources.market_csv import read_market


def read(text, name="closes.csv"):
    return read_market(name, text.encode())


def test_closes_are_read_by_instrument():
    (record,), report = read("date,instrument,close\n2025-11-03,KOSPI,4221.87\n")
    assert (record.day, record.instrument, record.close) == (date(2025, 11, 3), Instrument.KOSPI, 4221.87)
    assert (record.source, record.return_pct) == (MarketSource.BACKFILL_CLOSE, None)
    assert (report.kind, report.rows, report.notes) == ("market", 1, ())


def test_percent_changes_are_read_by_column_and_empty_cells_are_missing():
    records, report = read("date,btc,kospi\n2025-11-03,-1.5,0\n2025-11-04,2,\n")
    values = {(record.day.day, record.instrument): record.return_pct for record in records}
    assert values == {(3, "btc"): -1.5, (3, "kospi"): 0, (4, "btc"): 2}
    assert {record.source for record in records} == {MarketSource.BACKFILL_PERCENT}
    assert report.notes == ("1 empty cells were taken as missing",)


@pytest.mark.parametrize("written", ["2025-11-03", "2025.11.03", "20251103", " 2025-11-03 "])
def test_dates_are_read_in_three_spellings(written):
    assert read(f"date,btc\n{written},1\n")[0][0].day == date(2025, 11, 3)


def test_thousands_commas_are_understood():
    assert read('date,instrument,close\n2025-11-03,btc,"106,569.5"\n')[0][0].close == 106569.5


def test_one_instrument_may_come_from_the_files_name_and_that_is_said():
    (record,), report = read("date,open,close\n2025-11-03,1,2\n", "kospi_daily.csv")
    assert record.instrument == Instrument.KOSPI
    assert report.notes == (
        "No column 'instrument': taken as kospi, from the file's name",
        "Columns not used: open",
    )


def test_a_row_given_twice_with_the_same_value_counts_once():
    assert len(read("date,btc\n2025-11-03,1\n20251103,1.0\n")[0]) == 1


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("day,btc\n2025-11-03,1\n", "row 1, column 'date'", "the column is missing"),
        ("date,gold\n2025-11-03,1\n", "row 1", "no column holds closes or percent"),
        ("date,instrument\n2025-11-03,btc\n", "row 1, column 'close'", "the column is missing"),
        ("date,close\n2025-11-03,1\n", "row 1, column 'instrument'", "the column is missing"),
        ("date,instrument,close,btc\n2025-11-03,btc,1,1\n", "row 1", "there are closes"),
        ("date,btc\n03/11/2025,1\n", "row 2, column 'date'", "is not a date"),
        ("date,btc\n2025-02-30,1\n", "row 2, column 'date'", "is not a date"),
        ("date,btc\n2025-11-03 09:00,1\n", "row 2, column 'date'", "is not a date"),
        ("date,btc\n1700000000,1\n", "row 2, column 'date'", "is not a date"),
        ("date,btc\n2025-11-03,nan\n", "row 2, column 'btc'", "is not a number"),
        ("date,btc\n2025-11-03,1e999\n", "row 2, column 'btc'", "is not a finite number"),
        ("date,kospi\n2025-11-03,4042.83\n", "row 2, column 'kospi'", "is out of range"),
        ("date,instrument,close\n2025-11-03,btc,0\n", "row 2, column 'close'", "is out of range"),
        ("date,instrument,close\n2025-11-03,btc,-5\n", "row 2, column 'close'", "is out of range"),
        ("date,instrument,close\n2025-11-03,gold,5\n", "row 2, column 'instrument'", "is not an instrument"),
        ("date,btc\n2025-11-03,1\n2025-11-03,2\n", "row 3, column 'btc'", "has another value further up"),
        ("date,btc,BTC\n2025-11-03,1,2\n", "row 1, column 'BTC'", "the column is there twice"),
        ("date,btc\n2025-11-03,\n", "", "no row holds a value"),
    ],
)
def test_a_market_file_with_a_fault_is_refused_with_its_place(text, where, problem):
    with pytest.raises(InputRejected) as refused:
        read(text)
    assert str(refused.value).startswith(f"closes.csv{', ' if where else ''}{where}: ")
    assert problem in str(refused.value)
