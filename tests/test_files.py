"""Files appear whole or not at all."""

import os

import pytest

from core.errors import Refused
from core.files import write_files

NEW = {"a.txt": b"new a", "b.txt": b"new b", "manifest.json": b"{}"}


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_are_written_and_no_workspace_is_left(tmp_path):
    write_files(tmp_path / "deep" / "er", NEW)
    assert content(tmp_path / "deep" / "er") == NEW


def test_same_named_files_are_replaced_and_others_stay(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"old")
    (tmp_path / "mine.doc").write_bytes(b"precious")
    write_files(tmp_path, NEW)
    assert content(tmp_path) == {**NEW, "mine.doc": b"precious"}


def test_a_disk_that_refuses_to_write_changes_nothing(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_bytes(b"old")
    flushed = []

    def full_disk(handle):
        flushed.append(handle)
        if len(flushed) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(Refused, match=r"No space left on device.*nothing was changed"):
        write_files(tmp_path, NEW)
    assert content(tmp_path) == {"a.txt": b"old"}


def test_a_move_that_fails_halfway_puts_the_former_files_back(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"old")
    (tmp_path / "manifest.json").mkdir()  # cannot be replaced by a file
    with pytest.raises(Refused, match="nothing was changed"):
        write_files(tmp_path, NEW)
    assert (tmp_path / "a.txt").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "manifest.json"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(Refused, match="choose a folder"):
        write_files(tmp_path / "out", NEW)


def test_a_link_is_replaced_and_what_it_pointed_to_stays(tmp_path):
    (tmp_path / "elsewhere.txt").write_bytes(b"precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").symlink_to(tmp_path / "elsewhere.txt")
    write_files(tmp_path / "out", NEW)
    assert (tmp_path / "elsewhere.txt").read_bytes() == b"precious"
    assert (tmp_path / "out" / "a.txt").read_bytes() == b"new a"
