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
        self._sampled = ""
        self._latest: Mapping[str, Any] = {}

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
        rows = [row for owner, row in self._rows(connection).items() if owner != WHOLE]
        rows.sort(key=lambda row: (-row.disk_bytes, row.owner))
        return tuple(
            OwnerStorage(
                owner=row.owner,
                used_bytes=row.used_bytes,
                quota_bytes=self._context.quotas.of(row.owner),
                disk_bytes=row.disk_bytes,
                packs=row.packs,
                history=_history(connection, row.owner, _OWNER_POINTS_COUNT)
                if place < _HISTORIES_COUNT
                else (),
            )
            for place, row in enumerate(rows)
        )

    def _rows(self, connection: sa.Connection) -> Mapping[str, Any]:
        """The newest row of each owner; read again when there is a new sample, which ends with the whole."""
        table = schema.storage_samples
        newest = sa.select(sa.func.max(table.c.time)).where(table.c.owner == WHOLE)
        sampled = connection.execute(newest).scalar_one_or_none() or ""
        with self._lock:
            if sampled != self._sampled:
                self._latest, self._sampled = latest_rows(connection), sampled
            return self._latest


def _history(connection: sa.Connection, owner: str, count: int) -> tuple[StoragePoint, ...]:
    """The oldest first; of many, every so many-th, and the newest."""
    table = schema.storage_samples
    rows = connection.execute(
        sa.select(table.c.time, table.c.used_bytes, table.c.free_bytes)
        .where(table.c.owner == owner)
        .order_by(table.c.time.desc())
        .limit(count * 10)
    ).all()
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
