"""What this node has witnessed itself, held against the evidence that a mirror is given.

    view = Witnessed(state_dir, state, clock, limits)
    view.check(proven)                    # the checkpoint agrees with the leaves that this node has read
    view.witnesses(registry)              # how many witnesses it has seen in 30 days

Rules: of two checkpoints of one size the roots are the same; else the hub has shown two histories, and that
is an alarm with both before it is an error. What this node has not read yet is for its next look at the log.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.clock import Clock
from core.errors import Corrupt
from core.limits import LIMITS, Limits
from core.logs import get_logger
from node.alarms import TWO_HISTORIES, Alarms
from node.proofs import ProvenVersion
from node.state import NodeState
from node.witness import Histories, Ledger
from node.witness.look import history_attack
from security.registry import Registry
from security.tlog.checkpoint import Checkpoint
from security.tlog.witnesses import witnesses_of

log = get_logger("node.witness")


class Witnessed:
    """The records of one state directory, read only; safe beside the witness that writes them."""

    def __init__(self, state_dir: Path, state: NodeState, clock: Clock, limits: Limits = LIMITS) -> None:
        self._state_dir = state_dir
        self._ledger = Ledger(state)
        self._alarms = Alarms(state_dir)
        self._clock = clock
        self._limits = limits

    def check(self, proven: ProvenVersion) -> None:
        """Raises `Untrusted` (ALARM) for a checkpoint that contradicts what this node has read."""
        shown = proven.checkpoint
        history = Histories(self._state_dir, self._limits).current()
        if history is None or history.origin != shown.origin or shown.size > history.size:
            return
        try:
            root = history.root_at(shown.size)
        except Corrupt as error:  # the disk's doing; the witness notices it too, and reads the log again
            log.warning(error.message)
            return
        if root != shown.root:
            own = Checkpoint(shown.origin, shown.size, root)
            message = f"evidence for a version names a log of {shown.size} leaves that this node has not read"
            evidence = {"shown": proven.note, "seen": history.seen() or b""}
            attack = history_attack(TWO_HISTORIES, own, shown, message, self._clock.now(), evidence)
            self._alarms.sound(attack.alarm, attack.evidence)
            raise attack.alarm.error()

    def witnesses(self, registry: Registry) -> int:
        """How many of the registry's witnesses have cosigned within `witness_seen_s`, as far as was seen."""
        members = {(each.name, each.key) for each in witnesses_of(registry)}
        since = self._clock.now() - timedelta(seconds=self._limits.witness_seen_s)
        seen = self._ledger.witnesses()
        return sum(who in members and datetime.fromtimestamp(at, UTC) > since for who, at in seen.items())
