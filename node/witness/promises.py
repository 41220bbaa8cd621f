"""The hub's receipts for this node's own versions, held against the leaves that this node has read.

    promises = Promises(state_dir, trust)
    troubles = promises.look(look)              # a leaf that was promised and is not there

Rules: a receipt names a log, an index and a leaf; once this node has read that far, the leaf is there or
the hub has dropped it. A promise that was kept is not looked at again; one of a log that was continued
since is the administrators' matter, not an attack.
"""

from collections.abc import Iterator
from pathlib import Path

from core.errors import Untrusted
from core.names import DatasetId
from node.alarms import DROPPED_LEAF, Alarm
from node.publish.receipts import ReceiptStore, Waiting
from node.trust import TrustStore
from node.witness.entries import ASK, Trouble
from node.witness.look import Look
from security.tlog.leaf import leaf_hash
from sync.receipt import Receipt, verify_receipt


class Promises:
    """Remembers, as long as the process runs, which promises were kept."""

    def __init__(self, state_dir: Path, trust: TrustStore) -> None:
        self._folder = state_dir / "receipts"
        self._store = ReceiptStore(state_dir)
        self._trust = trust
        self._kept: set[tuple[str, Path]] = set()

    def look(self, look: Look) -> Iterator[Trouble]:
        """The promises that were broken, of those whose proofs this node does not hold yet."""
        history = look.history
        for waiting in self._waiting():
            known = (history.origin, waiting.folder)
            receipt = None if known in self._kept else self._receipt(waiting, look)
            if receipt is None or receipt.log != history.origin or receipt.leaf_index >= history.size:
                continue
            there = history.leaf_hashes(receipt.leaf_index, 1)
            if there == leaf_hash(receipt.leaf):
                self._kept.add(known)
                continue
            history.check()
            yield _broken(receipt, there, look)

    def _waiting(self) -> Iterator[Waiting]:
        for folder in sorted(self._folder.glob("*/*")):
            for each in self._store.waiting(DatasetId(f"{folder.parent.name}/{folder.name}")):
                if not each.is_policy:
                    yield each

    def _receipt(self, waiting: Waiting, look: Look) -> Receipt | None:
        envelope = waiting.read("receipt.json")
        if envelope is None:
            return None
        for statement in reversed(self._trust.chain()):
            try:
                return verify_receipt(envelope, statement.registry, look.limits)
            except Untrusted:
                continue  # signed by a hub key that this statement does not list
        return None


def _broken(receipt: Receipt, there: bytes, look: Look) -> Trouble:
    alarm = Alarm.of(
        DROPPED_LEAF,
        f"{receipt.log}:{receipt.leaf_index}:{receipt.manifest_sha256}",
        f"the hub's receipt for a version of {receipt.dataset} promised leaf {receipt.leaf_index}, and its"
        " log has another one there",
        ASK,
        look.now,
        dataset=receipt.dataset,
        manifest_sha256=receipt.manifest_sha256,
        leaf_index=receipt.leaf_index,
    )
    return alarm, {"receipt.json": receipt.envelope, "checkpoint": look.view.note, "there": there}
