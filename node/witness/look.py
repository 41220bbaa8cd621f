"""What one look at the log holds: the hub, the history, the newest checkpoint; and how an attack ends it.

    raise look.attack(TWO_HISTORIES, key, message, evidence, size=4711)

An `Attack` is no error of ours to be handled: whoever runs the look keeps it as an alarm.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.limits import Limits
from core.names import PartnerId
from node.alarms import Alarm
from node.witness.entries import Place, Trouble
from node.witness.history import History
from security.registry import Registry
from security.tlog.checkpoint import Checkpoint, OpenedCheckpoint
from sync.ports import CheckpointView, HubApi

BY_ANOTHER_CHANNEL = (
    "speak to the administrators and the other partners by a channel other than the hub, and show them the"
    " evidence"
)


class Attack(Exception):
    """The hub has shown what no honest log shows."""

    def __init__(self, alarm: Alarm, evidence: Mapping[str, bytes]) -> None:
        super().__init__(alarm.message)
        self.alarm = alarm
        self.evidence = dict(evidence)


@dataclass(frozen=True, slots=True)
class Look:
    """See the module. `sound` keeps an alarm that does not end the look."""

    hub: HubApi
    registry: Registry
    history: History
    view: CheckpointView
    opened: OpenedCheckpoint
    now: datetime
    limits: Limits
    partner: PartnerId
    sound: Callable[[Trouble], None]

    @property
    def newest(self) -> Checkpoint:
        """The newest checkpoint, signed by the log."""
        return self.opened.checkpoint

    @property
    def place(self) -> Place:
        """For alarms about single leaves."""
        return Place(self.newest.origin, self.view.note, self.partner, self.now, self.limits)

    def attack(
        self, kind: str, other: Checkpoint, message: str, evidence: Mapping[str, bytes], **facts: Any
    ) -> Attack:
        """The newest checkpoint does not agree with `other`, or with what this node knows."""
        return history_attack(
            kind, other, self.newest, message, self.now, {"shown": self.view.note, **evidence}, **facts
        )


def history_attack(
    kind: str,
    seen: Checkpoint,
    shown: Checkpoint,
    message: str,
    now: datetime,
    evidence: Mapping[str, bytes],
    **facts: Any,
) -> Attack:
    """`shown` does not agree with `seen`: an alarm with both."""
    key = ":".join((seen.to_text().decode(), shown.to_text().decode()))
    alarm = Alarm.of(
        kind,
        key,
        message,
        BY_ANOTHER_CHANNEL,
        now,
        origin=seen.origin,
        seen_size=seen.size,
        seen_root=seen.root.hex(),
        shown_origin=shown.origin,
        shown_size=shown.size,
        shown_root=shown.root.hex(),
        **facts,
    )
    return Attack(alarm, evidence)


def proof_text(proof: list[bytes] | tuple[bytes, ...]) -> bytes:
    """A proof as evidence: a hash a line, in hexadecimal."""
    return "".join(f"{each.hex()}\n" for each in proof).encode()
