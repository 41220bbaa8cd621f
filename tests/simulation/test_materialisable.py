"""materialisable: every version that the hub lists to you can be fetched whole and verified."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Corrupt, SynclineError, Unavailable
from sync.compression import encode
from sync.frames import pack_frame
from tests.simulation.federation import (
    TestFederation,
    build_version,
    make_federation,
    publish,
    share,
    upload,
)
from tests.simulation.oracle import fetch_whole
from tests.simulation.seeded import run, seeds
from tests.simulation.world import SMALL, Restart, World


@pytest.mark.parametrize("seed", seeds())
def test_materialisable(seed: int):
    run(seed).check("materialisable")


@pytest.fixture
def hub(fast_path: Path) -> Iterator[TestFederation]:
    made = make_federation(fast_path, ("la-dgm", "th-dmr"), limits=SMALL)
    yield made
    made.close()


def files(seed: int) -> dict[str, bytes]:
    chance = random.Random(seed)
    return {f"f{number}": chance.randbytes(chance.randrange(2_000)) for number in range(5)} | {"empty": b""}


def listed(hub: TestFederation, who: str = "th-dmr") -> dict[int, dict[str, bytes]]:
    """Every version that the hub lists as having content, fetched whole."""
    api = hub.api(who)
    listing = api.list_datasets(None)
    assert listing is not None
    return {
        entry.manifest_seq: fetch_whole(api, entry.dataset, entry.manifest_id or "", SMALL)
        for entry in listing.entries
        if entry.may_read and entry.has_content
    }


def test_materialisable_what_is_not_all_there_is_not_listed(hub: TestFederation):
    """Whichever chunk is missing, of the content or of the lists: the version is not accepted."""
    publish(hub, "la-dgm", "geology", files(1), read=["th-dmr"])
    first = hub.api("la-dgm").list_datasets(None)
    assert first is not None
    version = build_version(hub, "la-dgm", "geology", files(2), seq=2, prev=first.entries[0].manifest_id)
    for lacking in range(0, len(version.chunks), 3):
        chunks = version.chunks[lacking:] if lacking % 2 else version.chunks[:lacking]
        if lacking < 6:
            upload(hub, "la-dgm", chunks) if chunks else None
        with pytest.raises(Unavailable) as refused:
            hub.api("la-dgm").commit_version(version.envelope, version.root)
        assert refused.value.reason == "MISSING_CHUNKS"
        assert listed(hub) == {1: files(1)}
        if lacking > 6:
            break
    upload(hub, "la-dgm", version.chunks)
    hub.api("la-dgm").commit_version(version.envelope, version.root)
    assert listed(hub) == {2: files(2)}


def test_materialisable_a_chunk_that_is_not_its_id_is_refused(hub: TestFederation):
    version = build_version(hub, "la-dgm", "geology", files(1))
    share(hub, "la-dgm", "geology", read=["th-dmr"])
    liar = [encode(chunk.id, b"x" * chunk.raw_bytes) for chunk in version.chunks]
    stream = hub.hub.content.open_upload(hub.caller("la-dgm"))
    for chunk in liar:
        with pytest.raises(Corrupt):
            stream.put_frame(pack_frame([chunk], SMALL))
    stream.commit()
    assert all(hub.api("la-dgm").find_missing([chunk.id for chunk in version.chunks][:64]))


def test_materialisable_another_inventory_than_the_signed_one_is_refused(hub: TestFederation):
    share(hub, "la-dgm", "geology", read=["th-dmr"])
    good = build_version(hub, "la-dgm", "geology", files(1))
    other = build_version(hub, "la-dgm", "geology", files(2))
    upload(hub, "la-dgm", [*good.chunks, *other.chunks])
    with pytest.raises(SynclineError) as refused:
        hub.api("la-dgm").commit_version(good.envelope, other.root)
    assert refused.value.reason == "WRONG_INVENTORY"
    assert listed(hub) == {}


def test_materialisable_a_withheld_version_is_not_listed_as_content(hub: TestFederation):
    publish(hub, "la-dgm", "geology", files(1), read=["th-dmr"])
    publish(hub, "la-dgm", "geology", files(2), withhold=True)
    assert listed(hub) == {}


@pytest.mark.parametrize("how", list(Restart))
def test_materialisable_after_the_hub_died(fast_path: Path, how: Restart):
    """Killed at each step of a commit in turn: what is listed then can be had."""
    with World(fast_path, ["la-dgm", "th-dmr"]) as world:
        owner = world.nodes["la-dgm"]
        owner.publishes("geology", [{"with": ["th-dmr"], "allow": ["read"]}])
        chance = random.Random(4)
        for after in range(7):
            for name in ("a.bin", "b.bin"):
                owner.write("geology", name, chance.randbytes(1_500))
            world.clock.advance(60)
            world.disk.kill("hub", after)
            owner.sync_pass(subscribe=False)
            world.disk.stop()
            world.restart_hub(how)
            for found in listed(world.federation).values():
                assert set(found) == {"a.bin", "b.bin"}
        world.clock.advance(60)
        assert owner.sync_pass(subscribe=False).errors == []
        assert list(listed(world.federation).values()) == [owner.listed("geology")]
