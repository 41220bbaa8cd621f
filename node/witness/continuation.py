"""A log that continues another under the administrators' word, told from an attack.

    shared = shared_size(history, logs, origin)     # leaves of `history` that the new log must have too

Rules: each `continues` on the way from the log that this node followed to the current one must be a
checkpoint of the log before, signed by its key, and the history of this node must have that root at that
size; otherwise it is no continuation of what this node has seen, and an alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import Untrusted
from node.witness.history import History
from security.registry import RegistryLog
from security.tlog.checkpoint import Checkpoint
from security.tlog.position import continued, log_number


@dataclass(frozen=True, slots=True)
class Continuation:
    """How the current log begins: with the first `size` leaves of the one that this node followed."""

    size: int
    steps: tuple[Checkpoint, ...]


def find_continuation(history: History, logs: Sequence[RegistryLog], origin: str) -> Continuation:
    """The way from `history`'s log to `origin`. Raises `Untrusted`: NOT_CONTINUED, BROKEN_CONTINUATION."""
    steps: list[Checkpoint] = []
    number = log_number(logs, origin)
    while logs[number].origin != history.origin:
        step = continued(logs, number)
        if step is None:
            raise Untrusted(
                f"{origin} does not continue {history.origin}, the log that this node has followed",
                reason="NOT_CONTINUED",
            )
        number, checkpoint = step
        steps.append(checkpoint)
    return Continuation(min(each.size for each in steps), tuple(reversed(steps)))


def contradicts(history: History, continuation: Continuation) -> Checkpoint | None:
    """The continued checkpoint that is not what this node has seen; None when all are."""
    shared = None
    for each in continuation.steps:  # a later step speaks of this history only below the earlier ones
        shared = each.size if shared is None else min(shared, each.size)
        if each.size <= min(shared, history.size) and history.root_at(each.size) != each.root:
            return each
    return None
