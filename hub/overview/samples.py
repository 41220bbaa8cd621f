"""The nodes' lines: how each stood, some times an hour, as the running hub has written it.

`Samples` keeps the last day of all nodes, and reads what was added since its last look; `history` reads one
partner's nodes for some days.

    line = samples.read(connection, now)["la-dgm", "main"]
    line.still.since, line.backlog(now)
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from core.limits import Limits
from hub.overview.model import WORST_FIRST, Sample
from hub.overview.node_state import Stillness, first_still
from hub.overview.reports import Key
from hub.storage import schema

#: The last day, in half hours.
STEPS = 48
_STEP_S = 1800
_STATES = frozenset(WORST_FIRST)

_ROWS = (
    sa.select(schema.node_samples)
    .where(schema.node_samples.c.time >= sa.bindparam("since"))
    .order_by(schema.node_samples.c.time)
)
_COUNT = (
    sa.select(sa.func.count())
    .select_from(schema.node_samples)
    .where(schema.node_samples.c.time >= sa.bindparam("since"))
)


@dataclass(slots=True)
class Line:
    """One node's last day. `steps`: the most that was left, by half hour since the epoch."""

    last: datetime
    state: str
    still: Stillness
    steps: dict[int, int] = field(default_factory=dict[int, int])


def step_of(moment: datetime) -> int:
    """The half hour, counted from the epoch."""
    return int(moment.timestamp()) // _STEP_S


def backlog(lines: Iterable[Line], now: datetime) -> tuple[int | None, ...]:
    """The last day of some nodes together, the oldest first; None where none was sampled."""
    end = step_of(now)
    together: list[int | None] = [None] * STEPS
    for line in lines:
        for step, left in line.steps.items():
            place = step - end + STEPS - 1
            if 0 <= place < STEPS:
                together[place] = (together[place] or 0) + left
    return tuple(together)


class Samples:
    """The last day of all nodes. Thread-safe; a `Line` belongs to its reader while nobody else reads."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._lines: dict[Key, Line] = {}
        self._since: str | None = None  # the newest second of which samples were read, and how many
        self._seen = 0

    def read(self, connection: sa.Connection, now: datetime) -> Mapping[Key, Line]:
        """By partner and node, as `connection` sees them."""
        with self._lock:
            # By the index alone: mostly nothing is new, and the newest second may have a thousand rows.
            if self._since and connection.execute(_COUNT, {"since": self._since}).scalar_one() == self._seen:
                return self._lines
            since = self._since or format_instant(now - timedelta(seconds=STEPS * _STEP_S))
            rows = connection.execute(_ROWS, {"since": since}).all()
            for row in rows:
                self._add(row)
            if rows:
                self._since = rows[-1].time
                self._seen = sum(row.time == self._since for row in rows)
            return self._lines

    def _add(self, row: Any) -> None:
        key, time = (row.partner, row.node), parse_instant(row.time)
        line = self._lines.get(key)
        if line is None:
            line = Line(time, row.state, first_still(time, row.state, row.bytes_left))
            self._lines[key] = line
        elif time <= line.last:
            return
        else:
            line.still = line.still.after(time, row.state, row.bytes_left, row.rate_bytes_s, self._limits)
            line.last, line.state = time, row.state
        if row.bytes_left is not None:
            step = step_of(time)
            line.steps[step] = max(line.steps.get(step, 0), row.bytes_left)
            if len(line.steps) > STEPS:
                for old in [each for each in line.steps if each <= step - STEPS]:
                    del line.steps[old]


def history(connection: sa.Connection, partner: str, since: datetime) -> dict[str, list[Sample]]:
    """One partner's nodes, the oldest sample first."""
    table = schema.node_samples
    rows = connection.execute(
        sa.select(table)
        .where(table.c.partner == partner, table.c.time >= format_instant(since))
        .order_by(table.c.node, table.c.time)
    )
    found: dict[str, list[Sample]] = {}
    for row in rows:
        if row.state in _STATES:
            found.setdefault(row.node, []).append(
                Sample(
                    time=parse_instant(row.time),
                    state=row.state,
                    bytes_left=row.bytes_left,
                    rate_bytes_s=row.rate_bytes_s,
                    lag_s=row.lag_s,
                )
            )
    return found
