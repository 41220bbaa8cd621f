"""Gathers what the pages show when somebody scrapes, and writes it beside what the process counts.

* Asked through `Overview`, which keeps its answers for `limits.view_fresh_s`: many scrapers cost as much
  as one.
* Refusals are summed from the database, so that the counter outlives a restart; periods that are over are
  added up once.

    collector = HubCollector(hub, overview, counters)
    collector.text()                    # bytes, in OpenMetrics; blocks: for a thread
"""

import re
import threading
from collections import Counter
from collections.abc import Iterator

import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector

from hub.alerts.book import open_count
from hub.alerts.outbox import waiting_count
from hub.metrics.counters import Counters
from hub.metrics.families import Shown, families
from hub.overview.service import Overview
from hub.services.hub import Hub
from hub.storage import schema
from hub.storage.database import Database

_REASON = re.compile(r"[A-Z][A-Z0-9_]{1,63}", re.ASCII)
_REASONS_COUNT_MAX = 100


class HubCollector(Collector):
    """One a process. Thread-safe."""

    def __init__(self, hub: Hub, overview: Overview, counters: Counters) -> None:
        self._hub = hub
        self._overview = overview
        self._counters = counters
        self._refusals = RefusalSums(hub.context.database)
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """Everything, as OpenMetrics. Raises what reading the database raises."""
        own = generate_latest(self._registry).removesuffix(b"# EOF\n")
        return own + generate_latest(self._counters.registry)

    def describe(self) -> Iterator[Metric]:
        """Nothing: names are checked by a test, not at every start."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """What the pages show, as metric families."""
        fleet = self._overview.fleet()
        database = self._hub.context.database
        shown = Shown(
            fleet=fleet,
            nodes=self._overview.nodes(),
            log=self._overview.log(),
            storage=self._overview.storage(),
            refusals=self._refusals.now(),
            alerts_open=open_count(database),
            letters_waiting=waiting_count(database),
            withheld=withheld_count(database),
        )
        return families(shown, self._hub.context.limits)


class RefusalSums:
    """Refusals since the hub was founded, by reason; only the newest period is read again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._until = ""
        self._past: Counter[str] = Counter()

    def now(self) -> Counter[str]:
        """The sums. Reasons that are none of ours, or too many, count as OTHER."""
        table = schema.refusals
        with self._lock:
            query = (
                sa.select(table.c.since, table.c.reason, sa.func.sum(table.c.count).label("number"))
                .where(table.c.since >= self._until)
                .group_by(table.c.since, table.c.reason)
                .order_by(table.c.since)
            )
            with self._database.read() as connection:
                rows = connection.execute(query).all()
            newest = rows[-1].since if rows else self._until
            sums = Counter(self._past)
            for row in rows:
                reason = _bounded(row.reason, sums)
                sums[reason] += row.number
                if row.since < newest:
                    self._past[reason] += row.number
            self._until = newest
        return sums


def withheld_count(database: Database) -> int:
    """Datasets whose newest version's bytes their owner keeps."""
    datasets, versions = schema.datasets, schema.versions
    inner = versions.alias()
    newest = (
        sa.select(sa.func.max(inner.c.seq)).where(inner.c.dataset == datasets.c.dataset).scalar_subquery()
    )
    query = (
        sa.select(sa.func.count())
        .select_from(datasets)
        .join(versions, sa.and_(versions.c.dataset == datasets.c.dataset, versions.c.seq == newest))
        .where(versions.c.root.is_(None))
    )
    with database.read() as connection:
        return connection.execute(query).scalar_one()


def _bounded(reason: str, known: Counter[str]) -> str:
    if not _REASON.fullmatch(reason) or (reason not in known and len(known) >= _REASONS_COUNT_MAX):
        return "OTHER"
    return reason
