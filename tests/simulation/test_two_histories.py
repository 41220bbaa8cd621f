"""Two histories: what a real hub, copied, turned back or restored, cannot hide from its witnesses.

The hub's services, the nodes' engines, their disks and databases are real; the copies are of the hub's own
directory, so that both sides have every key.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.errors import SynclineError
from core.limits import Limits
from hub.layout import Layout
from node.alarms import Alarms
from node.identity import NodeIdentity
from node.state import NodeState
from node.trust import TrustStore
from node.witness import Witness, WitnessReport
from security.tlog.checkpoint import parse_checkpoint
from security.tlog.note import parse_note
from tests.simulation.federation import TestFederation, make_federation, publish, sha256_of_payload
from tests.simulation.in_process_hub import HubHost, InProcessHub

SMALL = Limits(entries_count_max=16)


@dataclass
class Observer:
    """A node of `partner` that witnesses whatever hub it is led to."""

    federation: TestFederation
    partner: str
    state_dir: Path

    def __post_init__(self) -> None:
        first = self.federation.hub.registry.list_from(1)[0]
        clock = self.federation.clock
        self.trust = TrustStore.establish(self.state_dir, clock, first, sha256_of_payload(first))
        self.state = NodeState(self.state_dir)
        member = self.federation.members[self.partner]
        self.witness = Witness(
            partner=member.partner,
            node=member.node,
            state_dir=self.state_dir,
            state=self.state,
            trust=self.trust,
            identity=NodeIdentity(self.state_dir / "keys", member.signing, member.witness),
            clock=clock,
            limits=SMALL,
        )

    def look(self, host: HubHost) -> WitnessReport:
        self.federation.clock.advance(SMALL.report_every_s)  # a report's turn after whatever was before
        hub = InProcessHub(host, self.federation.caller(self.partner))
        self.trust.refresh(hub)
        report = self.witness.run(hub)
        while report.behind:
            report = self.witness.run(hub)
        return report

    @property
    def kinds(self) -> list[str]:
        return [each.kind for each in Alarms(self.state_dir).open()]

    @property
    def cosigned(self) -> int:
        history = self.witness.histories.current()
        assert history is not None
        note = history.cosigned()
        return 0 if note is None else parse_checkpoint(parse_note(note).text).size


class Hubs:
    """The hub, and copies of it as an attacker, or a backup, makes them."""

    def __init__(self, federation: TestFederation, folder: Path) -> None:
        self.federation = federation
        self.first = federation.host
        self._folder = folder
        self._copies: list[HubHost] = []

    def copy(self) -> HubHost:
        """Another hub with the same past and the same keys."""
        target = self._folder / f"copy-{len(self._copies)}"
        self.first.hub.log.make_checkpoint(force=True)
        self.first.restart()  # so that its files are whole
        shutil.copytree(self.first.layout.directory, target)
        made = HubHost(Layout(target), clock=self.federation.clock, limits=self.federation.limits)
        self._copies.append(made)
        return made

    def use(self, host: HubHost) -> None:
        """What the federation's helpers publish goes there."""
        self.federation.host = host

    def close(self) -> None:
        self.use(self.first)
        for each in self._copies:
            each.close()


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[TestFederation]:
    made = make_federation(tmp_path, ("la-dgm", "th-dmr", "kh-gdmr"))
    yield made
    made.close()


@pytest.fixture
def hubs(federation: TestFederation, tmp_path: Path) -> Iterator[Hubs]:
    made = Hubs(federation, tmp_path)
    yield made
    made.close()


@pytest.fixture
def observers(federation: TestFederation, tmp_path: Path) -> Iterator[dict[str, Observer]]:
    made = {who: Observer(federation, who, tmp_path / f"node-{who}") for who in federation.members}
    yield made
    for each in made.values():
        each.state.close()


def test_an_honest_hub_is_cosigned_by_all(
    federation: TestFederation, hubs: Hubs, observers: dict[str, Observer]
) -> None:
    for number in range(3):
        publish(federation, "la-dgm", "geology", {"a": b"%d" % number}, read=["th-dmr"])
        for each in observers.values():
            each.look(hubs.first)
    reports = [each.look(hubs.first) for each in observers.values()]
    for each, report in zip(observers.values(), reports, strict=True):
        assert not each.kinds
        assert report.cosigned == report.size == federation.hub.translog.size()
    standing = reports[-1].standing
    assert standing is not None and (standing.count, standing.of, standing.needed) == (3, 3, 3)


def test_a_forked_hub_is_caught_as_soon_as_a_node_meets_the_other_half(
    federation: TestFederation, hubs: Hubs, observers: dict[str, Observer]
) -> None:
    """Two nodes, two histories: each sees a hub that behaves. The third meets both."""
    la, th, kh = (observers[who] for who in ("la-dgm", "th-dmr", "kh-gdmr"))
    publish(federation, "la-dgm", "geology", {"a": b"1"}, read=["th-dmr"])
    for each in observers.values():
        each.look(hubs.first)
    twin = hubs.copy()
    publish(federation, "la-dgm", "geology", {"a": b"2"})
    hubs.use(twin)
    publish(federation, "la-dgm", "geology", {"a": b"3"})
    la.look(hubs.first)
    th.look(twin)
    kh.look(hubs.first)
    assert not la.kinds and not th.kinds and not kh.kinds
    kh.look(twin)
    assert kh.kinds == ["two-histories"]
    th.look(hubs.first)
    assert th.kinds == ["two-histories"]


def test_a_forked_hub_cannot_pass_on_the_cosignatures_of_its_other_half(
    federation: TestFederation, hubs: Hubs, observers: dict[str, Observer]
) -> None:
    """To show a full quorum to both halves, a hub would need cosignatures that it must not show."""
    la, th = observers["la-dgm"], observers["th-dmr"]
    publish(federation, "la-dgm", "geology", {"a": b"1"}, read=["th-dmr"])
    la.look(hubs.first)
    th.look(hubs.first)
    twin = hubs.copy()
    publish(federation, "la-dgm", "geology", {"a": b"2"})
    hubs.use(twin)
    publish(federation, "la-dgm", "geology", {"a": b"3"})
    la.look(hubs.first)
    th.look(twin)
    note = InProcessHub(twin, federation.caller("th-dmr")).get_checkpoint().note
    line = next(each for each in parse_note(note).signatures if each.name == "test-geo/th-dmr/main")
    stolen = type(parse_note(note))(parse_note(note).text, (line,)).to_bytes()
    with pytest.raises(SynclineError) as raised:
        hubs.first.hub.log.add_cosignature(federation.caller("th-dmr"), stolen)
    assert raised.value.reason == "WRONG_CHECKPOINT"


def test_a_hub_that_was_turned_back_is_caught_by_every_node(
    federation: TestFederation, hubs: Hubs, observers: dict[str, Observer]
) -> None:
    publish(federation, "la-dgm", "geology", {"a": b"1"}, read=["th-dmr"])
    backup = hubs.copy()
    publish(federation, "la-dgm", "geology", {"a": b"2"})
    for each in observers.values():
        each.look(hubs.first)
    hubs.use(backup)
    for each in observers.values():
        before = each.cosigned
        each.look(backup)
        assert each.kinds == ["rolled-back"]
        assert each.cosigned == before
    publish(federation, "la-dgm", "geology", {"a": b"x"})
    publish(federation, "la-dgm", "geology", {"a": b"y"})
    for each in observers.values():
        each.look(backup)  # it does not go away by itself
        assert each.kinds == ["rolled-back"]


def test_a_restored_hub_that_says_so_is_followed_and_its_alarms_are_settled(
    federation: TestFederation, hubs: Hubs, observers: dict[str, Observer]
) -> None:
    publish(federation, "la-dgm", "geology", {"a": b"1"}, read=["th-dmr"])
    backup = hubs.copy()
    publish(federation, "la-dgm", "geology", {"a": b"2"})
    publish(federation, "la-dgm", "geology", {"a": b"3"})
    for each in observers.values():
        each.look(hubs.first)
    hubs.use(backup)
    observers["th-dmr"].look(backup)
    assert observers["th-dmr"].kinds == ["rolled-back"]
    backup.hub.log_continuation.begin([federation.administrator], "restored from the backup of Monday")
    publish(federation, "la-dgm", "geology", {"a": b"4"})
    for each in observers.values():
        report = each.look(backup)
        assert not each.kinds
        assert report.origin == "test-geo/log/2"
        assert report.lost > 0
        assert report.cosigned == report.size == backup.hub.translog.size()
    lane = [each.type for each in observers["la-dgm"].witness.ledger.lane()]
    assert lane.count("version") == 2
    assert [each.type for each in observers["la-dgm"].witness.ledger.lost()].count("version") == 2
