"""What the evidence costs: `make bench-evidence`, or `python -m benchmarks.evidence [--only log …]`.

Prints a table in Markdown, a line for each measurement, as soon as it is known. Parts: `sync` (a small
dataset published and fetched), `commits` (with and without checkpoints), `log` (checkpoints and proofs in a
log of `--leaves`, and a witness that was away for all of them), `verify` (the auditor and `sha256sum -c`).
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.commits import Committed, Committers
from benchmarks.datasets import MIB, write_raster, write_tiles
from benchmarks.exchange import Exchange
from benchmarks.log_tree import Log, Spent
from benchmarks.measure import Cost, cost_of
from benchmarks.verifying import Verifier
from core.errors import SynclineError
from core.names import NodeName, PartnerId
from hub.services.context import Caller
from node import identity

_RASTER_BYTES = 2048 * MIB
_RASTERS, _RASTERS_BYTES = 4, 128 * MIB
_TILES = 20_000
_SMALL = 100
_VERSIONS = 100
_THREADS = 4
_ROUNDS = 3
_APPENDED = 1000
_HEAD = ("part", "what", "seconds", "CPU s", "MiB", "result")


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks.evidence", description="What the evidence costs")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the data that are verified and committed"
    )
    parser.add_argument("--leaves", type=int, default=1_000_000, help="how large the log is")
    parser.add_argument("--folder", type=Path, help="where to work; needs about 8 GiB at scale 1")
    parser.add_argument("--only", action="append", choices=list(_PARTS), help="run this part; repeatable")
    arguments = parser.parse_args()
    machine = f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}, scale {arguments.scale}, load {os.getloadavg()[0]:.1f}\n")
    print(f"| {' | '.join(_HEAD)} |\n|---|---|--:|--:|--:|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="syncline-bench-", dir=arguments.folder) as folder:
        try:
            for part in arguments.only or _PARTS:
                _PARTS[part](Path(folder) / part, arguments)
        except SynclineError as error:
            sys.exit(f"benchmarks: {error}")
        except subprocess.CalledProcessError as error:
            sys.exit(f"benchmarks: {error}\n{error.output.decode(errors='replace')}")


def measure_sync(folder: Path, _: argparse.Namespace) -> None:
    """A small dataset, first and unchanged, as one finds it after issuing `sync`."""
    with Exchange(folder) as exchange:
        write_tiles(folder / "small", count=_SMALL)
        exchange.offer("small", folder / "small")
        for turn in ("first", "unchanged"):
            line("sync", f"publish {_SMALL} files, {turn}", exchange.publish())
            line("sync", f"fetch {_SMALL} files, {turn}", exchange.fetch())


def measure_commits(folder: Path, arguments: argparse.Namespace) -> None:
    """Commits with and without the checkpoint loop, in turn; leaves alone."""
    versions = max(1, int(_VERSIONS * arguments.scale))
    with Exchange(folder) as exchange:
        exchange.federation.stop("hub")
        with Log(exchange.federation.hub_folder) as log:
            owner = exchange.owner
            caller = Caller(PartnerId(owner.partner), NodeName("main"))
            signer = identity.load(owner.home / "state").signing
            committers = Committers(log.hub, caller, signer, threads=_THREADS)
            runs: dict[bool, list[Committed]] = {False: [], True: []}
            for _ in range(_ROUNDS):
                for checkpoints, found in runs.items():
                    found.append(committers.run(versions, checkpoints=checkpoints))
            for checkpoints, found in runs.items():
                median = sorted(found, key=lambda each: each.cost.seconds)[_ROUNDS // 2]
                how = "with" if checkpoints else "without"
                line(
                    "commits",
                    f"{median.commits} versions, {_THREADS} threads, {how} checkpoints",
                    median.cost,
                    f"{median.commits / median.cost.seconds:.0f} a second, {median.checkpoints} checkpoints",
                )
            for in_one in (1, _APPENDED):
                cost = log.append(_APPENDED, in_one=in_one)
                rate = f"{_APPENDED / cost.seconds:.0f} a second"
                line("commits", f"{_APPENDED:,} leaves alone, {in_one:,} a transaction", cost, rate)


def measure_log(folder: Path, arguments: argparse.Namespace) -> None:
    """Checkpoints and proofs in a small and in a large log; then a witness that was away for all of it."""
    with Exchange(folder) as exchange:
        exchange.federation.stop("hub")
        with Log(exchange.federation.hub_folder) as log:
            for leaves in (10_000, arguments.leaves):
                _measure_size(log, leaves)
        exchange.federation.start_hub()
        away = [sys.executable, "-m", "benchmarks.away", str(exchange.reader.config)]
        hub = [exchange.federation.process_id("hub")]
        part = f"log of {arguments.leaves:,}"
        line(part, "a witness that was away for all of it", cost_of(away, services=hub))
        line(part, "its next look, nothing new", cost_of(away, services=hub))


def _measure_size(log: Log, leaves: int) -> None:
    part = f"log of {leaves:,}"
    rows, tree = log.fill(leaves)
    line(part, "filled: rows", rows)
    line(part, "filled: tree and checkpoint", tree)
    line(part, "checkpoint over one new leaf", log.checkpoint())
    proofs = log.prove()
    line(part, "proof of inclusion, made", proofs.made, f"{proofs.hashes} hashes at most")
    line(
        part, "proof of inclusion, verified", proofs.verified, f"a tlog-proof of {proofs.file_bytes:,} bytes"
    )
    line(part, "1,000 proofs of inclusion in a row", proofs.thousand_made)
    hashes = proofs.consistency_hashes
    line(part, "proof of consistency, made", proofs.consistency_made, f"{hashes} hashes at most")


def measure_verify(folder: Path, arguments: argparse.Namespace) -> None:
    """One large file, some large files, many small ones: each is a version in a mirror."""
    names = ("raster", "rasters", "tiles")
    with Exchange(folder) as exchange:
        write_raster(folder / "raster", total_bytes=int(_RASTER_BYTES * arguments.scale))
        for number in range(_RASTERS):
            size = int(_RASTERS_BYTES * arguments.scale)
            write_raster(folder / "rasters" / str(number), total_bytes=size, seed=f"raster {number}")
        write_tiles(folder / "tiles", count=int(_TILES * arguments.scale))
        for name in names:
            exchange.offer(name, folder / name)
        exchange.publish()
        exchange.fetch()
        verifier = Verifier(exchange)
        for name in names:
            for program, cost in verifier.measure(name).items():
                line(f"verify {name}", program, cost)


def line(part: str, what: str, cost: Cost | Spent, result: str = "") -> None:
    """One line of the table. Milliseconds where seconds would show nothing."""
    memory = ""
    if isinstance(cost, Cost):
        memory = f"{cost.memory_bytes / MIB:.0f}"
        if cost.service_memory_bytes:
            memory += f" + {cost.service_memory_bytes / MIB:.0f}"
            result = result or f"{cost.wire_bytes / MIB:.1f} MiB on the wire"
    cells = (part, what, _seconds(cost.seconds), _seconds(cost.cpu_seconds), memory, result)
    print(f"| {' | '.join(cells)} |", flush=True)


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds >= 0.1 else f"{seconds * 1000:.2f} ms"


_PARTS: dict[str, Callable[[Path, argparse.Namespace], None]] = {
    "sync": measure_sync,
    "commits": measure_commits,
    "log": measure_log,
    "verify": measure_verify,
}

if __name__ == "__main__":
    main()
