"""Two weeks of a fleet's past, written straight into the tables: samples, events, transfers.

Services write these as time goes by; a past is not theirs to write. Everything else of the fleet goes
through the services.

    write_history(database, members, now=now)
"""

import json
import random
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant
from core.limits import LIMITS
from deploy.demo.fleet.reports import SILENT_SINCE, Standing
from hub.storage import schema
from hub.storage.database import Database

_SEED = 14
#: About how many times smaller the made-up chunks are on the disk.
_COMPRESSED = 40


def write_history(
    database: Database,
    members: Sequence[Standing],
    used: Mapping[str, int],
    directory: Path,
    now: datetime,
) -> None:
    """Samples of 14 days, events, transfers. `used`: bytes of each owner's chunks now; `directory`: the
    hub's."""
    disk = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    free = shutil.disk_usage(directory).free
    chance = random.Random(_SEED)
    with database.write(visible=False) as connection:
        for member in members:
            if member.mood != "no report yet":
                _insert(connection, schema.node_samples, _node_samples(member, now, chance))
        _insert(connection, schema.storage_samples, _storage_samples(used, disk, free, now))
        _insert(connection, schema.events, _events(members, now))
        connection.execute(schema.transfers.delete())  # two months of uploads, within the minute of seeding
        _insert(connection, schema.transfers, _transfers(members, now))


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(table.insert(), list(rows))


def _node_samples(member: Standing, now: datetime, chance: random.Random) -> list[dict[str, Any]]:
    """In sync most of the time; a few gigabytes come each night and are fetched within hours."""
    every = timedelta(seconds=LIMITS.sample_every_s)
    at = now - timedelta(seconds=LIMITS.samples_keep_s) + every
    end = now - every - (SILENT_SINCE if member.mood == "silent" else timedelta())
    rows: list[dict[str, Any]] = []
    left, lag = 0, 0
    while at <= end:
        if chance.random() < 1 / 90:
            left += int(chance.uniform(0.1, 3.0) * 1e9)
        rate = min(left // LIMITS.sample_every_s, int(chance.uniform(0.4, 1.6) * 1e6)) if left else 0
        state = "behind" if left else "in sync"
        close = now - at
        if member.mood in ("stuck", "disk full") and close < timedelta(hours=14):
            left, rate = sum(member.bytes_left(each, 0) for each in member.lagging), 0
            state = "trouble" if member.mood == "disk full" else "stuck"
        elif member.mood == "alarm" and close < timedelta(hours=2):
            state = "alarm"
        elif member.mood == "clock" and close < timedelta(days=2):
            state = "trouble"
        lag = lag + LIMITS.sample_every_s if left else 0
        rows.append(
            {
                "partner": member.partner,
                "node": member.node,
                "time": format_instant(at),
                "state": state,
                "bytes_left": left,
                "rate_bytes_s": rate,
                "lag_s": lag,
            }
        )
        left -= rate * LIMITS.sample_every_s
        left = 0 if left < LIMITS.sample_every_s else left  # the rest of the division is fetched, too
        at += every
    return rows


def _storage_samples(used: Mapping[str, int], disk: int, free: int, now: datetime) -> list[dict[str, Any]]:
    """Growing to what lies there now: each owner's day by day, the whole directory hour by hour."""
    length = timedelta(seconds=LIMITS.samples_keep_s)
    rows: list[dict[str, Any]] = []

    def add(owner: str, ago: timedelta, now_used: int, now_disk: int) -> None:
        part = 1.0 - 0.35 * (ago / length)
        held = int(now_disk * part)
        rows.append(
            {
                "time": format_instant(now - ago),
                "owner": owner,
                "used_bytes": int(now_used * part),
                "disk_bytes": held,
                "packs": 1,
                "free_bytes": None if owner else free + now_disk - held,
            }
        )

    for day in range(1, length.days):
        for owner, held in used.items():
            add(owner, timedelta(days=day), held, held // _COMPRESSED)
    for hour in range(1, length.days * 24):
        add("", timedelta(hours=hour), disk, disk)
    return rows


def _events(members: Sequence[Standing], now: datetime) -> list[dict[str, Any]]:
    """What the hub would have noted of the nodes: the newest as they stand now, and some of last week."""
    rows: list[dict[str, Any]] = []

    def note(kind: str, severity: str, member: Standing, ago: timedelta, **detail: Any) -> None:
        rows.append(
            {
                "time": format_instant(now - ago),
                "kind": kind,
                "severity": severity,
                "partner": member.partner,
                "node": member.node,
                "detail": json.dumps(detail, ensure_ascii=False),
            }
        )

    for number, member in enumerate(members):
        if member.mood == "silent":
            heard = format_instant(now - SILENT_SINCE)
            note("node.silent", "warning", member, SILENT_SINCE - timedelta(minutes=4), last_seen=heard)
        elif member.mood == "stuck":
            left = sum(member.bytes_left(each, 0) for each in member.lagging)
            note("node.stuck", "warning", member, timedelta(hours=13), left_bytes=left)
        elif member.mood == "disk full":
            about = member.lagging[0].dataset if member.lagging else ""
            note("node.trouble", "error", member, timedelta(hours=14), reason="DISK_FULL", about=about)
        elif member.mood == "clock":
            note("node.trouble", "error", member, timedelta(days=2), reason="CLOCK_OFFSET", about="clock")
        elif member.mood == "in sync":
            ago = timedelta(days=1 + number % 5, hours=number)
            seen = format_instant(now - ago - timedelta(hours=2))
            note("node.silent", "warning", member, ago + timedelta(hours=2), last_seen=seen)
            note("node.back", "info", member, ago, silent_s=7200)
    return sorted(rows, key=lambda row: str(row["time"]))


def _transfers(members: Sequence[Standing], now: datetime) -> list[dict[str, Any]]:
    """What moves now, and what ended lately."""
    rows: list[dict[str, Any]] = []
    for number, member in enumerate(members):
        moving = member.mood in ("behind", "sending")
        up = member.mood == "sending" or member.mood == "waiting"
        about = next(
            iter(
                [each.plan.dataset for each in member.publishes]
                if up
                else [m.dataset for m in member.mirrors]
            ),
            None,
        )
        if member.mood == "behind" and member.lagging:
            about = member.lagging[0].dataset
        if member.mood in ("no report yet", "silent") or about is None:
            continue
        started = now - timedelta(minutes=9 + 7 * number)
        ended = None if moving else started + timedelta(minutes=6)
        rate = 2_400_000 if up else 1_100_000
        rows.append(
            {
                "partner": member.partner,
                "node": member.node,
                "dataset": about,
                "direction": "up" if up else "down",
                "started": format_instant(started),
                "seen": format_instant(ended or now),
                "bytes_done": rate * 360,
                "rate_bytes_s": rate if moving else 0,
                "ended": None if ended is None else format_instant(ended),
            }
        )
    return rows
