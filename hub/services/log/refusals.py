"""Refused calls, counted: the log says each hour how many there were and why, never one by one.

Counted in memory, kept in the database at most a minute later; one leaf for each whole period
(`limits.refusals_every_s`, counted from 1970), also when nothing was refused: the log's heartbeat. A hub that
was down makes one leaf for all periods that it missed.

    refusals.count("la-dgm", "NOT_GRANTED")      # from any thread, costs nothing
    refusals.perform()                           # every minute
"""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from core.clock import format_instant
from hub.services.context import Context
from hub.services.translog import Record, TransparencyLog
from hub.storage import schema
from security.canonical import JSON

#: Different (partner, reason) in a period; what comes beyond is counted as OTHER of nobody.
_KINDS_COUNT_MAX = 10_000
_OTHER = ("", "OTHER")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Refusals:
    """Counts and logs them. Thread-safe."""

    def __init__(self, context: Context, translog: TransparencyLog) -> None:
        self._database = context.database
        self._clock = context.clock
        self._every_s = context.limits.refusals_every_s
        self._translog = translog
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def count(self, partner: str | None, reason: str) -> None:
        """One more refusal; `partner` None where it is not known who called."""
        since = format_instant(self._period(self._clock.now()))
        with self._lock:
            key = since, partner or "", reason
            if key not in self._counts and len(self._counts) >= _KINDS_COUNT_MAX:
                key = since, *_OTHER
            self._counts[key] += 1

    def flush(self) -> None:
        """Keep what was counted."""
        if self._counts:
            with self._database.write(visible=False) as connection:
                taken = self._taken()
                self._keep(connection, taken)

    def perform(self) -> None:
        """Keep what was counted, and log the periods that have ended."""
        until = format_instant(self._period(self._clock.now()))
        if not self._counts and not self._is_due(until):
            return
        with self._database.write(visible=False) as connection:
            self._keep(connection, self._taken())
            self._log(connection, until)

    def _is_due(self, until: str) -> bool:
        with self._database.read() as connection:
            logged = _logged_until(connection)
        return logged is None or logged < until

    def _taken(self) -> Counter[tuple[str, str, str]]:
        with self._lock:
            taken, self._counts = self._counts, Counter()
        return taken

    def _keep(self, connection: sa.Connection, counts: Counter[tuple[str, str, str]]) -> None:
        table = schema.refusals
        # After the clock was set back, the period may be one that is logged already.
        earliest = _logged_until(connection) or ""
        for (since, partner, reason), number in counts.items():
            connection.execute(
                insert(table)
                .values(since=max(since, earliest), partner=partner, reason=reason, count=number)
                .on_conflict_do_update(
                    index_elements=["since", "partner", "reason"], set_={"count": table.c.count + number}
                )
            )

    def _log(self, connection: sa.Connection, until: str) -> None:
        """One leaf for everything that ended and is not logged yet. The first time, counting begins."""
        logged = _logged_until(connection)
        if logged is not None and logged >= until:
            return
        leaf = None
        if logged is not None:
            table = schema.refusals
            rows = connection.execute(
                sa.select(table.c.reason, sa.func.sum(table.c.count).label("number"))
                .where(table.c.since >= logged, table.c.since < until)
                .group_by(table.c.reason)
            )
            counts: dict[str, JSON] = {row.reason: row.number for row in rows}
            detail: dict[str, JSON] = {"from": logged, "to": until, "counts": counts}
            record = Record(type="refusals", actor="hub", object="hour", owner=None, detail=detail)
            leaf = self._translog.append(connection, record)
        connection.execute(schema.refusal_periods.insert().values(until=until, leaf=leaf))

    def _period(self, now: datetime) -> datetime:
        """When the period began in which `now` lies."""
        seconds = int((now - _EPOCH).total_seconds())
        return _EPOCH + timedelta(seconds=seconds - seconds % self._every_s)


def _logged_until(connection: sa.Connection) -> str | None:
    return connection.execute(sa.select(sa.func.max(schema.refusal_periods.c.until))).scalar_one_or_none()
