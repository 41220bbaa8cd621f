"""A hub whose overview shows what a test wants, and channels that remember what they were given."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from core.errors import Unavailable
from core.limits import LIMITS
from hub.alerts.letter import Letter
from hub.alerts.watch import AlertWatch
from hub.config import HubSettings, HubTable
from hub.config_operator import AlertsTable, WebTable
from hub.storage import schema
from tests.simulation.clock import ManualClock
from tests.simulation.federation import TestFederation, make_federation
from tests.unit.hub_alerts import views


@dataclass
class RememberingChannel:
    """Takes letters, or fails as `fault` says."""

    name: str = "webhook"
    fault: Unavailable | None = None
    tried: list[str] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)

    def send(self, letter: Letter) -> str:
        self.tried.append(letter.id)
        if self.fault is not None:
            raise self.fault
        self.letters.append(letter)
        return ""

    def stop(self) -> None:
        pass


class Alerting:
    """The watch over a real database. `look` lets time pass and looks; the letters that came of it."""

    def __init__(self, federation: TestFederation, clock: ManualClock, *channels: Any, **alerts: Any) -> None:
        self.federation = federation
        self.clock = clock
        self.overview = views.FakeOverview()
        self.channels = channels or (RememberingChannel(),)
        self.settings = HubSettings(
            hub=HubTable(
                name="Mekong Geoscience",
                federation="test-geo",
                directory=str(federation.host.hub.context.layout.directory),
                address="hub.example.org:7443",
                enrol_address="hub.example.org:7444",
            ),
            web=WebTable(url="https://hub.example.org"),
            alerts=AlertsTable(**alerts),
        )
        self.show = self._in_order
        self.everybody = ["main"]
        self.restart()
        # Nodes have had the time to come back.
        clock.advance(LIMITS.alert_reconnect_s)

    def restart(self) -> None:
        self.watch = AlertWatch(
            self.federation.hub,
            self.overview,
            self.settings,
            self.channels,
            self.clock,  # type: ignore[arg-type]
        )

    def _in_order(self) -> list[Any]:
        return [views.node(now=self.clock.now())]

    def look(self, seconds: float = 30) -> list[Letter]:
        self.clock.advance(seconds)
        self.overview.show(*self.show(), now=self.clock.now())
        before = len(self.channels[0].letters)
        self.watch.perform()
        return self.channels[0].letters[before:]

    def pass_time(self, seconds: float, every: float = 30) -> list[Letter]:
        """Look again and again."""
        found: list[Letter] = []
        for _ in range(int(seconds / every)):
            found += self.look(every)
        return found

    def silent(self, *names: str) -> None:
        """From now on, these nodes of la-dgm are silent; others report."""
        self.everybody = everybody = list(dict.fromkeys([*self.everybody, *names]))

        def nodes() -> list[Any]:
            now = self.clock.now()
            return [
                views.node(
                    name=each,
                    now=now,
                    **({"state": "silent", "last_seen": now - views.DAY} if each in names else {}),
                )
                for each in everybody
            ]

        self.show = nodes

    def events(self, kind: str) -> list[str]:
        table = schema.events
        with self.federation.hub.context.database.read() as connection:
            query = sa.select(table.c.detail).where(table.c.kind == kind).order_by(table.c.number)
            return list(connection.execute(query).scalars())

    def rows(self, table: sa.Table = schema.alerts) -> list[Any]:
        with self.federation.hub.context.database.read() as connection:
            return list(connection.execute(sa.select(table)).all())


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[TestFederation]:
    made = make_federation(tmp_path)
    yield made
    made.close()


@pytest.fixture
def alerting(federation: TestFederation) -> Alerting:
    return Alerting(federation, federation.clock)
