"""Judging a table: its rows become articles, the engine asks, and a table of answers comes out."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import Session

from core.bootstrap import App
from core.db import reading, writing
from core.domain.records import ArticleRecord
from core.domain.training_format import guard_formula
from core.domain.types import RunMode
from core.errors import Refused
from core.files import write_files
from core.models import ModelVersion
from core.queries import predictions as queries
from core.queries.predictions import Outcome
from core.services import predict
from core.services.prediction_runs import Wish
from core.sources.archive import read_file
from core.sources.texts import parse_text_mapping, read_texts
from core.workflows.cascades import compose_stored
from core.workflows.prediction_quote import PredictionQuote, price
from core.workflows.predictions import begin, wait_for_predictions

COLUMNS = (
    "line",
    "title",
    "sentiment",
    "confidence",
    "keywords",
    "reason",
    "status",
    "failure",
    "detail",
    "model",
)
#: Of a row whose batch nobody knows the fate of.
NOT_YET = Outcome(failure="UNKNOWN", detail="its run has not ended")


@dataclass(frozen=True)
class Agreement:
    """What the user agrees to.

    Parameters
    ----------
    micro_usd : int or None
        A price that is agreed to beforehand.
    confirm : callable
        Is shown a price above that; True agrees to it.
    """

    micro_usd: int | None = None
    confirm: Callable[[PredictionQuote], bool] = lambda _quote: False

    def to(self, quote: PredictionQuote) -> int | None:
        """Return the price that is agreed to."""
        if not quote.high or (self.micro_usd is not None and self.micro_usd >= quote.high):
            return self.micro_usd
        return quote.high if self.confirm(quote) else self.micro_usd


def predict_file(
    app: App,
    path: Path,
    mapping: str | None,
    model_id: int,
    out: Path,
    *,
    mode: RunMode = RunMode.DIRECT,
    accept_micro_usd: int | None = None,
    confirm: Callable[[PredictionQuote], bool] = lambda _quote: False,
    actor: str | None = None,
    tell: Callable[[str], None] = lambda _line: None,
) -> dict[str, Any]:
    """Let a model judge every row of a table and write the answers as a table; return what came of it.

    Each text is kept as an article, found again by its content: equal rows are asked once, and doing the same
    again asks and pays only for what has no answer. One row goes out for each that came in, in order.

    Parameters
    ----------
    path : Path
        CSV or JSONL, as for labelled tables; labels are not needed.
    mapping : str or None
        ``title=COLUMN,body=COLUMN,...``; None takes the usual column names.
    model_id : int
        Model version.
    out : Path
        CSV file to be written, whole or not at all.
    accept_micro_usd, confirm
        See `Agreement`.

    Returns
    -------
    dict
        ``rows``, ``ok`` and ``failed`` (rows = ok + failed), ``failures`` (rows by code), ``articles``
        (different texts), ``asked``, ``cost_micro_usd``, ``cost_usd``, ``estimated`` (a part of the cost is an
        estimate), ``simulated``, ``run_id`` (None where everything was answered), ``error`` and ``out``.

    Raises
    ------
    InputRejected
        If the table cannot be used; nothing was stored or sent.
    NotFound, Refused
        As `start_predictions`; also if `out` cannot be written, after which a second call pays nothing.
    """
    if out.is_dir():
        raise Refused(f"'{out.name}' is a folder", "Name a file, such as answers.csv")
    texts = read_texts(path.name, read_file(path), parse_text_mapping(mapping) if mapping else None)
    with writing(app.engine) as session:
        article_ids = predict.keep_articles(session, [record for _, record in texts], now=app.now())
        session.commit()
    wish = Wish(model_id, article_ids=tuple(article_ids), name=path.name, mode=mode)
    compose_stored(app, wish)
    priced = price(app, wish)
    run_id = None
    if priced[0].article_ids:
        agreed = Agreement(accept_micro_usd, confirm).to(priced[1])
        run_id = begin(app, wish, priced, accept_micro_usd=agreed, actor=actor)
        wait_for_predictions(app, run_id, tell)
    with reading(app.engine) as session:
        found = queries.outcomes(session, model_id, article_ids, run_id)
        outcomes = [found.get(article_id, NOT_YET) for article_id in article_ids]
        model = session.get_one(ModelVersion, model_id)
        facts = _facts(session, outcomes, run_id) | {"articles": len(set(article_ids)), "out": out.name}
    facts["simulated"] = facts["simulated"] or model.simulated
    name = f"{model.name} (SIMULATED)" if facts["simulated"] else model.name
    write_files(out.absolute().parent, {out.name: _table(texts, outcomes, name)})
    return facts


def _facts(session: Session, outcomes: Sequence[Outcome], run_id: int | None) -> dict[str, Any]:
    failures = Counter(each.failure for each in outcomes if not each.sentiment)
    card = queries.run_card(session, run_id) if run_id is not None else None
    cost = card.cost_micro_usd if card else 0
    return {
        "rows": len(outcomes),
        "ok": len(outcomes) - failures.total(),
        "failed": failures.total(),
        "failures": dict(failures.most_common()),
        "asked": card.run.total if card else 0,
        "cost_micro_usd": cost,
        "cost_usd": cost / 1_000_000,
        "estimated": card.estimated if card else False,
        "simulated": card.run.simulated if card else False,
        "run_id": run_id,
        "error": card.run.error if card else None,
    }


def _table(texts: Sequence[tuple[int, ArticleRecord]], outcomes: Sequence[Outcome], model: str) -> bytes:
    """Return the answers as CSV for a spreadsheet, which must not take a text for a formula."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, COLUMNS)
    writer.writeheader()
    for (line, record), outcome in zip(texts, outcomes, strict=True):
        cells = {**_cells(line, record, outcome), "model": model}
        writer.writerow({name: guard_formula(text) for name, text in cells.items()})
    return b"\xef\xbb\xbf" + buffer.getvalue().encode("utf-8", "replace")


def _cells(line: int, record: ArticleRecord, outcome: Outcome) -> Mapping[str, str]:
    return {
        "line": str(line),
        "title": record.title,
        "sentiment": outcome.sentiment,
        "confidence": "" if outcome.confidence is None else f"{outcome.confidence:g}",
        "keywords": ", ".join(outcome.keywords),
        "reason": outcome.reason,
        "status": "ok" if outcome.sentiment else "failed",
        "failure": outcome.failure,
        "detail": outcome.detail,
    }
