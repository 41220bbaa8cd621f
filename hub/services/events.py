"""What happens beside the log, noted for the operator: a node that went silent, a login refused, an alert.

* An event is a `kind` (a code of `hub.overview.wording`) and what its sentence needs: short texts and
  numbers. It is a note and no evidence: what must be proven is a leaf of the log.
* Texts may come from strangers (a login's name, a node's fault): they are cut and made storable here, and
  escaped where they are shown.
* The journal is bounded: what is older than `limits.events_keep_s`, and what is more than
  `limits.events_count_max`, is dropped by `prune`, in small steps that keep nobody waiting.

    hub.events.note("silent", "warning", partner="la-dgm", node="main", detail={"minutes": 3})
    hub.events.note("fsck", "error", detail={"problems": 2}, connection=connection)    # in that transaction
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

import sqlalchemy as sa

from core.clock import format_instant
from hub.services.context import Context
from hub.storage import schema

Severity = Literal["info", "warning", "error"]

#: What an event's sentence may be told with.
Detail = Mapping[str, str | int | None]

_TEXT_LENGTH_MAX = 500
_DETAILS_COUNT_MAX = 16
_PRUNE_COUNT = 2_000


class EventJournal:
    """Notes events. Thread-safe."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def note(
        self,
        kind: str,
        severity: Severity,
        *,
        partner: str | None = None,
        node: str | None = None,
        dataset: str | None = None,
        user: str | None = None,
        detail: Detail | None = None,
        connection: sa.Connection | None = None,
    ) -> None:
        """Note what happened now; with `connection`, in that transaction."""
        subjects = {"partner": partner, "node": node, "dataset": dataset, "user": user}
        values = {
            "time": format_instant(self._context.clock.now()),
            "kind": kind,
            "severity": severity,
            **{name: _storable(value) for name, value in subjects.items()},
            "detail": json.dumps(
                {name: _storable(value) for name, value in list((detail or {}).items())[:_DETAILS_COUNT_MAX]},
                ensure_ascii=False,
            ),
        }
        if connection is not None:
            connection.execute(schema.events.insert().values(values))
            return
        with self._context.database.write(visible=False) as own:
            own.execute(schema.events.insert().values(values))

    def prune(self) -> int:
        """Drop what is too old or too much; how many events that were. A duty of the server."""
        table, limits = schema.events, self._context.limits
        oldest = format_instant(self._context.clock.now() - timedelta(seconds=limits.events_keep_s))
        dropped = 0
        while True:
            with self._context.database.read() as connection:
                newest = connection.execute(sa.select(sa.func.max(table.c.number))).scalar_one() or 0
                numbers: set[int] = set()
                for reason in (table.c.time < oldest, table.c.number <= newest - limits.events_count_max):
                    query = sa.select(table.c.number).where(reason).limit(_PRUNE_COUNT)
                    numbers.update(connection.execute(query).scalars())
            if not numbers:
                return dropped
            with self._context.database.write(visible=False) as connection:
                connection.execute(table.delete().where(table.c.number.in_(numbers)))
            dropped += len(numbers)


def _storable(value: str | int | None) -> str | int | None:
    if not isinstance(value, str):
        return value
    # A lone surrogate cannot be stored as UTF-8.
    return value[:_TEXT_LENGTH_MAX].encode("utf-8", "replace").decode("utf-8")
