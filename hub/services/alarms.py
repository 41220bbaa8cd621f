"""Witnesses' alarms: what a node's report says of them is logged, once each.

A report is a node's own word and may hold anything: what is not an alarm is passed over, and no node fills
the log with alarms (`_ALARMS_COUNT_MAX`).

    alarms.take(connection, caller, alarms_of(report["alarms"]))
    # [{"id": "…", "kind": "two-histories", "since": "…"}, …]
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa

from core.clock import format_instant
from core.logs import get_logger
from hub.services.context import Caller, Context
from hub.services.translog import Record, TransparencyLog
from hub.storage import schema

_log = get_logger("hub.alarms")

#: Alarms that are logged for one node, ever.
_ALARMS_COUNT_MAX = 200
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", re.ASCII)
_KIND = re.compile(r"[a-z][a-z-]{0,31}", re.ASCII)
_SINCE_LENGTH_MAX = 32


@dataclass(frozen=True, slots=True)
class ReportedAlarm:
    """An alarm as a node tells it. `since` is the node's own text."""

    id: str
    kind: str
    since: str | None


def alarms_of(value: object) -> list[ReportedAlarm]:
    """The alarms in a report's member `alarms`, whatever else it holds."""
    found: dict[str, ReportedAlarm] = {}
    for item in cast("list[Any]", value) if isinstance(value, list) else []:
        if not isinstance(item, dict):
            continue
        fields = cast("dict[str, Any]", item)
        name, kind, since = fields.get("id"), fields.get("kind"), fields.get("since")
        if not (isinstance(name, str) and _ID.fullmatch(name)):
            continue
        if not (isinstance(kind, str) and _KIND.fullmatch(kind)):
            continue
        told = since if isinstance(since, str) and len(since) <= _SINCE_LENGTH_MAX else None
        found.setdefault(name, ReportedAlarm(name, kind, told))
    return list(found.values())


class Alarms:
    """Logs alarms."""

    def __init__(self, context: Context, translog: TransparencyLog) -> None:
        self._context = context
        self._translog = translog

    def take(self, connection: sa.Connection, caller: Caller, reported: Sequence[ReportedAlarm]) -> None:
        """Log the alarms of a report that are not logged yet, in the transaction that keeps the report."""
        for each in _new(connection, caller, reported):
            self._log(connection, caller, each)

    def _log(self, connection: sa.Connection, caller: Caller, alarm: ReportedAlarm) -> None:
        _log.error(
            "a node raises an alarm", partner=caller.partner, node=caller.node, kind=alarm.kind, id=alarm.id
        )
        leaf = self._translog.append(
            connection,
            Record(
                type="alarm",
                actor=caller.partner,
                object=alarm.id,
                owner=None,
                detail={"node": caller.node, "kind": alarm.kind},
            ),
        )
        connection.execute(
            schema.alarms.insert().values(
                partner=caller.partner,
                node=caller.node,
                id=alarm.id,
                kind=alarm.kind,
                since=alarm.since,
                reported=format_instant(self._context.clock.now()),
                leaf=leaf,
            )
        )


def _new(connection: sa.Connection, caller: Caller, reported: Sequence[ReportedAlarm]) -> list[ReportedAlarm]:
    """Those that are not logged yet, as far as this node may have more."""
    table = schema.alarms
    known = set(
        connection.execute(
            sa.select(table.c.id).where(table.c.partner == caller.partner, table.c.node == caller.node)
        ).scalars()
    )
    new = [each for each in reported if each.id not in known]
    return new[: max(0, _ALARMS_COUNT_MAX - len(known))]
