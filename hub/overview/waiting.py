"""What waits for a decision, read from the database: requests to join, unsigned acts, second persons, alarms.

Found small or empty at almost every look; each is a query of a millisecond.

    waiting.requests_to_join(connection), waiting.unsigned(connection), waiting.acknowledged(connection)
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa

from core.clock import format_instant
from core.limits import Limits
from hub.overview import claims
from hub.overview.attention import OpenAlarm, Request, Unsigned, Waiting
from hub.overview.reports import NodeReport
from hub.services.invitations import JOINED
from hub.storage import schema
from security.join import format_fingerprint

_SINCE_LENGTH_MAX = 32
_OBJECT_LENGTH_MAX = 128


def requests_to_join(connection: sa.Connection) -> list[Waiting]:
    """Nodes that have joined and wait for the operator, the first first."""
    table = schema.enrolments
    rows = connection.execute(
        sa.select(table.c.partner, table.c.node, table.c.join_sha256)
        .where(table.c.state == JOINED)
        .order_by(table.c.number)
    )
    return [Waiting(row.partner, row.node, format_fingerprint(row.join_sha256)) for row in rows]


def unsigned(connection: sa.Connection) -> list[Unsigned]:
    """Acts that wait for the administrators' signatures."""
    acts, enrolments = schema.pending_acts, schema.enrolments
    rows = connection.execute(
        sa.select(acts.c.kind, acts.c.partner, enrolments.c.node)
        .outerjoin(enrolments, enrolments.c.number == acts.c.enrolment)
        .where(acts.c.done.is_(None))
        .order_by(acts.c.number)
    )
    return [Unsigned(row.kind, row.partner, row.node) for row in rows]


def requests(connection: sa.Connection, now: datetime, limits: Limits) -> list[Request]:
    """Acts that a second person must confirm and that are not over by their age."""
    table = schema.act_requests
    oldest = format_instant(now - timedelta(seconds=limits.act_request_valid_s))
    rows = connection.execute(
        sa.select(table.c.number, table.c.act, table.c.detail, table.c.asked_by)
        .where(table.c.outcome.is_(None), table.c.asked >= oldest)
        .order_by(table.c.number)
    )
    return [Request(row.number, row.act, row.asked_by, _object(row.detail)) for row in rows]


def acknowledged(connection: sa.Connection) -> set[tuple[str, str, str]]:
    """Alarms that the operator has answered: partner, node, id."""
    table = schema.alarm_acknowledgements
    rows = connection.execute(sa.select(table.c.partner, table.c.node, table.c.id))
    return {(row.partner, row.node, row.id) for row in rows}


def open_alarms(
    seen: Iterable[NodeReport], acknowledged: set[tuple[str, str, str]]
) -> dict[tuple[str, str], list[OpenAlarm]]:
    """By node, what its newest report still holds and nobody has answered."""
    found: dict[tuple[str, str], list[OpenAlarm]] = {}
    for each in seen:
        for alarm in each.report.alarms:
            if (each.partner, each.node, alarm.id) not in acknowledged:
                since = claims.word(alarm.since, _SINCE_LENGTH_MAX)
                found.setdefault((each.partner, each.node), []).append(
                    OpenAlarm(each.partner, each.node, alarm.id, alarm.kind, since)
                )
    return found


def _object(detail: str) -> str:
    try:
        value = claims.table(json.loads(detail))
    except (ValueError, RecursionError):
        return ""
    parts = [claims.text(value.get(name), _OBJECT_LENGTH_MAX) for name in ("partner", "node")]
    return "/".join(part for part in parts if part)
