"""Files that appear whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from core.errors import Refused


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write several files that belong together into `folder`, replacing same-named ones as a set.

    Everything is written to a hidden folder beside the targets and flushed to the disk first; only then
    are the files moved into place, in the order given (put a manifest last). If a move fails, the files
    that were there before are put back. Other files in `folder` are not touched.

    Raises
    ------
    Refused
        If the folder cannot be used or the disk refuses; nothing has changed then.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".newstune-", dir=folder) as workspace:
            fresh, former = Path(workspace, "new"), Path(workspace, "old")
            fresh.mkdir()
            former.mkdir()
            for name, content in files.items():
                _write_durably(fresh / name, content)
            _swap(folder, fresh, former, list(files))
            _flush_folder(folder)
    except OSError as error:
        raise Refused(
            f"The files could not be written to '{folder}' ({error.strerror or error}); nothing was changed",
            "Free some space or choose a folder that you may write to",
        ) from error


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("xb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _swap(folder: Path, fresh: Path, former: Path, names: list[str]) -> None:
    """Move `names` from `fresh` into `folder`; on an error restore what was there."""
    moved: list[str] = []
    try:
        for name in names:
            target = folder / name
            if target.is_dir():
                raise IsADirectoryError(f"'{name}' is a folder")
            if target.exists() or target.is_symlink():
                # A copy, not a move: the target itself never goes missing.
                shutil.copy2(target, former / name, follow_symlinks=False)
            (fresh / name).replace(target)
            moved.append(name)
    except OSError:
        for name in reversed(moved):
            _restore(folder / name, former / name)
        raise


def _restore(target: Path, kept: Path) -> None:
    with suppress(OSError):  # the first error is the one to report
        if kept.exists() or kept.is_symlink():
            kept.replace(target)
        else:
            target.unlink()


def _flush_folder(folder: Path) -> None:
    """Make the renames themselves survive a power cut, where the system can flush a folder."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
