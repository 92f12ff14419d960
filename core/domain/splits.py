"""Deal samples to training, validation and test without letting one part know another.

Two ways. *Chronological*: whole days in order of time, with an embargo where labels are market moves.
*Stratified*: a seeded deal by class, for human labels without dates. Neither looks at a prediction.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from hashlib import sha256

from core.domain.types import Sentiment, Split, Target
from core.errors import Refused

KST = timezone(timedelta(hours=9))


@dataclass(frozen=True)
class Candidate:
    """One verified sample: an eligible article with its gold label for one target.

    Parameters
    ----------
    article_id : int
        Row id; carried along, never looked at by a decision.
    article_key : str
        The article's lasting name: order, seeds and fingerprints depend on it.
    label : Sentiment
        Gold class.
    effective_at : datetime or None
        Aware UTC; None = undated.
    market_day : str or None
        ``family|YYYY-MM-DD`` of the deciding session; None for the target sentiment.
    opens_after, closes_at : datetime or None
        The interval (previous close, deciding close] that the label covers; None for sentiment.
    near_duplicate_group : int or None
        Samples of one group are one story and stay in one part.
    success : bool or None
        Whether the article's own few-shot prediction agreed with the gold label; None without one.
    plan_strict : bool
        That, and the day's accuracy reached the gate.
    """

    article_id: int
    article_key: str
    label: Sentiment
    effective_at: datetime | None = None
    market_day: str | None = None
    opens_after: datetime | None = None
    closes_at: datetime | None = None
    near_duplicate_group: int | None = None
    success: bool | None = None
    plan_strict: bool = False


Parts = dict[Split, list[Candidate]]


@dataclass(frozen=True)
class Division:
    """The parts, each in its order, and what had to be left out to keep them apart.

    Parameters
    ----------
    parts : dict of Split to list of Candidate
    embargoed : int
        Samples whose label covers time that a later part covers too.
    near_duplicates : int
        Samples of a story that an earlier part already tells.
    """

    parts: Parts
    embargoed: int = 0
    near_duplicates: int = 0


def seeded_order(seed: int, key: str) -> str:
    """Return a sort key that shuffles `key` by `seed`, the same in every library version."""
    return sha256(f"{seed}|{key}".encode()).hexdigest()


def day_of(candidate: Candidate, target: Target) -> date:
    """Return the day that stays whole: the outcome's session, or the KST date of the article.

    The session's date is taken across families, so that a crypto day and an exchange session of one
    date never part.
    """
    if target == Target.DIRECTION:
        return date.fromisoformat(str(candidate.market_day).rpartition("|")[2])
    return _time(candidate).astimezone(KST).date()


def _time(candidate: Candidate) -> datetime:
    return candidate.effective_at or datetime.min.replace(tzinfo=UTC)


def split_chronologically(
    candidates: Sequence[Candidate], target: Target, *, train_share: float, validation_share: float
) -> Division:
    """Split whole days in order of time, then drop what would leak.

    A part ends at the day boundary nearest its share of the samples (the earlier one of two equally
    near), except that the first day is always trained on and the last one always tested on. Then, from
    the test part backwards, an earlier sample is *embargoed* if its interval (previous close, deciding
    close] reaches beyond the first previous close of any later part, that is, if both labels contain
    the same market move. Human labels cover no interval and are never embargoed. At last, a story told
    in two parts stays in the earlier one.

    Raises
    ------
    Refused
        If a sample has no date, there is only one day, or the embargo leaves nothing to train on.
    """
    _refuse_undated(candidates, target)
    ordered = sorted(candidates, key=lambda c: (day_of(c, target), _time(c), c.article_key))
    per_day = Counter(day_of(candidate, target) for candidate in ordered)
    days = sorted(per_day)
    if len(days) < 2:
        raise Refused(
            f"All {len(ordered)} samples fall on one day, so nothing would be left to test on",
            "Collect samples of at least 3 days: one for each part",
        )
    first, second = _boundaries([per_day[day] for day in days], train_share, validation_share)
    part_of = {day: _part(index, first, second) for index, day in enumerate(days)}
    parts: Parts = {split: [] for split in Split}
    for candidate in ordered:
        parts[part_of[day_of(candidate, target)]].append(candidate)
    embargoed = _embargo(parts)
    repeated = _keep_stories_apart(parts)
    if not parts[Split.TRAIN]:
        raise Refused(
            f"The embargo leaves nothing to train on: {embargoed} samples of {len(days)} days share their "
            "market moves with the days after them",
            f"Collect samples of at least {max(len(days) + 1, 4)} days, so that training ends well before "
            "testing begins",
        )
    return Division(parts, embargoed, repeated)


def _refuse_undated(candidates: Iterable[Candidate], target: Target) -> None:
    rows = list(candidates)
    undated = sum(c.effective_at is None and target == Target.SENTIMENT for c in rows)
    if undated:
        raise Refused(
            f"{undated} of {len(rows)} samples have no date, so they cannot be split by time",
            "Build with --split stratified, or import the table with its dates (--map published_at=COLUMN)",
        )


def _boundaries(sizes: Sequence[int], train_share: float, validation_share: float) -> tuple[int, int]:
    """Return how many days end before validation and before test; at least one day on either side."""
    total, running = sum(sizes), [0]
    for size in sizes:
        running.append(running[-1] + size)

    def nearest(share: float, lowest: int) -> int:
        return min(range(lowest, len(sizes)), key=lambda day: abs(running[day] - share * total))

    first = nearest(train_share, 1)
    return first, nearest(train_share + validation_share, first)


def _part(index: int, first: int, second: int) -> Split:
    if index < first:
        return Split.TRAIN
    return Split.VALIDATION if index < second else Split.TEST


def _embargo(parts: Parts) -> int:
    """Drop from each part what overlaps a later one (in place) and return how many were dropped."""
    dropped = 0
    later = _starts(parts[Split.TEST])
    for split in (Split.VALIDATION, Split.TRAIN):
        # All later parts count, not the next alone: a short validation part need not span the overlap.
        begin = min(later, default=None)
        kept = [c for c in parts[split] if begin is None or c.closes_at is None or c.closes_at <= begin]
        dropped += len(parts[split]) - len(kept)
        parts[split] = kept
        later += _starts(kept)
    return dropped


def _starts(part: Iterable[Candidate]) -> list[datetime]:
    return [candidate.opens_after for candidate in part if candidate.opens_after is not None]


def _keep_stories_apart(parts: Parts) -> int:
    """Drop a story's later tellings where its earlier part has it already; return how many."""
    told: dict[int, Split] = {}
    dropped = 0
    for split, rows in parts.items():
        kept = []
        for row in rows:
            group = row.near_duplicate_group
            if group is None or told.setdefault(group, split) == split:
                kept.append(row)
        dropped += len(rows) - len(kept)
        parts[split] = kept
    return dropped


def split_by_class(
    candidates: Sequence[Candidate], *, seed: int, train_share: float, validation_share: float
) -> Division:
    """Deal the stories of each class in seeded order: test first, then validation, then training.

    The order comes from a hash of seed and article key, so neither the database's row order nor a
    library's random numbers matter, and new samples move few old ones. Groups stay whole.
    """
    test_share = 1.0 - train_share - validation_share
    bounds = {Split.TEST: test_share, Split.VALIDATION: test_share + validation_share}
    parts: Parts = {split: [] for split in Split}
    for stories in _stories_by_class(candidates, seed).values():
        total = sum(map(len, stories))
        dealt = 0
        for story in stories:
            middle = (dealt + len(story) / 2) / total
            # 1e-9: 1 - 0.8 - 0.1 is a hair below a tenth in binary
            split = next((s for s, bound in bounds.items() if middle <= bound + 1e-9), Split.TRAIN)
            parts[split].extend(story)
            dealt += len(story)
    return Division({split: sorted(rows, key=lambda c: c.article_key) for split, rows in parts.items()})


def _stories_by_class(
    candidates: Sequence[Candidate], seed: int
) -> Mapping[Sentiment, list[list[Candidate]]]:
    """Return the groups by the class of their first member, each class in seeded order."""
    groups: dict[object, list[Candidate]] = defaultdict(list)
    for candidate in sorted(candidates, key=lambda c: c.article_key):
        group = candidate.near_duplicate_group
        groups[candidate.article_key if group is None else group].append(candidate)
    by_class: dict[Sentiment, list[list[Candidate]]] = {label: [] for label in Sentiment}
    for story in sorted(groups.values(), key=lambda rows: seeded_order(seed, rows[0].article_key)):
        by_class[story[0].label].append(story)
    return by_class
