"""A directory or a zip archive to named bytes, below the folder that holds the wanted sub-folders.

Names are POSIX paths relative to that folder. A zip is read in memory and never unpacked to disk, so a
name that climbs out of it can do no harm; it is refused all the same, since no honest tool writes one.
"""

import zlib
from collections.abc import Collection, Iterable
from io import BytesIO
from itertools import pairwise
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from core.errors import InputRejected, Place
from core.sources.decoding import MAX_FILE_BYTES

MAX_FILES = 10_000
MAX_TOTAL_BYTES = 200 * 1024 * 1024
#: JSON shrinks about tenfold; a member beyond this ratio is a bomb.
MAX_RATIO = 200
#: How far below the given folder the data folder may lie.
MAX_DEPTH = 3
MAX_FOLDERS = 2_000
#: What operating systems leave in folders and archives; not worth a report.
_LITTER = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}


def read_folder(source: Path | bytes, name: str, wanted: Collection[str]) -> dict[str, bytes]:
    """Return the files of a folder or zip, below the directory that holds a `wanted` sub-folder.

    A wanted sub-folder holds files named after it: ``news/news-....json``.

    Parameters
    ----------
    source : Path or bytes
        A directory, a zip file, or the bytes of one.
    name : str
        How messages call it.
    wanted : collection of str
        Names of sub-folders of which at least one marks the data folder.

    Raises
    ------
    InputRejected
        If `source` is neither, holds no wanted sub-folder or several data folders, or is a zip that is
        damaged, encrypted, too large or inflates beyond the limits.
    """
    if isinstance(source, Path) and source.is_dir():
        return _read_directory(source, name, wanted)
    if isinstance(source, Path):
        source = _read_bytes(source, name, limit=MAX_TOTAL_BYTES)
    _check_total(len(source), name)
    if not source.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        raise InputRejected(Place(name), "this is neither a folder nor a zip archive", _expected(wanted))
    try:
        with ZipFile(BytesIO(source)) as archive:
            return _read_zip(archive, name, wanted)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        problem = f"the zip archive is damaged or cut off ({str(error)[:80]})"
        raise InputRejected(Place(name), problem, "Make or download it again") from error


def read_file(path: Path, name: str | None = None) -> bytes:
    """Return the bytes of one file, cut just above the limit of `decode`, which then refuses it.

    Raises
    ------
    InputRejected
        If there is no such file or it cannot be read.
    """
    return _read_bytes(path, name or path.name, limit=MAX_FILE_BYTES)


def _expected(wanted: Collection[str]) -> str:
    listed = ", ".join(f"{kind}/{kind}-YYYY-MM-DD.json" for kind in wanted)
    return f"Choose AI News Trader's data folder, or a zip of it, with files like {listed}"


def _read_bytes(path: Path, name: str, *, limit: int) -> bytes:
    """Read a file, cut just above the limit so that a report can say so, translating the disk's errors."""
    try:
        with path.open("rb") as stream:
            return stream.read(limit + 1)
    except FileNotFoundError as error:
        raise InputRejected(Place(name), "there is no such file or folder", "Check the path") from error
    except OSError as error:
        problem = f"it cannot be read ({error.strerror})"
        raise InputRejected(Place(name), problem, "Check the path and its permissions") from error


def _only_root(roots: Collection[str], name: str, wanted: Collection[str]) -> str:
    """Return the one data folder among candidates, the outermost first."""
    if not roots:
        raise InputRejected(Place(name), "it holds no file of a known kind", _expected(wanted))
    depth = min(len(PurePosixPath(root).parts) for root in roots)
    outermost = sorted(root for root in roots if len(PurePosixPath(root).parts) == depth)
    if len(outermost) > 1:
        problem = f"it holds several data folders: {', '.join(outermost[:5])}"
        raise InputRejected(Place(name), problem, "Import them one at a time")
    return outermost[0]


def _read_directory(folder: Path, name: str, wanted: Collection[str]) -> dict[str, bytes]:
    root = _find_directory(folder, name, wanted)
    paths = sorted(path for pattern in ("*", "*/*") for path in root.glob(pattern) if path.is_file())
    kept = [path for path in paths if _LITTER.isdisjoint(path.relative_to(root).parts)]
    _check_count(len(kept), name)
    files: dict[str, bytes] = {}
    total = 0
    for path in kept:
        relative = path.relative_to(root).as_posix()
        files[relative] = read_file(path, f"{name}: {relative}")
        total += len(files[relative])
        _check_total(total, name)
    return files


def _find_directory(folder: Path, name: str, wanted: Collection[str]) -> Path:
    """Return the outermost directory that holds a wanted one, at most `MAX_DEPTH` levels down."""
    level, seen = [folder], 0
    for _ in range(MAX_DEPTH + 1):
        roots = {path.relative_to(folder).as_posix() for path in level if _holds(path, wanted)}
        if roots:
            return folder / _only_root(roots, name, wanted)
        level = [child for path in level for child in _subfolders(path)]
        seen += len(level)
        if seen > MAX_FOLDERS:
            break
    raise InputRejected(Place(name), "it holds no file of a known kind", _expected(wanted))


def _holds(path: Path, wanted: Collection[str]) -> bool:
    return any(any((path / kind).glob(f"{kind}-*.json")) for kind in wanted)


def _subfolders(path: Path) -> list[Path]:
    try:
        return [child for child in path.iterdir() if child.is_dir() and not child.name.startswith(".")]
    except OSError:  # a folder that may not be listed holds nothing for us
        return []


def _check_count(count: int, name: str) -> None:
    if count > MAX_FILES:
        problem = f"it holds {count:,} files, the limit is {MAX_FILES:,}"
        raise InputRejected(Place(name), problem, "Import it in parts")


def _check_total(total: int, name: str) -> None:
    if total > MAX_TOTAL_BYTES:
        problem = f"it has more than {MAX_TOTAL_BYTES // 1024**2} MB in all"
        raise InputRejected(Place(name), problem, "Import it in parts")


def _read_zip(archive: ZipFile, name: str, wanted: Collection[str]) -> dict[str, bytes]:
    members = [info for info in archive.infolist() if not info.is_dir()]
    _check_count(len(members), name)
    _check_members(members, name)
    names = [PurePosixPath(info.filename) for info in members]
    root = _only_root(_zip_roots(names, wanted), name, wanted)
    files: dict[str, bytes] = {}
    total = 0
    for info, path in zip(members, names, strict=True):
        if not path.is_relative_to(root) or not _LITTER.isdisjoint(path.parts):
            continue
        with archive.open(info) as stream:
            data = stream.read(MAX_FILE_BYTES + 1)  # the header's size may lie
        total += len(data)
        _check_total(total, name)
        files[path.relative_to(root).as_posix()] = data
    return files


def _zip_roots(names: Iterable[PurePosixPath], wanted: Collection[str]) -> set[str]:
    """Return the directories of which a wanted one with files of its name is a direct child."""
    return {
        PurePosixPath(*path.parts[:depth]).as_posix()
        for path in names
        for depth, (folder, child) in enumerate(pairwise(path.parts[: MAX_DEPTH + 2]))
        if folder in wanted and child.startswith(f"{folder}-") and "__MACOSX" not in path.parts
    }


def _check_members(members: list[ZipInfo], name: str) -> None:
    remedy = "Make the archive again from the data folder"
    seen: set[str] = set()
    for info in members:
        place = Place(f"{name}: {info.filename[:80]}")
        path = PurePosixPath(info.filename)
        drive = info.filename[1:2] == ":"
        if path.is_absolute() or drive or ".." in path.parts or "\\" in info.filename:
            raise InputRejected(place, "the name leads out of the archive", remedy)
        if info.flag_bits & 1:
            raise InputRejected(place, "the archive is encrypted", "Make it again without a password")
        if info.filename in seen:
            raise InputRejected(place, "the archive holds two files of this name", remedy)
        seen.add(info.filename)
        inflated = info.file_size > MAX_RATIO * max(info.compress_size, 1) and info.file_size > 1024**2
        if inflated or info.file_size > MAX_TOTAL_BYTES:
            raise InputRejected(place, f"the file inflates to {info.file_size / 1024**2:.0f} MB", remedy)
    _check_total(sum(info.file_size for info in members), name)
