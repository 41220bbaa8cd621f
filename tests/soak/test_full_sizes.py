"""The sizes of the field, through real processes: memory does not grow with files or bytes.

`make soak` runs them; they need up to 60 GiB of disk and hours. `SYNCLINE_SOAK_FOLDER` says where.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.datasets import MIB, edit_blocks, write_raster
from benchmarks.exchange import Exchange
from benchmarks.measure import Cost

pytestmark = [pytest.mark.soak, pytest.mark.processes]

_MEMORY_MAX = 300 * MIB


@pytest.fixture
def folder() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="syncline-soak-", dir=os.environ.get("SYNCLINE_SOAK_FOLDER")))
    yield place
    shutil.rmtree(place, ignore_errors=True)


def modest(cost: Cost) -> bool:
    """Whether node and hub stayed within their memory; the figures are printed for `-s`."""
    node, hub, wire = (n // MIB for n in (cost.memory_bytes, cost.service_memory_bytes, cost.wire_bytes))
    print(f"{cost.seconds:.0f} s, node {node} MiB, hub {hub} MiB, wire {wire} MiB", flush=True)
    return max(cost.memory_bytes, cost.service_memory_bytes) < _MEMORY_MAX


def small_files(folder: Path, count: int) -> None:
    for number in range(count):
        parent = folder / f"ແຜ່ນ {number // 1000:04}"
        if number % 1000 == 0:
            parent.mkdir(parents=True)
        (parent / f"图幅-{number:07}.txt").write_bytes(b"%d\n" % number)


@pytest.mark.parametrize("count", [100_000, 1_000_000])
def test_converges_with_many_small_files_in_bounded_memory(folder: Path, count: int) -> None:
    small_files(folder / "many", count)
    with Exchange(folder / "exchange") as exchange:
        exchange.offer("many", folder / "many")
        assert modest(exchange.publish())
        assert modest(exchange.fetch())
        changed = next((folder / "many").rglob("*.txt"))
        changed.write_bytes(b"changed\n")
        assert modest(exchange.publish())
        assert modest(exchange.fetch())
        current = exchange.reader.home / "mirror" / "cn-cgs" / "many" / "current"
        assert sum(1 for _ in current.rglob("*.txt")) == count
        assert (current / changed.relative_to(folder / "many")).read_bytes() == b"changed\n"


@pytest.mark.parametrize("gib", [4, 16])
def test_converges_with_a_raster_of_many_gib_in_bounded_memory(folder: Path, gib: int) -> None:
    image = write_raster(folder / "raster", total_bytes=gib * 1024 * MIB)
    with Exchange(folder / "exchange") as exchange:
        exchange.offer("raster", image.parent)
        assert modest(exchange.publish())
        assert modest(exchange.fetch())
        edit_blocks(image, share=0.0001)
        edited = exchange.publish()
        assert modest(edited)
        assert edited.wire_bytes < image.stat().st_size // 10
        assert modest(exchange.fetch())
