"""Alarms: what this node has seen that an honest hub does not do, kept with its evidence.

    alarms = Alarms(state_dir)
    alarms.sound(Alarm.of("two-histories", key, message, remedy, now), {"seen": note, "shown": other})
    alarms.open()                               # those that no person has decided, oldest first
    alarms.decide(id, reason, "somchai", now)   # keeps everything

    <state_dir>/alarms/<id>/alarm.json          kind, message, remedy, since, facts, notes, decision
    <state_dir>/alarms/<id>/<evidence>          files byte for byte as they came

Rules: an alarm is durable before anybody acts on it; it never goes away by itself; the same trouble (same
kind and key) is one alarm, also after a decision (but two histories shown once more are another); nothing
is ever deleted. Only a registry that the administrators signed may settle one without a person (`settle`),
and that is written into it.
"""

import json
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from core import durable
from core.clock import format_instant
from core.errors import InvalidInput, SynclineError, Untrusted
from core.logs import get_logger
from node.materialise import system_errors
from security.digests import sha256_hex

TWO_HISTORIES = "two-histories"
ROLLED_BACK = "rolled-back"
FROZEN = "frozen"
HIDDEN_REGISTRY = "hidden-registry"
FOREIGN_VERSION = "foreign-version"
DELIVERY_NOT_ALLOWED = "delivery-not-allowed"
LANE_GAP = "lane-gap"
WRONG_OPENING = "wrong-opening"
DROPPED_LEAF = "dropped-leaf"

#: Of these people are told first of all: the hub has shown two histories.
HISTORY = (TWO_HISTORIES, ROLLED_BACK)
SHOWN_TWO_HISTORIES = "the hub has shown two histories"

#: The reason of what is refused while an alarm is open.
ALARM = "ALARM"

_OPEN_COUNT_MAX = 40  # of one kind: who floods us with wrong things must not fill the disk
_FILE = "alarm.json"

_SOUNDING = threading.Lock()  # the witness and the mirrors may find the same trouble at once

log = get_logger("node.alarms")


@dataclass(frozen=True, slots=True)
class Decision:
    """An operator's word on an alarm."""

    time: str
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """What an honest hub does not do. `facts` are plain values; `notes` came later, oldest first."""

    id: str
    kind: str
    since: str
    message: str
    remedy: str
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    evidence: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    decision: Decision | None = None

    @classmethod
    def of(cls, kind: str, key: str, message: str, remedy: str, now: datetime, **facts: Any) -> "Alarm":
        """A new one. `key` says which trouble it is: the same key again is the same alarm."""
        if kind in HISTORY:
            message = f"{SHOWN_TWO_HISTORIES}: {message}"
        name = f"{kind}-{sha256_hex(key.encode())[:12]}"
        return cls(name, kind, format_instant(now), message, remedy, facts)

    @property
    def is_open(self) -> bool:
        """Whether no person has decided yet."""
        return self.decision is None

    def as_json(self) -> dict[str, Any]:
        """Plain values, for `alarm.json` and `--json`."""
        value = asdict(self)
        return {"v": 1, **value, "evidence": list(self.evidence), "notes": list(self.notes)}

    def error(self) -> Untrusted:
        """The alarm as an error: what was being done is refused because of it."""
        return Untrusted(
            self.message, remedy=f"{self.remedy}; then: syncline-node alarms decide {self.id}", reason=ALARM
        )


class Alarms:
    """The alarms of a state directory. Whoever writes holds the state's lock."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / "alarms"

    def all(self) -> list[Alarm]:
        """Every alarm, oldest first, decided ones too."""
        if not self.folder.is_dir():
            return []
        found = [_read(each) for each in self.folder.iterdir() if not each.name.startswith(".")]
        return sorted(found, key=lambda each: (each.since, each.id))

    def open(self) -> list[Alarm]:
        """Those that no person has decided, oldest first, those of two histories before all others."""
        return sorted(
            (each for each in self.all() if each.is_open), key=lambda each: each.kind not in HISTORY
        )

    def get(self, name: str) -> Alarm:
        """The alarm of that id. Raises `InvalidInput` when there is none."""
        if "/" in name or name.startswith(".") or not (self.folder / name / _FILE).exists():
            raise InvalidInput(f"there is no alarm {name!r}", remedy="see `syncline-node alarms`")
        return _read(self.folder / name)

    def sound(self, alarm: Alarm, evidence: Mapping[str, bytes]) -> bool:
        """Keep an alarm durably and tell the log; False when it is known already, or there are too many."""
        with _SOUNDING:
            return self._sound(alarm, evidence)

    def _sound(self, alarm: Alarm, evidence: Mapping[str, bytes]) -> bool:
        alarm = self._again(alarm)
        target = self.folder / alarm.id
        if target.exists():
            return False
        if sum(each.kind == alarm.kind for each in self.open()) >= _OPEN_COUNT_MAX:
            log.critical("one more alarm of a kind that is open many times", what=alarm.message)
            return False
        kept = replace(alarm, evidence=tuple(sorted(evidence)))
        with system_errors(f"keeping an alarm in {self.folder}"):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            staged = self.folder / f".{alarm.id}.tmp"
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir(mode=0o700)
            for name, data in evidence.items():
                durable.write_file(staged / name, data, mode=0o600)
            _write(staged, kept)
            durable.rename(staged, target)
        tell(kept)
        return True

    def _again(self, alarm: Alarm) -> Alarm:
        """Two histories shown once more after a decision are another alarm: the decision was on the first."""
        name, times = alarm.id, 1
        while alarm.kind in HISTORY and (self.folder / name).exists() and not self.get(name).is_open:
            times += 1
            name = f"{alarm.id}-{times}"
        return replace(alarm, id=name)

    def note(self, name: str, line: str) -> Alarm:
        """Add a line to an alarm."""
        alarm = self.get(name)
        return self._keep(replace(alarm, notes=(*alarm.notes, line)))

    def decide(self, name: str, reason: str, who: str, now: datetime) -> Alarm:
        """The operator has looked and decided: the alarm is not open any more, and all of it is kept.

        Raises `InvalidInput` for an unknown or decided one, or without a reason.
        """
        alarm = self.check_decidable(name, reason)
        decided = self._keep(replace(alarm, decision=Decision(format_instant(now), who, reason.strip())))
        log.warning("an alarm was decided", id=name, who=who, why=reason.strip())
        return decided

    def check_decidable(self, name: str, reason: str) -> Alarm:
        """The open alarm of that id. Raises `InvalidInput` as `decide` does."""
        alarm = self.get(name)
        if alarm.decision is not None:
            raise InvalidInput(
                f"alarm {name} was decided by {alarm.decision.who} on {alarm.decision.time}",
                remedy="syncline-node alarms show tells why",
            )
        if not reason.strip():
            raise InvalidInput("a decision needs a reason", remedy="say it with --reason TEXT")
        return alarm

    def settle(self, name: str, line: str, now: datetime) -> Alarm:
        """The administrators' signed word explains the alarm: not open any more, with a line that says so."""
        alarm = self.get(name)
        decision = Decision(format_instant(now), "the registry", line)
        log.warning("an alarm was settled by the registry", id=name, why=line)
        return self._keep(replace(alarm, notes=(*alarm.notes, line), decision=decision))

    def _keep(self, alarm: Alarm) -> Alarm:
        with system_errors(f"keeping an alarm in {self.folder}"):
            _write(self.folder / alarm.id, alarm)
        return alarm


def tell(alarm: Alarm) -> None:
    """The alarm for the log: when it is sounded, and again at each start."""
    log.critical(alarm.message, alarm=alarm.id, since=alarm.since, remedy=alarm.remedy)


def summary(alarms: Sequence[Alarm]) -> Untrusted | None:
    """One error for all open `alarms`; None when there is none."""
    if not alarms:
        return None
    error = alarms[0].error()
    if len(alarms) == 1:
        return error
    message = f"{error.message} (and {len(alarms) - 1} more: syncline-node alarms)"
    return Untrusted(message, remedy=error.remedy, reason=ALARM)


def _write(folder: Path, alarm: Alarm) -> None:
    text = json.dumps(alarm.as_json(), ensure_ascii=False, indent=2) + "\n"
    durable.write_file(folder / _FILE, text.encode("utf-8", "backslashreplace"), mode=0o600)


def _read(folder: Path) -> Alarm:
    """An alarm as it stands; one whose file cannot be read stays an alarm."""
    try:
        value = json.loads((folder / _FILE).read_bytes())
        decided = value["decision"]
        return Alarm(
            id=folder.name,
            kind=str(value["kind"]),
            since=str(value["since"]),
            message=str(value["message"]),
            remedy=str(value["remedy"]),
            facts=dict(value["facts"]),
            evidence=tuple(value["evidence"]),
            notes=tuple(value["notes"]),
            decision=None if decided is None else Decision(**decided),
        )
    except (OSError, ValueError, KeyError, TypeError, SynclineError) as error:
        kind = folder.name.rpartition("-")[0]
        message = f"the alarm in {folder} cannot be read: {error}"
        return Alarm(folder.name, kind, "1970-01-01T00:00:00Z", message, "look at the files in that folder")
