"""AI News Trader's data folder, or a zip of it, to records with a report of each file.

Every file stands or falls as a whole; the others go on. Ids join within one file-name date and family
only, since each day counts its articles from 1.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

from core.domain.records import (
    AccuracyRecord,
    ArticleRecord,
    FileReport,
    FileStatus,
    MarketRecord,
    ParentImport,
    PredictionRecord,
)
from core.domain.types import Family, Flag
from core.errors import InputRejected, Place
from core.sources.archive import read_folder
from core.sources.parent_files import (
    Analysis,
    FileId,
    read_accuracy,
    read_analysis,
    read_market_file,
    read_news,
)

KINDS = ("news", "analysis", "crypto-news", "crypto-analysis", "accuracy", "market")
_NEWS = {"analysis": "news", "crypto-analysis": "crypto-news"}
_NEVER = datetime.min.replace(tzinfo=UTC)
_FILE_NAME = re.compile(r"([a-z-]+)/\1-(\d{4}-\d{2}-\d{2})\.json")
_IGNORED = {
    "learning": "Sums up whole days without title or body; the articles themselves are read instead",
    "error-logs": "The parent's own error messages hold no data",
}


@dataclass
class _Folder:
    """What has been read so far, by file where files are joined later."""

    articles: dict[tuple[str, date], tuple[ArticleRecord, ...]] = field(default_factory=dict)
    analyses: dict[tuple[str, date], Analysis] = field(default_factory=dict)
    market: list[MarketRecord] = field(default_factory=list)
    accuracy: list[AccuracyRecord] = field(default_factory=list)
    reports: dict[str, FileReport] = field(default_factory=dict)

    def note(self, name: str, sentence: str) -> None:
        """Add a sentence to a file's report."""
        report = self.reports[name]
        self.reports[name] = replace(report, notes=(*report.notes, sentence))


def read_parent_folder(
    source: Path | bytes,
    name: str | None = None,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> ParentImport:
    """Read the parent's whole data folder without storing anything.

    Parameters
    ----------
    source : Path or bytes
        The folder (or one up to three levels above it), a zip file, or the bytes of one.
    name : str, optional
        How messages call it; the last part of the path by default.
    on_progress : callable, optional
        Called with (files done, files in all) after each file.

    Returns
    -------
    ParentImport
        Articles flagged and joined, and one report a file: ``read``, ``rejected`` with its problem, or
        ``ignored`` with a note why.

    Raises
    ------
    InputRejected
        If nothing of a known kind is there, or the archive as a whole is not usable.
    """
    shown = name or (source.name if isinstance(source, Path) else "the archive")
    files = read_folder(source, shown, KINDS)
    folder = _Folder()
    for done, (file, data) in enumerate(sorted(files.items()), 1):
        folder.reports[file] = _read_file(folder, file, data)
        if on_progress:
            on_progress(done, len(files))
    return _join(folder)


def _read_file(folder: _Folder, name: str, data: bytes) -> FileReport:
    """Read one file into `folder` and return its report; a rejected file leaves nothing behind."""
    kind = name.split("/", maxsplit=1)[0] if "/" in name else "other"
    digest = sha256(data).hexdigest()
    match = _FILE_NAME.fullmatch(name)
    if kind not in KINDS or match is None:
        expected = f"The name is not {kind}/{kind}-YYYY-MM-DD.json" if kind in KINDS else "Not a known kind"
        return FileReport(name, kind, digest, 0, FileStatus.IGNORED, (_IGNORED.get(kind, expected),))
    try:
        file = FileId(name, kind, _name_day(name, match[2]))
        rows, notes = _dispatch(folder, file, data)
    except InputRejected as problem:
        return FileReport(name, kind, digest, 0, FileStatus.REJECTED, problem=str(problem))
    return FileReport(name, kind, digest, rows, FileStatus.READ, notes)


def _name_day(name: str, written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError as error:
        problem = f"'{written}' in the file's name is not a date"
        raise InputRejected(Place(name), problem, "Rename the file") from error


def _dispatch(folder: _Folder, file: FileId, data: bytes) -> tuple[int, tuple[str, ...]]:
    """Read one file by its kind and return its number of rows and what was noticed."""
    if file.kind in _NEWS.values():
        articles = read_news(file, data)
        folder.articles[file.kind, file.day] = articles
        return len(articles), _flag_notes(articles)
    if file.kind in _NEWS:
        analysis = read_analysis(file, data)
        folder.analyses[file.kind, file.day] = analysis
        failed = (f"{analysis.failed} failed analyses were discarded",) if analysis.failed else ()
        return len(analysis.predictions), (*_date_note(file, analysis.inner_day), *failed)
    if file.kind == "market":
        inner_day, records = read_market_file(file, data)
        folder.market.extend(records)
        return len(records), _date_note(file, inner_day)
    inner_day, record = read_accuracy(file, data)
    folder.accuracy.append(record)
    return 1, _date_note(file, inner_day)


def _date_note(file: FileId, inner: date) -> tuple[str, ...]:
    return () if inner == file.day else (f"The date inside is {inner}; the file name's {file.day} counts",)


_FLAG_SENTENCES = {
    Flag.TRUNCATED: "{} bodies were cut by the parent",
    Flag.HTML_REMNANT: "{} texts were freed of image tags",
    Flag.NOT_NFC: "{} texts were brought to Unicode's composed form (NFC)",
    Flag.UNRELIABLE_TIME: "{} publication times are not reliable; the scrape's time counts",
    Flag.TIME_SHIFTED: "{} publication times lie after the scrape, by a shift of nine hours that was taken off",
}


def _flag_notes(articles: Iterable[ArticleRecord]) -> tuple[str, ...]:
    articles = list(articles)
    counts = [(sum(flag in article.flags for article in articles), flag) for flag in _FLAG_SENTENCES]
    notes = [_FLAG_SENTENCES[flag].format(count) for count, flag in counts if count]
    placeholders = sum(article.placeholder for article in articles)
    return (*notes, f"{placeholders} bodies are the parent's placeholder") if placeholders else tuple(notes)


def _join(folder: _Folder) -> ParentImport:
    """Join answers to articles, flag what only shows across files, and note what has no partner."""
    predictions: list[PredictionRecord] = []
    for (kind, day), analysis in folder.analyses.items():
        news = (_NEWS[kind], day)
        articles = folder.articles.get(news)
        if articles is None:
            folder.note(_name(kind, day), f"No usable {_name(*news)}: its predictions were left out")
            continue
        if analysis.inner_day != day:
            folder.articles[news] = tuple(_flagged(article, Flag.DATE_MISMATCH) for article in articles)
        keys = {article.key for article in articles}
        joined = [prediction for prediction in analysis.predictions if prediction.article_key in keys]
        predictions += joined
        if lost := len(analysis.predictions) - len(joined):
            folder.note(_name(kind, day), f"{lost} predictions name an id that {_name(*news)} does not hold")
        if silent := len(keys) - len(joined):
            folder.note(_name(*news), f"{silent} articles have no prediction")
    analysis_of = {news_kind: kind for kind, news_kind in _NEWS.items()}
    for kind, day in folder.articles:
        if (analysis_of[kind], day) not in folder.analyses:
            folder.note(_name(kind, day), f"No usable {_name(analysis_of[kind], day)}: no predictions")
    found = tuple(article for articles in folder.articles.values() for article in articles)
    changed = _changed_labels(folder, found, predictions)
    return ParentImport(
        articles=tuple(_flagged(a, Flag.LABEL_CHANGED) if a.key in changed else a for a in found),
        predictions=tuple(predictions),
        market=tuple(folder.market),
        accuracy=tuple(folder.accuracy),
        files=tuple(folder.reports.values()),
        discarded_predictions=sum(analysis.failed for analysis in folder.analyses.values()),
        changed_labels=len(changed),
    )


def _name(kind: str, day: date) -> str:
    return f"{kind}/{kind}-{day}.json"


def _flagged(article: ArticleRecord, flag: Flag) -> ArticleRecord:
    return replace(article, flags=(*article.flags, flag))


def _changed_labels(
    folder: _Folder, articles: Iterable[ArticleRecord], predictions: Iterable[PredictionRecord]
) -> set[str]:
    """Return the keys of the newest scrapes whose URL was once predicted otherwise, and note them."""
    sentiment = {prediction.article_key: prediction.sentiment for prediction in predictions}
    by_url: dict[str, list[ArticleRecord]] = {}
    for article in articles:
        if article.url and not article.placeholder:
            by_url.setdefault(article.url, []).append(article)
    changed: set[str] = set()
    repeats: dict[str, list[bool]] = {}
    for same in by_url.values():
        kept = max(same, key=lambda article: (article.scraped_at or _NEVER, article.key))
        labels = {sentiment[article.key] for article in same if article.key in sentiment}
        if len(labels) > 1:
            changed.add(kept.key)
        if len(same) > 1 and kept.file_date:
            kind = "crypto-news" if kept.family == Family.CRYPTO else "news"
            repeats.setdefault(_name(kind, kept.file_date), []).append(len(labels) > 1)
    for name, differs in repeats.items():
        sentence = (
            f"{len(differs)} articles came before under the same URL, {sum(differs)} with another label"
        )
        folder.note(name, sentence)
    return changed
