"""Uploads that no version came to name live seven days; what a version needs lives for ever."""

import os
import random
import threading

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Corrupt, SynclineError, Unavailable
from core.limits import Limits
from core.names import DatasetId, PartnerId
from hub.storage import schema
from sync.chunking import chunk_id
from sync.compression import encode
from sync.ports import StoredChunk
from tests.simulation.federation import (
    Published,
    TestFederation,
    build_version,
    make_federation,
    publish,
    share,
    upload,
)
from tests.unit.hub_services.conftest import SMALL

OWNER = PartnerId("la-dgm")
GEO = DatasetId("la-dgm/geo")
BIG = {"a.bin": os.urandom(20_000), "b.bin": b"compressible " * 1000}


def stray(count: int) -> list[StoredChunk]:
    datas = [os.urandom(200) for _ in range(count)]
    return [encode(chunk_id(each), each) for each in datas]


def there(federation: TestFederation, chunks: list[StoredChunk]) -> list[bool]:
    store = federation.hub._context.stores.of(OWNER)
    return [not missing for missing in store.missing([chunk.id for chunk in chunks])]


def age(federation: TestFederation, seconds: float | None = None) -> None:
    federation.clock.advance(federation.limits.upload_retention_s + 1 if seconds is None else seconds)


def test_an_upload_that_is_not_committed_lives_seven_days(federation: TestFederation):
    lost = stray(30)
    upload(federation, "la-dgm", lost)
    version = publish(federation, "la-dgm", "geo", BIG, read=["th-dmr"])
    age(federation, federation.limits.upload_retention_s - 60)
    assert federation.hub.retention.sweep(OWNER).chunks == 0
    assert all(there(federation, lost))
    young = stray(5)
    upload(federation, "la-dgm", young)
    age(federation, 120)
    assert federation.hub.retention.sweep(OWNER).chunks == 30
    assert not any(there(federation, lost))
    assert all(there(federation, young + list(version.chunks)))
    assert list(federation.hub.fsck.check(files=True)) == []


def test_materialisable_retention_never_removes_what_a_version_needs(federation: TestFederation):
    published = [publish(federation, "la-dgm", "geo", BIG, read=["th-dmr"])]
    for number in range(3):  # versions that share most of their tables, and another dataset
        files = {**BIG, f"{number}.txt": os.urandom(3000)}
        published.append(publish(federation, "la-dgm", "geo", files))
    published.append(publish(federation, "la-dgm", "maps", {"m": os.urandom(9000), **BIG}, read=["th-dmr"]))
    upload(federation, "la-dgm", stray(200))
    for _ in range(3):
        age(federation)
        federation.hub.retention.perform()
        federation.host.restart()
    for version in published:
        assert all(there(federation, list(version.chunks)))
    assert list(federation.hub.fsck.check(files=True)) == []
    assert federation.hub._context.stores.of(OWNER).missing([b"\0" * 32]) == [True]


def test_a_commit_that_comes_late_is_told_and_the_bytes_are_taken_again(federation: TestFederation):
    share(federation, "la-dgm", "geo", ["th-dmr"])
    version = build_version(federation, "la-dgm", "geo", BIG)
    upload(federation, "la-dgm", version.chunks)
    age(federation)
    federation.hub.retention.sweep(OWNER)
    caller = federation.caller("la-dgm")
    with pytest.raises(Unavailable) as refused:
        federation.hub.catalogue.commit_version(caller, version.envelope, version.root)
    assert refused.value.reason == "MISSING_CHUNKS"
    upload(federation, "la-dgm", version.chunks)
    federation.hub.catalogue.commit_version(caller, version.envelope, version.root)
    age(federation)
    assert federation.hub.retention.sweep(OWNER).chunks == 0
    assert list(federation.hub.fsck.check(files=True)) == []


def test_durable_ack_an_upload_that_was_sent_again_lives_seven_days_from_then(federation: TestFederation):
    lost = stray(10)
    upload(federation, "la-dgm", lost)
    age(federation)
    upload(federation, "la-dgm", lost[:4])
    assert federation.hub.retention.sweep(OWNER).chunks == 6
    assert there(federation, lost) == [True] * 4 + [False] * 6


def test_nothing_is_removed_where_a_recipe_cannot_be_read(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", BIG, read=["th-dmr"])
    lost = stray(10)
    upload(federation, "la-dgm", lost)
    age(federation)
    table = schema.versions
    with federation.hub._context.database.write() as connection:
        connection.execute(table.update().values(root=b"SYNRCP1\n garbage"))
    with pytest.raises(SynclineError):
        federation.hub.retention.sweep(OWNER)
    federation.hub.retention.perform()  # logs, and goes on
    assert all(there(federation, lost + list(version.chunks)))


def test_nothing_is_removed_where_a_version_lacks_something(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", BIG, read=["th-dmr"])
    lost = stray(10)
    upload(federation, "la-dgm", lost)
    age(federation)
    index = federation.host.layout.owner_store(OWNER) / "index.sqlite"
    engine = sa.create_engine(f"sqlite:///{index}")
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM chunk WHERE id = :id"), {"id": version.chunks[0].id})
    engine.dispose()
    with pytest.raises(Corrupt):
        federation.hub.retention.sweep(OWNER)
    assert all(there(federation, lost))


def test_materialisable_a_commit_during_the_search_keeps_its_chunks(
    federation: TestFederation, monkeypatch: pytest.MonkeyPatch
):
    share(federation, "la-dgm", "geo", ["th-dmr"])
    version = build_version(federation, "la-dgm", "geo", BIG)
    upload(federation, "la-dgm", version.chunks)
    lost = stray(10)
    upload(federation, "la-dgm", lost)
    age(federation)
    retention = federation.hub.retention
    waits = retention._context.counting_on.alone

    def late(name: str, patience_s: float):
        federation.hub.catalogue.commit_version(federation.caller("la-dgm"), version.envelope, version.root)
        return waits(name, patience_s)

    monkeypatch.setattr(type(retention._context.counting_on), "alone", lambda _, *given: late(*given))
    assert retention.sweep(OWNER).chunks == 10
    assert all(there(federation, list(version.chunks)))
    assert list(federation.hub.fsck.check(files=True)) == []


def test_materialisable_no_commit_passes_its_check_and_then_loses_its_chunks(
    federation: TestFederation, monkeypatch: pytest.MonkeyPatch
):
    """While a commit is between its check and its row, a sweep waits for it."""
    share(federation, "la-dgm", "geo", ["th-dmr"])
    version = build_version(federation, "la-dgm", "geo", BIG)
    upload(federation, "la-dgm", version.chunks)
    age(federation)
    catalogue, retention = federation.hub.catalogue, federation.hub.retention
    check = catalogue._check_recipe
    removed: list[int] = []
    sweeping = threading.Thread(target=lambda: removed.append(retention.sweep(OWNER).chunks))

    def slow(*given: object) -> None:
        check(*given)  # type: ignore[arg-type]
        sweeping.start()
        sweeping.join(0.5)
        assert sweeping.is_alive()

    monkeypatch.setattr(catalogue, "_check_recipe", slow)
    catalogue.commit_version(federation.caller("la-dgm"), version.envelope, version.root)
    sweeping.join()
    assert removed == [0]
    assert list(federation.hub.fsck.check(files=True)) == []


def test_the_duty_sweeps_once_a_day_and_stops_when_told(federation: TestFederation):
    upload(federation, "la-dgm", stray(3))
    age(federation)
    federation.hub.retention.perform()
    lost = stray(3)
    upload(federation, "la-dgm", lost)
    federation.clock.advance(3600)
    federation.hub.retention.perform()
    assert all(there(federation, lost))
    publish(federation, "la-dgm", "geo", BIG, read=["th-dmr"])
    age(federation)
    federation.hub.retention.stop()
    with pytest.raises(Unavailable):
        federation.hub.retention.sweep(OWNER)
    assert all(there(federation, lost))


STEPS = st.lists(
    st.tuples(st.sampled_from(["stray", "again", "build", "commit", "wait", "sweep"]), st.integers(0, 2**16)),
    max_size=30,
)


@settings(
    max_examples=max(5, settings.default.max_examples // 10),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_materialisable_whatever_is_uploaded_committed_and_swept(  # noqa: C901 - a model, step by step
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
):
    """Against a model: what was put, when, and what versions name."""
    federation = make_federation(tmp_path_factory.mktemp("hub"), limits=_TINY_PACKS)
    retention_s = federation.limits.upload_retention_s
    put: dict[bytes, float] = {}
    chunk_of: dict[bytes, StoredChunk] = {}
    needed: set[bytes] = set()
    waiting: Published | None = None
    seq, prev, now = 1, None, 0.0
    share(federation, "la-dgm", "geo", ["th-dmr"])

    def send(chunks: list[StoredChunk]) -> None:
        upload(federation, "la-dgm", chunks)
        for chunk in chunks:
            chunk_of[chunk.id], put[chunk.id] = chunk, now

    for step, number in [*steps, ("wait", 2**16), ("sweep", 0)]:
        chance = random.Random(number)
        match step:
            case "stray":
                datas = [chance.randbytes(200) for _ in range(chance.randint(1, 12))]
                send([encode(chunk_id(each), each) for each in datas])
            case "again" if chunk_of:
                send([chunk_of[id_] for id_ in chance.sample(sorted(chunk_of), min(3, len(chunk_of)))])
            case "build":
                files = {
                    f"{n % 5}": random.Random(n).randbytes(900) for n in range(number % 7, number % 7 + 5)
                }
                waiting = build_version(federation, "la-dgm", "geo", files, seq=seq, prev=prev)
                send(list(waiting.chunks))
            case "commit" if waiting is not None:
                complete = {chunk.id for chunk in waiting.chunks} <= put.keys()
                try:
                    federation.hub.catalogue.commit_version(
                        federation.caller("la-dgm"), waiting.envelope, waiting.root
                    )
                except Unavailable:
                    assert not complete
                else:
                    assert complete
                    needed |= {chunk.id for chunk in waiting.chunks}
                    seq, prev, waiting = seq + 1, waiting.manifest_id, None
            case "wait":
                seconds = number % (2 * retention_s) if number < 2**16 else retention_s + 2
                now += seconds
                federation.clock.advance(seconds)
            case "sweep" if OWNER in federation.hub._context.stores.owners():
                federation.hub.retention.sweep(OWNER)
                gone = {id_ for id_, at in put.items() if id_ not in needed and at < now - retention_s - 1}
                for id_ in gone:
                    del put[id_]
            case _:
                pass
        if chunk_of:
            ids = sorted(chunk_of)
            held = {
                id_
                for id_, missing in zip(
                    ids, federation.hub._context.stores.of(OWNER).missing(ids), strict=True
                )
                if not missing
            }
            assert held >= needed
            assert held ^ put.keys() <= {id_ for id_, at in put.items() if at <= now - retention_s}
            for id_ in put.keys() - held:
                del put[id_]
    assert list(federation.hub.fsck.check(files=True)) == []
    federation.close()


_TINY_PACKS = Limits(
    **{field: getattr(SMALL, field) for field in SMALL.__slots__ if field != "pack_bytes_max"},
    pack_bytes_max=8192,
)
