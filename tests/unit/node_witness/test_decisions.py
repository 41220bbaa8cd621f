"""Alarms stay until a person decides, or the administrators sign what explains them; all is kept."""

import json

import pytest

from core.errors import InvalidInput
from security.keys import WitnessKey
from security.members import RegistryLog
from security.tlog.checkpoint import parse_checkpoint
from security.tlog.leaf import make_leaf
from security.tlog.note import parse_note
from tests.unit.node_witness.conftest import Node
from tests.unit.node_witness.fake_log import ORIGIN, FakeHub, FakeLog, Federation


def cosigned_sizes(hub: FakeHub) -> list[int]:
    return [parse_checkpoint(parse_note(each).text).size for each in hub.given]


def decide(node: Node, name: str) -> None:
    """As the engine does it."""
    node.witness.begin_anew()
    node.alarms.decide(name, "asked the administrators", "somchai", node.federation.clock.now())


def test_an_alarm_stays_although_the_hub_behaves_again(node: Node, hub: FakeHub, log: FakeLog) -> None:
    node.catch_up(hub)
    hub.log = log.roll_back(12)
    node.look(hub)
    hub.log = log
    log.strangers(5)
    log.sign()
    node.look(hub)
    node.restart()
    assert node.look(hub).note
    assert node.kinds == ["rolled-back"]
    assert cosigned_sizes(hub) == [20]


def test_a_decision_keeps_the_evidence_and_says_who_and_why(node: Node, hub: FakeHub, log: FakeLog) -> None:
    node.catch_up(hub)
    hub.log = log.roll_back(12)
    node.look(hub)
    (alarm,) = node.open
    decide(node, alarm.id)
    assert not node.open
    kept = node.alarms.get(alarm.id)
    assert kept.decision is not None
    assert (kept.decision.who, kept.decision.reason) == ("somchai", "asked the administrators")
    assert (node.alarms.folder / alarm.id / "seen").exists()
    written = json.loads((node.alarms.folder / alarm.id / "alarm.json").read_bytes())
    assert written["decision"]["who"] == "somchai"
    assert (node.state_dir / "witness" / "history-1" / "leaves").exists()
    with pytest.raises(InvalidInput):
        node.alarms.decide(alarm.id, "again", "somchai", node.federation.clock.now())


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_decision_needs_a_reason(node: Node, hub: FakeHub, log: FakeLog, reason: str) -> None:
    node.catch_up(hub)
    hub.log = log.roll_back(12)
    node.look(hub)
    with pytest.raises(InvalidInput):
        node.alarms.decide(node.open[0].id, reason, "somchai", node.federation.clock.now())
    assert node.open


@pytest.mark.parametrize("name", ["../alarms", ".", "", "two-histories-0"])
def test_an_alarm_that_is_not_there(node: Node, name: str) -> None:
    with pytest.raises(InvalidInput):
        node.alarms.get(name)


def test_after_a_decision_what_was_cosigned_still_binds(node: Node, hub: FakeHub, log: FakeLog) -> None:
    """A witness that signs two histories of one log would itself be the proof of an attack."""
    node.catch_up(hub)
    hub.log = log.roll_back(12)
    node.look(hub)
    decide(node, node.open[0].id)
    report = node.catch_up(hub)
    assert report.read == 12 and "does not cosign" in report.note
    hub.log.strangers(30)
    hub.log.sign()
    assert node.catch_up(hub).read == 42
    assert cosigned_sizes(hub) == [20] and not node.open


def test_after_a_decision_the_true_log_is_cosigned_again(node: Node, hub: FakeHub, log: FakeLog) -> None:
    node.catch_up(hub)
    hub.log = log.roll_back(12)
    node.look(hub)
    decide(node, node.open[0].id)
    hub.log = log
    log.strangers(3)
    log.sign()
    assert node.catch_up(hub).cosigned == 23
    assert cosigned_sizes(hub) == [20, 23]


def test_the_same_attack_after_a_decision_is_another_alarm(node: Node, hub: FakeHub, log: FakeLog) -> None:
    node.catch_up(hub)
    for _ in range(3):
        hub.log = log.roll_back(12)
        node.look(hub)
        (alarm,) = node.open
        decide(node, alarm.id)
        hub.log = log
        node.catch_up(hub)
    assert len(node.alarms.all()) == 3


def test_the_lane_is_read_again_after_a_decision_and_the_old_one_is_kept(
    node: Node, hub: FakeHub, log: FakeLog
) -> None:
    log.policy("geology", [])
    log.version("geology")
    log.sign()
    node.catch_up(hub)
    hub.log = log.roll_back(21)
    node.look(hub)
    decide(node, node.open[0].id)
    node.catch_up(hub)
    ledger = node.witness.ledger
    assert [each.type for each in ledger.lane()] == ["policy"]
    assert [each.type for each in ledger.lost()] == ["policy", "version"]


def test_a_continued_log_is_no_attack(node: Node, hub: FakeHub, log: FakeLog, federation: Federation) -> None:
    """A hub was restored from a backup, and the administrators say so in the registry."""
    node.catch_up(hub)
    hub.log = log.roll_back(12).continued(2)
    report = node.catch_up(hub)
    assert not node.open
    assert (report.origin, report.read, report.cosigned, report.lost) == (f"{ORIGIN}/2", 13, 13, 8)
    assert cosigned_sizes(hub) == [20, 13]
    assert (node.state_dir / "witness" / "history-1" / "leaves").stat().st_size == 20 * 32
    node.restart()
    hub.log.strangers(4)
    hub.log.sign()
    assert node.catch_up(hub).cosigned == 17


def test_a_continued_log_that_lost_nothing(node: Node, hub: FakeHub, log: FakeLog) -> None:
    node.catch_up(hub)
    hub.log = log.continued(2)
    report = node.catch_up(hub)
    assert not node.open and (report.lost, report.cosigned) == (0, 21)


def test_a_log_continued_twice_while_the_node_was_away(node: Node, hub: FakeHub, log: FakeLog) -> None:
    node.catch_up(hub)
    once = log.roll_back(12).continued(2)
    once.strangers(5)
    once.sign()
    hub.log = once.continued(3)
    report = node.catch_up(hub)
    assert not node.open and (report.origin, report.cosigned, report.lost) == (f"{ORIGIN}/3", 19, 8)


def test_a_node_that_was_far_behind_follows_a_continued_log(node: Node, hub: FakeHub, log: FakeLog) -> None:
    log.strangers(100)
    log.sign()
    node.look(hub)  # 32 of 120
    hub.log = log.roll_back(90).continued(2)
    report = node.catch_up(hub)
    assert not node.open and (report.cosigned, report.lost) == (91, 30)


def test_a_rollback_that_the_administrators_continue_from_is_settled(
    node: Node, hub: FakeHub, log: FakeLog
) -> None:
    node.catch_up(hub)
    back = log.roll_back(12)
    hub.log = back
    node.look(hub)
    (alarm,) = node.open
    hub.log = back.continued(2)
    assert node.catch_up(hub).cosigned == 13
    assert not node.open
    settled = node.alarms.get(alarm.id)
    assert settled.decision is not None and settled.decision.who == "the registry"
    assert "the administrators continue" in settled.notes[-1]
    assert (node.alarms.folder / alarm.id / "seen").exists()


def test_a_continuation_of_another_history_is_an_attack(node: Node, hub: FakeHub, log: FakeLog) -> None:
    """Hub and administrators together cannot pass off a rewritten past as a restored backup."""
    node.catch_up(hub)
    lying = log.fork()
    lying.leaves[3] = make_leaf({"v": 1, "n": "another"})[0]
    hub.log = lying.roll_back(12).continued(2)
    node.look(hub)
    (alarm,) = node.open
    assert alarm.kind == "two-histories"
    assert {"registry.json", "seen"} <= set(alarm.evidence)
    assert cosigned_sizes(hub) == [20]


def test_a_continued_log_that_does_not_begin_as_promised(node: Node, hub: FakeHub, log: FakeLog) -> None:
    node.catch_up(hub)
    hub.log = log.roll_back(12).continued(2)
    hub.log.leaves[3] = make_leaf({"v": 1, "n": "another"})[0]
    hub.log.sign()
    node.look(hub)
    assert node.kinds == ["two-histories"]
    assert cosigned_sizes(hub) == [20]


def test_a_log_that_continues_nothing_is_an_attack(
    node: Node, hub: FakeHub, log: FakeLog, federation: Federation
) -> None:
    node.catch_up(hub)
    replaced = FakeLog(federation, "la-dgm")
    replaced.origin, replaced.key = f"{ORIGIN}/2", WitnessKey.generate()
    federation.sign(federation.draft().with_log(RegistryLog(replaced.origin, replaced.key.public)))
    replaced.sign()
    hub.log = replaced
    node.look(hub)
    assert node.kinds == ["rolled-back"]


def test_the_lane_goes_on_in_a_continued_log(node: Node, hub: FakeHub, log: FakeLog) -> None:
    log.policy("geology", [])
    log.version("geology")
    log.version("geology")
    log.sign()
    node.catch_up(hub)
    hub.log = log.roll_back(22).continued(2)
    hub.log.version("geology")  # offered again
    hub.log.sign()
    node.catch_up(hub)
    assert not node.open
    assert [each.lane_n for each in node.witness.ledger.lane()] == [1, 2, 3]
    assert [each.lane_n for each in node.witness.ledger.lost()] == [3]
