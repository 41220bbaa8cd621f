"""Proofs from the log as this node has seen it: one checkpoint, and whatever is in its tree.

    leaves = Leaves.of(state_dir)               # Unavailable (LOG_NOT_READ) before this node has read a log
    leaves.holds(opening)                       # whether it is this log's leaf
    prover = leaves.prover(registry, notes, min_size=4712)
    prover.proof(4711)                          # a tlog-proof under `prover.note`

Rules: reads only, also beside a running daemon; nothing is believed that does not fit a leaf that this node
has seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.errors import Corrupt, SynclineError, Unavailable, Untrusted
from core.limits import LIMITS, Limits
from node.witness.histories import Histories
from node.witness.history import History, split
from security.canonical import parse_strict
from security.registry import Registry
from security.tlog.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from security.tlog.cosignature import cosigners, merge
from security.tlog.leaf import leaf_hash, make_leaf
from security.tlog.merkle import inclusion_proof
from security.tlog.note import parse_note
from security.tlog.opening_file import OpeningFile
from security.tlog.tlog_proof import to_proof_file
from security.tlog.witnesses import witnesses_of

_BLOCK_COUNT = 1 << 16
_KEPT_COUNT = 1 << 14


class _Stored(History):
    """A history that is only read: what is damaged is for its writer to fetch again."""

    def _write(self, name: str, data: bytes) -> None:
        del data
        raise Corrupt(
            f"this node's own record of the log in {self.folder} is damaged ({name})",
            remedy="run: syncline-node sync",
            reason="HISTORY_DAMAGED",
        )


class Leaves:
    """Every leaf's hash, as far as this node has read the log."""

    def __init__(self, history: History, limits: Limits = LIMITS) -> None:
        self._history = history
        self._limits = limits

    @classmethod
    def of(cls, state_dir: Path, limits: Limits = LIMITS) -> "Leaves":
        """Of the log that this node follows. Raises `Unavailable` (LOG_NOT_READ), `Corrupt`."""
        histories = Histories(state_dir, limits)
        if not histories.number:
            raise _not_read()
        return cls(_Stored(histories.folder / f"history-{histories.number}"), limits)

    def holds(self, opening: OpeningFile) -> bool:
        """Whether `opening` is that of one of these leaves."""
        if not 0 <= opening.index < self._history.size:
            return False
        try:
            leaf, _ = make_leaf(parse_strict(opening.record, self._limits), opening.nonce)
        except SynclineError:
            return False
        return self._history.leaf_hashes(opening.index, 1) == leaf_hash(leaf)

    def prover(self, registry: Registry, notes: Iterable[bytes], min_size: int) -> "Prover":
        """Under that checkpoint of at least `min_size` leaves which most witnesses have cosigned, the newest
        of these: of the node's own, and of `notes`, wherever they come from.

        Raises `Unavailable` (LOG_NOT_READ) where this node has no such checkpoint with all of its leaves.
        """
        mine = [note for note in (self._history.cosigned(), self._history.seen()) if note is not None]
        found: dict[int, _Judged] = {}
        for note in (*mine, *notes):
            judged = self._judged(note, registry, min_size)
            if judged is not None:
                known = found.get(judged.size)
                if known is not None:  # what different witnesses have added to one checkpoint
                    merged = merge(known.note, parse_note(judged.note, self._limits).signatures)
                    judged = self._judged(merged, registry, min_size) or known
                found[judged.size] = judged
        if not found:
            raise _not_read()
        best = max(found.values(), key=lambda each: (each.cosigned, each.size))
        return Prover(self._history, best.note, best.checkpoint)

    def _judged(self, note: bytes, registry: Registry, min_size: int) -> "_Judged | None":
        """A checkpoint of this history, large enough, which this node has seen to be true; else None."""
        try:
            checkpoint = parse_checkpoint(parse_note(note, self._limits).text)
            fits = max(1, min_size) <= checkpoint.size <= self._history.size
            if checkpoint.origin != self._history.origin or not fits:
                return None
            key = next((log.key for log in registry.logs if log.origin == checkpoint.origin), None)
            if key is None or self._history.root_at(checkpoint.size) != checkpoint.root:
                return None
            opened = open_checkpoint(note, checkpoint.origin, key, self._limits)
            cosigned = cosigners(opened.note, witnesses_of(registry))
        except Untrusted:
            return None
        return _Judged(note, checkpoint, len(cosigned))


@dataclass(frozen=True, slots=True)
class _Judged:
    note: bytes
    checkpoint: Checkpoint
    cosigned: int

    @property
    def size(self) -> int:
        return self.checkpoint.size


class Prover:
    """One checkpoint of one history."""

    def __init__(self, history: History, note: bytes, checkpoint: Checkpoint) -> None:
        self.note = note
        self.checkpoint = checkpoint
        self._history = history
        self._nodes = _Kept(history)

    @property
    def size(self) -> int:
        """Leaves in the tree."""
        return self.checkpoint.size

    def proof(self, index: int) -> bytes:
        """The proof of a leaf's inclusion, as a file."""
        return to_proof_file(index, inclusion_proof(self._nodes, index, self.size), self.note)

    def find(self, hashes: Iterable[bytes]) -> dict[bytes, int]:
        """The first place of each of `hashes` that is among the tree's leaves."""
        wanted = set(hashes)
        found: dict[bytes, int] = {}
        for first in range(0, self.size, _BLOCK_COUNT):
            if not wanted:
                break
            block = split(self._history.leaf_hashes(first, min(_BLOCK_COUNT, self.size - first)))
            for hash_ in wanted.intersection(block):
                found[hash_] = first + block.index(hash_)
            wanted -= found.keys()
        return found


class _Kept:
    """A history's subtrees (`security.tlog.merkle.Nodes`); neighbours share most of their proofs."""

    def __init__(self, history: History) -> None:
        self.hash = lru_cache(_KEPT_COUNT)(history.hash)


def _not_read() -> Unavailable:
    return Unavailable(
        "this node has not read the hub's log far enough yet, so it has no proofs",
        remedy="run: syncline-node sync",
        reason="LOG_NOT_READ",
    )
