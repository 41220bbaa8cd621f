"""`durable_ack`: a pack store survives being cut off at any byte behind what it had committed."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.limits import Limits
from sync.chunking import chunk_id
from sync.compression import encode
from sync.ports import StoredChunk
from sync.stores.packs import PackStore

SMALL = Limits(
    chunk_bytes_min=64,
    chunk_bytes_avg=256,
    chunk_bytes_max=1024,
    frame_bytes_max=4096,
    pack_bytes_max=6000,
    disk_reserve_bytes=0,
)

sizes = st.lists(st.integers(1, 1024), min_size=1, max_size=20)


def made(sizes: list[int], lane: int) -> list[StoredChunk]:
    datas = [bytes((lane, place)) * (size // 2 + 1) for place, size in enumerate(sizes)]
    return [encode(chunk_id(data[:1024]), data[:1024]) for data in datas]


@settings(max_examples=settings.default.max_examples // 2, suppress_health_check=[HealthCheck.too_slow])
@given(committed=sizes, late=sizes, cut=st.floats(0, 1), garbage=st.binary(max_size=80))
def test_durable_ack_after_a_crash_with_a_torn_tail(
    committed: list[int], late: list[int], cut: float, garbage: bytes
):
    with tempfile.TemporaryDirectory() as folder:
        directory, crashed = Path(folder, "store"), Path(folder, "crashed")
        store = PackStore(directory, SMALL)
        first, second = made(committed, 1), made(late, 2)
        store.put(first)
        store.commit()
        packs = sorted((directory / "packs").iterdir())
        durable_bytes = packs[-1].stat().st_size
        durable_pack = packs[-1].name
        store.put(second)
        # The power fails: of what was not flushed any prefix is left, and some of it is garbage.
        shutil.copytree(directory, crashed)
        store.close()
        for path in sorted((crashed / "packs").iterdir()):
            size = path.stat().st_size
            least = durable_bytes if path.name == durable_pack else 0 if path.name > durable_pack else size
            with path.open("r+b") as file:
                end = least + int((size - least) * cut)
                file.truncate(end)
                file.seek(end)
                if path.name >= durable_pack:
                    file.write(garbage)
        again = PackStore(crashed, SMALL)
        ids = [chunk.id for chunk in first]
        assert not any(again.missing(ids))
        assert [bytes(c.data) for c in again.get(ids)] == [bytes(c.data) for c in first]
        assert list(again.verify()) == []
        # What is there of the rest is whole, and all of it can be stored.
        there = [
            c for c, lacks in zip(second, again.missing([c.id for c in second]), strict=True) if not lacks
        ]
        assert [bytes(c.data) for c in again.get([c.id for c in there])] == [bytes(c.data) for c in there]
        again.put(second)
        again.commit()
        assert not any(again.missing([c.id for c in second]))
        assert list(again.verify()) == []
        count = again.count()
        assert again.rebuild_index() == count
        again.close()
