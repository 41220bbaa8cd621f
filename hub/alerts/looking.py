"""What the rules look at, read from where the pages read it.

situation = look(overview, hub, now, up_since)
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from cryptography import x509

from core.clock import format_instant
from hub.alerts.condition import Situation
from hub.overview.model import DatasetLine
from hub.overview.search import COUNT_MAX, DatasetSearch
from hub.overview.service import Overview
from hub.services.hub import Hub
from hub.storage import schema

_HOURS_LOOKED_AT = 2  # the one that runs and the one before: an hour's refusals are seen whole once


def look(overview: Overview, hub: Hub, now: datetime, up_since: datetime) -> Situation:
    """Everything, as it is now."""
    fleet = overview.fleet()
    return Situation(
        now=now,
        up_since=up_since,
        fleet=fleet,
        nodes=overview.nodes(),
        log=overview.log(),
        storage=overview.storage(),
        late=_late(overview),
        refusals=refusals_by_partner(hub, now),
        authority_expires=authority_expires(hub),
    )


def refusals_by_partner(hub: Hub, now: datetime) -> dict[str, dict[str, int]]:
    """By partner, the reasons of the worse one of the last two periods, counted."""
    table, every_s = schema.refusals, hub.context.limits.refusals_every_s
    since = format_instant(now - timedelta(seconds=_HOURS_LOOKED_AT * every_s - 1))
    query = sa.select(table.c.partner, table.c.since, table.c.reason, table.c.count).where(
        table.c.since >= since
    )
    periods: dict[str, dict[str, dict[str, int]]] = {}
    with hub.context.database.read() as connection:
        for partner, period, reason, count in connection.execute(query):
            periods.setdefault(partner, {}).setdefault(period, {})[reason] = count
    return {
        partner: max(by_period.values(), key=lambda reasons: sum(reasons.values()))
        for partner, by_period in periods.items()
    }


def authority_expires(hub: Hub) -> datetime | None:
    """When the hub's certificate authority ends; None where its certificate is not at hand."""
    try:
        pem = hub.context.layout.ca_certificate.read_bytes()
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except (OSError, ValueError):
        return None


def _late(overview: Overview) -> list[DatasetLine]:
    found: list[DatasetLine] = []
    after: str | None = None
    while True:
        page = overview.datasets(DatasetSearch(freshness="late", count=COUNT_MAX, after=after))
        found += page.lines
        after = page.next
        if after is None:
            return found
