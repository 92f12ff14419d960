"""What ends when: dates of providers and models as sentences, with the days that are left."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import streamlit as st

from core import workflows
from core.queries.models import ModelVersion
from core.workflows import ProviderState
from ui import format as fmt
from ui.i18n import mark, t, tn

#: From so many days before its end, a date is shown as a warning.
SOON_DAYS = 30
#: what ends -> the sentence before the day, and from it on
_SENTENCES = {
    "new_jobs_end": (mark("No new trainings from {when}"), mark("No new trainings since {when}")),
    "base_retires": (mark("{model} is switched off on {when}"), mark("{model} was switched off on {when}")),
    "tuned_retires": (
        mark("What is tuned from {model} is switched off on {when}"),
        mark("What was tuned from {model} was switched off on {when}"),
    ),
    "price_changes": (
        mark("{model} changes its price on {when}"),
        mark("{model} changed its price on {when}"),
    ),
    "rerouted": (
        mark("{model} is answered by another model from {when}"),
        mark("{model} has been answered by another model since {when}"),
    ),
    "support_ended": (mark("Support ends on {when}"), mark("Support ended on {when}")),
}


@dataclass(frozen=True)
class Ending:
    """A sentence about a date, in markdown, with its source for a tooltip, and the days left (past: <= 0)."""

    sentence: str
    source: str
    days_left: int


def tell(end: Ending) -> None:
    """Draw a date as a quiet line; one that is near or over stands out."""
    icon = ":material/event_busy:"
    if end.days_left <= SOON_DAYS:
        st.markdown(f":small[:orange[{icon} {end.sentence}]]", help=end.source or None)
    else:
        st.caption(f"{icon} {end.sentence}", help=end.source or None)


def ending(known: Any, today: date) -> Ending:
    """Return a known date (`providers.base.KnownDate`) as a sentence."""
    days = (known.day - today).days
    coming, past = _SENTENCES.get(known.what, (mark("{model}: {when}"),) * 2)
    left = tn("{n} day left", "{n} days left", days) if days > 0 else ""
    notes = [note for note in (left, "" if known.certain else t("reported")) if note]
    when = known.day.isoformat() + (f" ({', '.join(notes)})" if notes else "")
    sentence = t(coming if days > 0 else past, model=fmt.plain(known.model), when=when)
    source = t("Source: {source}", source=fmt.plain(known.source)) if known.source else ""
    return Ending(sentence, source, days)


def endings(state: ProviderState, base_model: str, today: date) -> list[Ending]:
    """Return what ends for a provider and one of its models, soonest first."""
    return [
        ending(known, today)
        for known in workflows.dates(state.card, base_model)
        if known.model in ("", base_model)
    ]


def no_new_jobs(state: ProviderState, base_model: str, today: date) -> Ending | None:
    """Return the date from which no training can be started or makes sense any more, if it has come."""
    ends = ("new_jobs_end", "base_retires")
    known = [
        each for each in workflows.dates(state.card, base_model) if each.what in ends and each.day <= today
    ]
    return ending(known[0], today) if known else None


def retirement(model: ModelVersion, states: Iterable[ProviderState], today: date) -> Ending | None:
    """Return when a model version stops answering, where that is known: as its vendor said, else by its base."""
    stated = model.params.get("retires")
    if stated:
        return _stated(model.name, stated, today)
    for state in states:
        if state.card.name == model.provider:
            # a cascade has no job of its own: its second part's name at the vendor says that it is tuned
            tuned = model.job_id is not None or bool(model.params.get("remote_model"))
            wanted = "tuned_retires" if tuned else "base_retires"
            found = [
                known
                for known in workflows.dates(state.card, model.base_model)
                if known.what in (wanted, "base_retires") and known.model == model.base_model
            ]
            return ending(found[0], today) if found else None
    return None


def _stated(name: str, day: str, today: date) -> Ending | None:
    try:
        known = date.fromisoformat(day)
    except ValueError:
        return None
    days = (known - today).days
    when = known.isoformat() + (f" ({tn('{n} day left', '{n} days left', days)})" if days > 0 else "")
    coming, past = _SENTENCES["base_retires"]
    return Ending(
        t(coming if days > 0 else past, model=fmt.plain(name), when=when),
        t("Source: {source}", source=t("the vendor's model list")),
        days,
    )


def by_provider(states: Sequence[ProviderState]) -> Mapping[str, ProviderState]:
    """Return provider states by name."""
    return {state.card.name: state for state in states}
