"""A program for `test_full_disk`: mirrors onto a small filesystem that fills up meanwhile. Needs a mount
namespace of its own.

    unshare --user --map-root-user --mount python small_filesystem.py FOLDER
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.limits import MIB
from node.subscribe import MirrorState
from tests.simulation.federation import make_federation, publish
from tests.unit.node_subscribe.conftest import SMALL, MirrorNode, noise

LIMITS = replace(SMALL, disk_reserve_bytes=4 * MIB)
CONTENT = {"large.tif": noise(12 * MIB)}


class Filled:
    """A hub; while it sends, somebody fills the mirror's disk up to `free` bytes."""

    def __init__(self, hub: Any, ballast: Path, free: int) -> None:
        self._hub = hub
        self._ballast = ballast
        self._free = free

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hub, name)

    def read_blobs(self, *arguments: Any) -> Any:
        for number, frame in enumerate(self._hub.read_blobs(*arguments)):
            if number == 20:
                room = os.statvfs(self._ballast.parent)
                self._ballast.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - self._free)))
            yield frame


def free_bytes(path: Path) -> int:
    room = os.statvfs(path)
    return room.f_bavail * room.f_frsize


def main(folder: Path) -> None:
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(disk)], check=True)
    federation = make_federation(folder / "federation", ["la-dgm", "th-dmr"], limits=SMALL)
    publish(federation, "la-dgm", "geology", CONTENT, read=["th-dmr"])
    (disk / "mirror").mkdir()
    node = MirrorNode(federation, folder / "state", disk / "mirror", limits=LIMITS)
    hub = node.hub

    ballast = disk / "ballast"
    ballast.write_bytes(bytes(10 * MIB))
    refused = node.one()
    assert refused.error is not None and refused.error.reason == "DISK_FULL", refused
    assert "12.6 MB are needed" in refused.error.message, refused.error.message
    ballast.unlink()

    node.hub = Filled(hub, ballast, 6 * MIB)  # type: ignore[assignment]
    stopped = node.one()
    assert stopped.error is not None and stopped.error.reason == "DISK_FULL", stopped
    assert "free there" in stopped.error.message, stopped.error.message
    assert free_bytes(disk) >= 2 * MIB, free_bytes(disk)  # it was never full
    assert stopped.bytes_left

    ballast.unlink()
    node.hub = hub
    before = hub.bytes_down
    assert node.one().state is MirrorState.UPDATED
    assert node.files() == CONTENT
    assert hub.bytes_down - before < 12 * MIB, "what was there was fetched again"
    federation.close()
    print("done")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
