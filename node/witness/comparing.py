"""Checkpoints held against each other: the newest and the last one seen, the others' and this node's own.

    Comparing(look).with_the_last()             # raises `Attack`: two histories, rolled back
    Comparing(look).with_the_others(limit=50)   # likewise; returns who has cosigned what

Rules: of two checkpoints of one size the roots are the same; a larger one is proven to continue a smaller
one, by this node's own leaves where it has them, else by a consistency proof. A hub whose newest checkpoint
is smaller than one that it has signed before was rolled back, or shows different logs to different nodes.
"""

from dataclasses import replace

from core.errors import InvalidInput, Untrusted
from core.logs import get_logger
from node.alarms import ROLLED_BACK, TWO_HISTORIES
from node.witness.histories import Histories
from node.witness.look import Attack, Look, proof_text
from node.witness.peers import Shown, read_view
from security.tlog.checkpoint import Checkpoint, open_checkpoint
from security.tlog.merkle import verify_consistency
from security.tlog.note import parse_note

log = get_logger("node.witness")


class Comparing:
    """The comparisons of one look."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def with_the_last(self) -> None:
        """The newest checkpoint continues the last one seen, and is kept as the last one seen."""
        look, history, newest = self._look, self._look.history, self._look.newest
        note = history.seen()
        if note is None:
            if newest.size < history.size:  # a continued log that is shorter than what it continues
                here = Checkpoint(newest.origin, history.size, history.root)
                raise look.attack(ROLLED_BACK, here, self._shrunk(here, newest), {})
            history.see(look.view.note)
            return None
        try:
            seen = self._open(note)
        except Untrusted:  # the disk's doing: what was cosigned and the leaves still bind this node
            log.error("the last checkpoint seen was damaged and is set aside", folder=str(history.folder))
            history.set_aside_seen()
            return self.with_the_last()
        if newest.size < seen.size:
            raise look.attack(ROLLED_BACK, seen, self._shrunk(seen, newest), {"seen": note})
        if newest.size == seen.size and newest.root != seen.root:
            message = f"two checkpoints of {seen.size} leaves have different roots"
            raise look.attack(TWO_HISTORIES, seen, message, {"seen": note})
        if seen.size and newest.size > seen.size:
            self._prove(seen, newest, {"seen": note})
        if newest.size > seen.size:
            history.see(look.view.note)
        return None

    def continues(self, earlier: Checkpoint, note: bytes) -> None:
        """The newest checkpoint begins with `earlier`, whose note others have cosigned. Raises `Attack`."""
        self._prove(earlier, self._look.newest, {"other": note})

    def with_the_others(self, histories: Histories, proofs_max: int) -> list[Shown]:
        """Every checkpoint that another witness has cosigned agrees with what this node has seen.

        Raises `Attack`; `Untrusted` for a note or a cosignature that is forged.
        """
        found = list(read_view(self._look.view, self._look.registry, self._look.limits))
        self._keep_cosignatures()
        proofs = 0
        for shown in found[1:]:
            if shown.checkpoint.origin != self._look.newest.origin:
                self._with_older(shown, histories)
            elif shown.checkpoint.size <= self._look.history.size:
                self._with_leaves(shown, self._look.history.root_at(shown.checkpoint.size))
            elif proofs < proofs_max:
                proofs += 1
                self._with_proof(shown)
        return found

    def _keep_cosignatures(self) -> None:
        """The last checkpoint seen, with all who have cosigned it since: evidence to be shown offline."""
        seen, newest = self._look.history.seen(), self._look.opened.note
        if seen is None:
            return
        before = parse_note(seen, self._look.limits)
        if before.text == newest.text and len(before.signatures) < len(newest.signatures):
            self._look.history.see(self._look.view.note)

    def _with_older(self, shown: Shown, histories: Histories) -> None:
        """A checkpoint of a log that was continued since: what this node saw of that one counts."""
        for history in histories.of(shown.checkpoint.origin):
            if shown.checkpoint.size <= history.size:
                self._with_leaves(shown, history.root_at(shown.checkpoint.size))
                return

    def _with_leaves(self, shown: Shown, root: bytes) -> None:
        if shown.checkpoint.root == root:
            return
        self._look.history.check()
        own = Checkpoint(shown.checkpoint.origin, shown.checkpoint.size, root)
        raise self._other(own, shown, f"at {own.size} leaves this node has seen another root")

    def _with_proof(self, shown: Shown) -> None:
        newest, other = self._look.newest, shown.checkpoint
        if other.size > newest.size:
            again = self._open(self._look.hub.get_checkpoint(other.size).note)
            if again.size < other.size:
                message = self._shrunk(other, newest)
                raise self._look.attack(ROLLED_BACK, other, message, {"seen": shown.note})
            return  # it was signed while we asked; the next look compares it
        if other.size == newest.size:
            if other.root != newest.root:
                raise self._other(newest, shown, f"at {other.size} leaves there are two roots")
            return
        try:
            self._prove(other, newest, {"other": shown.note})
        except Attack as attack:
            raise Attack(
                replace(attack.alarm, message=f"{attack.alarm.message}; {_by(shown)}"), attack.evidence
            ) from None

    def _prove(self, first: Checkpoint, second: Checkpoint, evidence: dict[str, bytes]) -> None:
        """That `second` begins with `first`. Raises `Attack`."""
        proof: list[bytes] = []
        try:
            proof = list(self._look.hub.get_consistency_proof(first.size, second.size))
            verify_consistency(first.size, second.size, proof, first.root, second.root)
        except (Untrusted, InvalidInput) as error:
            raise self._look.attack(
                TWO_HISTORIES,
                first,
                f"the log of {second.size} leaves does not continue that of {first.size}: {error.message}",
                {**evidence, "proof": proof_text(proof)},
            ) from None

    def _other(self, own: Checkpoint, shown: Shown, message: str) -> Attack:
        return self._look.attack(
            TWO_HISTORIES,
            own,
            f"{message} than {_by(shown)}",
            {"other": shown.note},
            other_root=shown.checkpoint.root.hex(),
            witnesses=[each.witness.name for each in shown.cosigned],
        )

    def _open(self, note: bytes) -> Checkpoint:
        origin = self._look.newest.origin
        key = next(each.key for each in self._look.registry.logs if each.origin == origin)
        return open_checkpoint(note, origin, key, self._look.limits).checkpoint

    @staticmethod
    def _shrunk(seen: Checkpoint, newest: Checkpoint) -> str:
        return f"the log had {seen.size} leaves and has {newest.size} now: it was rolled back"


def _by(shown: Shown) -> str:
    names = [each.witness.name for each in shown.cosigned]
    return f"what {', '.join(names[:5])} cosigned" if names else "another checkpoint that the log has signed"
