"""The past of a large fleet, straight into the tables: samples of nodes and storage, events, transfers.

write_history(database, tables, now, days=14)
"""

import json
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from benchmarks.large_tables import Tables
from core.clock import format_instant
from core.limits import GIB, LIMITS
from hub.storage import schema
from hub.storage.database import Database

_EVENTS_OF_ONE = 20
_MOVING = 40

_SAMPLES = (
    "INSERT INTO node_samples (partner, node, time, state, bytes_left, rate_bytes_s, lag_s)"
    " VALUES (?, 'main', ?, ?, ?, ?, ?)"
)


def write_history(database: Database, tables: Tables, now: datetime, days: float) -> None:
    """`days` back, as densely as a running hub samples."""
    with database.write(visible=False) as connection:
        _node_samples(connection, tables, now, days)
        connection.execute(schema.storage_samples.insert(), _storage_samples(tables, now, days))
        connection.execute(schema.events.insert(), _events(tables, now, days))
        connection.execute(schema.transfers.insert(), _transfers(tables, now))


def _node_samples(connection: sa.Connection, tables: Tables, now: datetime, days: float) -> None:
    count = int(min(days * 86400, LIMITS.samples_keep_s) // LIMITS.sample_every_s)
    for back in range(count, 0, -1):
        time = format_instant(now - timedelta(seconds=back * LIMITS.sample_every_s))
        rows: list[tuple[Any, ...]] = []
        for place, partner in enumerate(tables.partners):
            works = (back + place) % 36 < 3 or (tables.is_behind(place) and back < 10)
            left = (1 + place % 7) * 50_000_000 if works else 0
            rows.append((partner, time, "behind" if works else "in sync", left, left // 600, 600 * works))
        connection.exec_driver_sql(_SAMPLES, rows)


def _storage_samples(tables: Tables, now: datetime, days: float) -> list[dict[str, Any]]:
    def row(owner: str, back: timedelta, used: int, free: int | None) -> dict[str, Any]:
        return {
            "owner": owner,
            "time": format_instant(now - back),
            "used_bytes": used,
            "disk_bytes": used // 2,
            "packs": 1 + used // GIB,
            "free_bytes": free,
        }

    whole = [
        row("", timedelta(hours=hour), (900 - hour) * GIB, (2000 + hour) * GIB)
        for hour in range(int(days * 24), 0, -1)
    ]
    owners = [
        row(partner, timedelta(days=day, minutes=5), (place + 20 - day) * GIB // 20, None)
        for place, partner in enumerate(tables.partners)
        for day in range(max(1, int(days)), 0, -1)
    ]
    return whole + owners


def _events(tables: Tables, now: datetime, days: float) -> list[dict[str, Any]]:
    count = _EVENTS_OF_ONE * len(tables.partners)
    found: list[dict[str, Any]] = []
    for number in range(count):
        time = now - timedelta(days=days) * (1 - number / count)
        seen = format_instant(time - timedelta(hours=1))
        silent = number % 2 == 0
        detail = {"last_seen": seen} if silent else {"silent_s": 3600}
        found.append(
            {
                "time": format_instant(time),
                "kind": "node.silent" if silent else "node.back",
                "severity": "warning" if silent else "info",
                "partner": tables.partners[number // 2 % len(tables.partners)],
                "node": "main",
                "detail": json.dumps(detail),
            }
        )
    return found


def _transfers(tables: Tables, now: datetime) -> list[dict[str, Any]]:
    """Some that ended lately; what moves now the running hub would have to see itself."""
    return [
        {
            "partner": partner,
            "node": "main",
            "dataset": tables.published(place)[0].dataset,
            "direction": "up",
            "started": format_instant(now - timedelta(minutes=9)),
            "seen": format_instant(now - timedelta(minutes=2)),
            "bytes_done": 400_000_000,
            "rate_bytes_s": 1_000_000,
            "ended": format_instant(now - timedelta(minutes=2)),
        }
        for place, partner in enumerate(tables.partners[:_MOVING])
    ]
