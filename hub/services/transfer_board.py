"""What moves now: each node's content, up and down, as the operator sees it.

* Streams count their bytes here, and that is all they do: an addition, no lock. A flush every second or two
  writes what has changed, in one transaction, and nothing while nothing moves.
* Streams of one node, dataset and direction that follow each other closely are one transfer: a fetch is many
  calls.
* Rows of what ended are dropped after an hour, and the oldest of too many. What a hub that was killed left
  behind is ended when the next one starts.

    moved = board.begin(caller, dataset, "down")
    moved.add(len(frame))
    moved.end()
    board.flush()                       # a duty of the server
"""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from core.clock import format_instant
from core.errors import SynclineError
from core.logs import get_logger
from hub.services.context import Caller, Context
from hub.storage import schema

_log = get_logger("hub.transfers")

Direction = Literal["up", "down"]

#: A stream that begins so soon after another belongs to the same transfer.
_JOIN_S = 10.0
_KEEP = timedelta(hours=1)
_KEEP_COUNT = 500
#: How much the newest measurement counts in the rate.
_NEWEST_SHARE = 0.5

_Key = tuple[str, str, str | None, Direction]


class Moved:
    """What one stream has moved. One thread adds at a time."""

    __slots__ = ("_board", "_key", "bytes")

    def __init__(self, board: "TransferBoard", key: _Key) -> None:
        self._board = board
        self._key = key
        self.bytes = 0

    def add(self, count: int) -> None:
        """So many bytes more."""
        self.bytes += count

    def end(self) -> None:
        """The stream has ended, however. May be said again."""
        self._board._end(self._key, self)  # pyright: ignore[reportPrivateUsage]


@dataclass(slots=True)
class _Line:
    """One transfer. `streams`: those that are open; `done`: of those that have ended."""

    number: int
    started: datetime
    seen: datetime
    streams: set[Moved] = field(default_factory=set[Moved])
    done: int = 0
    idle_since: float = 0.0
    flushed: int = 0
    flushed_at: float = 0.0
    rate: float = 0.0
    written: bool = False

    def total(self) -> int:
        return self.done + sum(stream.bytes for stream in self.streams)


class TransferBoard:
    """Counts. Thread-safe."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._clock = context.clock
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._lines: dict[_Key, _Line] = {}
        self._pruned: datetime | None = None

    def begin(self, caller: Caller, dataset: str | None, direction: Direction) -> Moved:
        """A stream has begun."""
        key: _Key = (caller.partner, caller.node, dataset, direction)
        moved, now = Moved(self, key), self._clock.now()
        with self._lock:
            line = self._lines.get(key)
            if line is None:
                line = _Line(0, now, now, flushed_at=self._clock.monotonic())
                self._lines[key] = line
            line.streams.add(moved)
        return moved

    def _end(self, key: _Key, moved: Moved) -> None:
        with self._lock:
            line = self._lines.get(key)
            if line is None or moved not in line.streams:
                return
            line.streams.discard(moved)
            line.done += moved.bytes
            line.idle_since = self._clock.monotonic()

    def start(self) -> None:
        """End what a hub that was killed left behind. By the server alone, before it serves."""
        table = schema.transfers
        with self._database.read() as connection:
            left = connection.execute(sa.select(table.c.number).where(table.c.ended.is_(None)).limit(1)).all()
        if left:
            with self._database.write(visible=False) as connection:
                connection.execute(
                    table.update().where(table.c.ended.is_(None)).values(ended=table.c.seen, rate_bytes_s=0)
                )

    def flush(self, *, last: bool = False) -> None:
        """Write what has changed. `last`: the hub stops, all has ended."""
        with self._flushing:
            now, moment = self._clock.monotonic(), self._clock.now()
            with self._lock:
                rows = [
                    row for key, line in self._lines.items() if (row := _row(key, line, now, moment, last))
                ]
                self._lines = {key: line for key, line in self._lines.items() if not _over(line, now, last)}
            if rows:
                self._write(rows, moment)

    def stop(self) -> None:
        """All has ended. Never raises."""
        try:
            self.flush(last=True)
        except SynclineError as error:
            _log.warning("what moved was not written down", problem=error.message)

    def _write(self, rows: list[tuple[_Line, dict[str, Any]]], moment: datetime) -> None:
        table = schema.transfers
        with self._database.write(visible=False) as connection:
            next_number = 1 + (connection.execute(sa.select(sa.func.max(table.c.number))).scalar() or 0)
            for line, values in rows:
                if not line.number:
                    line.number, next_number = next_number, next_number + 1
                values["number"] = line.number
            statement = insert(table)
            changing = ("seen", "bytes_done", "rate_bytes_s", "ended")
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["number"], set_={name: statement.excluded[name] for name in changing}
                ),
                [values for _, values in rows],
            )
            if self._pruned is None or abs(moment - self._pruned) > _KEEP / 4:
                _prune(connection, moment)
                self._pruned = moment


def _row(
    key: _Key, line: _Line, now: float, moment: datetime, last: bool
) -> tuple[_Line, dict[str, Any]] | None:
    """What is to be written of a transfer; None if that is what stands there."""
    total, over = line.total(), _over(line, now, last)
    if not total:
        return None
    grown, passed = total - line.flushed, now - line.flushed_at
    resting = not grown and not line.rate
    if line.written and resting and not over:
        return None
    if not grown:
        line.rate = 0.0
    elif passed > 0:
        share = _NEWEST_SHARE if line.rate else 1.0
        line.rate = share * grown / passed + (1 - share) * line.rate
    if grown:
        line.seen = moment
    line.flushed, line.flushed_at, line.written = total, now, True
    partner, node, dataset, direction = key
    return line, {
        "partner": partner,
        "node": node,
        "dataset": dataset,
        "direction": direction,
        "started": format_instant(line.started),
        "seen": format_instant(line.seen),
        "bytes_done": total,
        "rate_bytes_s": 0 if over else round(line.rate),
        "ended": format_instant(line.seen) if over else None,
    }


def _over(line: _Line, now: float, last: bool) -> bool:
    return last or (not line.streams and now - line.idle_since >= _JOIN_S)


def _prune(connection: sa.Connection, moment: datetime) -> None:
    table = schema.transfers
    connection.execute(table.delete().where(table.c.ended < format_instant(moment - _KEEP)))
    surplus = (
        sa.select(table.c.number)
        .where(table.c.ended.is_not(None))
        .order_by(table.c.number.desc())
        .offset(_KEEP_COUNT)
        .limit(_KEEP_COUNT)
    )
    connection.execute(table.delete().where(table.c.number.in_(surplus)))
