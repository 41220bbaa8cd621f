"""The log over the wire: what a witness can check, and calls that wait without holding anything up."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from syncline.v1 import fleet_pb2, fleet_pb2_grpc, log_pb2, log_pb2_grpc

from core.clock import SystemClock
from core.errors import Denied, InvalidInput, Unavailable, Untrusted
from core.limits import Limits
from core.names import DatasetId, PartnerId
from hub.storage import schema
from node.hub_client import GrpcHub
from node.identity import load
from security.registry import RegistryLog
from security.tlog.checkpoint import OpenedCheckpoint, open_checkpoint
from security.tlog.cosignature import Witness, cosign, cosigners
from security.tlog.leaf import Opening, leaf_hash, open_leaf, registry_leaf
from security.tlog.merkle import tree_root, verify_consistency, verify_inclusion
from security.tlog.note import Note, parse_note
from sync.ports import Entries, LeafKind
from tests.simulation.federation import Published, sha256_of_payload
from tests.unit.hub_rpc.conftest import RunningHub
from tests.unit.node_enrol.test_hub_client import DATASET, World

QUICK = Limits(reauthorise_s=0.2, checkpoint_every_s=0.05)
#: One checkpoint when the hub starts, and no other: whoever waits does so in vain.
ONCE = Limits(reauthorise_s=0.2, checkpoint_every_s=3600, checkpoint_wait_s=0.3)
FOR_EVER = Limits(reauthorise_s=0.2, checkpoint_every_s=3600, checkpoint_wait_s=3600, call_timeout_s=7200)
NOWHERE = 2**52


def started(tmp_path: Path, limits: Limits) -> Iterator[RunningHub]:
    hub = RunningHub(tmp_path / "hub", limits)
    hub.start()
    yield hub
    if hub.thread.is_alive():
        hub.stop()


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[RunningHub]:
    yield from started(tmp_path, QUICK)


@pytest.fixture
def once(tmp_path: Path) -> Iterator[RunningHub]:
    yield from started(tmp_path, ONCE)


@pytest.fixture
def for_ever(tmp_path: Path) -> Iterator[RunningHub]:
    yield from started(tmp_path, FOR_EVER)


def the_log(running: RunningHub) -> RegistryLog:
    with running.beside() as hub:
        return hub.registry.current().registry.logs[-1]


def opened(running: RunningHub, note: bytes) -> OpenedCheckpoint:
    log = the_log(running)
    return open_checkpoint(note, log.origin, log.key)


def whole(hub: GrpcHub, size: int) -> Entries:
    """All leaves, a few at a time."""
    leaves: list[bytes] = []
    openings: list[Any] = []
    while len(leaves) < size:
        page = hub.get_entries(len(leaves), min(3, size - len(leaves)))
        assert page.leaves
        leaves += page.leaves
        openings += page.opened
    return Entries(tuple(leaves), tuple(openings))


def test_a_witness_can_check_everything_that_it_is_told(quick: RunningHub, tmp_path: Path) -> None:
    with closing(World(quick, tmp_path)) as world:
        first = opened(quick, world.reader.get_checkpoint().note).checkpoint
        version = world.publish({"a.txt": b"alpha"}, ["th-dmr"])
        assert version.accepted is not None
        view = world.reader.get_checkpoint(version.accepted.leaf_index + 1)
        checkpoint = opened(quick, view.note).checkpoint
        assert checkpoint.size > version.accepted.leaf_index >= first.size
        leaves = whole(world.reader, checkpoint.size).leaves
        hashes = [leaf_hash(leaf) for leaf in leaves]
        assert tree_root(hashes) == checkpoint.root
        proof = world.reader.get_consistency_proof(first.size, checkpoint.size)
        verify_consistency(first.size, checkpoint.size, proof, first.root, checkpoint.root)
        indices = range(checkpoint.size)
        proofs = world.reader.get_inclusion_proofs(indices, checkpoint.size)
        for index, each in zip(indices, proofs, strict=True):
            verify_inclusion(hashes[index], index, checkpoint.size, each, checkpoint.root)
        newest = sha256_of_payload(list(world.reader.list_registry(1))[-1])
        assert registry_leaf(newest) in leaves


def test_openings_go_to_whom_they_belong_and_to_nobody_else(quick: RunningHub, tmp_path: Path) -> None:
    with closing(World(quick, tmp_path)) as world:
        version = world.publish({"a.txt": b"alpha"}, ["th-dmr"])
        assert version.accepted is not None
        index = version.accepted.leaf_index
        size = opened(quick, world.owner.get_checkpoint(index + 1).note).checkpoint.size
        entries = whole(world.owner, size)
        [own] = [each for each in entries.opened if each.index == index]
        record = open_leaf(entries.leaves[index], Opening(own.record, own.nonce))
        assert (record["type"], record["actor"]) == ("version", "la-dgm")
        assert record["statement_sha256"] == version.manifest_id
        assert own.lane_n > 0
        assert index not in [each.index for each in whole(world.reader, size).opened]


def test_a_call_that_waits_is_answered_by_the_checkpoint_that_it_waits_for(
    quick: RunningHub, tmp_path: Path
) -> None:
    with closing(World(quick, tmp_path)) as world:
        before = opened(quick, world.reader.get_checkpoint().note).checkpoint.size
        answers: list[bytes] = []
        waiting = threading.Thread(
            target=lambda: answers.append(world.reader.get_checkpoint(before + 1).note)
        )
        waiting.start()
        world.publish({"a.txt": b"alpha"}, ["th-dmr"])
        waiting.join(30)
        [note] = answers
        assert opened(quick, note).checkpoint.size > before


def test_evidence_waits_until_a_checkpoint_covers_it(quick: RunningHub, tmp_path: Path) -> None:
    with closing(World(quick, tmp_path)) as world:
        version = world.publish({"a.txt": b"alpha"}, ["th-dmr"])
        evidence = world.reader.get_evidence(DATASET, version.manifest_id)
        checkpoint = opened(quick, evidence.checkpoint).checkpoint
        kinds = [leaf.kind for leaf in evidence.leaves]
        assert kinds.count(LeafKind.VERSION) == kinds.count(LeafKind.POLICY) == 1
        assert LeafKind.REGISTRY in kinds
        chain = [sha256_of_payload(each) for each in world.reader.list_registry(1)]
        for leaf in evidence.leaves:
            if leaf.kind is LeafKind.REGISTRY:
                data = registry_leaf(chain[leaf.registry_seq - 1])
            else:
                [data] = world.reader.get_entries(leaf.index, 1).leaves
                open_leaf(data, Opening(leaf.record, leaf.nonce))
            verify_inclusion(leaf_hash(data), leaf.index, checkpoint.size, leaf.hashes, checkpoint.root)


def test_evidence_of_what_one_may_not_discover_is_an_absence(quick: RunningHub, tmp_path: Path) -> None:
    with closing(World(quick, tmp_path)) as world:
        version = world.publish({"a.txt": b"alpha"}, [])
        for dataset, manifest_id in ((DATASET, version.manifest_id), (DatasetId("la-dgm/none"), "0" * 64)):
            with pytest.raises(Denied) as caught:
                world.reader.get_evidence(dataset, manifest_id)
            assert caught.value.reason == "NOT_FOUND"


def test_what_no_checkpoint_covers_in_time_is_to_be_asked_for_again(once: RunningHub, tmp_path: Path) -> None:
    with closing(World(once, tmp_path)) as world:
        version: Published = world.publish({"a.txt": b"alpha"}, ["th-dmr"])
        with pytest.raises(Unavailable) as caught:
            world.reader.get_evidence(DATASET, version.manifest_id)
        assert caught.value.reason == "NOT_COVERED"
        view = world.reader.get_checkpoint(NOWHERE)
        assert opened(once, view.note).checkpoint.size >= 1


def test_proofs_beyond_the_newest_checkpoint_are_refused_by_name(once: RunningHub, tmp_path: Path) -> None:
    with closing(World(once, tmp_path)) as world:
        size = opened(once, world.reader.get_checkpoint().note).checkpoint.size
        for ask in (
            lambda: world.reader.get_consistency_proof(1, size + 1),
            lambda: world.reader.get_inclusion_proofs([0], size + 1),
            lambda: world.reader.get_entries(size + 1, 1),
        ):
            with pytest.raises(InvalidInput) as caught:
                ask()
            assert caught.value.reason == "OUT_OF_RANGE"


def test_cosignatures_reach_the_other_witnesses_and_a_wrong_one_does_not(
    quick: RunningHub, tmp_path: Path
) -> None:
    with closing(World(quick, tmp_path)) as world:
        keys = load(world.joined["la-dgm"].state_dir)
        name = "test-geo/la-dgm/main"
        note = world.owner.get_checkpoint().note
        text = parse_note(note).text
        mine = Note(text, (cosign(text, name, keys.witness, SystemClock().now()),)).to_bytes()
        with pytest.raises(Untrusted):
            world.reader.add_cosignature(mine)
        world.owner.add_cosignature(mine)
        world.owner.add_cosignature(mine)
        view = world.reader.get_checkpoint()
        witness = Witness(name, keys.witness.public)
        found = [cosigners(parse_note(each), [witness]) for each in (view.note, *view.cosigned)]
        assert [len(each) for each in found if each] == [1]


# --- waiting holds nothing up, and ends ----------------------------------------------------------------


def wait_in_vain(channel: grpc.Channel) -> Any:
    return log_pb2_grpc.LogServiceStub(channel).GetCheckpoint.future(
        log_pb2.GetCheckpointRequest(min_size=NOWHERE), timeout=60
    )


def test_calls_that_wait_hold_none_of_the_hubs_threads(for_ever: RunningHub) -> None:
    member = for_ever.enrol("la-dgm")
    with member.channel() as waiting, member.channel() as channel:
        calls = [wait_in_vain(waiting) for _ in range(3 * for_ever.settings.server.threads)]
        for _ in range(20):
            fleet_pb2_grpc.FleetServiceStub(channel).ReportStatus(
                fleet_pb2.ReportStatusRequest(status_json=b"{}"), timeout=20
            )
        assert not any(call.done() for call in calls)
        for call in calls:
            call.cancel()


def test_a_waiting_call_ends_with_its_deadline(for_ever: RunningHub) -> None:
    member = for_ever.enrol("la-dgm")
    with member.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        log_pb2_grpc.LogServiceStub(channel).GetCheckpoint(
            log_pb2.GetCheckpointRequest(min_size=NOWHERE), timeout=0.3
        )
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_waiting_call_ends_when_its_caller_is_suspended(for_ever: RunningHub) -> None:
    member = for_ever.enrol("la-dgm")
    with member.channel() as channel:
        call = wait_in_vain(channel)
        with for_ever.beside() as hub:
            hub.registry.suspend(PartnerId("la-dgm"))
        with pytest.raises(grpc.RpcError) as caught:
            call.result(timeout=30)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_a_waiting_call_ends_when_the_hub_stops(for_ever: RunningHub) -> None:
    member = for_ever.enrol("la-dgm")
    with member.channel() as channel:
        call = wait_in_vain(channel)
        log_pb2_grpc.LogServiceStub(channel).GetCheckpoint(log_pb2.GetCheckpointRequest(), timeout=20)
        for_ever.stop()
        with pytest.raises(grpc.RpcError) as caught:
            call.result(timeout=30)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


# --- refusals -------------------------------------------------------------------------------------------


def test_refusals_are_counted_by_partner_and_reason_and_mistakes_are_not(
    once: RunningHub, tmp_path: Path
) -> None:
    with closing(World(once, tmp_path)) as world:
        for _ in range(3):
            with pytest.raises(Denied):
                world.reader.get_version(DATASET, "0" * 64)
        with pytest.raises(InvalidInput):
            world.reader.get_entries(NOWHERE, 1)
    once.stop()
    with once.beside() as hub, hub._context.database.read() as connection:
        table = schema.refusals.c  # two rows a kind, where an hour ended meanwhile
        rows = connection.execute(
            sa.select(table.partner, table.reason, sa.func.sum(table.count)).group_by(
                table.partner, table.reason
            )
        ).all()
    assert [tuple(row) for row in rows] == [("th-dmr", "NOT_FOUND", 3)]
