"""Positions that can be compared across continued logs.

A hub that was restored from a backup continues its log under a new origin and key: the new log begins with
the leaves of the old one up to the checkpoint that the registry names (`continues`). What the old log held
beyond it was before whatever the new one added, and is no part of it.

    position(registry.logs, "asean/log/2", 17)      # (0, 17): a leaf that both share belongs to the older
    position(registry.logs, "asean/log/2", 4711)    # (1, 4711)
"""

from collections.abc import Sequence

from core.errors import Untrusted
from security.members import RegistryLog
from security.tlog.checkpoint import Checkpoint, open_checkpoint


def position(logs: Sequence[RegistryLog], origin: str, index: int) -> tuple[int, int]:
    """The place of leaf `index` of the log `origin`: (number of the oldest log that holds it, index).

    Raises `Untrusted`: UNKNOWN_LOG, BROKEN_CONTINUATION.
    """
    number = log_number(logs, origin)
    while (base := continued(logs, number)) is not None and index < base[1].size:
        number = base[0]
    return number, index


def log_number(logs: Sequence[RegistryLog], origin: str) -> int:
    """Which of `logs` has this origin. Raises `Untrusted` (UNKNOWN_LOG)."""
    for number, log in enumerate(logs):
        if log.origin == origin:
            return number
    raise Untrusted(f"the registry knows no log {origin}", reason="UNKNOWN_LOG")


def continued(logs: Sequence[RegistryLog], number: int) -> tuple[int, Checkpoint] | None:
    """The log that `logs[number]` continues, and the last checkpoint of it; None for the first log.

    Raises `Untrusted` (BROKEN_CONTINUATION) when that is no earlier log's own checkpoint.
    """
    continues = logs[number].continues
    if continues is None:
        return None
    origin, note = continues
    try:
        old = log_number(logs[:number], origin)
        return old, open_checkpoint(note.encode(), origin, logs[old].key).checkpoint
    except Untrusted as error:
        raise Untrusted(
            f"{logs[number].origin} does not continue a log of this registry: {error.message}",
            reason="BROKEN_CONTINUATION",
        ) from error
