"""Prediction runs: many articles asked of one model version, each at most once, and what came of each.

A run is driven by whoever holds its lease. An item is marked as sent in a committed transaction before its
request leaves, so after a crash it is known which requests may have been billed; those are never sent again
by themselves. Answers, bills and counts are written together.
"""

from core.services.prediction_runs.decisions import failed_articles, request_cancel, resolve_unknown
from core.services.prediction_runs.items import (
    Item,
    Landed,
    claim,
    interrupted,
    is_due,
    mark_all_sent,
    next_items,
    record,
    run_before,
    sent_items,
)
from core.services.prediction_runs.rows import (
    Account,
    Ending,
    Lease,
    account,
    billed_name,
    change,
    close_alert,
    end_run,
    get_run,
    has_left,
    may_still_spend,
    open_alert,
)
from core.services.prediction_runs.start import (
    Begun,
    Missing,
    Wish,
    begin_run,
    missing,
    open_articles,
    standing_of,
    texts,
)

__all__ = [
    "Account",
    "Begun",
    "Ending",
    "Item",
    "Landed",
    "Lease",
    "Missing",
    "Wish",
    "account",
    "begin_run",
    "billed_name",
    "change",
    "claim",
    "close_alert",
    "end_run",
    "failed_articles",
    "get_run",
    "has_left",
    "interrupted",
    "is_due",
    "mark_all_sent",
    "may_still_spend",
    "missing",
    "next_items",
    "open_alert",
    "open_articles",
    "record",
    "request_cancel",
    "resolve_unknown",
    "run_before",
    "sent_items",
    "standing_of",
    "texts",
]
