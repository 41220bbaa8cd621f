"""The hub itself, in a line: whether it runs, until when its papers hold, how full its disk is.

line = reader.read(connection, now)          # a HubView
"""

import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from hub.config import HubSettings
from hub.layout import Layout
from hub.lock import is_running
from hub.overview.model import Disk, HubView
from hub.services.hub import Hub, software_version
from hub.storage import schema
from security.certificates import validity

#: How the disk went lately: over so many days, of which at least one must have been sampled.
_LATELY = timedelta(days=7)
_LEAST = timedelta(days=1)
_DAYS_MAX = 10_000.0


class HubReader:
    """Keeps what does not change by itself. Its caller serialises."""

    def __init__(self, hub: Hub, settings: HubSettings) -> None:
        self._hub = hub
        self._settings = settings
        self._version = software_version()
        self._certificate: tuple[int, datetime] | None = None

    def read(self, connection: sa.Connection, now: datetime) -> HubView:
        """The hub as of now."""
        settings = self._settings
        registry = self._hub.registry.current().registry
        return HubView(
            name=settings.hub.name,
            federation=settings.hub.federation,
            running=is_running(settings.layout),
            version=self._version,
            address=settings.hub.address,
            time=now,
            registry_seq=registry.seq,
            registry_expires=registry.expires,
            certificate_expires=self._certificate_expires(),
            last_backup=_last_backup(connection),
            disk=hub_disk(connection, settings.layout, now),
        )

    def _certificate_expires(self) -> datetime:
        path = self._settings.layout.server_certificate
        changed = path.stat().st_mtime_ns
        if self._certificate is None or self._certificate[0] != changed:
            self._certificate = changed, validity(path.read_bytes())[1]
        return self._certificate[1]


def hub_disk(connection: sa.Connection, layout: Layout, now: datetime) -> Disk:
    """The disk of the hub's directory, and when it will be full if it goes on as in the last week."""
    use = shutil.disk_usage(layout.directory)
    table = schema.storage_samples
    rows = connection.execute(
        sa.select(table.c.time, table.c.free_bytes)
        .where(
            table.c.owner == "",
            table.c.time >= format_instant(now - _LATELY),
            table.c.free_bytes.is_not(None),
        )
        .order_by(table.c.time)
    ).all()
    return Disk(
        name=str(layout.directory),
        free_bytes=use.free,
        total_bytes=use.total,
        days_left=days_left(rows, use.free, now),
    )


def days_left(rows: Sequence[Any], free_bytes: int, now: datetime) -> float | None:
    """Until `free_bytes` are used up, from (time, free) pairs, the oldest first; None: it is not filling."""
    if not rows:
        return None
    since, before = parse_instant(rows[0][0]), rows[0][1]
    passed, used = now - since, before - free_bytes
    if passed < _LEAST or used <= 0:
        return None
    days = free_bytes / (used / passed.total_seconds()) / 86_400
    return round(min(days, _DAYS_MAX), 1)


def _last_backup(connection: sa.Connection) -> datetime | None:
    newest = connection.execute(sa.select(sa.func.max(schema.backups.c.time))).scalar_one_or_none()
    return None if newest is None else parse_instant(newest)
