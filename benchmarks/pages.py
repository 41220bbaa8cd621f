"""The pages of a hub with a large fleet that reports: `make bench-pages`, or `python -m benchmarks.pages`.

    make bench-pages ARGS="--nodes 1000 --datasets 10000 --seconds 60"

Seeds a hub (`large_fleet` says what of it is made up), runs it as a process, lets all nodes report over
mTLS, publishes a version every few seconds, and lets people look: `--readers` click through every page, and
`--listeners` have one open, which is live. Prints a table and one line of JSON.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.browsing import Asked, Browser, Readers
from benchmarks.large_fleet import NODE, LargeFleet, seed
from benchmarks.large_report import report_of
from benchmarks.measure import children_of, cpu_seconds_of, peak_bytes_of, resident_bytes_of
from core.clock import SystemClock
from core.errors import SynclineError
from deploy.demo.federation import Federation, free_ports
from hub.services.context import Caller
from hub.services.hub import Hub
from sync.manifest import build

_MIB = 1024 * 1024
_PUBLISH_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Used:
    """By one process: of a processor, and of memory."""

    cpu_share: float
    resident_bytes: int
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Measured:
    """A run. Times in seconds; `pages` and `refreshes` by page."""

    nodes: int
    datasets: int
    leaves: int
    seconds: float
    pages: dict[str, Asked]
    refreshes: dict[str, Asked]
    accepted: int
    refused: dict[str, int]
    report_s: list[float]
    hub_info_s: list[float]
    hub: Used
    pages_process: Used
    published: int
    problems: list[str]
    complaints: list[str]


def pages_of(fleet: LargeFleet) -> dict[str, Sequence[str]]:
    """Every page, with some of its addresses."""
    datasets, partners = fleet.tables.datasets, fleet.tables.partners
    some = range(0, len(partners), max(1, len(partners) // 20))
    return {
        "fleet": ["/"],
        "partner": [f"/partners/{partners[n]}" for n in some],
        "datasets": [
            "/datasets",
            f"/datasets?after={datasets[len(datasets) // 2]}",
            "/datasets?freshness=late",
        ],
        "search": ["/datasets?text=geological+map", "/datasets?text=n0003", "/datasets?text=nowhere"],
        "dataset": [f"/datasets/{datasets[n]}" for n in some],
        "transfers": ["/transfers"],
        "events": [
            "/events",
            "/events?text=sheet-003",
            f"/events?partner={partners[0]}",
            "/events?severity=warning",
        ],
        "log": ["/log"],
        "storage": ["/storage"],
        "map": ["/map", "/map?view=100,10,110,20", "/map?by=freshness"],
    }


class Scene:
    """A hub and its reporters, as processes, until the block ends."""

    def __init__(self, folder: Path, *, nodes: int, datasets: int, days: float, every_s: float) -> None:
        begun = time.perf_counter()
        self._federation = Federation(folder)
        ports = (self._federation.port, self._federation.enrol_port, *free_ports(1))
        self.fleet = seed(self._federation.hub_folder, nodes=nodes, datasets=datasets, days=days, ports=ports)
        self.seed_s = time.perf_counter() - begun
        self._given = folder / "fleet.json"
        self._given.touch(mode=0o600)
        self._given.write_text(json.dumps(_given(self.fleet, every_s)))
        self._reporters: subprocess.Popen[str] | None = None
        self._published = 0

    def __enter__(self) -> Self:
        self._federation.start_hub()
        command = [sys.executable, "-m", "benchmarks.reporting", str(self._given)]
        self._reporters = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **_QUIET}
        )
        if self._answer() != "ready":
            self.__exit__(None, None, None)
            raise SynclineError("the nodes could not report", remedy="see what was printed above")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reporters is not None:
            self._reporters.kill()
            self._reporters.communicate()
        self._federation.__exit__(kind, error, trace)

    @property
    def hub_log(self) -> str:
        """What the hub has said so far."""
        return self._federation.log_of("hub")

    def browser(self) -> Browser:
        """Somebody who is signed in."""
        return Browser(self.fleet.web, self.fleet.cookies[0])

    def measure(self, seconds: float, *, readers: int, listeners: int) -> Measured:
        """Let people look for so long."""
        hub, pages = self._federation.process_id("hub"), pages_of(self.fleet)
        with contextlib.closing(self.browser()) as browser:
            for addresses in pages.values():  # a first look at each: a hub that has just started reads a lot
                browser.get(addresses[0])
        [serving] = children_of(hub)
        with (
            _Publisher(self.fleet, self._published) as publisher,
            Readers(
                self.fleet.web, self.fleet.cookies, pages, readers=readers, listeners=listeners
            ) as people,
        ):
            self._tell("begin")
            cpu, begun = {pid: cpu_seconds_of(pid) for pid in (hub, serving)}, time.monotonic()
            people.count(seconds)
            spent_s = time.monotonic() - begun
            used = {pid: _used(pid, before, spent_s) for pid, before in cpu.items()}
            self._tell("end")
            counted: dict[str, Any] = json.loads(self._answer())
        self._published += publisher.count
        lines = self.hub_log.splitlines()
        return Measured(
            nodes=len(self.fleet.nodes),
            datasets=len(self.fleet.tables.datasets),
            leaves=self.fleet.leaves,
            seconds=spent_s,
            pages=people.found,
            refreshes=people.refreshed,
            accepted=counted["accepted"],
            refused=counted["refused"],
            report_s=counted["report_s"],
            hub_info_s=counted["hub_info_s"],
            hub=used[hub],
            pages_process=used[serving],
            published=publisher.count,
            problems=[*people.problems, *publisher.problems],
            complaints=[line for line in lines if '"error"' in line or "Traceback" in line],
        )

    def _tell(self, word: str) -> None:
        assert self._reporters is not None and self._reporters.stdin is not None
        self._reporters.stdin.write(f"{word}\n")
        self._reporters.stdin.flush()

    def _answer(self) -> str:
        assert self._reporters is not None and self._reporters.stdout is not None
        return self._reporters.stdout.readline().strip()


class _Publisher:
    """One partner after the other publishes, through the hub's services in this process: lists change."""

    def __init__(self, fleet: LargeFleet, first: int) -> None:
        self._fleet, self._first = fleet, first
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.count = 0
        self.problems: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        clock, fleet = SystemClock(), self._fleet
        try:
            with Hub.open(fleet.layout, clock=clock) as hub:
                for number in range(self._first, len(fleet.tables.datasets)):
                    node = fleet.nodes[number % len(fleet.nodes)]
                    version = fleet.tables.newest[fleet.tables.datasets[number]]
                    now = clock.now().replace(microsecond=0)
                    manifest = replace(version.manifest, seq=3, prev=version.id, created=now)
                    hub.catalogue.commit_version(
                        Caller(node.partner, NODE), build(manifest, node.signing), None
                    )
                    self.count += 1
                    if self._stopping.wait(_PUBLISH_EVERY_S):
                        return
        except SynclineError as error:
            self.problems.append(f"publishing: {error}")


_QUIET = {"GRPC_VERBOSITY": "ERROR"}


def _given(fleet: LargeFleet, every_s: float) -> dict[str, Any]:
    return {
        "address": fleet.address,
        "roots": fleet.layout.ca_certificate.read_text(),
        "every_s": every_s,
        "nodes": [
            {
                "key": node.key_pem.decode(),
                "chain": node.chain_pem.decode(),
                "status": report_of(fleet, place),
                "moving": fleet.tables.is_behind(place),
            }
            for place, node in enumerate(fleet.nodes)
        ],
    }


def _used(pid: int, cpu_before_s: float, spent_s: float) -> Used:
    share = (cpu_seconds_of(pid) - cpu_before_s) / spent_s
    return Used(share, resident_bytes_of(pid), peak_bytes_of(pid))


def percentile(seconds: Sequence[float], share: float) -> float:
    """The smallest that so many are not above; 0 where there are none."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def figures(measured: Measured) -> dict[str, Any]:
    """For programs: milliseconds, MiB."""

    def of(asked: Sequence[float]) -> dict[str, float]:
        return {
            "count": len(asked),
            "p50_ms": round(1000 * (statistics.median(asked) if asked else 0), 1),
            "p95_ms": round(1000 * percentile(asked, 0.95), 1),
            "max_ms": round(1000 * max(asked, default=0), 1),
        }

    def use(used: Used) -> dict[str, float]:
        return {
            "cpu_share": round(used.cpu_share, 2),
            "resident_mib": used.resident_bytes // _MIB,
            "peak_mib": used.peak_bytes // _MIB,
        }

    every = [seconds for each in measured.pages.values() for seconds in each.seconds]
    again = [seconds for each in measured.refreshes.values() for seconds in each.seconds]
    return {
        "nodes": measured.nodes,
        "datasets": measured.datasets,
        "leaves": measured.leaves,
        "seconds": round(measured.seconds, 1),
        "pages": {
            name: {**of(each.seconds), "kib": each.size // 1024} for name, each in measured.pages.items()
        },
        "all pages": of(every),
        "live refreshes": of(again),
        "ReportStatus": of(measured.report_s),
        "GetHubInfo": of(measured.hub_info_s),
        "reports_per_second": round(measured.accepted / measured.seconds, 1),
        "refused": measured.refused,
        "hub": use(measured.hub),
        "pages process": use(measured.pages_process),
        "published": measured.published,
        "problems": len(measured.problems),
        "complaints": len(measured.complaints),
    }


def main() -> None:
    """Seed, run, measure, print."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.pages", description="What the pages of a large fleet cost"
    )
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--datasets", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--every", type=float, default=10.0, metavar="S", help="between two reports of a node"
    )
    parser.add_argument("--days", type=float, default=14.0, help="how far back samples and events go")
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--listeners", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="where to work; needs about 2 GiB at full size")
    given = parser.parse_args()
    machine = f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="syncline-bench-", dir=given.folder) as folder:
        scene = Scene(
            Path(folder), nodes=given.nodes, datasets=given.datasets, days=given.days, every_s=given.every
        )
        print(f"seeded in {scene.seed_s:.0f} s\n", flush=True)
        with scene:
            measured = scene.measure(given.seconds, readers=given.readers, listeners=given.listeners)
    _print(figures(measured))
    for line in (*measured.problems[:10], *measured.complaints[:10]):
        print(line)


def _print(found: dict[str, Any]) -> None:
    print("| what | asked | p50 ms | p95 ms | max ms | KiB |\n|---|--:|--:|--:|--:|--:|")
    rows = dict(found["pages"])
    rows |= {name: found[name] for name in ("all pages", "live refreshes", "ReportStatus", "GetHubInfo")}
    for name, row in rows.items():
        cells = [
            f"{row['p50_ms']:.0f}",
            f"{row['p95_ms']:.0f}",
            f"{row['max_ms']:.0f}",
            str(row.get("kib", "")),
        ]
        print(f"| {name} | {row['count']} | {' | '.join(cells)} |")
    print()
    for who in ("hub", "pages process"):
        used = found[who]
        print(
            f"The {who}: {used['cpu_share']:.0%} of a core, {used['resident_mib']} MiB resident"
            f" (peak {used['peak_mib']})."
        )
    print(f"{found['reports_per_second']} reports a second were accepted.\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
