"""resumes: an interrupted transfer repeats at most one frame a stream, plus negotiation.

What travels is counted at the hub's door. A stream is cut after each number of frames in turn, in each way
that it can be cut; the connection of a hub that lives makes durable what arrived, a hub that is killed finds
it again in its packs.
"""

import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.limits import MIB, Limits
from core.names import DatasetId
from hub.services.context import Caller
from sync.frames import unpack
from sync.ports import OrdinalRange, RecipeStream
from tests.simulation.disk import Killed
from tests.simulation.in_process_hub import HubHost, InProcessHub, lost
from tests.simulation.world import SMALL, Restart, SimNode, World

DATASET = "la-dgm/raster"
SHARE = [{"with": ["th-dmr"], "allow": ["read"]}]


class CutHub(InProcessHub):
    """Cuts one stream, at one frame, in one way; counts what travels."""

    def __init__(self, host: HubHost, caller: Caller, world: World) -> None:
        super().__init__(host, caller)
        self._world = world
        self.way = ""
        self.cut_at = 0
        self.frames = 0
        self.repeated_bytes = 0
        self._seen: set[bytes] = set()

    def plan(self, way: str, cut_at: int) -> None:
        self.way, self.cut_at, self.frames, self.repeated_bytes = way, cut_at, 0, 0
        self._seen.clear()

    def _count(self, frame: bytes | memoryview) -> None:
        self.frames += 1
        for chunk in unpack(frame, self.host.limits):
            if bytes(chunk.id) in self._seen:
                self.repeated_bytes += len(chunk.data)
            self._seen.add(bytes(chunk.id))

    def _due(self) -> bool:
        return bool(self.way) and self.frames == self.cut_at

    def update_blobs(self, frames: Iterator[bytes]) -> Iterator[int]:
        upload = self.host.hub.content.open_upload(self.caller)
        for number, frame in enumerate(frames, 1):
            self._count(frame)
            if self._due():
                way, self.way = self.way, ""
                if way != "lost on the way":
                    upload.put_frame(frame)
                if way == "hub killed":
                    self._world.restart_hub(Restart.KILLED)
                else:
                    upload.close()  # as the server does when a connection breaks
                raise lost("update_blobs")
            upload.put_frame(frame)
            if number % 3 == 0:
                yield upload.commit()
        yield upload.commit()

    def read_blobs(
        self, dataset: DatasetId, manifest_id: str, stream: RecipeStream, ranges: Sequence[OrdinalRange]
    ) -> Iterator[memoryview | bytes]:
        for frame in super().read_blobs(dataset, manifest_id, stream, ranges):
            self._count(frame)
            if self._due():
                way, self.way = self.way, ""
                if way != "lost on the way":
                    yield frame
                raise lost("read_blobs")
            yield frame


def cutting(world: World, who: str) -> CutHub:
    """Put a cutting hub before that node."""
    node = world.nodes[who]
    hub = CutHub(world.host, node.link.api.caller, world)
    node.link.api = hub
    return hub


@pytest.mark.parametrize("way", ["lost on the way", "arrived", "hub killed"])
def test_resumes_uploading(fast_path: Path, way: str):
    chance = random.Random(7)
    with World(fast_path, ["la-dgm", "th-dmr"]) as world:
        node, hub = world.nodes["la-dgm"], cutting(world, "la-dgm")
        node.publishes("raster", SHARE)
        sizes = {"one.bin": 20_000, **{f"tile-{n}": 900 for n in range(12)}}
        for cut_at in (1, 2, 3, 5, 7):
            for path, size in sizes.items():
                node.write("raster", path, chance.randbytes(size))
            world.clock.advance(60)
            hub.plan(way, cut_at)
            result = node.sync_pass(subscribe=False)
            assert result.errors == [] and hub.way == "", "it was cut, and went on by itself"
            assert hub.frames > cut_at
            assert hub.repeated_bytes <= SMALL.frame_bytes_max, (way, cut_at)


@pytest.mark.parametrize("way", ["lost on the way", "arrived"])
@pytest.mark.parametrize("shape", ["one large file", "many files"])
def test_resumes_downloading(fast_path: Path, way: str, shape: str):
    """At full size: a frame of a megabyte, and the buffers that go with it."""
    chance = random.Random(8)
    limits = Limits(disk_reserve_bytes=0)
    large = {"raster.tif": chance.randbytes(7 * MIB)}
    many = {f"tiles/{n:03}": chance.randbytes(70_000) for n in range(100)}
    with World(fast_path, ["la-dgm", "th-dmr"], limits=limits) as world:
        owner, reader = world.nodes["la-dgm"], world.nodes["th-dmr"]
        hub = cutting(world, "th-dmr")
        owner.publishes("raster", SHARE)
        files = large if shape == "one large file" else many
        for path, data in files.items():
            owner.write("raster", path, data)
        world.clock.advance(60)
        assert owner.sync_pass(subscribe=False).errors == []
        repeated = {}
        for cut_at in (4, 6, 8):
            forget(reader)
            hub.plan(way, cut_at)
            first = reader.sync_pass(publish=False)
            assert [getattr(error, "reason", "") for error in first.errors] == ["CONNECTION"]
            assert reader.files(DATASET) is None, "nothing is visible before all is there"
            again = reader.sync_pass(publish=False)
            assert again.errors == [] and reader.files(DATASET) == files
            repeated[cut_at] = hub.repeated_bytes
        assert max(repeated.values()) <= limits.frame_bytes_max, repeated


def forget(node: SimNode) -> None:
    """The mirror begins anew."""
    node.close()
    shutil.rmtree(node.mirror_root)
    node.mirror_root.mkdir()
    for path in node.state_dir.iterdir():
        if path.name.startswith("state.sqlite"):
            path.unlink()
        elif path.name == "mirrors":
            shutil.rmtree(path)


def test_resumes_asks_only_for_what_is_not_there(fast_path: Path):
    """A node that is killed after the upload, before the commit, sends no content again."""
    chance = random.Random(9)
    with World(fast_path, ["la-dgm", "th-dmr"]) as world:
        node, hub = world.nodes["la-dgm"], cutting(world, "la-dgm")
        node.publishes("raster", SHARE)
        node.write("raster", "one.bin", chance.randbytes(20_000))
        world.clock.advance(60)
        world.disk.watchers.append(kill_after_upload(world))
        assert isinstance(node.sync_pass(subscribe=False).error, Killed)
        assert hub.frames > 3
        world.disk.watchers.clear()
        assert node.sync_pass(subscribe=False).errors == []
        assert hub.repeated_bytes == 0
        assert len(list(node.link.list_versions(DatasetId(DATASET), 1))) == 1


def kill_after_upload(world: World) -> Any:
    """Kill the node at the first commit of its state after the hub's flush."""

    def watch(who: str, step: str, _path: Path) -> None:
        if (who, step) == ("la-dgm", "commit") and ("hub", "fsync") in [
            each[:2] for each in world.disk.steps
        ]:
            world.disk.kill("la-dgm", 0)

    return watch
