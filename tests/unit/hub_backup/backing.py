"""A hub that is backed up and restored within a test, without the command line."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from core.limits import Limits
from core.progress import NullProgress
from hub.backup.making import Made, Task, make_backup
from hub.backup.place import Place
from hub.backup.records import record
from hub.backup.restoring import Restored, Wanted, restore
from hub.backup.seal import Identity, Seal, load_identity, load_keys, make_keys
from hub.config import document
from hub.layout import Layout
from security.keystore import load_signing_key
from tests.simulation.federation import (
    ADDRESS,
    ENROL_ADDRESS,
    FEDERATION,
    TestFederation,
    make_federation,
)

#: Boundaries are reached with a few kilobytes, and packs are full soon.
SMALL = Limits(
    chunk_bytes_min=64,
    chunk_bytes_avg=256,
    chunk_bytes_max=1024,
    frame_bytes_max=4096,
    find_missing_count_max=64,
    read_ranges_count_max=8,
    page_count_max=3,
    disk_reserve_bytes=1,
    pack_bytes_max=20_000,
)
OBJECT_BYTES = 8_000
_NOTES = tuple(f'INSERT INTO "{table}"' for table in ("backups", "events", "revision"))


class Backed:
    """A federation in `root`, its backups in `root/place`."""

    def __init__(self, root: Path, *, plain: bool = False, clock: Any = None) -> None:
        self.root = root
        self.federation = make_federation(root, limits=SMALL, clock=clock)
        self.layout = Layout(root / "hub")
        self.signer = load_signing_key(self.layout.hub_key)
        if not self.layout.settings.exists():
            self.layout.settings.write_text(document("Test", FEDERATION, ADDRESS, ENROL_ADDRESS))
        self.identity: Identity | None = None
        self.seal = Seal(None)
        if not plain:
            keys, ids = load_keys(self.layout.backup_keys), self.signer.public.keyids
            made = keys or make_keys(
                self.layout.backup_keys, root / "identity.txt", ids, "2026-11-22T00:00:00Z"
            )
            self.seal = Seal(made)
            self.identity = load_identity(root / "identity.txt")
        path = root / "place"
        made_before = (path / "backup.json").exists()
        self.place = Place.open(path) if made_before else Place.make(path, FEDERATION, self.seal.recipient)

    def task(self, **changes: Any) -> Task:
        given: dict[str, Any] = {"object_bytes": OBJECT_BYTES, **changes}
        return Task(self.layout, self.layout.settings, self.place, self.seal, self.signer, "0", **given)

    def backup(self, **changes: Any) -> Made:
        made = make_backup(self.task(**changes), NullProgress(), self.federation.clock, SMALL)
        record(self.federation.hub, made, self.place.path)
        self.federation.clock.advance(60)
        return made

    def restore(self, name: str = "restored", snapshot: str | None = None, **changes: Any) -> Restored:
        wanted = Wanted(self.place, self.identity, self.root / name / "hub", snapshot, **changes)
        wanted.directory.parent.mkdir(exist_ok=True)
        return restore(wanted, NullProgress(), self.federation.clock, SMALL)

    def opened_again(self, name: str = "restored") -> TestFederation:
        again = make_federation(self.root / name, clock=self.federation.clock, limits=SMALL)
        again.members.update(self.federation.members)
        return again

    def close(self) -> None:
        self.federation.close()


def packs(directory: Path) -> dict[str, bytes]:
    """Every pack of a hub's directory by its path."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*.pack")}


def database(path: Path) -> list[str]:
    """Everything in a database, but what a backup notes of itself."""
    with closing(sqlite3.connect(path)) as opened:
        return [line for line in opened.iterdump() if not line.startswith(_NOTES)]


def tree(directory: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }
