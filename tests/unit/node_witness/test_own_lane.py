"""What stands in a partner's name in the log is held against what the partner has signed."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from core.names import DatasetId, NodeName, PartnerId
from node.publish.records import Head, PublishRecords
from node.witness.receipts import receipts
from security.envelope import parse
from security.keys import SigningKey
from sync.acknowledgement import Acknowledgement, build
from tests.unit.node_witness.conftest import Node
from tests.unit.node_witness.fake_log import FakeHub, FakeLog, Federation

GEOLOGY = DatasetId("la-dgm/geology")


def acknowledge(log: FakeLog, manifest: str, policy: str, signer: SigningKey, partner: str = "th-dmr") -> int:
    said = Acknowledgement(
        dataset=GEOLOGY,
        manifest_sha256=manifest,
        policy_sha256=policy,
        partner=PartnerId(partner),
        node=NodeName("main"),
        created=log.federation.clock.now(),
    )
    envelope = build(said, signer)
    return log.record(
        "acknowledgement",
        GEOLOGY,
        actor=partner,
        statement=envelope,
        statement_sha256=parse(envelope).id,
        node="main",
        version=manifest,
        policy=policy,
        result="applied",
    )


def test_an_honest_lane_is_no_alarm_and_is_kept(
    node: Node, hub: FakeHub, log: FakeLog, federation: Federation
) -> None:
    policy = log.policy("geology", ["th-dmr"])
    manifest = log.version("geology")
    log.delivery("geology", manifest, "th-dmr")
    acknowledge(log, manifest, policy, federation.signing["th-dmr"])
    log.sign()
    node.catch_up(hub)
    assert not node.open
    kept = list(node.witness.ledger.lane(GEOLOGY))
    assert [(each.lane_n, each.type) for each in kept] == [
        (1, "policy"),
        (2, "version"),
        (3, "delivery"),
        (4, "acknowledgement"),
    ]


def test_foreign_version(node: Node, hub: FakeHub, log: FakeLog) -> None:
    """A version under this partner's name, by a key that is none of its keys."""
    log.policy("geology", [])
    log.version("geology", signer=SigningKey.generate())
    log.sign()
    node.catch_up(hub)
    (alarm,) = node.open
    assert alarm.kind == "foreign-version" and alarm.facts["dataset"] == GEOLOGY
    folder = node.alarms.folder / alarm.id
    assert (folder / "statement.json").read_bytes() == log.versions["geology"][0]
    assert (folder / "opening.json").exists()


def test_foreign_version_that_the_hub_does_not_show(node: Node, hub: FakeHub, log: FakeLog) -> None:
    log.record("version", GEOLOGY, statement_sha256="5" * 64, seq=1)
    log.sign()
    node.catch_up(hub)
    assert node.kinds == ["foreign-version"]


def test_foreign_version_by_a_key_that_the_registry_has_been_given(
    node: Node, hub: FakeHub, log: FakeLog, federation: Federation
) -> None:
    """Hub and administrators together give the partner another key: its own node still knows its own word."""
    log.policy("geology", [])
    own = log.version("geology")
    records = PublishRecords(node.state, GEOLOGY)
    records.adopt(Head(manifest_seq=1, manifest_id=own), ())
    planted = SigningKey.generate()
    entry = federation.registry.partner("la-dgm")
    assert entry is not None
    changed = entry.with_node(entry.nodes[0], planted.public)
    federation.sign(federation.draft().with_partner(changed))
    log.version("geology", signer=planted)
    log.sign()
    node.catch_up(hub)
    (alarm,) = node.open
    assert alarm.kind == "foreign-version" and "no key of this node" in alarm.message


def test_versions_of_the_partners_other_node_are_its_own(
    node: Node, hub: FakeHub, log: FakeLog, federation: Federation
) -> None:
    second = SigningKey.generate()
    entry = federation.registry.partner("la-dgm")
    assert entry is not None
    federation.sign(federation.draft().with_partner(entry.with_node(entry.nodes[0], second.public)))
    log.policy("geology", [])
    log.version("geology", signer=second)
    log.sign()
    node.catch_up(hub)
    assert not node.open


def test_versions_signed_before_the_keys_were_rotated_are_its_own(
    node: Node, hub: FakeHub, log: FakeLog, federation: Federation
) -> None:
    log.policy("geology", [])
    log.version("geology")
    log.sign()
    old, new = federation.signing["la-dgm"], SigningKey.generate()
    entry = federation.registry.partner("la-dgm")
    assert entry is not None
    rotated = entry.with_node(entry.nodes[0], new.public).without_key(old.public)
    federation.sign(federation.draft().with_partner(rotated))
    federation.signing["la-dgm"] = new
    node.catch_up(hub)
    assert not node.open


def test_publishing_goes_on_while_the_lane_is_looked_at(
    node: Node, hub: FakeHub, log: FakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was the head when the look began is own, also when the next version stands there at its end."""
    log.policy("geology", [])
    log.version("geology")  # not known by this node's state any more: it is asked for
    second = log.version("geology")
    log.sign()
    records = PublishRecords(node.state, GEOLOGY)
    records.adopt(Head(manifest_seq=2, manifest_id=second), ())
    listed = hub.list_versions

    def list_versions(dataset: DatasetId, first_seq: int = 1) -> Iterator[bytes]:
        records.adopt(Head(manifest_seq=3, manifest_id="3" * 64), ())
        return listed(dataset, first_seq)

    monkeypatch.setattr(hub, "list_versions", list_versions)
    node.catch_up(hub)
    assert not node.open


def test_second_version_of_a_number(node: Node, hub: FakeHub, log: FakeLog) -> None:
    """Own keys signed it, and this node published another one under that number: a doubled machine."""
    log.policy("geology", [])
    PublishRecords(node.state, GEOLOGY).adopt(Head(manifest_seq=1, manifest_id="7" * 64), ())
    log.version("geology")
    log.sign()
    node.catch_up(hub)
    assert node.kinds == ["foreign-version"]


def test_foreign_policy(node: Node, hub: FakeHub, log: FakeLog) -> None:
    """A policy that nobody here signed would widen who receives."""
    log.policy("geology", ["kh-gdmr"], signer=SigningKey.generate())
    log.sign()
    node.catch_up(hub)
    assert node.kinds == ["foreign-version"]


def test_delivery_not_allowed(node: Node, hub: FakeHub, log: FakeLog) -> None:
    log.policy("geology", ["th-dmr"])
    manifest = log.version("geology")
    log.delivery("geology", manifest, "th-dmr")
    log.delivery("geology", manifest, "kh-gdmr")
    log.sign()
    node.catch_up(hub)
    (alarm,) = node.open
    assert alarm.kind == "delivery-not-allowed" and alarm.facts["partner"] == "kh-gdmr"
    folder = node.alarms.folder / alarm.id
    assert (folder / "policy.json").read_bytes() == log.policies["geology"][0].envelope
    assert (folder / "policy.rules.json").exists()


@pytest.mark.parametrize("page", [1, 2, 8])
def test_a_delivery_is_judged_by_the_policy_of_its_place(
    node: Node, hub: FakeHub, log: FakeLog, page: int
) -> None:
    """A grant that came or ended later changes nothing about what was delivered before."""
    hub.entries_max = page
    manifest = log.version("geology")
    log.delivery("geology", manifest, "th-dmr")  # before any policy
    log.policy("geology", ["th-dmr"])
    log.delivery("geology", manifest, "th-dmr")
    log.policy("geology", ["kh-gdmr"])
    log.delivery("geology", manifest, "th-dmr")  # withdrawn
    log.delivery("geology", manifest, "kh-gdmr")
    log.sign()
    node.catch_up(hub)
    indices = [each.facts["index"] for each in node.open]
    assert node.kinds == ["delivery-not-allowed"] * 2
    assert indices == [21, 25]


def test_a_delivery_in_the_second_in_which_its_rule_ends_is_allowed(
    node: Node, hub: FakeHub, log: FakeLog, federation: Federation
) -> None:
    """The hub decides, then writes the record: the rule's end may lie between the two."""
    from security import policy as policies
    from sync.ports import PolicyExtract

    ends = federation.clock.now() + timedelta(hours=1)
    rule = policies.Rule("r", "permission", "th-dmr", ("read",), not_after=ends)
    envelope, disclosures = policies.build(
        GEOLOGY, 1, None, federation.clock.now(), [rule], None, federation.signing["la-dgm"]
    )
    log.policies["geology"] = [PolicyExtract(envelope, disclosures)]
    log.record("policy", GEOLOGY, statement_sha256=parse(envelope).id, seq=1)
    manifest = log.version("geology")
    log.delivery("geology", manifest, "th-dmr", time=ends)
    log.delivery("geology", manifest, "th-dmr", time=ends + timedelta(minutes=5))
    log.sign()
    node.catch_up(hub)
    assert [each.facts["index"] for each in node.open] == [23]


def test_an_acknowledgement_that_its_receiver_did_not_sign(node: Node, hub: FakeHub, log: FakeLog) -> None:
    policy = log.policy("geology", ["th-dmr"])
    manifest = log.version("geology")
    acknowledge(log, manifest, policy, SigningKey.generate())
    log.sign()
    node.catch_up(hub)
    assert node.kinds == ["wrong-opening"]


def test_the_same_trouble_is_one_alarm(node: Node, hub: FakeHub, log: FakeLog) -> None:
    log.record("version", GEOLOGY, statement_sha256="5" * 64, seq=1)
    log.sign()
    node.catch_up(hub)
    node.restart()
    for each in node.state_dir.glob("state.sqlite*"):
        each.unlink()  # everything is looked at again
    node.catch_up(hub)
    assert len(node.open) == 1


def test_who_floods_a_node_with_wrong_things_does_not_fill_its_disk(
    node: Node, hub: FakeHub, log: FakeLog
) -> None:
    for number in range(60):
        log.record("version", GEOLOGY, statement_sha256=f"{number:064x}", seq=1)
    log.sign()
    node.catch_up(hub)
    assert len(node.open) == 40


def test_receipts_tell_who_holds_what_under_which_rule(
    node: Node, hub: FakeHub, log: FakeLog, federation: Federation
) -> None:
    policy = log.policy("geology", ["th-dmr", "kh-gdmr"])
    first = log.version("geology")
    log.delivery("geology", first, "th-dmr")
    acknowledge(log, first, policy, federation.signing["th-dmr"])
    second = log.version("geology")
    log.delivery("geology", second, "kh-gdmr")
    log.sign()
    node.catch_up(hub)
    rows = receipts(node.witness.ledger, GEOLOGY)
    told = [(r.version, r.partner, r.policy_seq, r.rule, r.acknowledged is not None, r.signed) for r in rows]
    assert told == [
        (2, "kh-gdmr", 1, "read-kh-gdmr", False, False),
        (1, "th-dmr", 1, "read-th-dmr", True, True),
    ]
