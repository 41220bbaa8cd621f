"""What publishing nodes say of their datasets beside the versions: cadence, footprint, period.

Taken only from the node that publishes the dataset, as `datasets` has it; what was read from a report was
checked there (`hub.overview.report`). Rows are written when something changed.

    taken = facts.take(connection, [(caller, report.facts)], now, revision)   # in the reports' transaction
    facts.remember(taken)                                             # when that is committed
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from core.clock import format_instant
from hub.overview.report import Facts
from hub.services.context import Caller
from hub.storage import schema

_ASKED_COUNT = 500

Stored = tuple[str | None, str | None, str | None, str | None]
"""`update_frequency`, `next_update`, `footprint`, `period` as the table has them."""

Said = tuple[str, Facts]
"""A node, and what it says of a dataset."""


class DatasetFacts:
    """Remembers what it has written. Its caller serialises."""

    def __init__(self) -> None:
        # Of each dataset who said it last: one that moves to another node and back is not what it was.
        self._known: dict[str, Said] = {}

    def take(
        self,
        connection: sa.Connection,
        said: Iterable[tuple[Caller, Sequence[Facts]]],
        now: datetime,
        revision: int,
    ) -> Mapping[str, Said]:
        """Write what is new of what nodes say of datasets that are theirs; what stands there now.

        `revision`: the database's, with this transaction.
        """
        news: dict[tuple[str, str], Facts] = {}
        for caller, facts in said:
            own = f"{caller.partner}/"
            for each in facts:
                if self._known.get(each.dataset) != (caller.node, each) and each.dataset.startswith(own):
                    news[each.dataset, caller.node] = each
        taken: dict[str, Said] = {}
        changed: list[dict[str, Any]] = []
        names = sorted({dataset for dataset, _ in news})
        for first in range(0, len(names), _ASKED_COUNT):
            for row in connection.execute(_standing(names[first : first + _ASKED_COUNT])):
                facts = news.get((row.dataset, row.node))
                if facts is None:
                    continue  # another node publishes it
                taken[row.dataset] = row.node, facts
                stored = _stored(facts)
                if (row.update_frequency, row.next_update, row.footprint, row.period) != stored:
                    changed.append({**_row(row.dataset, stored, now), "revision": revision})
        if changed:
            statement = insert(schema.dataset_facts)
            columns = {name: statement.excluded[name] for name in changed[0] if name != "dataset"}
            connection.execute(
                statement.on_conflict_do_update(index_elements=["dataset"], set_=columns), changed
            )
        return taken

    def remember(self, taken: Mapping[str, Said]) -> None:
        """What `take` answered is committed."""
        self._known.update(taken)


def _standing(names: Sequence[str]) -> sa.Select[Any, Any, Any, Any, Any, Any]:
    """Who publishes these, and what was said of them so far."""
    datasets, facts = schema.datasets, schema.dataset_facts
    return (
        sa.select(
            datasets.c.dataset,
            datasets.c.node,
            facts.c.update_frequency,
            facts.c.next_update,
            facts.c.footprint,
            facts.c.period,
        )
        .outerjoin(facts, facts.c.dataset == datasets.c.dataset)
        .where(datasets.c.dataset.in_(names))
    )


def _stored(facts: Facts) -> Stored:
    footprint = None
    if facts.bbox is not None:
        footprint = json.dumps({"bbox": facts.bbox, "source": facts.bbox_source})
    period = None
    if facts.begin is not None or facts.end is not None:
        period = json.dumps({"begin": facts.begin, "end": facts.end, "source": facts.period_source})
    next_update = None if facts.next_update is None else format_instant(facts.next_update)
    return facts.update_frequency, next_update, footprint, period


def _row(dataset: str, stored: Stored, now: datetime) -> dict[str, Any]:
    update_frequency, next_update, footprint, period = stored
    return {
        "dataset": dataset,
        "time": format_instant(now),
        "update_frequency": update_frequency,
        "next_update": next_update,
        "footprint": footprint,
        "period": period,
    }
