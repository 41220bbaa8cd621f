"""The metadata database keeps its word: one transaction or nothing, no gaps, no guessing at newer schemas."""

import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from core.errors import Conflict, Corrupt, InvalidInput, Unavailable
from hub.storage import schema, upgrade
from hub.storage.database import Database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub.sqlite"


@pytest.fixture
def database(path: Path):
    made = Database.open(path, create=True)
    yield made
    made.close()


def insert_leaf(connection: sa.Connection) -> int:
    last = connection.execute(sa.select(sa.func.max(schema.leaves.c.idx))).scalar_one_or_none()
    index = 0 if last is None else last + 1
    connection.execute(schema.leaves.insert().values(idx=index, leaf=b"x", type="act", record=b"r"))
    return index


def count(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(schema.leaves)).scalar_one()


def test_a_failed_transaction_leaves_nothing_not_even_a_revision(database: Database):
    before = database.revisions()
    with pytest.raises(RuntimeError), database.write() as connection:
        insert_leaf(connection)
        raise RuntimeError("crash")
    assert count(database) == 0
    assert database.revisions() == before


def test_every_commit_moves_the_revision_and_only_visible_ones_the_other(database: Database):
    any_, visible = database.revisions()
    with database.write(visible=False) as connection:
        insert_leaf(connection)
    assert database.revisions() == (any_ + 1, visible)
    with database.write() as connection:
        insert_leaf(connection)
    assert database.revisions() == (any_ + 2, visible + 1)


def test_concurrent_writers_in_threads_and_processes_leave_no_gap(database: Database, path: Path):
    """Two `Database` objects stand for two processes: they share nothing but the file."""
    other = Database.open(path)

    def work(mine: Database) -> None:
        for _ in range(20):
            with mine.write() as connection:
                insert_leaf(connection)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in (database, other) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    with database.read() as connection:
        indices = list(connection.execute(sa.select(schema.leaves.c.idx).order_by("idx")).scalars())
    assert indices == list(range(120))


def test_a_reader_sees_one_snapshot(database: Database):
    with database.write() as connection:
        insert_leaf(connection)
    with database.read() as connection:
        first = connection.execute(sa.select(sa.func.count()).select_from(schema.leaves)).scalar_one()
        with database.write() as writer:
            insert_leaf(writer)
        second = connection.execute(sa.select(sa.func.count()).select_from(schema.leaves)).scalar_one()
    assert (first, second) == (1, 1)
    assert count(database) == 2


def test_commits_are_flushed_and_foreign_keys_hold(database: Database):
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_listeners_hear_of_commits_and_not_of_failures(database: Database):
    heard: list[bool] = []
    database.listen(heard.append)
    with database.write(visible=False):
        pass
    with pytest.raises(RuntimeError), database.write():
        raise RuntimeError
    with database.write():
        pass
    assert heard == [False, True]


def test_a_newer_schema_is_refused_not_guessed(database: Database, path: Path):
    database.close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(Conflict) as refused:
        Database.open(path)
    assert refused.value.reason == "NEWER_SCHEMA"
    assert "upgrade" in refused.value.remedy


def test_migrations_lead_to_the_schema_and_the_head_is_named(database: Database):
    with database.write() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    assert ScriptDirectory.from_config(upgrade.configuration()).get_current_head() == schema.HEAD


def test_opening_again_changes_nothing(database: Database, path: Path):
    before = database.revisions()
    again = Database.open(path)
    assert again.revisions() == before
    again.close()


def test_missing_and_existing_files_are_told_apart(database: Database, path: Path, tmp_path: Path):
    with pytest.raises(InvalidInput, match="init"):
        Database.open(tmp_path / "nowhere.sqlite")
    with pytest.raises(Conflict):
        Database.open(path, create=True)


def test_a_busy_database_is_unavailable_and_says_so(database: Database, path: Path):
    impatient = Database.open(path, busy_timeout_s=0.01)
    with database.write(), pytest.raises(Unavailable) as busy, impatient.write():
        pass
    assert busy.value.reason == "BUSY"
    impatient.close()


def test_a_damaged_file_is_corrupt(tmp_path: Path):
    path = tmp_path / "hub.sqlite"
    path.write_bytes(b"this is no database, but it is long enough to be looked at" * 100)
    with pytest.raises(Corrupt):
        Database.open(path)


def test_a_half_made_database_is_made_whole_at_the_next_start(tmp_path: Path):
    """The tables come in one transaction: killed before its end, the file is as if new."""
    path = tmp_path / "hub.sqlite"
    path.touch()
    database = Database.open(path)
    assert database.schema_version() == schema.HEAD
    assert database.check() == []
    database.close()


def test_the_revisions_that_are_kept_in_sight_move_with_other_processes_and_hold_no_snapshot(
    database: Database, path: Path
):
    """They are read on a connection of their own, which is kept: it must see every commit, and block none."""
    any_, visible = database.revisions()
    other = Database.open(path)
    with other.write():
        assert database.revisions() == (any_, visible), "not committed yet"
    assert database.revisions() == (any_ + 1, visible + 1)
    other.close()
    with sqlite3.connect(path) as raw:
        busy, in_log, moved = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    raw.close()
    assert (busy, in_log, moved) == (0, 0, 0), "a snapshot that is held would keep the log from being emptied"


def test_revisions_are_read_by_many_threads(database: Database):
    before, found = database.revisions(), list[tuple[int, int]]()

    def look() -> None:
        found.extend(database.revisions() for _ in range(200))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        with database.write(visible=False):
            pass
    for thread in threads:
        thread.join()
    assert len(found) == 800
    assert all(before[0] <= any_ <= before[0] + 20 and visible == before[1] for any_, visible in found)


def test_revisions_that_cannot_be_read_are_our_errors_and_are_tried_anew(tmp_path: Path):
    path = tmp_path / "hub.sqlite"
    database = Database.open(path, create=True, busy_timeout_s=0.01)
    before = database.revisions()
    with sqlite3.connect(path) as raw:  # in this mode a reader has to wait for a writer
        database.close()
        raw.execute("PRAGMA locking_mode = EXCLUSIVE")
        raw.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unavailable) as busy:
            database.revisions()
        assert busy.value.reason == "BUSY"
        raw.rollback()
    raw.close()
    assert database.revisions() == before
    database.close()
