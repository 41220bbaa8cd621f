"""The state directory: one writer, readers beside it, damage said, newer schemas refused."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.errors import Conflict, Corrupt, InvalidInput, Unavailable
from node.state import NodeState, StateLock, rebuild, translated


def test_one_process_holds_the_lock(tmp_path: Path) -> None:
    with StateLock(tmp_path / "state"):
        code = (
            "from pathlib import Path; from node.state import StateLock; from core.errors import Conflict\n"
            f"try: StateLock(Path({str(tmp_path / 'state')!r})).acquire()\n"
            "except Conflict as error: print(error.reason, error.message)"
        )
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("STATE_LOCKED")
    assert str(os.getpid()) in answer.stdout
    with StateLock(tmp_path / "state"):
        pass


def test_the_lock_is_refused_within_a_process_too(tmp_path: Path) -> None:
    with StateLock(tmp_path), pytest.raises(Conflict):
        StateLock(tmp_path).acquire()


def test_the_directory_and_database_are_for_their_owner_alone(tmp_path: Path) -> None:
    NodeState(tmp_path / "state").close()
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state" / "state.sqlite").stat().st_mode) == 0o600


def test_a_newer_schema_is_refused_not_guessed(tmp_path: Path) -> None:
    NodeState(tmp_path).close()
    database = sqlite3.connect(tmp_path / "state.sqlite")
    database.execute("PRAGMA user_version = 99")
    database.close()
    for read_only in (False, True):
        with pytest.raises(InvalidInput) as raised:
            NodeState(tmp_path, read_only=read_only)
        assert raised.value.reason == "NEWER_SCHEMA"


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 300])
def test_damage_is_said_and_moved_aside_never_deleted(tmp_path: Path, damage: bytes) -> None:
    state = NodeState(tmp_path)
    state.set_meta("a", "b")
    state.close()
    path = tmp_path / "state.sqlite"
    path.write_bytes(damage or path.read_bytes()[:5000])
    with pytest.raises(Corrupt) as raised:
        NodeState(tmp_path)
    assert raised.value.remedy
    state = rebuild(tmp_path, "2026-11-22T12:00:00Z")
    assert state.was_rebuilt
    assert list(tmp_path.glob("state.sqlite.damaged-*"))
    state.close()


def test_readers_see_one_moment_beside_a_writer(tmp_path: Path) -> None:
    state = NodeState(tmp_path)
    state.set_meta("n", "1")
    reader = NodeState(tmp_path, read_only=True)
    with reader.reading():
        assert reader.get_meta("n") == "1"
        state.set_meta("n", "2")
        assert reader.get_meta("n") == "1"
    assert reader.get_meta("n") == "2"
    reader.close()
    state.close()


def test_a_reader_before_anything_was_written_sees_nothing_and_makes_nothing(tmp_path: Path) -> None:
    reader = NodeState(tmp_path / "state", read_only=True)
    assert reader.get_meta("n") is None
    reader.close()
    assert not (tmp_path / "state").exists()


def test_a_transaction_is_undone_by_an_exception(tmp_path: Path) -> None:
    state = NodeState(tmp_path)
    with pytest.raises(ZeroDivisionError), state.writing() as database:
        database.conn.execute("INSERT INTO meta VALUES ('x', '1')")
        raise ZeroDivisionError
    assert state.get_meta("x") is None
    state.close()


def test_threads_have_connections_of_their_own(tmp_path: Path) -> None:
    state = NodeState(tmp_path)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(20):
                state.set_meta(f"{number}-{step}", "x")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert state.get_meta("3-19") == "x"
    state.close()


def test_a_database_cut_to_nothing_is_read_as_if_it_were_not_there(tmp_path: Path) -> None:
    """`plan` and `status` after a power cut that left an empty file."""
    (tmp_path / "state.sqlite").touch(mode=0o600)
    reader = NodeState(tmp_path, read_only=True)
    assert reader.get_meta("anything") is None
    assert (tmp_path / "state.sqlite").stat().st_size == 0
    reader.close()


def test_a_read_only_disk_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def statvfs(_: Path) -> SimpleNamespace:
        return SimpleNamespace(f_flag=os.ST_RDONLY)

    monkeypatch.setattr("os.statvfs", statvfs)
    with (
        pytest.raises(Unavailable, match="mounted read-only") as refused,
        translated(tmp_path / "state.sqlite"),
    ):
        raise sqlite3.OperationalError("unable to open database file")
    assert "mount it for writing" in refused.value.remedy
