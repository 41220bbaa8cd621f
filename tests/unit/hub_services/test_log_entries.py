"""Entries and evidence: witnesses read every leaf, and open what is theirs. Nobody else's."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.errors import Denied, InvalidInput, Unavailable
from core.names import DatasetId, PartnerId
from hub.services.translog import StoredLeaf
from security.policy import Rule
from security.tlog.checkpoint import open_checkpoint
from security.tlog.leaf import Opening, lane_commitment, leaf_hash, open_leaf, registry_of_leaf
from security.tlog.merkle import verify_inclusion
from sync import acknowledgement as acks
from sync.ports import Entries, Evidence, LeafKind, OrdinalRange, RecipeStream
from tests.simulation.federation import (
    Published,
    TestFederation,
    make_federation,
    publish,
    sha256_of_payload,
    share,
)

GEO = DatasetId("la-dgm/geo")


def fetch(federation: TestFederation, who: str, version: Published) -> None:
    ranges = [OrdinalRange(0, 1)]
    list(
        federation.hub.content.read_blobs(
            federation.caller(who), version.dataset, version.manifest_id, RecipeStream.CONTENT, ranges
        )
    )


def acknowledge(federation: TestFederation, who: str, version: Published) -> bytes:
    caller = federation.caller(who)
    policy = federation.hub.catalogue.list_policies(federation.caller("la-dgm"), version.dataset, 1)[-1]
    said = acks.Acknowledgement(
        dataset=version.dataset,
        manifest_sha256=version.manifest_id,
        policy_sha256=sha256_of_payload(policy.envelope),
        partner=caller.partner,
        node=caller.node,
        created=federation.clock.now(),
        result="applied",
    )
    envelope = acks.build(said, federation.members[who].signing)
    federation.hub.catalogue.acknowledge(caller, envelope)
    return envelope


@pytest.fixture
def shared(federation: TestFederation) -> tuple[TestFederation, Published, bytes]:
    """la-dgm shares with th-dmr, which fetches and acknowledges; vn-dgm is the outsider."""
    version = publish(federation, "la-dgm", "geo", {"a": b"1" * 2000}, read=["th-dmr"])
    fetch(federation, "th-dmr", version)
    envelope = acknowledge(federation, "th-dmr", version)
    federation.hub.registry.suspend(PartnerId("vn-dgm"))
    federation.hub.registry.resume(PartnerId("vn-dgm"))
    federation.hub.log.refused(PartnerId("vn-dgm"), "NOT_FOUND")
    federation.hub.log.perform()
    federation.clock.advance(3600)
    federation.hub.log.perform()
    federation.hub.log.make_checkpoint(force=True)
    return federation, version, envelope


def read(federation: TestFederation, who: str, first: int = 0, count: int = 0) -> Entries:
    return federation.hub.log.entries(federation.caller(who), first, count)


def stored(federation: TestFederation) -> list[StoredLeaf]:
    return list(federation.hub.translog.leaves())


def may_open(leaf: StoredLeaf, who: str) -> bool:
    """The rule, said once more: the lane's owner, and the actor."""
    return leaf.nonce is not None and (leaf.lane_owner == who or json.loads(leaf.record)["actor"] == who)


@pytest.mark.parametrize("who", ["la-dgm", "th-dmr", "vn-dgm"])
def test_default_deny_no_opening_goes_to_whom_it_does_not_belong(shared, who: str):
    federation, _, _ = shared
    entries = read(federation, who)
    leaves = stored(federation)
    assert entries.leaves == tuple(each.leaf for each in leaves)
    assert [each.index for each in entries.opened] == [each.index for each in leaves if may_open(each, who)]
    types = {leaves[each.index].type for each in entries.opened}
    assert "refusals" not in types
    if who == "vn-dgm":
        assert types == {"act"}
        assert {json.loads(each.record)["object"] for each in entries.opened} == {"vn-dgm"}
    elif who == "th-dmr":
        assert types == {"act", "delivery", "acknowledgement"}


def test_the_owner_reads_its_whole_lane_with_its_places(shared):
    federation, _, envelope = shared
    prev, n = None, 0
    for each in read(federation, "la-dgm").opened:
        record = open_leaf(read(federation, "la-dgm").leaves[each.index], Opening(each.record, each.nonce))
        n += 1
        assert (each.lane_n, each.lane_prev) == (n, prev)
        assert each.lane_salt is not None
        prev = lane_commitment(PartnerId("la-dgm"), n, prev, each.lane_salt)
        assert record["lane"] == prev
        assert each.statement == (envelope if record["type"] == "acknowledgement" else None)
        if record["type"] == "delivery":
            detail = record["detail"]
            assert detail["partner"] == "th-dmr"
            assert detail["rule"] == "read-th-dmr"
            assert detail["policy_seq"] == 1
            assert len(detail["policy_sha256"]) == 64
    assert n == len([each for each in stored(federation) if each.lane_owner == "la-dgm"]) > 5


def test_an_actor_opens_its_deed_and_not_its_place_in_the_owners_lane(shared):
    federation, _, _ = shared
    mine = [each for each in read(federation, "th-dmr").opened if b'"delivery"' in each.record]
    assert len(mine) == 1
    assert (mine[0].lane_n, mine[0].lane_prev, mine[0].lane_salt, mine[0].statement) == (0, None, None, None)


def test_entries_end_at_the_checkpoint_and_at_the_count(shared):
    federation, _, _ = shared
    size = federation.hub.log.checkpoint_size()
    publish(federation, "la-dgm", "geo", {"a": b"2"})
    assert federation.hub.translog.size() > size
    assert len(read(federation, "la-dgm").leaves) == size
    assert read(federation, "la-dgm", size).leaves == ()
    part = read(federation, "la-dgm", 2, 3)
    assert part.leaves == tuple(each.leaf for each in stored(federation)[2:5])
    assert all(2 <= each.index < 5 for each in part.opened)
    for first, count in [(size + 1, 1), (-1, 1), (0, -1)]:
        with pytest.raises(InvalidInput) as refused:
            read(federation, "la-dgm", first, count)
        assert refused.value.reason == "OUT_OF_RANGE"


def test_an_answer_stays_below_the_wires_bound_and_the_next_one_goes_on(tmp_path: Path):
    from tests.unit.hub_services.conftest import SMALL

    small = replace(
        SMALL,
        message_bytes_max=72 * 1024,
        registry_envelope_bytes_max=70 * 1024,
        registry_payload_bytes_max=40 * 1024,
        root_bytes_max=1024,
        envelope_bytes_max=64 * 1024,
        payload_bytes_max=32 * 1024,
        entries_count_max=1000,
        note_bytes_max=16 * 1024,
    )
    federation = make_federation(tmp_path, limits=small)
    version = publish(federation, "la-dgm", "geo", {"a": b"1" * 2000}, read=["th-dmr"])
    acknowledge(federation, "th-dmr", version)
    for turn in range(9):
        publish(federation, "la-dgm", "geo", {"a": b"%d" % turn})
    federation.hub.log.make_checkpoint(force=True)
    size, at, found = federation.hub.log.checkpoint_size(), 0, []
    answers = 0
    while at < size:
        part = read(federation, "la-dgm", at)
        sent = 33 * len(part.leaves) + sum(
            len(each.record) + 32 + 64 + 32 + len(each.statement or b"") for each in part.opened
        )
        assert part.leaves
        assert sent <= 8 * 1024 or len(part.leaves) == 1
        assert all(at <= each.index < at + len(part.leaves) for each in part.opened)
        found += [each.index for each in part.opened]
        at += len(part.leaves)
        answers += 1
    assert answers > 2
    assert found == [each.index for each in stored(federation) if may_open(each, "la-dgm")]
    federation.close()


def test_a_suspended_partner_reads_nothing(shared):
    federation, _, _ = shared
    federation.hub.registry.suspend(PartnerId("vn-dgm"))
    with pytest.raises(Denied):
        read(federation, "vn-dgm")


# --- evidence ----------------------------------------------------------------------------------------


def evidence(federation: TestFederation, who: str, version: Published) -> Evidence:
    return federation.hub.log.evidence(federation.caller(who), version.dataset, version.manifest_id)


def check_proven(federation: TestFederation, found: Evidence) -> dict[LeafKind, list[dict]]:
    """Every leaf proven under the note; the records by kind."""
    log = federation.registry.registry.logs[-1]
    checkpoint = open_checkpoint(found.checkpoint, log.origin, log.key).checkpoint
    leaves = stored(federation)
    records: dict[LeafKind, list[dict]] = {}
    for each in found.leaves:
        leaf = leaves[each.index].leaf
        verify_inclusion(leaf_hash(leaf), each.index, checkpoint.size, each.hashes, checkpoint.root)
        if each.kind is LeafKind.REGISTRY:
            assert registry_of_leaf(leaf) is not None
            assert (each.record, each.nonce) == (b"", b"")
            records.setdefault(each.kind, []).append({"seq": each.registry_seq})
        else:
            records.setdefault(each.kind, []).append(open_leaf(leaf, Opening(each.record, each.nonce)))
    return records


def test_evidence_proves_version_policy_delivery_and_every_registry_under_one_checkpoint(shared):
    federation, version, _ = shared
    records = check_proven(federation, evidence(federation, "th-dmr", version))
    assert [r["statement_sha256"] for r in records[LeafKind.VERSION]] == [version.manifest_id]
    assert [r["detail"]["seq"] for r in records[LeafKind.POLICY]] == [1]
    assert [r["actor"] for r in records[LeafKind.DELIVERY]] == ["th-dmr"]
    seqs = [r["seq"] for r in records[LeafKind.REGISTRY]]
    assert seqs == list(range(1, federation.registry.registry.seq + 1))


def test_the_owner_gets_evidence_without_others_deliveries(shared):
    federation, version, _ = shared
    records = check_proven(federation, evidence(federation, "la-dgm", version))
    assert LeafKind.DELIVERY not in records


def test_default_deny_evidence_is_for_who_may_discover(shared):
    federation, version, _ = shared
    with pytest.raises(Denied) as hidden:
        evidence(federation, "vn-dgm", version)
    with pytest.raises(Denied) as unknown:
        federation.hub.log.evidence(
            federation.caller("vn-dgm"), DatasetId("la-dgm/none"), version.manifest_id
        )
    assert (hidden.value.reason, str(hidden.value)) == (unknown.value.reason, str(unknown.value))
    with pytest.raises(Denied):
        federation.hub.log.evidence(federation.caller("th-dmr"), GEO, "0" * 64)


def test_who_may_only_discover_gets_version_and_policy(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", {"a": b"1"}, discover=["vn-dgm"], read=["th-dmr"])
    federation.hub.log.make_checkpoint(force=True)
    records = check_proven(federation, evidence(federation, "vn-dgm", version))
    assert set(records) == {LeafKind.VERSION, LeafKind.POLICY, LeafKind.REGISTRY}


def test_what_no_checkpoint_covers_yet_is_told_apart(federation: TestFederation):
    federation.hub.log.make_checkpoint()
    version = publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    with pytest.raises(Unavailable) as early:
        evidence(federation, "th-dmr", version)
    assert early.value.reason == "NOT_COVERED"
    federation.clock.advance(1)
    assert federation.hub.log.make_checkpoint()
    check_proven(federation, evidence(federation, "th-dmr", version))


def test_the_newest_policy_is_proven_not_the_pinned_one(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    later = federation.clock.now() + timedelta(days=9)
    share(
        federation,
        "la-dgm",
        "geo",
        rules=[Rule("r", "permission", "th-dmr", ("read",), None, later)],
    )
    federation.hub.log.make_checkpoint(force=True)
    records = check_proven(federation, evidence(federation, "th-dmr", version))
    assert [r["detail"]["seq"] for r in records[LeafKind.POLICY]] == [2]


# --- exports -----------------------------------------------------------------------------------------


def test_openings_for_an_export_are_whole_lanes_in_order(shared):
    federation, *_ = shared
    log = federation.hub.log
    lane = list(log.openings({PartnerId("la-dgm")}))
    assert [each.lane.n for each in lane if each.lane] == list(range(1, len(lane) + 1))
    for each in lane:
        open_leaf(each.leaf, each.opening)
    every = list(log.openings(None))
    assert [each.index for each in every] == [x.index for x in stored(federation) if x.nonce is not None]
    assert {each.type for each in every} >= {"refusals", "act", "delivery", "version"}
    late = list(log.openings(None, since=federation.clock.now()))
    assert [each.type for each in late] == ["refusals"]
    assert list(log.openings(None, end=3)) == [each for each in every if each.index < 3]
