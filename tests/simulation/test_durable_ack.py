"""durable_ack: what the hub has acknowledged survives a power cut.

A power cut is a copy of the hub's folder as a disk would hold it: packs as long as they were last flushed,
new names only where their folder was flushed. SQLite's own flushing cannot be seen from Python; what it is
asked for is tested.
"""

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.names import DatasetId
from hub.layout import Layout
from hub.services.hub import Hub
from sync.chunking import chunk_id
from sync.compression import encode
from sync.frames import pack_frame
from sync.ports import StoredChunk
from tests.simulation.disk import Disk, Killed
from tests.simulation.federation import TestFederation, build_version, make_federation, share, upload
from tests.simulation.in_process_hub import Fault, InProcessHub
from tests.simulation.oracle import fetch_whole, statement_id
from tests.simulation.seeded import run, seeds
from tests.simulation.world import SMALL, Restart, World

DATASET = DatasetId("la-dgm/geology")


@pytest.mark.parametrize("seed", seeds())
def test_durable_ack(seed: int):
    run(seed).check("durable_ack")


@pytest.fixture
def hub(fast_path: Path) -> Iterator[TestFederation]:
    made = make_federation(fast_path, ("la-dgm", "th-dmr"), limits=SMALL)
    yield made
    made.close()


def chunks(seed: int, count: int) -> list[StoredChunk]:
    chance = random.Random(seed)
    datas = [chance.randbytes(chance.randrange(200, 1_000)) for _ in range(count)]
    return [encode(chunk_id(data), data) for data in datas]


def after_power_cut(
    federation: TestFederation, disk: Disk, folder: Path, spoil: Callable[[Path], None] = lambda _: None
) -> Hub:
    """The hub as it comes back, from a copy of what was flushed; the hub that runs goes on."""
    image = disk.power_cut("hub", folder)
    spoil(image)
    return Hub.open(Layout(image), clock=federation.clock, limits=SMALL)


def index_lost_its_log(image: Path) -> None:
    for path in image.glob("store/*/*.sqlite-wal"):
        path.unlink()


def index_lost(image: Path) -> None:
    for path in image.glob("store/*/*.sqlite*"):
        path.unlink()


@pytest.mark.parametrize(
    "spoil", [lambda _: None, index_lost_its_log, index_lost], ids=["plain", "log", "index"]
)
def test_durable_ack_chunks_survive_a_power_cut(
    hub: TestFederation, tmp_path: Path, spoil: Callable[[Path], None]
):
    """After every acknowledgement, all chunks that were acknowledged so far are there, unchanged."""
    caller = hub.caller("la-dgm")
    given = chunks(1, 140)
    frames = [given[at : at + 3] for at in range(0, len(given), 3)]
    with Disk({"hub": hub.host.layout.directory}) as disk:
        acknowledged = 0
        sent = (pack_frame(frame, SMALL) for frame in frames)
        for number, durable in enumerate(hub.api("la-dgm").update_blobs(sent)):
            assert durable > acknowledged
            acknowledged = durable
            image = tmp_path / f"image-{number}"
            back = after_power_cut(hub, disk, image, spoil)
            ids = [chunk.id for frame in frames[:acknowledged] for chunk in frame]
            for at in range(0, len(ids), SMALL.find_missing_count_max):
                assert not any(back.content.find_missing(caller, ids[at : at + SMALL.find_missing_count_max]))
            store = back._context.stores.of(caller.partner)
            assert [chunk.id for chunk in store.get(ids)] == ids
            assert list(store.verify()) == []
            back.close()
            shutil.rmtree(image)
        assert acknowledged == len(frames) and number > 4


def test_durable_ack_statements_survive_a_power_cut(hub: TestFederation, tmp_path: Path):
    """Policy, version, acknowledgement and delivery, each with its leaf, when they are answered."""
    with Disk({"hub": hub.host.layout.directory}) as disk:
        policy = share(hub, "la-dgm", "geology", read=["th-dmr"])
        back = after_power_cut(hub, disk, tmp_path / "policy")
        (kept,) = back.catalogue.list_policies(hub.caller("la-dgm"), DATASET, 1)
        assert kept.envelope == policy.envelope
        back.close()
        files = {"a": random.Random(2).randbytes(3_000)}
        version = build_version(hub, "la-dgm", "geology", files)
        upload(hub, "la-dgm", version.chunks)
        made = hub.api("la-dgm").commit_version(version.envelope, version.root)
        back = after_power_cut(hub, disk, tmp_path / "version")
        again = back.catalogue.commit_version(hub.caller("la-dgm"), version.envelope, version.root)
        assert replace(again, receipt=None) == replace(made, receipt=None)
        assert again.receipt is not None and made.receipt is not None  # signed anew, and saying the same
        assert statement_id(again.receipt) == statement_id(made.receipt)
        api = InProcessHub(_Opened(back), hub.caller("th-dmr"))  # type: ignore[arg-type]
        assert fetch_whole(api, DATASET, version.manifest_id, SMALL) == files
        size = back.translog.size()
        assert size > made.leaf_index
        back.close()


class _Opened:
    """A host of one hub that does not restart."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.limits = SMALL


@pytest.mark.parametrize("call", ["publish_policy", "commit_version", "acknowledge"])
@pytest.mark.parametrize("step", ["commit", "committed"])
def test_durable_ack_the_same_bytes_get_the_same_answer(fast_path: Path, call: str, step: str):
    """The hub dies on either side of its transaction; the node asks again: one statement, one leaf."""
    with World(fast_path, ["la-dgm", "th-dmr"]) as world:
        owner, reader = world.nodes["la-dgm"], world.nodes["th-dmr"]
        owner.publishes("geology", [{"with": ["th-dmr"], "allow": ["read"]}])
        owner.write("geology", "a", b"a" * 500)
        world.clock.advance(60)
        asker = reader if call == "acknowledge" else owner
        if asker is reader:
            assert owner.sync_pass().errors == []
        real = getattr(asker.link.api, call)
        plan = [True]

        def dying(*arguments: Any) -> Any:
            if plan.pop() if plan else False:
                world.disk.kill("hub", 0 if step == "commit" else 1)
            return real(*arguments)

        setattr(asker.link.api, call, dying)
        first = asker.sync_pass()
        assert any(each.startswith(f"hub killed at {step}") for each in world.disk.happened)
        told = [getattr(error, "reason", "") for error in first.errors]
        assert told == (["CONNECTION"] if call != "acknowledge" else [])
        assert asker.sync_pass().errors == []
        if asker is owner:
            assert reader.sync_pass().errors == []
        assert reader.files(DATASET) == owner.listed("geology")
        assert len(list(owner.link.list_versions(DATASET, 1))) == 1
        assert len(list(owner.link.list_policies(DATASET, 1))) == 1
        leaves = leaf_types(world)
        assert [leaves.count(each) for each in ("policy", "version", "delivery", "acknowledgement")] == [
            1
        ] * 4


def leaf_types(world: World) -> list[str]:
    import json

    import sqlalchemy as sa

    from hub.storage import schema

    with world.host.hub._context.database.read() as connection:
        records = connection.execute(sa.select(schema.leaves.c.record)).scalars().all()
    return [json.loads(record).get("type", "registry") for record in records if record]


def test_durable_ack_no_answer_before_the_transaction(fast_path: Path):
    """An answer never given acknowledges nothing; the hub may have it or not, and says the same later."""
    with World(fast_path, ["la-dgm", "th-dmr"]) as world:
        owner = world.nodes["la-dgm"]
        owner.publishes("geology", [{"with": ["th-dmr"], "allow": ["read"]}])
        owner.write("geology", "a", b"a" * 500)
        world.clock.advance(60)
        owner.faults.script("commit_version", Fault.ANSWER_LOST)
        assert owner.sync_pass().errors != []
        (envelope,) = world.federation.api("la-dgm").list_versions(DATASET, 1)
        assert owner.sync_pass().errors == []
        (again,) = world.federation.api("la-dgm").list_versions(DATASET, 1)
        assert statement_id(again) == statement_id(envelope) and again == envelope


def test_durable_ack_a_flush_that_failed_is_never_forgotten(hub: TestFederation):
    """After a failed flush nobody knows what the kernel kept: no acknowledgement before a reopening."""
    caller = hub.caller("la-dgm")
    with Disk({"hub": hub.host.layout.directory}) as disk:
        stream = hub.hub.content.open_upload(caller)
        stream.put_frame(pack_frame(chunks(3, 3), SMALL))
        disk.full("hub", 0)
        with pytest.raises(Exception, match="flushed"):
            stream.commit()
        with pytest.raises(Exception, match="flushed"):
            stream.commit()
        with pytest.raises(Exception, match="flushed"):
            other = hub.hub.content.open_upload(caller)
            other.put_frame(pack_frame(chunks(4, 3), SMALL))
            other.commit()


def test_durable_ack_every_database_flushes_each_commit(hub: TestFederation, tmp_path: Path):
    """What SQLite is asked for, in each of the hub's databases: synchronous FULL (2) or EXTRA (3)."""
    upload(hub, "la-dgm", chunks(5, 3))
    context = hub.hub._context
    with context.database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() in (2, 3)
    store: Any = context.stores.of(hub.caller("la-dgm").partner)
    with store._index._connection() as connection:
        assert isinstance(connection, sqlite3.Connection)
        assert connection.execute("PRAGMA synchronous").fetchone()[0] in (2, 3)


def test_durable_ack_survives_a_death_at_every_step_of_an_upload(fast_path: Path):
    """Killed and cut off at each durable step in turn; what was acknowledged before is there."""
    with World(fast_path, ["la-dgm", "th-dmr"]) as world:
        caller = world.federation.caller("la-dgm")
        known: list[bytes] = []
        for after in range(12):
            new = chunks(100 + after, 30)
            frames = [new[at : at + 3] for at in range(0, 30, 3)]
            world.disk.kill("hub", after)
            durable = 0
            sent = iter([pack_frame(frame, SMALL) for frame in frames])
            try:
                for told in world.federation.api("la-dgm").update_blobs(sent):
                    durable = told
            except Killed:
                pass
            world.disk.stop()
            known += [chunk.id for frame in frames[:durable] for chunk in frame]
            world.restart_hub(Restart.POWER_CUT)
            missing = [id_ for id_ in known if world.host.hub.content.find_missing(caller, [id_]) != [False]]
            assert missing == [], after
        assert known, "some were acknowledged"
