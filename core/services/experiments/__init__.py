"""Live experiments: planned and begun, fed with articles and answers, weighed, and ended.

An article counts once in an experiment, and each of its sides is filled once. A question that costs money is
noted in the ledger before it leaves, under a name made of experiment, article and side, so that no crash and
no second process can send it again.
"""

from core.services.experiments.answered import Answered, record
from core.services.experiments.arrivals import Unseen, unseen
from core.services.experiments.ending import (
    Why,
    archive,
    end,
    end_all,
    give_up,
    is_decided,
    stop,
)
from core.services.experiments.evidence import evidence
from core.services.experiments.items import (
    SIDES,
    Enrolment,
    Running,
    Side,
    SideName,
    enrol,
    get_experiment,
    running,
    settle,
)
from core.services.experiments.money import asked_at, may_ask, question_id
from core.services.experiments.open_sides import OpenItem, has_open, open_items
from core.services.experiments.start import (
    Pair,
    Wish,
    begin,
    begin_watch,
    check,
    check_pair,
    watch_due,
)

__all__ = [
    "SIDES",
    "Answered",
    "Enrolment",
    "OpenItem",
    "Pair",
    "Running",
    "Side",
    "SideName",
    "Unseen",
    "Why",
    "Wish",
    "archive",
    "asked_at",
    "begin",
    "begin_watch",
    "check",
    "check_pair",
    "end",
    "end_all",
    "enrol",
    "evidence",
    "get_experiment",
    "give_up",
    "has_open",
    "is_decided",
    "may_ask",
    "open_items",
    "question_id",
    "record",
    "running",
    "settle",
    "stop",
    "unseen",
    "watch_due",
]
