"""A witness that was away for a million leaves comes back: in pages, and in bounded memory."""

import hashlib
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.limits import LIMITS
from node.witness.history import About, History
from security.tlog.checkpoint import Checkpoint, sign_checkpoint
from security.tlog.leaf import leaf_hash
from security.tlog.merkle import consistency_proof
from sync.ports import CheckpointView, Entries
from tests.simulation.clock import ManualClock
from tests.unit.node_witness.conftest import Node
from tests.unit.node_witness.fake_log import ORIGIN, FakeHub, FakeLog, Federation

pytestmark = pytest.mark.soak

_LEAVES = 1_000_000
_MIB = 1024 * 1024
_MEMORY_MAX = 32 * _MIB  # a page of leaves, their hashes, and what reading them takes


def leaf(number: int) -> bytes:
    return b'{"commit":"%s","v":1}' % hashlib.sha256(b"%d" % number).hexdigest().encode()


class LargeHub(FakeHub):
    """A log of a million leaves, none of which is kept."""

    def __init__(self, federation: Federation, folder: Path) -> None:
        super().__init__(FakeLog(federation, "la-dgm"))
        self._nodes = History.begin(folder, About(ORIGIN, "2026-11-22T12:00:00Z"))
        for first in range(0, _LEAVES, 50_000):
            self._nodes.stage([leaf_hash(leaf(n)) for n in range(first, first + 50_000)])
            self._nodes.accept()
        checkpoint = Checkpoint(ORIGIN, _LEAVES, self._nodes.root)
        self._note = sign_checkpoint(checkpoint, federation.log_key)

    def get_checkpoint(self, min_size: int = 0) -> CheckpointView:
        return CheckpointView(self._note)

    def get_consistency_proof(self, first_size: int, second_size: int) -> Sequence[bytes]:
        return consistency_proof(self._nodes, first_size, second_size)

    def get_entries(self, first_index: int, count: int) -> Entries:
        end = min(_LEAVES, first_index + count)
        return Entries(tuple(leaf(number) for number in range(first_index, end)), ())

    def add_cosignature(self, note: bytes) -> None:
        self.given.append(note)


def test_a_witness_that_was_away_for_a_million_leaves(tmp_path: Path) -> None:
    federation = Federation.make(ManualClock(SystemClock().now().replace(microsecond=0)), ["la-dgm"])
    hub = LargeHub(federation, tmp_path / "hub")
    node = Node(federation, "la-dgm", tmp_path / "node", limits=LIMITS)
    tracemalloc.start()
    try:
        assert node.catch_up(hub).cosigned == _LEAVES
        assert tracemalloc.get_traced_memory()[1] < _MEMORY_MAX
    finally:
        tracemalloc.stop()
        node.restart()
    assert len(node.looks) == 5
    assert not node.open
