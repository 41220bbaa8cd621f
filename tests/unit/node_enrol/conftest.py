"""A hub as it really runs on loopback, and a node that joins it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.clock import Clock, SystemClock
from core.limits import LIMITS, Limits
from core.names import NodeName, PartnerId
from node import enrol
from node.hub_client import EnrolmentClient, GrpcHub
from node.identity import load
from node.trust import TrustStore
from tests.unit.hub_rpc.conftest import RunningHub

PARTNER, NODE = PartnerId("la-dgm"), NodeName("main")
TOML = """# Our node; comments must stay.
[node]
partner = "la-dgm"
name = "main"
state_dir = "/var/lib/syncline"

[hub]
# address = "hub.example.org:7443"

[[publish]]  # nothing yet
"""


@dataclass
class Joining:
    """One node's way into the federation of `running`."""

    running: RunningHub
    folder: Path
    partner: PartnerId = PARTNER
    clock: Clock = field(default_factory=SystemClock)
    hub_address: str | None = None

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    @property
    def config(self) -> Path:
        return self.folder / "node.toml"

    def invite(self, **options: Any) -> Path:
        with self.running.beside() as hub:
            data = hub.enrolment.invite(self.partner, {"en": "DGM"}, NODE, **options)
        path = self.folder / "la-dgm.join"
        path.write_bytes(data)
        return path

    def connect(self, _: str, roots: bytes, federation: str, limits: Limits = LIMITS) -> EnrolmentClient:
        """To where the hub listens in this test, whatever its address says."""
        return EnrolmentClient(f"127.0.0.1:{self.running.ports.enrolment_port}", roots, federation, limits)

    def join(self, path: Path, **options: Any) -> enrol.JoinOutcome:
        return enrol.join(
            path,
            **{
                "partner": self.partner,
                "node": NODE,
                "hub_address": self.hub_address,
                "state_dir": self.state_dir,
                "clock": self.clock,
                "config_path": self.config,
                "connect": self.connect,
                **options,
            },
        )

    def wait(self, timeout_s: float | None = 0) -> enrol.JoinOutcome:
        return enrol.wait(
            state_dir=self.state_dir, clock=self.clock, timeout_s=timeout_s, connect=self.connect
        )

    def approve(self, fingerprint: str) -> None:
        with self.running.beside() as hub:
            hub.enrolment.approve(PARTNER, fingerprint, [self.running.administrator])

    def enrolled(self) -> "Joining":
        self.join(self.invite(approve_on_join=True))
        return self

    def hub(self) -> GrpcHub:
        trust = TrustStore(self.state_dir, self.clock)
        return GrpcHub(
            address=f"127.0.0.1:{self.running.ports.node_port}",
            roots_pem=trust.roots_pem(),
            tls=load(self.state_dir).tls(),
        )


def altered(path: Path, **changes: Any) -> Path:
    """The join file with other values."""
    table = {**json.loads(path.read_text("utf-8")), **changes}
    path.write_text(json.dumps(table), "utf-8")
    return path


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningHub]:
    hub = RunningHub(tmp_path / "hub")
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture
def joining(running: RunningHub, tmp_path: Path) -> Joining:
    folder = tmp_path / "la"
    folder.mkdir()
    (folder / "node.toml").write_text(TOML, "utf-8")
    return Joining(running, folder)
