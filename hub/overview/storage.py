"""What is stored, how it grows, and when the hub's disk will be full: from samples, and one look at the disk.

reader.view().disk.days_left
reader.used()["la-dgm"]                  # what the quota counts, as last sampled
reader.of_owner("la-dgm")                # its history, for the partner's page
"""

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.clock import parse_instant
from hub.overview.hub_line import hub_disk
from hub.overview.model import BackupView, OwnerStorage, StoragePoint, StorageView
from hub.services.context import Context
from hub.services.storage_samples import WHOLE, database_bytes, latest_rows
from hub.storage import schema

_POINTS_COUNT = 200
_OWNER_POINTS_COUNT = 30
#: Owners whose history is drawn: those with most.
_HISTORIES_COUNT = 50
_BACKUPS_COUNT = 50


class StorageReader:
    """Answers `storage`. Thread-safe."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        # As of the newest sample; read again when there is another, which ends with the whole.
        self._sampled = ""
        self._latest: Mapping[str, Any] = {}
        self._by_owner: tuple[OwnerStorage, ...] | None = None

    def view(self) -> StorageView:
        """As of now."""
        with self._context.database.read() as connection:
            owners = self._owners(connection)
            fsck_time, fsck_problems = _fsck(connection)
            return StorageView(
                disk=hub_disk(connection, self._context.layout, self._context.clock.now()),
                database_bytes=database_bytes(self._context.layout.database),
                owners=owners,
                history=_history(connection, WHOLE, _POINTS_COUNT),
                fsck_time=fsck_time,
                fsck_problems=fsck_problems,
                backups=_backups(connection),
            )

    def used(self, connection: sa.Connection | None = None) -> dict[str, int]:
        """What the quota counts of each owner, as last sampled."""
        if connection is None:
            with self._context.database.read() as own:
                return self.used(own)
        rows = self._rows(connection)
        return {owner: row.used_bytes for owner, row in rows.items() if owner != WHOLE}

    def of_owner(self, owner: str) -> tuple[StoragePoint, ...]:
        """How much an owner had stored, by the quota's count."""
        with self._context.database.read() as connection:
            return _history(connection, owner, _POINTS_COUNT)

    def _owners(self, connection: sa.Connection) -> tuple[OwnerStorage, ...]:
        """Those with most first; kept until there is a new sample."""
        by_owner = self._rows(connection)
        with self._lock:
            if self._by_owner is None or self._latest is not by_owner:
                rows = [row for owner, row in by_owner.items() if owner != WHOLE]
                rows.sort(key=lambda row: (-row.disk_bytes, row.owner))
                found = tuple(self._owner(connection, row, place) for place, row in enumerate(rows))
                if self._latest is not by_owner:
                    return found
                self._by_owner = found
            return self._by_owner

    def _owner(self, connection: sa.Connection, row: Any, place: int) -> OwnerStorage:
        return OwnerStorage(
            owner=row.owner,
            used_bytes=row.used_bytes,
            quota_bytes=self._context.quotas.of(row.owner),
            disk_bytes=row.disk_bytes,
            packs=row.packs,
            history=_history(connection, row.owner, _OWNER_POINTS_COUNT) if place < _HISTORIES_COUNT else (),
        )

    def _rows(self, connection: sa.Connection) -> Mapping[str, Any]:
        """The newest row of each owner."""
        table = schema.storage_samples
        newest = sa.select(sa.func.max(table.c.time)).where(table.c.owner == WHOLE)
        sampled = connection.execute(newest).scalar_one_or_none() or ""
        with self._lock:
            if sampled != self._sampled:
                self._latest, self._sampled = latest_rows(connection), sampled
                self._by_owner = None
            return self._latest


_HISTORY = (
    sa.select(
        schema.storage_samples.c.time,
        schema.storage_samples.c.used_bytes,
        schema.storage_samples.c.free_bytes,
    )
    .where(schema.storage_samples.c.owner == sa.bindparam("owner"))
    .order_by(schema.storage_samples.c.time.desc())
    .limit(sa.bindparam("count"))
)


def _history(connection: sa.Connection, owner: str, count: int) -> tuple[StoragePoint, ...]:
    """The oldest first; of many, every so many-th, and the newest."""
    rows = connection.execute(_HISTORY, {"owner": owner, "count": count * 10}).all()
    step = -(-len(rows) // count) or 1
    return tuple(
        StoragePoint(time=parse_instant(row.time), used_bytes=row.used_bytes, free_bytes=row.free_bytes)
        for row in reversed(rows[::step])
    )


def _fsck(connection: sa.Connection) -> tuple[datetime | None, int | None]:
    """When `fsck` was last run, and how many problems it found."""
    table = schema.events
    row = connection.execute(
        sa.select(table.c.time, sa.func.json_extract(table.c.detail, "$.problems").label("problems"))
        .where(table.c.kind == "fsck")
        .order_by(table.c.number.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None, None
    return parse_instant(row.time), row.problems if isinstance(row.problems, int) else None


def _backups(connection: sa.Connection) -> tuple[BackupView, ...]:
    table = schema.backups
    rows = connection.execute(sa.select(table).order_by(table.c.number.desc()).limit(_BACKUPS_COUNT))
    return tuple(
        BackupView(
            time=parse_instant(row.time),
            place=row.place,
            snapshot=row.snapshot,
            bytes_added=row.bytes_added,
            bytes_total=row.bytes_total,
            log_size=row.log_size,
        )
        for row in rows
    )
