"""A federation in one process, and a node of `th-dmr` that mirrors what `la-dgm` shares."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.limits import Limits
from core.names import DatasetId
from node.state import NodeState
from node.subscribe import MirrorOutcome, Subscriber
from node.subscribe.proving import OwnView
from node.trust import TrustStore
from tests.simulation.federation import TestFederation, make_federation
from tests.simulation.in_process_hub import Faults, InProcessHub

KIB = 1024
SMALL = Limits(
    chunk_bytes_min=KIB,
    chunk_bytes_avg=4 * KIB,
    chunk_bytes_max=16 * KIB,
    frame_bytes_max=32 * KIB,
    disk_reserve_bytes=0,
)
DATASET = DatasetId("la-dgm/geology")


@dataclass
class Section:
    dataset: str
    path: Path
    keep: int = 2
    max_bytes: int | None = None


@dataclass
class MirrorNode:
    """One subscriber with its state, over the in-process hub."""

    federation: TestFederation
    state_dir: Path
    root: Path
    who: str = "th-dmr"
    pattern: str = "la-dgm/*"
    keep: int = 2
    max_bytes: int | None = None
    limits: Limits = SMALL
    require_witnesses: bool = False
    view: OwnView | None = None
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        first = self.federation.hub.registry.list_from(1)[0]
        from security.envelope import parse

        TrustStore.establish(self.state_dir, self.federation.clock, first, parse(first).id)
        self.api = self.federation.api(self.who, self.faults)
        self.hub: InProcessHub = self.api

    @property
    def mirror(self) -> Path:
        return self.root / DATASET

    @property
    def current(self) -> Path:
        return self.mirror / "current"

    def sync(self) -> list[MirrorOutcome]:
        """A pass as a process that has just started does it."""
        state = NodeState(self.state_dir)
        member = self.federation.members[self.who]
        try:
            trust = TrustStore(self.state_dir, self.federation.clock)
            listing = self.api.list_datasets(None)
            assert listing is not None
            return Subscriber(
                subscriptions=[Section(self.pattern, self.root, self.keep, self.max_bytes)],
                partner=member.partner,
                node=member.node,
                state_dir=self.state_dir,
                state=state,
                trust=trust,
                hub=self.hub,
                signer=member.signing,
                clock=self.federation.clock,
                limits=self.limits,
                require_witnesses=self.require_witnesses,
                view=self.view,
            ).sync(listing)
        finally:
            state.close()

    def one(self) -> MirrorOutcome:
        [outcome] = self.sync()
        return outcome

    def files(self, folder: Path | None = None) -> dict[str, bytes]:
        """What the version holds, without the evidence."""
        base = folder or self.current
        return {
            str(path.relative_to(base)): path.read_bytes()
            for path in sorted(base.rglob("*"))
            if path.is_file() and ".syncline" not in path.parts
        }


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that do not compress, the same for the same seed."""
    out = bytearray()
    block = hashlib.sha256(str(seed).encode()).digest()
    while len(out) < size:
        block = hashlib.sha256(block).digest()
        out += block
    return bytes(out[:size])


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[TestFederation]:
    made = make_federation(tmp_path / "federation", ["la-dgm", "th-dmr", "vn-dgm"], limits=SMALL)
    yield made
    made.close()


@pytest.fixture
def node(federation: TestFederation, tmp_path: Path) -> MirrorNode:
    (tmp_path / "mirror").mkdir()
    return MirrorNode(federation, tmp_path / "state", tmp_path / "mirror")


@pytest.fixture
def open_descriptors() -> Iterator[None]:
    """No pass may leak a descriptor."""
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) <= before + 8
