"""Every call of `HubApi` over TLS to a running hub, and what happens when the hub misbehaves or goes away."""

import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.clock import SystemClock
from core.errors import Denied, SynclineError, Unavailable, Untrusted
from core.limits import Limits
from core.names import DatasetId, PartnerId
from node.hub_client import GrpcHub
from node.hub_client.channel import check_hub
from node.hub_client.progress_guard import ProgressGuard
from node.identity import load
from node.trust import TrustStore
from sync.acknowledgement import Acknowledgement, build
from sync.compression import check_chunk
from sync.frames import pack, unpack
from sync.ports import OrdinalRange, RecipeStream
from tests.simulation.federation import (
    Member,
    Published,
    TestFederation,
    build_version,
    grants,
    make_policy,
    sha256_of_payload,
)
from tests.unit.hub_rpc.conftest import RunningHub
from tests.unit.node_enrol.conftest import NODE, Joining

DATASET = DatasetId("la-dgm/geology")


class World:
    """A running hub, an owner and a subscriber over gRPC."""

    def __init__(self, running: RunningHub, tmp_path: Path) -> None:
        self.running = running
        self.joined: dict[str, Joining] = {}
        for partner in ("la-dgm", "th-dmr"):
            (tmp_path / partner).mkdir()
            joining = Joining(running, tmp_path / partner, PartnerId(partner))
            joining.join(joining.invite(approve_on_join=True), config_path=None)
            self.joined[partner] = joining
        self.owner, self.reader = self.joined["la-dgm"].hub(), self.joined["th-dmr"].hub()

    def publish(self, files: dict[str, bytes], read: list[str]) -> Published:
        keys = load(self.joined["la-dgm"].state_dir)
        with self.running.beside() as beside:
            host: Any = SimpleNamespace(hub=beside)
            clock: Any = SystemClock()
            federation = TestFederation(host, clock, self.running.administrator, self.running.limits)
            federation.members["la-dgm"] = Member(PartnerId("la-dgm"), NODE, keys.signing, keys.witness, b"")
            policy = make_policy(federation, "la-dgm", "geology", grants(read))
            self.owner.publish_policy(policy)
            version = build_version(federation, "la-dgm", "geology", files)
        ids = [chunk.id for chunk in version.chunks]
        assert all(self.owner.find_missing(ids))
        frames = list(pack(version.chunks))
        assert list(self.owner.update_blobs(iter(frames)))[-1] == len(frames)
        assert not any(self.owner.find_missing(ids))
        version.accepted = self.owner.commit_version(version.envelope, version.root)
        return version

    def close(self) -> None:
        self.owner.close()
        self.reader.close()


@pytest.fixture
def world(running: RunningHub, tmp_path: Path) -> Iterator[World]:
    made = World(running, tmp_path)
    yield made
    made.close()


def test_every_call_of_the_contract(world: World) -> None:
    info = world.reader.get_hub_info()
    assert info.federation == "test-geo"
    assert len(world.reader.list_registry(1)) == info.registry_seq
    version = world.publish({"a.txt": b"alpha" * 1000}, ["th-dmr"])
    assert version.accepted is not None
    listing = world.reader.list_datasets(None)
    assert listing is not None
    [entry] = listing.entries
    assert (entry.dataset, entry.manifest_id, entry.may_read) == (DATASET, version.manifest_id, True)
    assert world.reader.list_datasets(listing.etag) is None
    assert list(world.reader.list_versions(DATASET, 1)) == [version.envelope]
    detail = world.reader.get_version(DATASET, version.manifest_id)
    assert (detail.envelope, detail.root) == (version.envelope, version.root)
    [policy] = list(world.reader.list_policies(DATASET, 1))
    assert policy.envelope == detail.policy.envelope
    assert world.reader.explain_access(DATASET, PartnerId("th-dmr"), "read").allowed
    frames = world.reader.read_blobs(DATASET, version.manifest_id, RecipeStream.CONTENT, [OrdinalRange(0, 1)])
    [chunk] = [chunk for frame in frames for chunk in unpack(frame)]
    assert bytes(check_chunk(chunk)) == b"alpha" * 1000
    keys = load(world.joined["th-dmr"].state_dir)
    acknowledgement = build(
        Acknowledgement(
            dataset=DATASET,
            manifest_sha256=version.manifest_id,
            policy_sha256=sha256_of_payload(policy.envelope),
            partner=PartnerId("th-dmr"),
            node=NODE,
            created=SystemClock().now(),
        ),
        keys.signing,
    )
    assert world.reader.acknowledge(acknowledgement) == world.reader.acknowledge(acknowledgement)
    assert world.reader.report_status(b"{}")


def test_default_deny_over_the_wire(world: World) -> None:
    version = world.publish({"a.txt": b"alpha"}, [])
    assert world.reader.list_datasets(None).entries == ()  # type: ignore[union-attr]
    with pytest.raises(Denied):
        world.reader.get_version(DATASET, version.manifest_id)
    with pytest.raises(Denied):
        list(world.reader.list_versions(DATASET, 1))
    with pytest.raises(Denied):
        list(
            world.reader.read_blobs(DATASET, version.manifest_id, RecipeStream.CONTENT, [OrdinalRange(0, 1)])
        )


def test_the_doorbell_rings_and_can_be_left(world: World) -> None:
    with world.reader.watch_changes() as rings:
        next(rings)
        world.publish({"a.txt": b"alpha"}, ["th-dmr"])
        next(rings)


def test_a_hub_that_stops_is_unavailable_and_its_return_is_noticed(world: World) -> None:
    world.reader.get_hub_info()
    ports = world.running.ports
    world.running.stop()
    with pytest.raises(Unavailable) as refused:
        world.reader.get_hub_info()
    assert refused.value.remedy
    world.running.settings = world.running.settings.model_copy(
        update={
            "hub": world.running.settings.hub.model_copy(
                update={
                    "listen": f"127.0.0.1:{ports.node_port}",
                    "enrol_listen": f"127.0.0.1:{ports.enrolment_port}",
                }
            )
        }
    )
    world.running.start()
    deadline = time.monotonic() + 60
    while True:
        try:
            world.reader.get_hub_info()
            break
        except Unavailable:
            assert time.monotonic() < deadline


def test_another_hub_at_the_address_is_untrusted(world: World, tmp_path: Path) -> None:
    other = RunningHub(tmp_path / "other")
    other.start()
    try:
        keys = load(world.joined["th-dmr"].state_dir)
        trust = TrustStore(world.joined["th-dmr"].state_dir, SystemClock())
        hub = GrpcHub(
            address=f"127.0.0.1:{other.ports.node_port}", roots_pem=trust.roots_pem(), tls=keys.tls()
        )
        with pytest.raises(Untrusted) as refused:
            hub.get_hub_info()
        assert refused.value.reason == "WRONG_HUB"
        hub.close()
    finally:
        other.stop()


def test_a_wrong_host_name_is_untrusted(running: RunningHub) -> None:
    with pytest.raises(Untrusted, match="localhost"):
        check_hub(f"localhost:{running.ports.node_port}", running.ca, "test-geo", 5)


def test_a_clock_that_is_off_is_not_taken_for_an_impostor(
    running: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_time(*_: object, **__: object) -> None:
        error = ssl.SSLCertVerificationError("certificate verify failed")
        error.verify_message = "certificate has expired"
        raise error

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", out_of_time)
    with pytest.raises(Untrusted) as refused:
        check_hub(f"127.0.0.1:{running.ports.node_port}", running.ca, "test-geo", 5)
    assert refused.value.reason == "WRONG_TIME"
    assert "clock" in refused.value.remedy


def test_no_error_of_the_library_leaks(world: World) -> None:
    """Whatever a closed channel says, it says it as one of ours."""
    world.reader.close()
    calls: list[Any] = [
        world.reader.get_hub_info,
        lambda: world.reader.list_datasets(None),
        lambda: list(world.reader.read_blobs(DATASET, "0" * 64, RecipeStream.TABLE, [OrdinalRange(0, 1)])),
        lambda: list(world.reader.update_blobs(iter([]))),
        lambda: world.reader.find_missing([b"\0" * 32]),
        lambda: world.reader.watch_changes().__enter__(),
    ]
    for call in calls:
        with pytest.raises(SynclineError):
            call()


def test_a_stream_that_stands_still_is_broken_off() -> None:
    cancelled = threading.Event()
    call: Any = SimpleNamespace(cancel=cancelled.set)
    with ProgressGuard(call, 0.05) as guard:
        assert cancelled.wait(30)
        with pytest.raises(Unavailable, match="stood still"):
            guard.check()


def test_a_stream_that_moves_is_left_alone() -> None:
    cancelled = threading.Event()
    call: Any = SimpleNamespace(cancel=cancelled.set)
    with ProgressGuard(call, 30) as guard:
        guard.moved()
        guard.check()
        assert not cancelled.is_set()


def test_the_limits_of_messages_are_ours() -> None:
    limits = Limits()
    assert limits.message_bytes_max >= limits.frame_bytes_max
