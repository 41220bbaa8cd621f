"""The simulated network does what it says: requests get lost, answers get lost after the fact, streams
break."""

from dataclasses import replace

import pytest

from core.errors import Unavailable
from core.limits import LIMITS
from sync.frames import pack
from sync.ports import HubApi, OrdinalRange, RecipeStream
from tests.simulation.federation import (
    TestFederation,
    build_version,
    make_federation,
    publish,
    share,
    upload,
)
from tests.simulation.in_process_hub import Fault, Faults, InProcessHub

SMALL = replace(
    LIMITS,
    chunk_bytes_min=64,
    chunk_bytes_avg=256,
    chunk_bytes_max=1024,
    frame_bytes_max=2048,
    disk_reserve_bytes=1,
)
FILES = {"a.bin": bytes(range(256)) * 100, "b": b"b"}


@pytest.fixture
def small(tmp_path):
    made = make_federation(tmp_path, limits=SMALL)
    yield made
    made.close()


def test_it_is_a_hub_api(federation: TestFederation):
    api: HubApi = federation.api("la-dgm")
    assert api.get_hub_info().federation == "test-geo"
    assert len(api.list_registry(1)) == 4


def test_failed_but_stored_anyway(small: TestFederation):
    share(small, "la-dgm", "geo", read=["th-dmr"])
    version = build_version(small, "la-dgm", "geo", FILES)
    upload(small, "la-dgm", version.chunks)
    faults = Faults()
    faults.script("commit_version", Fault.REQUEST_LOST, Fault.ANSWER_LOST, None)
    api = small.api("la-dgm", faults)
    for expected in (0, 1):
        with pytest.raises(Unavailable) as broken:
            api.commit_version(version.envelope, version.root)
        assert broken.value.reason == "CONNECTION"
        assert len(list(api.list_versions(version.dataset, 1))) == expected
    leaves = small.hub.translog.size()
    api.commit_version(version.envelope, version.root)
    assert small.hub.translog.size() == leaves


def test_a_cut_upload_repeats_little_and_the_acks_were_true(small: TestFederation):
    version = build_version(small, "la-dgm", "geo", FILES)
    frames = list(pack(version.chunks, SMALL))
    faults = Faults(seed=3)
    faults.script("update_blobs", Fault.CUT)
    api = small.api("la-dgm", faults)
    acknowledged = 0
    with pytest.raises(Unavailable):
        for durable in api.update_blobs(iter(frames)):
            acknowledged = durable
    small.host.restart()
    promised = [c.id for frame in frames[:acknowledged] for c in chunks_of(frame)]
    assert not any(api.find_missing(promised))
    assert list(api.update_blobs(iter(frames)))[-1] == len(frames)


def test_a_restart_between_calls_keeps_everything(small: TestFederation):
    version = publish(small, "la-dgm", "geo", FILES, read=["th-dmr"])
    faults = Faults()
    faults.script("get_version", Fault.RESTART)
    api = small.api("th-dmr", faults)
    assert api.get_version(version.dataset, version.manifest_id).root == version.root
    assert small.host.starts == 2


def test_a_cut_download_gives_whole_frames_then_breaks(small: TestFederation):
    version = publish(small, "la-dgm", "geo", FILES, read=["th-dmr"])
    faults = Faults(seed=1)
    faults.script("read_blobs", Fault.CUT)
    api = small.api("th-dmr", faults)
    got = 0
    with pytest.raises(Unavailable):
        for frame in api.read_blobs(
            version.dataset, version.manifest_id, RecipeStream.CONTENT, [OrdinalRange(0, 50)]
        ):
            assert chunks_of(frame)
            got += 1
    assert faults.happened == [("read_blobs", Fault.CUT)]


def test_the_same_seed_gives_the_same_faults():
    def draw(seed: int) -> list[Fault | None]:
        faults = Faults(seed, rate=0.5)
        return [faults.next("x", stream=True) for _ in range(50)]

    assert draw(5) == draw(5) != draw(6)


def test_the_doorbell_rings_at_the_start_and_for_changes(small: TestFederation):
    api: InProcessHub = small.api("th-dmr")
    with api.watch_changes() as rings:
        next(rings)
        publish(small, "la-dgm", "geo", FILES, read=["th-dmr"])
        next(rings)
        small.host.restart()
        with pytest.raises(Unavailable):
            next(rings)


def chunks_of(frame):
    from sync.frames import unpack

    return unpack(frame, SMALL)
