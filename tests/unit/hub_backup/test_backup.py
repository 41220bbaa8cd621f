"""A backup is one state, small when little has changed, unreadable without its identity, and checked."""

import os
import shutil
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from core import durable
from core.errors import Conflict, Corrupt, InvalidInput, Unavailable
from core.progress import NullProgress
from hub.backup import pieces
from hub.backup.checking import check
from hub.backup.making import Made
from hub.backup.place import Place
from hub.backup.seal import Seal
from hub.lock import backing_up
from hub.storage import schema
from security.digests import sha256_hex
from tests.simulation.federation import publish
from tests.unit.hub_backup.backing import Backed, database, packs, tree


def whole(backed: Backed) -> list[str]:
    return [*check(backed.place, None, NullProgress()), *check(backed.place, backed.identity, NullProgress())]


def of_packs(made: Made) -> set[tuple[str, int]]:
    """The objects that packs are made of, with their bytes."""
    saved = made.snapshot
    numbers = {number for file in saved.files if file.path.endswith(".pack") for number, _, _ in file.pieces}
    return {(saved.objects[number].name, saved.objects[number].bytes) for number in numbers}


def test_what_is_restored_is_what_was_backed_up(backed: Backed):
    made = backed.backup()
    before, held = database(backed.layout.database), packs(backed.layout.directory)
    publish(backed.federation, "la-dgm", "later", {"b": b"after the backup" * 99})
    done = backed.restore()
    restored = backed.root / "restored" / "hub"
    assert database(restored / "hub.sqlite") == before
    assert {path: data[: len(held[path])] for path, data in packs(restored).items()} == held
    assert (restored / "hub.toml").read_bytes() == backed.layout.settings.read_bytes()
    assert tree(restored / "keys") == tree(backed.layout.keys)
    assert done.findings == ()
    assert done.snapshot == made.snapshot
    assert whole(backed) == []


def test_a_second_backup_writes_what_is_new(backed: Backed):
    first = backed.backup()
    size = len(b"".join(packs(backed.layout.directory).values()))
    again = backed.backup()
    stored = {each.name for each in backed.place.objects().values()}
    assert again.bytes_added < first.bytes_added
    assert stored >= {each.name for each in first.snapshot.objects}
    publish(backed.federation, "la-dgm", "small", {"b": os.urandom(3000)})
    grown = len(b"".join(packs(backed.layout.directory).values())) - size
    third = backed.backup()
    assert 0 < grown < size
    assert third.bytes_added < first.bytes_added
    assert of_packs(again) < of_packs(third)
    assert sum(count for _, count in of_packs(third) - of_packs(again)) == grown
    assert whole(backed) == []


def test_packs_are_not_read_again_where_an_earlier_snapshot_holds_them(
    backed: Backed, monkeypatch: pytest.MonkeyPatch
):
    backed.backup()

    def read_nothing(*_: object) -> bytes:
        raise AssertionError("a pack was read again")

    monkeypatch.setattr(pieces, "read_part", read_nothing)
    backed.backup()


def test_nothing_is_believed_of_a_hub_that_was_turned_back(backed: Backed):
    """Its packs have the old names and other bytes: only what the database knows of is reused."""
    backed.federation.close()
    shutil.copytree(backed.layout.directory, backed.root / "older")
    backed.federation = backed.opened_again(".")
    publish(backed.federation, "la-dgm", "one", {"b": b"this way" * 300})
    backed.backup()
    remembered = tree(backed.layout.backup)
    backed.federation.close()
    shutil.rmtree(backed.layout.directory)
    shutil.copytree(backed.root / "older", backed.layout.directory)
    backed.layout.backup.mkdir(exist_ok=True)
    for name, data in remembered.items():
        (backed.layout.backup / name).write_bytes(data)
    backed.federation = backed.opened_again(".")
    publish(backed.federation, "la-dgm", "two", {"b": b"that way" * 300})
    backed.backup()
    held = packs(backed.layout.directory)
    backed.restore()
    assert packs(backed.root / "restored" / "hub") == held


def test_a_restored_hub_goes_on_with_the_backups_that_are_there(backed: Backed):
    first = backed.backup()
    backed.restore()
    backed.federation.close()
    shutil.rmtree(backed.layout.directory)
    (backed.root / "restored" / "hub").rename(backed.layout.directory)
    backed.federation = backed.opened_again(".")
    again = backed.backup()
    assert again.bytes_added < first.bytes_total // 2
    assert whole(backed) == []


def test_a_pack_behind_what_is_durable_is_not_taken(backed: Backed):
    newest = max((backed.layout.store / "la-dgm" / "packs").iterdir())
    held = newest.read_bytes()
    with newest.open("ab") as file:
        file.write(b"torn")
    backed.backup()
    with newest.open("r+b") as file:
        file.truncate(len(held))
    backed.restore()
    assert packs(backed.root / "restored" / "hub") == packs(backed.layout.directory)


def test_no_content_and_no_digest_of_it_shows(backed: Backed):
    made = backed.backup()
    shown = b"".join(tree(backed.place.path).values()) + str(sorted(tree(backed.place.path))).encode()
    for each in made.snapshot.objects:
        assert each.sha256.encode() not in shown
    for secret in (b"la-dgm", b"CHNK", b"SQLite"):
        assert secret not in shown


def test_only_their_owner_may_read_backups(backed: Backed):
    backed.backup()
    for path in (backed.place.path, *backed.place.path.rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    assert stat.S_IMODE((backed.root / "identity.txt").stat().st_mode) == 0o600


def test_a_damaged_object_is_found_and_written_anew(backed: Backed):
    made = backed.backup()
    names = {each.name for each in made.snapshot.objects}
    for stored in [each for each in backed.place.objects().values() if each.name in names][:2]:
        data = bytearray(stored.path.read_bytes())
        data[len(data) // 2] ^= 1
        stored.path.write_bytes(data)
    assert len([line for line in check(backed.place, None, NullProgress()) if "damaged" in line]) >= 2
    healed = backed.backup()
    assert healed.healed >= 1
    assert [
        line for line in check(backed.place, backed.identity, NullProgress()) if healed.snapshot.id in line
    ] == []
    backed.restore()


def test_missing_objects_are_found(backed: Backed):
    made = backed.backup()
    backed.place.objects()[made.snapshot.objects[0].name].path.unlink()
    assert any("1 objects missing" in line for line in check(backed.place, None, NullProgress()))
    with pytest.raises(Corrupt):
        backed.restore()
    assert not (backed.root / "restored" / "hub").exists()


def test_pruning_keeps_what_is_kept(backed: Backed):
    for number in range(5):
        publish(backed.federation, "la-dgm", f"set-{number}", {"b": os.urandom(5000)})
        made = backed.backup(keep=3)
    assert [each.name for each in backed.place.snapshots()][-1] == made.snapshot.id
    assert len(backed.place.snapshots()) == 3
    assert whole(backed) == []
    for number, each in enumerate(backed.place.snapshots()):
        backed.restore(f"restored-{number}", each.name)
    last = backed.backup(keep=1)
    assert last.pruned == 3
    assert last.bytes_freed > 0
    assert {each.name for each in last.snapshot.objects} == set(backed.place.objects())


def test_a_list_that_is_gone_stops_pruning(backed: Backed):
    first = backed.backup()
    (backed.place.path / "snapshots" / f"{first.snapshot.id}.objects").unlink()
    with pytest.raises(Corrupt, match="list of objects"):
        backed.backup(keep=5)
    backed.restore()


def test_a_full_disk_is_said_and_breaks_nothing(backed: Backed, monkeypatch: pytest.MonkeyPatch):
    first = backed.backup()
    publish(backed.federation, "la-dgm", "large", {"b": os.urandom(40_000)})
    steps = 0

    def full_after(count: int) -> None:
        left = count

        def hook(step: str, path: Path) -> None:
            nonlocal left
            if step == "fsync" and backed.place.path in path.parents:
                if left == 0:
                    raise OSError(28, "No space left on device")
                left -= 1

        monkeypatch.setattr(durable, "fault_hook", hook)

    while True:
        full_after(steps)
        try:
            backed.backup()
        except Unavailable as error:
            assert error.reason == "DISK_FULL"
            monkeypatch.undo()
            assert whole(backed) == []
            assert not list(backed.place.path.rglob("*.tmp"))
            steps += 1
        else:
            break
    monkeypatch.undo()
    assert steps > 3
    assert whole(backed) == []
    backed.restore("first", first.snapshot.id)
    backed.restore()


def test_two_at_once_are_refused(backed: Backed):
    with backing_up(backed.layout), pytest.raises(Conflict) as refused:
        backed.backup()
    assert refused.value.reason == "BACKUP_RUNS"
    with backed.place.locked(), pytest.raises(Conflict) as refused:
        backed.backup()
    assert refused.value.reason == "BACKUP_RUNS"
    backed.backup()
    with backed.place.unchanging(), pytest.raises(Conflict):
        backed.backup()
    with backed.place.locked(), pytest.raises(Conflict):
        backed.restore()


def test_nothing_is_removed_while_a_backup_is_made(backed: Backed):
    publish(backed.federation, "la-dgm", "kept", {"b": b"x" * 3000})
    with backing_up(backed.layout):
        backed.federation.hub.retention.perform()
        assert backed.federation.hub.retention._swept is None
    backed.federation.hub.retention.perform()
    assert backed.federation.hub.retention._swept is not None


def test_a_place_of_another_federation_or_of_other_things_is_not_written_to(backed: Backed):
    other = Place.make(backed.root / "other", "somebody", backed.seal.recipient)
    with pytest.raises(Conflict) as refused:
        _at(backed, other).backup()
    assert refused.value.reason == "OTHER_HUB"
    (backed.root / "photos").mkdir()
    (backed.root / "photos" / "cat.jpg").write_bytes(b"meow")
    with pytest.raises(Conflict) as refused:
        Place.make(backed.root / "photos", "x", None)
    assert refused.value.reason == "NOT_EMPTY"
    with pytest.raises(InvalidInput) as missing:
        Place.open(backed.root / "photos")
    assert missing.value.reason == "NO_BACKUP"


def _at(backed: Backed, place: Place) -> Backed:
    backed.place = place
    return backed


def test_a_damaged_database_is_not_backed_up_as_if_it_were_well(backed: Backed):
    backed.backup()
    backed.federation.close()
    with backed.layout.database.open("r+b") as file:
        file.seek(4096 * 8)
        file.write(b"\xff" * 4096 * 6)
    with pytest.raises(Corrupt) as found:
        backed.backup()
    assert found.value.reason == "STORE_CORRUPT"
    assert len(backed.place.snapshots()) == 1
    assert not (backed.layout.backup / "staged.sqlite").exists()


def test_a_missing_pack_is_told(backed: Backed):
    min((backed.layout.store / "la-dgm" / "packs").iterdir()).unlink()
    with pytest.raises(Corrupt, match="missing or shorter"):
        backed.backup()


def test_the_backup_is_recorded_for_the_operator(backed: Backed):
    made = backed.backup()
    with backed.federation.hub.context.database.read() as connection:
        row = connection.execute(sa.select(schema.backups)).one()
        event = connection.execute(sa.select(schema.events.c.kind)).scalars().all()
    assert (row.snapshot, row.bytes_added, row.log_size) == (
        made.snapshot.id,
        made.bytes_added,
        made.snapshot.log.size,
    )
    assert "backup.made" in event


def test_old_bundles_do_not_stay_for_ever(backed: Backed):
    """The database's chunks travel together: when little of them is needed, all of it is written anew."""
    size = backed.layout.database.stat().st_size
    for number in range(12):
        publish(backed.federation, "la-dgm", f"set-{number}", {"b": os.urandom(50)})
        made = backed.backup(keep=1)
    stored = sum(each.bytes for each in backed.place.objects().values())
    assert stored < 4 * size + 12 * 8_000 + len(b"".join(packs(backed.layout.directory).values()))
    assert whole(backed) == []
    assert made.snapshot.log.size > 12


def test_a_plain_backup_names_objects_by_their_digest(tmp_path: Path):
    plain = Backed(tmp_path, plain=True)
    publish(plain.federation, "la-dgm", "geo", {"a": b"x" * 5000})
    plain.backup()
    for stored in plain.place.objects().values():
        assert stored.name == sha256_hex(stored.path.read_bytes()) == stored.digest
    assert Seal(None).recipient is None
    assert whole(plain) == []
    plain.restore()
    plain.close()
