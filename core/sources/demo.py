"""Write the demo: an invented history of news, labels, few-shot predictions and closes, from a seed.

Tones lean loosely on the coming market move. The few-shot model reads well but for three habits (caution
as bad news, large numbers as good news, eased fears as fears), so that a model trained on the labels has
something real to learn; a share of the labels is wrong, so that no model can be perfect.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, timezone

import numpy as np

from core.domain.demo import DemoData, DemoLabel, DemoPrediction
from core.domain.records import ArticleRecord, PredictionRecord
from core.domain.sessions import Session, SessionTable, horizon, instants
from core.domain.text import PLACEHOLDER_BODY, content_hash, is_truncated
from core.domain.training_format import title_keywords
from core.domain.types import Family, Flag, Origin, Sentiment
from core.errors import Refused
from core.sources.demo_english import ENGLISH
from core.sources.demo_korean import KOREAN
from core.sources.demo_market import Closes, coming_return_pct, walk
from core.sources.demo_wording import KINDS, Language, Voice

KST = timezone(timedelta(hours=9))
SESSIONS = 60
#: Original articles; the defects bring the total to 700.
ORIGINALS = 676
RETOLD, SCRAPED_TWICE, WITHOUT_BODY, DISPUTED, WITH_IMAGE, CUT = 10, 8, 6, 4, 3, 6
#: The parent keeps this much of a body.
CUT_CHARS = 300

SHARE_GENERAL, SHARE_KOREAN = 0.62, 0.6
SHARE_MIXED, SHARE_TRAP, SHARE_LABELLED = 0.12, 0.18, 0.84
LABEL_NOISE = 0.08
#: How often the few-shot model falls for a trap, and reads a mixed or a plain headline rightly.
MISREADS, READS_MIXED, READS_PLAIN = 0.85, 0.5, 0.96
CONFIDENCE = {"mixed": (66, 8), "trap": (80, 8), "plain": (84, 7)}

TONES = tuple(Sentiment)
TONE_BASE = {Sentiment.POSITIVE: 1.25, Sentiment.NEUTRAL: 0.9, Sentiment.NEGATIVE: 0.95}
TONE_LEAN = {Sentiment.POSITIVE: 0.35, Sentiment.NEUTRAL: 0.0, Sentiment.NEGATIVE: -0.35}


@dataclass(frozen=True)
class _Story:
    """An article, what its author meant, and how it was worded."""

    article: ArticleRecord
    tone: Sentiment
    kind: str
    language: Language


def generate(calendar: SessionTable, *, now: datetime, seed: int = 7) -> DemoData:
    """Return 700 articles of the last 60 sessions that closed by `now`, and all that goes with them.

    Parameters
    ----------
    calendar : SessionTable
        Sessions of the exchange, at least 61 of them closed by `now`.
    now : datetime
        Aware UTC; nothing is dated later.
    seed : int
        Seed of everything random: the same arguments give the same demo.

    Raises
    ------
    Refused
        If the calendar does not reach back far enough.
    """
    closed = int(calendar.deciding_positions(instants([now]))[0])
    sessions = [s for s in map(calendar.session, range(closed - SESSIONS - 1, closed)) if s is not None]
    if len(sessions) <= SESSIONS:
        raise Refused(
            f"The demo needs {SESSIONS + 1} closed sessions before now, the calendar has {len(sessions)}",
            "Use a calendar that reaches back half a year",
        )
    closes = walk(_rng(seed, 0), sessions, now)
    running = [s for s in [calendar.session(closed)] if s is not None and s.opens_at <= now]
    stories = _stories(seed, calendar, closes, _times(_rng(seed, 1), [*sessions[1:], *running], now))
    labels = _labels(seed, stories, now)
    twice = {
        story.article.key: _again(story, now, n) for n, story in enumerate(stories[5::80][:SCRAPED_TWICE])
    }
    labels += [
        replace(label, article_key=twice[label.article_key].article.key)
        for label in labels
        if label.article_key in twice
    ]
    stories += [*twice.values(), *_retold(stories, now), *_without_body(stories, now)]
    return DemoData(
        tuple(story.article for story in stories),
        tuple(labels),
        tuple(_prediction(_rng(seed, 4, n), story) for n, story in enumerate(stories)),
        tuple(closes.values()),
    )


def _rng(*seeds: int) -> np.random.Generator:
    """Return a stream of its own for each story and purpose, so that `now` changes little of the rest."""
    return np.random.default_rng(seeds)


def _times(
    rng: np.random.Generator, sessions: Sequence[Session], now: datetime
) -> list[tuple[Family, datetime]]:
    """Return when each original appears: stock news on session days, crypto news at any hour."""
    first, times = sessions[0].day, []
    last = (now.astimezone(KST).date() - first).days
    for n in range(ORIGINALS):
        family = Family.GENERAL if rng.random() < SHARE_GENERAL else Family.CRYPTO
        if family == Family.GENERAL:
            day = sessions[n * len(sessions) // ORIGINALS].day
            minute = int(rng.integers(6 * 60 + 30, 19 * 60))
        else:
            day = first + timedelta(days=n * (last + 1) // ORIGINALS)
            minute = int(rng.integers(0, 24 * 60))
        at = datetime.combine(day, time(), KST) + timedelta(minutes=minute, seconds=int(rng.integers(60)))
        latest = now - timedelta(minutes=int(rng.integers(5, 300)))
        times.append((family, min(at, latest).astimezone(UTC)))
    return sorted(times, key=lambda pair: pair[1])


def _stories(
    seed: int, calendar: SessionTable, closes: Closes, times: Sequence[tuple[Family, datetime]]
) -> list[_Story]:
    stories: list[_Story] = []
    titles: set[str] = set()
    for number, (family, at) in enumerate(times):
        rng = _rng(seed, 2, number)
        lean = coming_return_pct(closes, family, horizon(family, at, calendar))
        tone, kind = _meaning(rng, lean)
        language = KOREAN if rng.random() < SHARE_KOREAN else ENGLISH
        title, body = _wording(rng, language, family, tone, kind)
        while title in titles:
            title, body = _wording(rng, language, family, tone, kind)
        titles.add(title)
        if number % (ORIGINALS // CUT) == 50:
            body = (body + " " + _long_tail(rng, language, family, tone))[:CUT_CHARS] + "..."
        article = _article(number, family, at, (title, body), language)
        if number % (ORIGINALS // WITH_IMAGE) == 120:
            article = replace(article, flags=(*article.flags, Flag.HTML_REMNANT))
        stories.append(_Story(article, tone, kind, language))
    return stories


def _meaning(rng: np.random.Generator, lean: float) -> tuple[Sentiment, str]:
    """Draw a tone, leaning on the coming move in percent, and a kind of headline that carries it."""
    weights = np.array([TONE_BASE[tone] * np.exp(TONE_LEAN[tone] * np.clip(lean, -4, 4)) for tone in TONES])
    tone = TONES[int(rng.choice(len(TONES), p=weights / weights.sum()))]
    if rng.random() < SHARE_MIXED:
        return tone, "mixed"
    trapped = bool(rng.random() < SHARE_TRAP)
    kinds = [kind for kind, (meant, misread) in KINDS.items() if meant == tone and bool(misread) == trapped]
    return tone, kinds[int(rng.integers(len(kinds)))]


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _slots(rng: np.random.Generator, language: Language, voice: Voice) -> dict[str, object]:
    return {
        "c": _pick(rng, voice.who),
        "x": _pick(rng, language.places),
        "q": int(rng.integers(1, 5)),
        "m": int(rng.integers(1, 13)),
        "p": int(rng.integers(2, 39)),
        "n": int(rng.integers(2, 60)),
    }


def _wording(
    rng: np.random.Generator, language: Language, family: Family, tone: Sentiment, kind: str
) -> tuple[str, str]:
    """Write a headline and a body of two to four sentences; a mixed one seldom shows its tone."""
    voice = language.voices[family]
    slots = _slots(rng, language, voice)
    lines = [_pick(rng, voice.setting)]
    shown = 0.3 if kind == "mixed" else 0.75
    lines += [_pick(rng, language.evidence[tone]) for _ in range(2) if rng.random() < shown]
    lines.append(_pick(rng, voice.setting))
    title = _pick(rng, voice.headlines[kind]).format(**slots)
    return title, " ".join(dict.fromkeys(lines)).format(**slots)


def _long_tail(rng: np.random.Generator, language: Language, family: Family, tone: Sentiment) -> str:
    """Return enough sentences for a body that the parent would cut."""
    voice = language.voices[family]
    lines = [*voice.setting, *language.evidence[tone]] * 2
    return " ".join(line.format(**_slots(rng, language, voice)) for line in lines)


def _article(
    number: int, family: Family, at: datetime, text: tuple[str, str], language: Language
) -> ArticleRecord:
    """Return the record of a (title, body); the number makes key and address unique."""
    (title, body), file_date = text, at.astimezone(KST).date()
    code = "ko" if language is KOREAN else "en"
    return ArticleRecord(
        key=f"demo|{family}|{file_date}|{number + 1}",
        family=family,
        origin=Origin.DEMO,
        title=title,
        body=body,
        content_hash=content_hash(title, body),
        url=f"https://demo.invalid/{code}/{family}/{number + 1}",
        publisher="DEMO 통신" if code == "ko" else "DEMO Wire",
        published_at=at,
        scraped_at=at + timedelta(minutes=2),
        effective_at=at,
        file_date=file_date,
        external_id=number + 1,
        flags=(Flag.TRUNCATED,) if is_truncated(body) else (),
    )


def _labels(seed: int, stories: Sequence[_Story], now: datetime) -> list[DemoLabel]:
    """Label most stories of before yesterday, a few of them wrongly, and four by two who disagree."""
    labels = []
    for number, story in enumerate(stories):
        rng = _rng(seed, 3, number)
        at = story.article.effective_at
        if at is None or at > now - timedelta(days=1) or rng.random() > SHARE_LABELLED:
            continue
        said = _other(rng, story.tone) if rng.random() < LABEL_NOISE else story.tone
        labels.append(DemoLabel(story.article.key, said, "DEMO reviewer 1"))
    disputes = [
        replace(label, sentiment=_other(_rng(seed, 5), label.sentiment), reviewer="DEMO reviewer 2")
        for label in labels[60::120][:DISPUTED]
    ]
    return labels + disputes


def _other(rng: np.random.Generator, tone: Sentiment) -> Sentiment:
    return [other for other in TONES if other != tone][int(rng.integers(2))]


def _prediction(rng: np.random.Generator, story: _Story) -> DemoPrediction:
    misread = KINDS[story.kind][1] if story.kind in KINDS else None
    right = {"mixed": READS_MIXED}.get(story.kind, READS_PLAIN)
    if misread is not None and rng.random() < MISREADS:
        said = misread
    else:
        said = story.tone if rng.random() < right else _other(rng, story.tone)
    mean, spread = CONFIDENCE["trap" if misread else "mixed" if story.kind == "mixed" else "plain"]
    words = title_keywords(story.article.title, 4)
    record = PredictionRecord(
        story.article.key,
        said,
        float(np.clip(round(rng.normal(mean, spread)), 40, 98)),
        words,
        story.language.rationales[said].format(w=words[0]),
    )
    return DemoPrediction(record, round(float(rng.lognormal(np.log(2400), 0.18)), 1))


def _copy(story: _Story, number: int, later: timedelta, now: datetime, **changes: object) -> _Story:
    """Return the story as it came in again, with its own key and, unless kept, its own address."""
    former = story.article
    at = min((former.effective_at or now) + later, now - timedelta(minutes=3))
    fresh = _article(number, former.family, at, (former.title, former.body or ""), story.language)
    changed = replace(fresh, **changes)  # type: ignore[arg-type]
    return replace(story, article=replace(changed, content_hash=content_hash(changed.title, changed.body)))


def _again(story: _Story, now: datetime, n: int) -> _Story:
    """Return the same address, scraped again a day later."""
    return _copy(story, ORIGINALS + n, timedelta(days=1), now, url=story.article.url)


def _retold(stories: Sequence[_Story], now: datetime) -> list[_Story]:
    """Return stories told again with one word more, under an address of their own."""
    return [
        _copy(
            story,
            ORIGINALS + SCRAPED_TWICE + n,
            timedelta(hours=5),
            now,
            title=story.article.title + (" (종합)" if story.language is KOREAN else " - update"),
        )
        for n, story in enumerate(stories[33::60][:RETOLD])
    ]


def _without_body(stories: Sequence[_Story], now: datetime) -> list[_Story]:
    """Return stories whose body could not be fetched, in the parent's words for that."""
    return [
        _copy(
            story,
            ORIGINALS + SCRAPED_TWICE + RETOLD + n,
            timedelta(hours=2),
            now,
            body=f"{PLACEHOLDER_BODY}.",
            placeholder=True,
        )
        for n, story in enumerate(stories[71::90][:WITHOUT_BODY])
    ]
