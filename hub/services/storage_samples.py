"""How much is stored, sampled: the whole directory hour by hour, each owner's chunks when they have changed.

Sampling reads what the chunk stores know of themselves; answers read the samples alone, so that a page costs
no look at a thousand stores. Of an owner one row a day is kept, the latest; of the whole directory each hour
for two weeks and one a day before that; nothing older than `_KEEP`.

    hub.storage.sample()               # a duty of the server; also right after it has started
"""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant
from core.errors import SynclineError
from core.logs import get_logger
from core.names import PartnerId
from hub.services.context import Context
from hub.storage import schema
from sync.stores.records import PACK_SUFFIX

_log = get_logger("hub.storage")

#: The owner of the rows about the whole directory.
WHOLE = ""
_KEEP = timedelta(days=800)
_DAY_LENGTH = len("2026-11-22")


@dataclass(frozen=True, slots=True)
class Sample:
    """What is stored of one owner, or of all. `used_bytes`: as the quota counts them."""

    owner: str
    used_bytes: int
    disk_bytes: int
    packs: int
    free_bytes: int | None = None


class StorageSampler:
    """Takes samples. One at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # By owner: when its store was written last, and what it held then.
        self._looked: dict[str, tuple[tuple[int, int, int], int]] = {}

    def sample(self) -> None:
        """Take a sample now, and drop what is too old."""
        found = (self._owner(each) for each in self._context.stores.owners())
        owners = [each for each in found if each is not None]
        layout = self._context.layout
        disk_bytes = sum(each.disk_bytes for each in owners) + database_bytes(layout.database)
        free = os.statvfs(layout.directory)
        whole = Sample(
            WHOLE, disk_bytes, disk_bytes, sum(each.packs for each in owners), free.f_bavail * free.f_frsize
        )
        now = self._context.clock.now()
        with self._context.database.write(visible=False) as connection:
            latest = latest_rows(connection)
            for each in owners:
                if not _is_same(latest.get(each.owner), each):
                    _put(connection, each, now)
            _put(connection, whole, now)
            _prune(connection, now, self._context.limits.samples_keep_s)

    def _owner(self, owner: PartnerId) -> Sample | None:
        directory = self._context.layout.owner_store(owner)
        disk_bytes, packs = packs_in(directory / "packs")
        try:
            used_bytes = self._used(owner, directory)
        except SynclineError as error:
            _log.warning("a chunk store could not be read", owner=owner, problem=error.message)
            return None
        return Sample(owner, used_bytes, disk_bytes, packs)

    def _used(self, owner: PartnerId, directory: Path) -> int:
        """What the quota counts; an index that nobody has touched is not read again."""
        stat = _stat(directory)
        known = self._looked.get(owner)
        if known is not None and stat is not None and known[0] == stat:
            return known[1]
        used = self._context.stores.readable(owner).raw_bytes()
        if stat is not None:
            self._looked[owner] = stat, used
        return used


def packs_in(directory: Path) -> tuple[int, int]:
    """What the packs of a store take on the disk, and how many they are."""
    sizes: list[int] = []
    try:
        with os.scandir(directory) as found:
            for each in found:
                if each.name.endswith(PACK_SUFFIX):
                    try:
                        sizes.append(each.stat().st_size)
                    except FileNotFoundError:  # given back meanwhile
                        continue
    except FileNotFoundError:
        pass
    return sum(sizes), len(sizes)


def database_bytes(path: Path) -> int:
    """What the database and its journal take."""
    return sum(_size(Path(f"{path}{suffix}")) for suffix in ("", "-wal"))


def latest_rows(connection: sa.Connection) -> dict[str, Any]:
    """The newest row of each owner, and of the whole directory."""
    table = schema.storage_samples
    newest = (
        sa.select(table.c.owner, sa.func.max(table.c.time).label("time")).group_by(table.c.owner).subquery()
    )
    rows = connection.execute(
        sa.select(table).join(newest, sa.and_(newest.c.owner == table.c.owner, newest.c.time == table.c.time))
    )
    return {row.owner: row for row in rows}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _stat(directory: Path) -> tuple[int, int, int] | None:
    """Moves with every write to the store's packs or index."""
    packs = directory / "packs"
    try:
        newest = max((each.stat().st_mtime_ns for each in os.scandir(packs)), default=0)
        written = [each.stat().st_mtime_ns for each in directory.iterdir() if each.is_file()]
        return newest, packs.stat().st_mtime_ns, max(written, default=0)
    except FileNotFoundError:
        return None


def _is_same(row: Any, sample: Sample) -> bool:
    return row is not None and (row.used_bytes, row.disk_bytes, row.packs) == (
        sample.used_bytes,
        sample.disk_bytes,
        sample.packs,
    )


def _put(connection: sa.Connection, sample: Sample, now: datetime) -> None:
    """In the place of what stands there for this hour, or of an owner for this day."""
    table, time = schema.storage_samples, format_instant(now)
    same = time[: _DAY_LENGTH + len("T00")] if sample.owner == WHOLE else time[:_DAY_LENGTH]
    connection.execute(
        table.delete().where(
            table.c.owner == sample.owner, table.c.time >= same, table.c.time <= same + "\x7f"
        )
    )
    connection.execute(
        table.insert().values(
            owner=sample.owner,
            time=time,
            used_bytes=sample.used_bytes,
            disk_bytes=sample.disk_bytes,
            packs=sample.packs,
            free_bytes=sample.free_bytes,
        )
    )


def _prune(connection: sa.Connection, now: datetime, hours_keep_s: int) -> None:
    table = schema.storage_samples
    old, older = now - timedelta(seconds=hours_keep_s), now - _KEEP
    day = sa.func.substr(table.c.time, 1, _DAY_LENGTH)
    kept = sa.select(sa.func.max(table.c.time)).where(table.c.owner == WHOLE).group_by(day)
    connection.execute(
        table.delete().where(
            table.c.owner == WHOLE, table.c.time < format_instant(old), table.c.time.not_in(kept)
        )
    )
    connection.execute(table.delete().where(table.c.time < format_instant(older)))
