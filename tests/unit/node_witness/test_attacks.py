"""Each attack on the log, by its name: caught, with its evidence, and nothing false was ever cosigned."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from core.errors import Untrusted
from core.names import DatasetId
from node.alarms import SHOWN_TWO_HISTORIES
from node.publish.receipts import ReceiptStore
from security.envelope import RECEIPT, parse, sign
from security.tlog.checkpoint import open_checkpoint, parse_checkpoint, sign_checkpoint
from security.tlog.leaf import make_leaf, registry_leaf
from security.tlog.note import parse_note
from sync.receipt import Receipt
from tests.unit.node_witness.conftest import Node
from tests.unit.node_witness.fake_log import FEDERATION, ORIGIN, FakeHub, FakeLog, Federation


def evidence(node: Node, name: str) -> bytes:
    (alarm,) = node.open
    return (node.alarms.folder / alarm.id / name).read_bytes()


def cosigned_sizes(hub: FakeHub) -> list[int]:
    return [parse_checkpoint(parse_note(each).text).size for each in hub.given]


def test_rewritten_leaf(node: Node, hub: FakeHub, log: FakeLog) -> None:
    """History is changed where nobody should look again: the roots do not continue each other."""
    node.catch_up(hub)
    lying = log.fork()
    lying.leaves[7] = make_leaf({"v": 1, "n": "another"})[0]
    lying.strangers(3)
    lying.sign()
    hub.log = lying
    node.look(hub)
    (alarm,) = node.open
    assert alarm.kind == "two-histories"
    assert alarm.message.startswith(SHOWN_TWO_HISTORIES)
    assert cosigned_sizes(hub) == [20]
    key = log.key.public
    assert open_checkpoint(evidence(node, "seen"), ORIGIN, key).checkpoint == log.checkpoint(20)
    assert open_checkpoint(evidence(node, "shown"), ORIGIN, key).checkpoint == lying.checkpoint(23)


def test_rewritten_leaf_of_the_same_size(node: Node, hub: FakeHub, log: FakeLog) -> None:
    node.catch_up(hub)
    hub.log = log.fork()
    hub.log.leaves[7] = make_leaf({"v": 1, "n": "another"})[0]
    hub.log.sign()
    node.look(hub)
    assert node.kinds == ["two-histories"]


@pytest.mark.parametrize("index", [0, 9, 17, 19])  # eight a page: a first, a middle and a last one
def test_rewritten_leaf_between_checkpoint_and_entries(
    node: Node, hub: FakeHub, log: FakeLog, index: int
) -> None:
    """The hub signs one tree and hands out the entries of another."""
    whole = log.fork()
    log.leaves[index] = make_leaf({"v": 1, "n": "another"})[0]
    hub.log = log
    log.notes = whole.notes
    node.catch_up(hub)
    assert node.kinds == ["two-histories"]
    assert not hub.given
    assert b"another" not in evidence(node, "entries")  # leaves tell nothing
    assert evidence(node, "shown") == whole.notes[20]


def test_dropped_leaf(node: Node, hub: FakeHub, log: FakeLog) -> None:
    """A leaf that was there is left out, and others move up."""
    node.catch_up(hub)
    hub.log = log.fork()
    del hub.log.leaves[11]
    hub.log.strangers(5)
    hub.log.sign()
    node.look(hub)
    assert node.kinds == ["two-histories"]


def test_forked_log_of_two_nodes_is_caught_when_their_cosignatures_meet(
    node: Node, other: Node, hub: FakeHub, log: FakeLog
) -> None:
    """Each of two nodes is shown a history of its own, both signed; neither sees anything wrong by itself."""
    left, right = log.fork(), log.fork()
    left.strangers(2)
    right.strangers(2)
    left.sign()
    right.sign()
    to_left, to_right = FakeHub(left), FakeHub(right)
    node.catch_up(to_left)
    other.catch_up(to_right)
    assert not node.open and not other.open
    # An answer carries the other's cosignature: a hub that withholds it shows a missing witness.
    size, line = right.cosignatures[0]
    right_note = parse_note(right.notes[size])
    left.strangers(1)
    left.sign()
    left.notes[size], kept = right.notes[size], left.notes[size]
    left.cosignatures = [(size, line)]
    node.look(to_left)
    left.notes[size] = kept
    (alarm,) = node.open
    assert alarm.kind == "two-histories"
    assert "test-geo/th-dmr/main" in alarm.message
    assert parse_note(evidence(node, "other")).text == right_note.text
    assert cosigned_sizes(to_left) == [22]  # and not 23


def test_forked_log_before_the_leaves_are_read(node: Node, other: Node, hub: FakeHub, log: FakeLog) -> None:
    """A node that is far behind compares by consistency proofs."""
    log.strangers(100)
    log.sign()
    lying = log.fork()
    lying.leaves[50] = make_leaf({"v": 1, "n": "another"})[0]
    lying.sign()
    other.catch_up(FakeHub(lying))
    log.strangers(5)
    log.sign()
    log.notes[120] = lying.notes[120]
    log.cosignatures = lying.cosignatures
    report = node.look(hub, after_s=600)
    assert node.kinds == ["two-histories"]
    assert report.read == 32 and not hub.given


def test_forked_log_where_witnesses_meet(node: Node, other: Node, hub: FakeHub, log: FakeLog) -> None:
    """A checkpoint of another tree is no place to join, whoever has cosigned it a minute ago."""
    node.catch_up(hub)
    log.strangers(10)
    log.sign()
    lying = log.fork()
    lying.leaves[25] = make_leaf({"v": 1, "n": "another"})[0]
    lying.sign()
    other.look(FakeHub(lying), after_s=600)
    log.strangers(5)
    log.sign()
    log.notes[30] = lying.notes[30]
    log.cosignatures = lying.cosignatures
    before = len(hub.given)
    node.look(hub)
    assert node.kinds == ["two-histories"]
    assert len(hub.given) == before


def test_frozen_log(node: Node, hub: FakeHub, federation: Federation) -> None:
    """The hub answers, and its log stands still: somebody is kept from the news."""
    for _ in range(3):
        node.catch_up(hub)
        federation.clock.advance(3600)
    assert not node.open
    node.look(hub)
    (alarm,) = node.open
    assert alarm.kind == "frozen" and alarm.facts["size"] == 20


def test_a_hub_that_was_down_for_a_weekend_is_not_frozen(
    node: Node, hub: FakeHub, log: FakeLog, federation: Federation
) -> None:
    node.catch_up(hub)
    federation.clock.advance(60 * 3600)
    node.look(hub)
    federation.clock.advance(1800)
    log.strangers(1)  # its first leaf of the hour
    log.sign()
    node.catch_up(hub)
    assert not node.open


def test_a_node_that_looks_once_a_day_is_told_at_the_third_look(
    node: Node, hub: FakeHub, federation: Federation
) -> None:
    for kinds in ([], [], ["frozen"]):
        node.look(hub)
        assert node.kinds == kinds
        federation.clock.advance(24 * 3600)


def test_rolled_back_checkpoint(node: Node, hub: FakeHub, log: FakeLog) -> None:
    node.catch_up(hub)
    hub.log = log.roll_back(12)
    node.look(hub)
    (alarm,) = node.open
    assert alarm.kind == "rolled-back"
    assert (alarm.facts["seen_size"], alarm.facts["shown_size"]) == (20, 12)
    assert alarm.message.startswith(SHOWN_TWO_HISTORIES)
    assert evidence(node, "seen") and evidence(node, "shown")
    assert cosigned_sizes(hub) == [20]


def test_rolled_back_and_grown_beyond(node: Node, hub: FakeHub, log: FakeLog) -> None:
    """Waiting until the log is longer again hides nothing."""
    node.catch_up(hub)
    hub.log = log.roll_back(12)
    hub.log.strangers(30)
    hub.log.sign()
    node.look(hub)
    assert node.kinds == ["two-histories"]


def test_rolled_back_to_where_witnesses_met(node: Node, other: Node, hub: FakeHub, log: FakeLog) -> None:
    """Who stands for an earlier checkpoint, so that others' cosignatures meet there, forgets no later one."""
    node.catch_up(hub)
    log.strangers(5)
    log.sign()
    other.look(hub, after_s=600)
    log.strangers(5)
    log.sign()
    report = node.look(hub)
    assert (report.cosigned, report.size, report.read) == (25, 30, 30)
    hub.log = log.roll_back(25)
    hub.log.strangers(1)
    hub.log.sign()
    node.look(hub)
    assert node.kinds == ["rolled-back"]


def test_rolled_back_for_one_node_alone(node: Node, other: Node, hub: FakeHub, log: FakeLog) -> None:
    """A new node is shown an old log, beside a larger one that others have cosigned."""
    node.catch_up(hub)
    stale = FakeHub(log.roll_back(12))
    stale.log.notes[20] = log.notes[20]
    stale.log.cosignatures = log.cosignatures
    other.catch_up(stale)
    assert other.kinds == ["rolled-back"]


def test_hidden_registry(node: Node, hub: FakeHub, log: FakeLog, federation: Federation) -> None:
    """A statement is in force for others, and this node is not told."""
    node.catch_up(hub)
    statement = federation.sign(federation.draft())
    hub.hidden_registries = 1
    log.leaves.append(registry_leaf(statement.id))
    log.sign()
    node.catch_up(hub)
    (alarm,) = node.open
    assert alarm.kind == "hidden-registry"
    assert (alarm.facts["registry"], alarm.facts["index"]) == (statement.id, 20)


def test_a_registry_that_is_given_late_is_no_alarm(
    node: Node, hub: FakeHub, log: FakeLog, federation: Federation
) -> None:
    node.catch_up(hub)
    statement = federation.sign(federation.draft())
    log.leaves.append(registry_leaf(statement.id))
    log.sign()
    node.witness.run(hub)  # type: ignore[arg-type] # without greeting, which would have fetched it
    assert not node.open


def test_wrong_opening(node: Node, hub: FakeHub, log: FakeLog) -> None:
    """The owner is shown a record that the public leaf does not commit to."""
    log.version("geology")
    index = log.record("act", "la-dgm", act="x")
    forged = make_leaf({"v": 1, "type": "act"})[1]
    log.opened[index] = type(log.opened[index])(index, forged.record, forged.nonce, 2, log.lane[0], b"0" * 32)
    log.sign()
    node.catch_up(hub)
    (alarm,) = node.open
    assert alarm.kind == "wrong-opening" and alarm.facts["index"] == index
    assert evidence(node, "leaf") == log.leaves[index]
    assert cosigned_sizes(hub) == [22]  # the log itself is consistent, and the others may rely on that


def test_wrong_place_in_the_lane(node: Node, hub: FakeHub, log: FakeLog) -> None:
    """A true record under another number than it commits to."""
    index = log.record("act", "la-dgm", act="x")
    given = log.opened[index]
    log.opened[index] = type(given)(index, given.record, given.nonce, 7, "0" * 64, given.lane_salt)
    log.sign()
    node.catch_up(hub)
    assert node.kinds == ["wrong-opening"]


def _left_out(log: FakeLog, index: int) -> None:
    del log.opened[index]


def _never_logged(log: FakeLog, index: int) -> None:
    del log.opened[index]
    log.leaves[index] = make_leaf({"v": 1, "n": "another's"})[0]


@pytest.mark.parametrize("hide", [_left_out, _never_logged])
def test_gap_in_a_lane(node: Node, hub: FakeHub, log: FakeLog, hide: Callable[[FakeLog, int], None]) -> None:
    """The hub keeps one of the owner's records from its owner."""
    manifest = log.version("geology")
    log.policy("geology", ["th-dmr"])
    hidden = log.delivery("geology", manifest, "th-dmr")
    log.record("act", "la-dgm", act="x")
    log.record("act", "la-dgm", act="y")
    hide(log, hidden)
    log.sign()
    node.catch_up(hub)
    (alarm,) = node.open
    assert alarm.kind == "lane-gap" and "record 4 follows record 2" in alarm.message


def test_a_record_of_ours_in_anothers_lane(node: Node, hub: FakeHub, log: FakeLog) -> None:
    manifest = log.version("geology")
    index = log.delivery("geology", manifest, "la-dgm")
    given = log.opened[index]
    log.opened[index] = type(given)(index, given.record, given.nonce)
    log.sign()
    node.catch_up(hub)
    assert node.kinds == ["lane-gap"]


def test_cosignature_by_a_revoked_witness_does_not_count(
    node: Node, other: Node, hub: FakeHub, federation: Federation, log: FakeLog
) -> None:
    node.catch_up(hub)
    other.catch_up(hub)
    standing = node.look(hub).standing
    assert standing is not None and (standing.count, standing.of) == (2, 2)
    federation.sign(federation.draft().with_state("th-dmr", "revoked"))  # type: ignore[arg-type]
    standing = node.look(hub).standing
    assert standing is not None and (standing.count, standing.of) == (1, 1)


def test_a_forged_cosignature_is_told_and_accuses_nobody(
    node: Node, hub: FakeHub, log: FakeLog, federation: Federation
) -> None:
    node.catch_up(hub)
    log.cosigned_by("th-dmr", 20)
    size, line = log.cosignatures[-1]
    forged = bytes([line.signature[0] ^ 1]) + line.signature[1:]
    log.cosignatures[-1] = (size, type(line)(line.name, line.key_id, forged))
    with pytest.raises(Untrusted) as raised:
        node.look(hub)
    assert raised.value.reason == "BAD_COSIGNATURE"
    assert not node.open


def test_a_checkpoint_of_another_key_is_believed_by_nobody(
    node: Node, hub: FakeHub, log: FakeLog, federation: Federation
) -> None:
    log.notes[20] = sign_checkpoint(log.checkpoint(20), federation.witness["th-dmr"])
    with pytest.raises(Untrusted) as raised:
        node.look(hub)
    assert raised.value.reason == "BAD_CHECKPOINT_SIGNATURE"
    assert not hub.given


def test_quorum_is_of_those_seen_in_thirty_days_with_cosignatures_of_a_day(
    node: Node, hub: FakeHub, log: FakeLog, federation: Federation
) -> None:
    now = federation.clock.now()
    log.cosigned_by("th-dmr", 20, now - timedelta(hours=30))
    log.cosigned_by("kh-gdmr", 20, now - timedelta(days=40))
    node.catch_up(hub)
    standing = node.looks[-1].standing
    assert standing is not None
    assert (standing.count, standing.of, standing.needed) == (1, 2, 2)


def promised(node: Node, log: FakeLog, federation: Federation, index: int, leaf: bytes) -> None:
    """The node holds the hub's receipt for a version of its own."""
    envelope = log.manifest("geology", 1, None)
    manifest_id = parse(envelope).id
    receipt = Receipt(
        federation=FEDERATION,
        log=log.origin,
        dataset=DatasetId("la-dgm/geology"),
        manifest_sha256=manifest_id,
        leaf_index=index,
        leaf=leaf,
        accept_time=federation.clock.now(),
    )
    signed = sign(RECEIPT, receipt.to_payload(), [federation.hub])
    ReceiptStore(node.state_dir).keep_version(receipt.dataset, 1, manifest_id, envelope, signed)


def test_dropped_leaf_that_a_receipt_promised(
    node: Node, hub: FakeHub, log: FakeLog, federation: Federation
) -> None:
    """A version is accepted, receipted, and another leaf stands in its place before anybody looks."""
    promised(node, log, federation, 20, make_leaf({"v": 1, "type": "version"})[0])
    node.catch_up(hub)
    assert not node.open  # the checkpoint does not reach so far yet
    log.strangers(3)
    log.sign()
    node.catch_up(hub)
    (alarm,) = node.open
    assert alarm.kind == "dropped-leaf" and alarm.facts["leaf_index"] == 20
    assert evidence(node, "receipt.json") and evidence(node, "checkpoint")


def test_a_promise_that_was_kept(node: Node, hub: FakeHub, log: FakeLog, federation: Federation) -> None:
    promised(node, log, federation, 19, log.leaves[19])
    node.catch_up(hub)
    assert not node.open
