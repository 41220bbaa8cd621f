"""One look at the hub's log, from its newest checkpoint to this node's cosignature. Rules: see the package.

Attacks become alarms and end the look; what merely fails (the hub does not answer) is raised, and the next
look goes on where this one stopped. While an alarm of two histories is open nothing is read and nothing
cosigned; only a log that the administrators continue, or the operator, ends that.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from core.clock import Clock, format_instant
from core.errors import Unavailable, Untrusted
from core.limits import LIMITS, Limits
from core.logs import get_logger
from core.names import NodeName, PartnerId
from node import rotate
from node.alarms import FROZEN, HISTORY, ROLLED_BACK, TWO_HISTORIES, Alarm, Alarms
from node.identity import NodeIdentity
from node.state import NodeState
from node.trust import TrustStore
from node.witness.comparing import Comparing
from node.witness.continuation import Continuation, contradicts, find_continuation
from node.witness.entries import ASK, Trouble
from node.witness.growth import Growth
from node.witness.histories import Histories
from node.witness.history import CONTINUED, DECIDED, FIRST, About, History
from node.witness.ledger import Ledger
from node.witness.look import Attack, Look, history_attack
from node.witness.meeting import meeting
from node.witness.peers import Shown, Standing, last_times, standing
from node.witness.promises import Promises
from node.witness.reading import Reading
from node.witness.statements import OwnKeys, OwnStatements
from security.keys import PublicKey
from security.registry import Registry, RegistryLog
from security.tlog.checkpoint import Checkpoint, OpenedCheckpoint, open_checkpoint
from security.tlog.cosignature import Cosigned, cosign
from security.tlog.cosignature import Witness as Cosigner
from security.tlog.note import Note
from security.tlog.witnesses import witness_name
from sync.ports import CheckpointView, HubApi

_PAGES_COUNT = 4  # a look: content must never wait for the log
_PROOFS_COUNT_MAX = 50  # a look, for other witnesses' checkpoints beyond this node's leaves

log = get_logger("node.witness")


@dataclass(frozen=True, slots=True)
class WitnessReport:
    """What a look has found. `size`: leaves of the newest checkpoint; `read`: how many of them were checked.

    `cosigned`: the size that this node last stood for under this origin; `lost`: leaves of the log before
    that the current one continues without; `standing` None where nothing was compared.
    """

    origin: str
    size: int
    read: int
    cosigned: int | None
    lost: int
    standing: Standing | None
    note: str = ""

    @property
    def behind(self) -> bool:
        """Whether there is more to read at once."""
        return self.read < self.size and not self.note


class Witness:
    """Looks at the log. One look at a time, from any thread; the caller holds the state's lock."""

    def __init__(
        self,
        *,
        partner: PartnerId,
        node: NodeName,
        state_dir: Path,
        state: NodeState,
        trust: TrustStore,
        identity: NodeIdentity,
        clock: Clock,
        limits: Limits = LIMITS,
    ) -> None:
        self._partner = partner
        self._node = node
        self._state = state
        self._trust = trust
        self._identity = identity
        self._clock = clock
        self._limits = limits
        self._lock = threading.Lock()
        self._handed: tuple[bytes, datetime] | None = None
        self.alarms = Alarms(state_dir)
        self.histories = Histories(state_dir, limits)
        self.ledger = Ledger(state)
        self._promises = Promises(state_dir, trust)

    def run(self, hub: HubApi, *, begin: bool = False) -> WitnessReport:
        """One look. Raises what stands in the way; an attack does not raise, it is an alarm.

        `begin`: stand for the newest checkpoint even soon after another, because a person asks.
        """
        with self._lock:
            try:
                return self._run(hub, begin=begin)
            except Attack as attack:
                self._sound((attack.alarm, attack.evidence))
                return self._report(attack.alarm.message)

    def begin_anew(self) -> None:
        """The operator has decided: follow the hub's current log from its first leaf; the old history is
        kept.

        What was cosigned before still binds this node: see `_may_cosign`.
        """
        with self._lock:
            current = self.histories.current()
            if current is None:
                return
            self.ledger.lose(0, self.histories.number)
            origin = self._trust.newest().registry.logs[-1].origin
            self.histories.follow(About(origin, format_instant(self._clock.now()), DECIDED))

    def _run(self, hub: HubApi, *, begin: bool) -> WitnessReport:
        view = hub.get_checkpoint()
        opened = self._open(view.note, hub)
        registry = self._trust.current().registry
        now = self._clock.now()
        history = self._history(opened.checkpoint, registry, now)
        if history is None:
            return self._report("waits for a decision on an alarm: syncline-node alarms")
        met = self._meeting(history, view, opened.checkpoint, registry, now)
        newest = Look(hub, registry, history, view, opened, now, self._limits, self._partner, self._sound)
        Comparing(newest).with_the_last()  # kept as seen, whatever is stood for: nothing shown is forgotten
        self._watch_growth(newest)
        look = newest
        if met is not None:
            look = replace(newest, view=met, opened=self._open(met.note, hub))
            Comparing(newest).continues(look.newest, met.note)
        reading = Reading(look, self.ledger, self._statements(hub), self._trust)
        reading.go_on(_PAGES_COUNT)
        for trouble in self._promises.look(look):
            self._sound(trouble)
        # What others saw is compared before this node stands for anything that contradicts it.
        shown = Comparing(look).with_the_others(self.histories, _PROOFS_COUNT_MAX)
        note = ""
        if reading.is_complete:
            if self._may_cosign(look):
                if begin or met is not None or self._may_begin(look):
                    shown = self._cosign(look, shown)
            else:
                note = "follows the log and does not cosign it: it is not the one that was cosigned before"
            if look is not newest:
                Reading(newest, self.ledger, self._statements(hub), self._trust).go_on(_PAGES_COUNT)
        return self._report(note, self._standing(look, shown))

    def _open(self, note: bytes, hub: HubApi) -> OpenedCheckpoint:
        """The newest checkpoint, signed by the current log of a registry that is fetched anew if need be."""
        current = self._current_log()
        try:
            return open_checkpoint(note, current.origin, current.key, self._limits)
        except Untrusted:
            if not self._trust.refresh(hub):
                raise
        current = self._current_log()
        return open_checkpoint(note, current.origin, current.key, self._limits)

    def _current_log(self) -> RegistryLog:
        logs = self._trust.current().registry.logs
        if not logs:
            raise Untrusted("the registry names no log", reason="UNKNOWN_LOG")
        return logs[-1]

    # --- which history -----------------------------------------------------------------------------

    def _history(self, newest: Checkpoint, registry: Registry, now: datetime) -> History | None:
        """The history to go on with; None while a person must decide. Raises `Attack`."""
        history = self.histories.current()
        if history is None:
            return self.histories.follow(About(newest.origin, format_instant(now), FIRST))
        if history.origin != newest.origin:
            history = self._continued(history, newest, registry, now) or history
        return None if self._blocked() else history

    def _continued(
        self, history: History, newest: Checkpoint, registry: Registry, now: datetime
    ) -> History | None:
        """The administrators have signed that another log continues this one: no attack, if it does."""
        try:
            found = find_continuation(history, registry.logs, newest.origin)
        except Untrusted as error:
            here = Checkpoint(history.origin, history.size, history.root)
            if self._blocked():
                return None
            raise self._replaced(ROLLED_BACK, history, here, newest, error.message) from None
        wrong = contradicts(history, found)
        if wrong is not None:
            history.check()
            if self._blocked():
                return None
            own = Checkpoint(history.origin, wrong.size, history.root_at(wrong.size))
            message = f"{newest.origin} continues a log that is not the one that this node has seen"
            raise self._replaced(TWO_HISTORIES, history, own, wrong, message)
        self._settle(history, found, newest.origin, now)
        if self._blocked():
            return None
        size = min(found.size, history.size)
        lost = max(0, self._seen_size(history) - found.size)
        log.warning("the log is continued under another name", origin=newest.origin, lost=lost)
        self.ledger.lose(size, self.histories.number)
        about = About(newest.origin, format_instant(now), CONTINUED, lost)
        return self.histories.follow(about, history, size)

    def _replaced(
        self, kind: str, history: History, own: Checkpoint, shown: Checkpoint, message: str
    ) -> Attack:
        evidence = {"registry.json": self._trust.newest().envelope}
        seen = history.seen()
        if seen is not None:
            evidence["seen"] = seen
        return history_attack(kind, own, shown, message, self._clock.now(), evidence)

    def _settle(self, history: History, found: Continuation, origin: str, now: datetime) -> None:
        """Alarms of the very rollback that the administrators continue from are explained by their word."""
        for alarm in self.alarms.open():
            if alarm.kind != ROLLED_BACK or alarm.facts.get("origin") != history.origin:
                continue
            size, root = alarm.facts.get("shown_size"), alarm.facts.get("shown_root")
            if not isinstance(size, int) or not 0 <= size <= min(found.size, history.size):
                continue
            if history.root_at(size).hex() == root:
                line = f"the administrators continue {history.origin} as {origin} from leaf {found.size} on"
                self.alarms.settle(alarm.id, line, now)

    def _blocked(self) -> bool:
        return any(each.kind in HISTORY for each in self.alarms.open())

    def _seen_size(self, history: History) -> int:
        note = history.seen()
        if note is None:
            return history.size
        try:
            log_of = next(e for e in self._trust.newest().registry.logs if e.origin == history.origin)
            return open_checkpoint(note, log_of.origin, log_of.key, self._limits).checkpoint.size
        except (Untrusted, StopIteration):
            return history.size

    # --- the steps of a look -----------------------------------------------------------------------

    def _watch_growth(self, look: Look) -> None:
        since = Growth(self._state).frozen_since(look.newest, look.now, look.limits)
        if since is None:
            return
        origin, size = look.newest.origin, look.newest.size
        alarm = Alarm.of(
            FROZEN,
            f"{origin}:{size}",
            f"the hub answers and its log has not grown beyond {size} leaves since {format_instant(since)}",
            ASK,
            look.now,
            origin=origin,
            size=size,
        )
        self._sound((alarm, {"checkpoint": look.view.note}))

    def _statements(self, hub: HubApi) -> OwnStatements:
        keys = OwnKeys(self._own_keys(), self._trust.keys_ever(self._partner))
        return OwnStatements(self._partner, self._state, self.ledger, self._trust, hub, keys, self._limits)

    def _own_keys(self) -> tuple[PublicKey, ...]:
        """Every signing key that this node has had."""
        return rotate.own_keys(self._state, self._identity.signing.public)

    def _may_cosign(self, look: Look) -> bool:
        """Whether the newest checkpoint continues all that was cosigned under its origin, in any history."""
        for promised in self.histories.promised(look.newest.origin):
            if promised.size > look.history.size or look.history.root_at(promised.size) != promised.root:
                return False
        return True

    def _meeting(
        self, history: History, view: CheckpointView, newest: Checkpoint, registry: Registry, now: datetime
    ) -> CheckpointView | None:
        first = max(history.size, self._seen_size(history), self._bound(newest.origin) + 1)
        return meeting(view, newest, registry, first, now, self._limits)

    def _bound(self, origin: str) -> int:
        """The largest size that this node has cosigned under that origin; 0 for none."""
        return max((each.size for each in self.histories.promised(origin)), default=0)

    def _may_begin(self, look: Look) -> bool:
        """Whether to be the first to stand for the newest checkpoint: once a turn, so that others can
        join."""
        if self._handed is None or self._bound(look.newest.origin) in (0, look.newest.size):
            return True
        return look.now - self._handed[1] >= timedelta(seconds=look.limits.report_every_s)

    def _cosign(self, look: Look, shown: Sequence[Shown]) -> list[Shown]:
        """Stand for the checkpoint: durably first, then by signature."""
        name = witness_name(look.registry.federation, self._partner, self._node)
        text, key = look.opened.note.text, self._identity.witness
        if look.newest not in self.histories.promised(look.newest.origin):
            look.history.promise(look.view.note)
        handed, at = self._handed or (b"", look.now)
        if handed != text or look.now - at >= timedelta(seconds=look.limits.refusals_every_s):
            line = cosign(text, name, key, look.now)
            look.hub.add_cosignature(Note(text, (line,)).to_bytes())
            self._handed = text, look.now
        own = Shown(look.newest, look.view.note, (Cosigned(Cosigner(name, key.public), look.now),))
        return [own, *shown]

    def _standing(self, look: Look, shown: Sequence[Shown]) -> Standing:
        self.ledger.keep_witnesses(last_times(shown))
        seen = self.ledger.witnesses()
        return standing(shown, look.newest.origin, seen, look.registry, look.now, look.limits)

    def _sound(self, trouble: Trouble) -> None:
        self.alarms.sound(*trouble)

    def _report(self, note: str, found: Standing | None = None) -> WitnessReport:
        history = self.histories.current()
        if history is None:
            raise Unavailable("no log has been seen yet", reason="NO_LOG")
        promised = self.histories.promised(history.origin)
        return WitnessReport(
            origin=history.origin,
            size=max(self._seen_size(history), history.size),
            read=min(history.size, self.ledger.taken),
            cosigned=max((each.size for each in promised), default=None),
            lost=history.about.lost,
            standing=found,
            note=note,
        )
