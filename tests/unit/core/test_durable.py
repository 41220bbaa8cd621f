"""Durable writes: an interruption at any step leaves the old state or the new one, and no litter."""

import os
from pathlib import Path

import pytest

from core import durable


class Crash(Exception):
    pass


@pytest.fixture
def crash_at(monkeypatch: pytest.MonkeyPatch):
    def arm(step: str) -> list[str]:
        seen: list[str] = []

        def hook(name: str, path: Path) -> None:
            seen.append(name)
            if name == step:
                raise Crash(step)

        monkeypatch.setattr(durable, "fault_hook", hook)
        return seen

    return arm


def test_a_file_is_written_flushed_renamed_and_its_folder_flushed(tmp_path: Path, crash_at) -> None:
    seen = crash_at("nothing")
    durable.write_file(tmp_path / "a", b"new", mode=0o600)
    assert seen == ["write", "fsync", "rename", "fsync_dir"]
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
@pytest.mark.parametrize("exclusive", [False, True])
def test_a_crash_before_the_rename_leaves_what_was_there(
    tmp_path: Path, crash_at, step: str, exclusive: bool
) -> None:
    path = tmp_path / "a"
    if not exclusive:
        path.write_bytes(b"old")
    crash_at(step)
    with pytest.raises(Crash):
        durable.write_file(path, b"new", exclusive=exclusive)
    assert os.listdir(tmp_path) == ([] if exclusive else ["a"])
    assert exclusive or path.read_bytes() == b"old"


def test_a_crash_after_the_rename_leaves_the_new_state(tmp_path: Path, crash_at) -> None:
    (tmp_path / "a").write_bytes(b"old")
    crash_at("fsync_dir")
    with pytest.raises(Crash):
        durable.write_file(tmp_path / "a", b"new")
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"new"


def test_exclusive_never_replaces(tmp_path: Path) -> None:
    durable.write_file(tmp_path / "a", b"first", exclusive=True)
    with pytest.raises(FileExistsError):
        durable.write_file(tmp_path / "a", b"second", exclusive=True)
    assert (tmp_path / "a").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["a"]


def test_a_link_is_swapped_by_one_rename(tmp_path: Path, crash_at) -> None:
    durable.swap_symlink(tmp_path / "current", "one")
    crash_at("rename")
    with pytest.raises(Crash):
        durable.swap_symlink(tmp_path / "current", "two")
    assert os.fspath((tmp_path / "current").readlink()) == "one"
    assert os.listdir(tmp_path) == ["current"]
    crash_at("nothing")
    durable.swap_symlink(tmp_path / "current", "two")
    assert os.fspath((tmp_path / "current").readlink()) == "two"


def test_a_whole_filesystem_is_flushed_with_one_call(tmp_path: Path, crash_at) -> None:
    seen = crash_at("nothing")
    durable.sync_filesystem(tmp_path)
    assert seen == ["sync_tree"]


def test_without_syncfs_everything_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[bool] = []
    monkeypatch.setattr(durable.ctypes, "CDLL", lambda *a, **k: object())
    monkeypatch.setattr(durable.os, "sync", lambda: called.append(True))
    durable.sync_filesystem(tmp_path)
    assert called
