"""What a node remembers of a mirrored version: flushed before it counts, and told about when it is damaged
after all.
"""

import os
from pathlib import Path

import pytest

from core.errors import Corrupt
from tests.simulation.world import SimNode, World

DATASET = "la-dgm/geology"


def mirrored(world: World) -> tuple[SimNode, SimNode]:
    owner, reader = world.nodes["la-dgm"], world.nodes["th-dmr"]
    owner.publishes("geology", [{"with": ["th-dmr"], "allow": ["read"]}])
    for number in range(5):
        owner.write("geology", f"a/{number}.txt", b"abc%d" % number * 300)
    world.clock.advance(60)
    assert owner.sync_pass().errors == [] and reader.sync_pass().errors == []
    return owner, reader


def test_a_record_is_flushed_before_it_counts(fast_path: Path):
    """It may stand on another disk than the mirror, so flushing the mirror's disk is not enough."""
    with World(fast_path, ["la-dgm", "th-dmr"]) as world:
        mirrored(world)
        steps = [(step, name) for who, step, name in world.disk.steps if who == "th-dmr"]
        counts = steps.index(("rename", "stat"))
        for name in ("root", "inventory.part", "layout.part", "table.part", "stat.part"):
            assert ("fsync", name) in steps[:counts], name


@pytest.mark.parametrize("name", ["stat", "inventory", "layout", "table", "root"])
@pytest.mark.parametrize("damage", ["empty", "half", "gone"])
def test_a_damaged_record_is_an_error_with_a_remedy_that_works(fast_path: Path, name: str, damage: str):
    with World(fast_path, ["la-dgm", "th-dmr"]) as world:
        owner, reader = mirrored(world)
        (path,) = reader.state_dir.glob(f"mirrors/*/*/{name}")
        if damage == "gone":
            path.unlink()
        else:
            os.truncate(path, 0 if damage == "empty" else path.stat().st_size // 2)
        owner.write("geology", "b.txt", b"abcd" * 3000)
        world.clock.advance(60)
        assert owner.sync_pass().errors == []
        before = reader.files(DATASET)
        for error in reader.sync_pass().errors:
            assert isinstance(error, Corrupt) and "remove" in error.remedy, error
            assert reader.files(DATASET) == before
            for each in path.parent.iterdir():
                each.unlink()
            path.parent.rmdir()
        assert reader.sync_pass().errors == []
        assert reader.files(DATASET) == owner.listed("geology")
