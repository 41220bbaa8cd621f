"""A node cosigns only what it has checked whole, and goes on where it stopped."""

from collections import Counter
from pathlib import Path

import pytest

from core.errors import Unavailable
from security.tlog.checkpoint import open_checkpoint, parse_checkpoint
from security.tlog.cosignature import Witness, cosigners
from security.tlog.note import parse_note
from tests.unit.node_witness.conftest import Node
from tests.unit.node_witness.fake_log import FEDERATION, ORIGIN, FakeHub, FakeLog, Federation


def test_a_log_is_read_from_its_first_leaf_checked_and_cosigned(
    node: Node, hub: FakeHub, log: FakeLog
) -> None:
    report = node.catch_up(hub)
    assert (report.size, report.read, report.cosigned, report.behind) == (20, 20, 20, False)
    assert not node.open
    (note,) = hub.given
    parsed = parse_note(note)
    assert parse_checkpoint(parsed.text) == log.checkpoint(20)
    key = log.federation.witness["la-dgm"].public
    (found,) = cosigners(parsed, [Witness(f"{FEDERATION}/la-dgm/main", key)])
    assert found.at == log.federation.clock.now()


def test_nothing_is_cosigned_before_every_leaf_is_checked(node: Node, hub: FakeHub, log: FakeLog) -> None:
    """Pages are bounded, so that content never waits for the log."""
    log.strangers(60)
    log.sign()
    first = node.look(hub)
    assert first.behind and first.read == 4 * 8 and not hub.given
    assert node.catch_up(hub).cosigned == 80
    assert [parse_checkpoint(parse_note(each).text).size for each in hub.given] == [80]


def test_a_growing_log_is_followed(node: Node, hub: FakeHub, log: FakeLog) -> None:
    for _ in range(12):
        node.catch_up(hub)
        log.strangers(7)
        log.sign()
    assert node.catch_up(hub).cosigned == 20 + 12 * 7
    assert not node.open


def test_a_look_goes_on_in_another_process(node: Node, hub: FakeHub, log: FakeLog) -> None:
    log.strangers(60)
    log.sign()
    node.look(hub)
    node.restart()
    assert node.catch_up(hub).cosigned == 80
    entries = [each for each in hub.calls if each == "get_entries"]
    assert len(entries) == 10  # 80 leaves, 8 a page: none was fetched twice


def test_what_was_cosigned_already_is_not_sent_every_minute(node: Node, hub: FakeHub) -> None:
    node.catch_up(hub)
    node.look(hub)
    assert len(hub.given) == 1
    node.restart()
    node.look(hub)  # the hub may never have had it
    assert len(hub.given) == 2


def test_an_answer_without_leaves_is_no_reason_to_wait_for_ever(node: Node, hub: FakeHub) -> None:
    hub.entries_max = 0
    with pytest.raises(Unavailable) as raised:
        node.look(hub)
    assert raised.value.reason == "WRONG_COUNT"
    assert not node.open


def test_what_the_witness_keeps_can_be_opened_by_anybody_with_the_logs_key(
    node: Node, hub: FakeHub, log: FakeLog
) -> None:
    node.catch_up(hub)
    history = node.witness.histories.current()
    assert history is not None
    seen = history.seen()
    assert seen is not None
    assert open_checkpoint(seen, ORIGIN, log.key.public).checkpoint == log.checkpoint(20)
    assert [history.root_at(size) for size in range(21)] == [log.checkpoint(s).root for s in range(21)]


def test_a_lost_state_database_is_filled_again_and_history_is_kept(
    node: Node, hub: FakeHub, log: FakeLog
) -> None:
    log.version("geology")
    log.sign()
    node.catch_up(hub)
    node.restart()
    for each in node.state_dir.glob("state.sqlite*"):
        each.unlink()
    report = node.catch_up(hub)
    assert report.read == 21 and not node.open
    assert [each.type for each in node.witness.ledger.lane()] == ["version"]


def test_damaged_leaves_are_fetched_again_and_are_no_alarm(node: Node, hub: FakeHub, log: FakeLog) -> None:
    """A disk that lies must not accuse the hub."""
    node.catch_up(hub)
    node.restart()
    leaves = node.state_dir / "witness" / "history-1" / "leaves"
    data = bytearray(leaves.read_bytes())
    data[100] ^= 1
    leaves.write_bytes(data)
    log.strangers(1)
    log.sign()
    assert node.catch_up(hub).cosigned == 21
    assert not node.open


def test_witnesses_of_a_busy_log_meet_on_one_checkpoint(
    federation: Federation, tmp_path: Path, log: FakeLog
) -> None:
    """It has another checkpoint at every look; three who begin with the newest would never make a quorum."""
    hub = FakeHub(log)
    nodes = [Node(federation, partner, tmp_path / partner) for partner in ("la-dgm", "th-dmr", "kh-gdmr")]
    for _ in range(4):
        for node in nodes:
            log.strangers(3)
            log.sign()
            node.look(hub, after_s=20.0)
    met = Counter(parse_checkpoint(parse_note(each).text).size for each in hub.given)
    assert sorted(met.values())[-3:] == [3, 3, 3]
    assert not any(node.open for node in nodes)
