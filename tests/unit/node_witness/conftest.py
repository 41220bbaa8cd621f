"""A node that witnesses a log which a test can make lie."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from core.clock import SystemClock
from core.limits import Limits
from core.names import NodeName, PartnerId
from node.alarms import Alarm, Alarms
from node.identity import NodeIdentity
from node.state import NodeState
from node.trust import TrustStore
from node.witness import Witness, WitnessReport
from security.tlog.checkpoint import Checkpoint, parse_checkpoint
from security.tlog.note import parse_note
from sync.ports import HubApi
from tests.simulation.clock import ManualClock
from tests.unit.node_witness.fake_log import FakeHub, FakeLog, Federation

SMALL = Limits(entries_count_max=8)


@dataclass
class Node:
    """One node on its disk. `look` is one look in the present process; `restart` begins another."""

    federation: Federation
    partner: str
    state_dir: Path
    limits: Limits = SMALL
    _witness: Witness | None = None
    _state: NodeState | None = None
    looks: list[WitnessReport] = field(default_factory=list[WitnessReport])

    def __post_init__(self) -> None:
        first = self.federation.chain[0]
        TrustStore.establish(self.state_dir, self.federation.clock, first.envelope, first.id)

    @property
    def alarms(self) -> Alarms:
        return Alarms(self.state_dir)

    @property
    def open(self) -> list[Alarm]:
        return self.alarms.open()

    @property
    def kinds(self) -> list[str]:
        return [each.kind for each in self.open]

    @property
    def state(self) -> NodeState:
        if self._state is None:
            self._state = NodeState(self.state_dir)
        return self._state

    @property
    def witness(self) -> Witness:
        if self._witness is None:
            signing, key = self.federation.signing[self.partner], self.federation.witness[self.partner]
            trust = TrustStore(self.state_dir, self.federation.clock)
            self._witness = Witness(
                partner=PartnerId(self.partner),
                node=NodeName("main"),
                state_dir=self.state_dir,
                state=self.state,
                trust=trust,
                identity=NodeIdentity(self.state_dir / "keys", signing, key),
                clock=self.federation.clock,
                limits=self.limits,
            )
            self.trust = trust
        return self._witness

    def look(self, hub: Any, *, after_s: float | None = None) -> WitnessReport:
        """One look, a report's turn (or `after_s`) after whatever was before."""
        self.witness  # noqa: B018 - made when first asked for
        self.federation.clock.advance(self.limits.report_every_s if after_s is None else after_s)
        self.trust.refresh(cast("HubApi", hub))
        report = self.witness.run(cast("HubApi", hub))
        self.looks.append(report)
        return report

    def catch_up(self, hub: Any) -> WitnessReport:
        report = self.look(hub)
        while report.behind:
            report = self.look(hub)
        return report

    def restart(self) -> None:
        if self._state is not None:
            self._state.close()
        self._state = self._witness = None

    @property
    def cosigned(self) -> list[Checkpoint]:
        history = self.witness.histories.current()
        note = None if history is None else history.cosigned()
        return [] if note is None else [parse_checkpoint(parse_note(note).text)]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(SystemClock().now().replace(microsecond=0))


@pytest.fixture
def federation(clock: ManualClock) -> Federation:
    return Federation.make(clock, ["la-dgm", "th-dmr", "kh-gdmr"])


@pytest.fixture
def log(federation: Federation) -> FakeLog:
    """The owner of the lane is la-dgm; it has 20 leaves."""
    made = FakeLog(federation, "la-dgm")
    made.strangers(20 - len(made.leaves))
    made.sign()
    return made


@pytest.fixture
def hub(log: FakeLog) -> FakeHub:
    return FakeHub(log)


@pytest.fixture
def node(federation: Federation, tmp_path: Path) -> Iterator[Node]:
    made = Node(federation, "la-dgm", tmp_path / "la-dgm")
    yield made
    made.restart()


@pytest.fixture
def other(federation: Federation, tmp_path: Path) -> Iterator[Node]:
    made = Node(federation, "th-dmr", tmp_path / "th-dmr")
    yield made
    made.restart()
