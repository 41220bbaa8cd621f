"""How each node is doing, by its own word: the newest report of each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from core.clock import format_instant, parse_instant
from core.errors import InvalidInput
from core.names import NodeName, PartnerId
from hub.services.alarms import Alarms
from hub.services.context import Caller, Context
from hub.services.registry import RegistryService
from hub.services.translog import TransparencyLog
from hub.storage import schema


@dataclass(frozen=True, slots=True)
class NodeReport:
    """A node's newest report."""

    partner: PartnerId
    node: NodeName
    time: datetime
    status: Mapping[str, Any]


class FleetService:
    """The nodes' reports. Alarms in them are logged."""

    def __init__(self, context: Context, registry: RegistryService, translog: TransparencyLog) -> None:
        self._context = context
        self._registry = registry
        self._alarms = Alarms(context, translog)

    def report_status(self, caller: Caller, status_json: bytes) -> datetime:
        """Keep a report (a JSON object of at most `status_bytes_max`); the hub's time."""
        self._registry.require_active(caller)
        bound = self._context.limits.status_bytes_max
        if len(status_json) > bound:
            raise InvalidInput(f"a status report of {len(status_json)} bytes exceeds {bound}")
        self._alarms.take(caller, _parse(status_json).get("alarms"))
        now = self._context.clock.now()
        values = {"time": format_instant(now), "report": status_json}
        with self._context.database.write(visible=False) as connection:
            connection.execute(
                insert(schema.status_reports)
                .values(partner=caller.partner, node=caller.node, **values)
                .on_conflict_do_update(index_elements=["partner", "node"], set_=values)
            )
        return now

    def reports(self) -> list[NodeReport]:
        """The newest report of each node, by partner and node."""
        table = schema.status_reports
        with self._context.database.read() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.partner, table.c.node)).all()
        return [
            NodeReport(row.partner, row.node, parse_instant(row.time), _parse(row.report)) for row in rows
        ]


def _parse(report: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(report)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("a status report is not JSON") from error
    if not isinstance(value, dict):
        raise InvalidInput("a status report is not a JSON object")
    return cast("dict[str, Any]", value)
