"""Whatever happens to a file of a backup: it is named, nothing is half restored, nothing is lost by it."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import InvalidInput, SynclineError
from core.progress import NullProgress
from hub.backup.checking import check
from hub.backup.place import Place
from tests.simulation.federation import publish
from tests.unit.hub_backup.backing import Backed

Change = Callable[[list[Path]], None]


def flip(files: list[Path]) -> None:
    data = bytearray(files[-1].read_bytes())
    data[len(data) // 2] ^= 1
    files[-1].write_bytes(data)


def cut_off(files: list[Path]) -> None:
    files[-1].write_bytes(files[-1].read_bytes()[:-7])


def empty(files: list[Path]) -> None:
    files[-1].write_bytes(b"")


def remove(files: list[Path]) -> None:
    files[-1].unlink()


def swap(files: list[Path]) -> None:
    first, last = files[0].read_bytes(), files[-1].read_bytes()
    files[0].write_bytes(last)
    files[-1].write_bytes(first)


def older_over_newer(files: list[Path]) -> None:
    files[-1].write_bytes(files[0].read_bytes())


CHANGES: list[Change] = [flip, cut_off, empty, remove, swap, older_over_newer]
KINDS = {
    "header": "backup.json",
    "object": "objects/*/*",
    "snapshot": "snapshots/*.age",
    "list": "snapshots/*.objects",
}


@pytest.fixture
def two(backed: Backed) -> Backed:
    """Two snapshots."""
    backed.backup()
    publish(backed.federation, "la-dgm", "more", {"b": os.urandom(20_000)})
    backed.backup()
    return backed


def findings(backed: Backed, *, opened: bool) -> tuple[str, int]:
    """What `--check` says, and its exit status."""
    try:
        place = Place.open(backed.place.path)
        found = list(check(place, backed.identity if opened else None, NullProgress()))
    except SynclineError as error:
        return f"{error.message} {error.remedy}", error.exit_status
    return "\n".join(found), 7 if found else 0


def restored(backed: Backed) -> SynclineError | None:
    try:
        backed.place = Place.open(backed.place.path)
        backed.restore()
    except SynclineError as error:
        return error
    return None


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_changed_file_is_named_and_nothing_is_half_restored(two: Backed, kind: str, change: Change) -> None:
    needed = set(two.place.named_by(two.place.snapshots()[-1].name))
    files = sorted(two.place.path.glob(KINDS[kind]))
    if kind == "object":
        files = [each for each in files if each.name[:64] in needed]
    if len(files) == 1 and change in (swap, older_over_newer):
        pytest.skip("there is one of this kind")
    length = 64 if kind == "object" else 25
    names = [each.name[:length] for each in (files[-1], *(files[:1] if change is swap else ()))]
    change(files)
    for opened in (False, True):
        said, status = findings(two, opened=opened)
        # Without the identity a missing object is counted, by snapshot.
        assert all(name in said for name in names) or (
            kind == "object" and change is remove and "1 objects missing" in said
        )
        assert status == 7
    error = restored(two)
    if kind == "list":  # a restore does not need it
        assert error is None
        return
    assert error is not None
    assert any(name in error.message for name in names)
    assert error.remedy
    assert error.exit_status == 7
    assert list((two.root / "restored").iterdir() if (two.root / "restored").exists() else ()) == []


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_list_removes_nothing_that_a_snapshot_needs(two: Backed, change: Change) -> None:
    """Pruning believes lists: an empty one would take the objects of a snapshot that is kept."""
    first = two.place.snapshots()[0]
    needed = set(two.place.named_by(first.name))
    lists = sorted(two.place.path.glob("snapshots/*.objects"), reverse=True)
    change(lists)  # the older one is the last
    with pytest.raises(SynclineError, match="nothing is pruned"):
        two.backup(keep=3)
    assert needed <= set(two.place.objects())
    two.restore("first", first.name)


def test_an_older_snapshot_under_a_newer_name_is_refused(two: Backed) -> None:
    older, newer = sorted(two.place.path.glob("snapshots/*.age"))
    id_, digest = newer.name.rpartition("-")[0], older.name.rpartition("-")[2]
    newer.unlink()
    (newer.parent / f"{id_}-{digest}").write_bytes(older.read_bytes())
    said, _ = findings(two, opened=True)
    assert id_ in said
    error = restored(two)
    assert error is not None
    assert (error.reason, error.exit_status) == ("BACKUP_CHANGED", 3)


def test_a_restore_does_not_take_an_older_snapshot_by_itself_for_one_that_is_lost(two: Backed) -> None:
    older, newer = two.place.snapshots()
    newer.path.unlink()
    error = restored(two)
    assert error is not None
    assert newer.name in error.message
    assert f"--snapshot {older.name}" in error.remedy
    two.restore("older", older.name)
    two.backup()  # tidies up
    assert findings(two, opened=True) == ("", 0)


def test_a_header_can_be_written_again_by_hand(two: Backed) -> None:
    path = two.place.path / "backup.json"
    value = json.loads(path.read_bytes())
    assert two.identity is not None
    recipient = two.identity.recipient
    again = {"format": value["format"], "id": "0" * 16, "federation": "test-geo", "recipient": recipient}
    path.write_text(json.dumps(again))
    assert restored(two) is None
    two.backup()
    path.write_text(json.dumps({**again, "federation": "other-geo"}))
    error = restored(two)
    assert error is not None
    assert "backup.json" in error.message
    assert "backup.json" in findings(two, opened=True)[0]


def test_a_newer_format_asks_for_an_upgrade(two: Backed) -> None:
    path = two.place.path / "backup.json"
    path.write_text(path.read_text().replace("syncline-backup-1", "syncline-backup-2"))
    with pytest.raises(InvalidInput, match="syncline-backup-2") as caught:
        Place.open(two.place.path)
    assert caught.value.remedy == "upgrade syncline"
