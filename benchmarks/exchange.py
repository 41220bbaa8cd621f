"""Syncline's side: one hub, one publisher and one subscriber on loopback, each command a process.

with Exchange(folder) as exchange:
    exchange.offer("raster", source)
    cost = exchange.publish()
    cost = exchange.fetch()
"""

import statistics
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.measure import Cost, cost_of
from core.errors import Unavailable
from deploy.demo.federation import Agency, Federation, Finished
from node.config import load_settings
from node.engine import Engine
from node.session import Session
from node.state import StateLock

_NODE = str(Path(sys.executable).parent / "syncline-node")
_RESCANS = 9


class Exchange:
    """`cn-cgs` publishes what is offered and `la-dgm` mirrors it; both wait for nothing (`settle_s = 0`)."""

    def __init__(self, folder: Path) -> None:
        self.federation = Federation(folder)
        self.owner = Agency("cn-cgs", "China Geological Survey", folder / "cn-cgs")
        self.reader = Agency("la-dgm", "Department of Geology and Mines", folder / "la-dgm")
        self._datasets = ""

    def __enter__(self) -> Self:
        self.federation.root.mkdir(parents=True, exist_ok=True)
        expect(self.federation.init_hub("Benchmark"))
        self.federation.start_hub()
        for agency in (self.owner, self.reader):
            self._enrol(agency)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.federation.__exit__(kind, error, trace)

    def offer(self, name: str, source: Path) -> None:
        """Publish the folder `source` as dataset `name`, readable by the other agency."""
        self._datasets += (
            f'[[publish]]\ndataset = "{name}"\npath = "{source}"\ntitle = {{ en = "{name}" }}\n'
            f'theme = "other"\nlicense = "CC0-1.0"\nrights_holder = "Benchmark"\nsettle_s = 0\n'
            f'  [[publish.share]]\n  with = ["{self.reader.partner}"]\n  allow = ["read"]\n\n'
        )
        self.owner.configure(self._datasets)

    def publish(self) -> Cost:
        """One full pass of the publisher."""
        return self._pass(self.owner)

    def fetch(self) -> Cost:
        """One full pass of the subscriber."""
        return self._pass(self.reader)

    def mirror(self, name: str) -> Path:
        """Where the subscriber mirrors a dataset."""
        return self.reader.home / "mirror" / self.owner.partner / name

    def start(self, *words: str) -> Cost:
        """A command that contacts nobody."""
        return cost_of([_NODE, "--config", str(self.owner.config), *words])

    def rescan(self, name: str) -> Cost:
        """The publisher's pass over a data set that has not changed, as a running daemon makes it: median."""
        settings = load_settings(self.owner.config)
        section = next(each for each in settings.publish if each.dataset == name)
        seconds: list[float] = []
        cpu: list[float] = []
        with StateLock(settings.node.state_dir), Session.open(settings) as session:
            engine = Engine(session)
            for _ in range(_RESCANS):
                engine.greet()
                started = time.perf_counter(), time.process_time()
                result = engine.publish(section)
                seconds.append(time.perf_counter() - started[0])
                cpu.append(time.process_time() - started[1])
                if result.error is not None:
                    raise result.error
                assert not result.changed
        return Cost(statistics.median(seconds), statistics.median(cpu))

    def _pass(self, agency: Agency) -> Cost:
        hub = self.federation.process_id("hub")
        return cost_of([_NODE, "--config", str(agency.config), "sync"], services=[hub])

    def _enrol(self, agency: Agency) -> None:
        mirrors = f'[[subscribe]]\ndataset = "{self.owner.partner}/*"\npath = "{agency.home}/mirror"\n'
        agency.configure(mirrors if agency is self.reader else "")
        join_file = self.federation.root / f"{agency.partner}.join"
        invitation = ["invite", agency.partner, "--name", agency.name, "--out", str(join_file)]
        expect(self.federation.hub(*invitation, "--approve-on-join"))
        expect(agency.command("join", str(join_file), "--wait"))


def expect(finished: Finished) -> None:
    """Raises `Unavailable` with the output of a command that failed."""
    if finished.status != 0:
        raise Unavailable(f"{finished.typed} ended with {finished.status}: {finished.output}")
