"""Syncline and rsync over ssh on the same seeded data, in one run: `python -m benchmarks [--scale 0.05]`.

Prints, for each task and program, seconds, CPU seconds of both ends, the largest process at either end and
the bytes on the wire. `publish` is compared with a push, `fetch` with a pull. `--only tiles` runs a part.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.datasets import MIB, edit_blocks, write_raster, write_tiles
from benchmarks.exchange import Exchange
from benchmarks.measure import Cost
from benchmarks.rsync_peer import RsyncOverSsh
from core.errors import SynclineError

_RASTER_BYTES = 2048 * MIB
_TILES = 20_000
_PARTS = ("start", "raster", "tiles", "rescan")


def main() -> None:
    """Run every task at the given scale."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Syncline and rsync over ssh")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is a 2 GiB raster and 20,000 tiles")
    parser.add_argument("--folder", type=Path, help="where to work; needs about 12 GiB at scale 1")
    parser.add_argument("--only", action="append", choices=_PARTS, help="run this part; may be repeated")
    arguments = parser.parse_args()
    machine = f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}, scale {arguments.scale}, load {os.getloadavg()[0]:.1f}")
    print(
        f"{'task':<26}{'program':<26}{'seconds':>9}{'CPU s':>8}{'own MiB':>9}{'server MiB':>12}"
        f"{'wire MiB':>10}",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="syncline-bench-", dir=arguments.folder) as folder:
        try:
            compare(Path(folder), arguments.scale, frozenset(arguments.only or _PARTS))
        except SynclineError as error:
            sys.exit(f"benchmarks: {error}")
        except subprocess.CalledProcessError as error:
            sys.exit(f"benchmarks: {error}\n{error.output.decode(errors='replace')}")


def compare(folder: Path, scale: float, parts: frozenset[str]) -> None:
    """Each data set through both programs: first, unchanged and edited."""
    with RsyncOverSsh(folder / "peer") as peer, Exchange(folder / "syncline") as exchange:
        if "start" in parts:
            for words in (("--version",), ("status",)):
                report("start", f"syncline-node {words[0]}", exchange.start(*words))
        if "raster" in parts:
            raster = Mover(folder, "raster", peer, exchange)
            image = write_raster(raster.source, total_bytes=int(_RASTER_BYTES * scale))
            raster.move("raster, first")
            raster.move("raster, unchanged")
            edit_blocks(image, share=0.01)
            raster.move("raster, 1 % edited")
        if parts & {"tiles", "rescan"}:
            count = int(_TILES * scale)
            tiles = Mover(folder, "tiles", peer, exchange)
            write_tiles(tiles.source, count=count)
            tiles.move("tiles, first")
            if "tiles" in parts:
                tiles.move("tiles, unchanged")
            report(f"rescan of {count:,} files", "syncline daemon", exchange.rescan("tiles"))


class Mover:
    """Moves the data set in `folder/name` both ways with both programs and prints what it cost."""

    def __init__(self, folder: Path, name: str, peer: RsyncOverSsh, exchange: Exchange) -> None:
        self.folder, self.name, self.source = folder, name, folder / name
        self.peer, self.exchange = peer, exchange
        self.offered = False

    def move(self, task: str) -> None:
        if not self.offered:
            self.exchange.offer(self.name, self.source)
            self.offered = True
        os.sync()
        report(f"{task}, push", "rsync over ssh", self.peer.push(self.source, self.name))
        os.sync()
        report(f"{task}, push", "syncline publish", self.exchange.publish())
        os.sync()
        report(
            f"{task}, pull", "rsync over ssh", self.peer.pull(self.name, self.folder / f"{self.name}-pulled")
        )
        os.sync()
        report(f"{task}, pull", "syncline fetch", self.exchange.fetch())


def report(task: str, program: str, cost: Cost) -> None:
    """One line of the table."""
    print(
        f"{task:<26}{program:<26}{cost.seconds:>9.2f}{cost.cpu_seconds:>8.2f}"
        f"{cost.memory_bytes / MIB:>9.0f}{cost.service_memory_bytes / MIB:>12.0f}"
        f"{cost.wire_bytes / MIB:>10.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
