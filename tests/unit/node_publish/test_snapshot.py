"""Databases travel as one consistent state, and nothing is created beside them."""

import sqlite3
from pathlib import Path

import pytest

from node.snapshot import NotNow, snapshot
from tests.unit.node_publish.conftest import Agency


def make(path: Path, mode: str, rows: int = 10) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA journal_mode = {mode}")
    database.execute("CREATE TABLE t (x)")
    database.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(rows)])
    database.commit()
    return database


def rows_of(data: bytes, tmp_path: Path) -> int:
    copy = tmp_path / "check.sqlite"
    copy.write_bytes(data)
    database = sqlite3.connect(f"{copy.as_uri()}?mode=ro&immutable=1", uri=True)
    count = int(database.execute("SELECT count(*) FROM t").fetchone()[0])
    database.close()
    return count


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize("writer_is_alive", [True, False])
def test_a_snapshot_has_every_commit_and_touches_nothing(
    tmp_path: Path, mode: str, writer_is_alive: bool
) -> None:
    folder = tmp_path / "watched"
    folder.mkdir()
    database = make(folder / "map.gpkg", mode)
    if not writer_is_alive:
        database.close()
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    with snapshot(folder / "map.gpkg", tmp_path / "work") as (file, _):
        assert rows_of(file.read(), tmp_path) == 10
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before
    assert not list((tmp_path / "work").iterdir())
    database.close()


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    make(tmp_path / "a.gpkg", "WAL").close()
    pieces = []
    for _ in range(2):
        with snapshot(tmp_path / "a.gpkg", tmp_path / "work") as (file, _stat):
            pieces.append(file.read())
    assert pieces[0] == pieces[1]


def test_a_database_that_is_being_written_holds(tmp_path: Path) -> None:
    database = make(tmp_path / "a.gpkg", "DELETE")
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO t VALUES (99)")
    with pytest.raises(NotNow), snapshot(tmp_path / "a.gpkg", tmp_path / "work"):
        pass
    database.close()


def test_a_broken_database_is_said_and_the_rest_goes_on(agency: Agency) -> None:
    agency.write("bad.gpkg", b"SQLite format 3\0" + b"rubbish" * 100)
    agency.write("good.txt", "good")
    outcome = agency.publish()
    assert outcome.files == 1
    assert any("bad.gpkg" in line for line in outcome.attention)


def test_a_commit_in_wal_mode_is_a_new_version(agency: Agency) -> None:
    """Such a commit changes neither the file's bytes nor its time."""
    path = agency.folder / "map.gpkg"
    database = make(path, "WAL")
    first = agency.publish()
    main = path.read_bytes()
    database.execute("INSERT INTO t VALUES (99)")
    database.commit()
    assert path.read_bytes() == main
    second = agency.publish()
    assert (first.seq, second.seq) == (1, 2)
    assert set(agency.listed()) == {"map.gpkg"}
    database.close()
    assert agency.publish().seq == 2  # the checkpoint on closing changes no content
