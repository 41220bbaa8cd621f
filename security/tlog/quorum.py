"""How many witnesses are enough: more than two thirds, so that two quorums share an honest one.

needed(4)                                  # 3
count(cosigners(note, witnesses), now)     # how many did within the last 24 hours
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from core.limits import LIMITS, Limits
from security.tlog.cosignature import Cosigned


def needed(n: int) -> int:
    """The quorum of `n` witnesses: 1 + ⌊2n/3⌋, and 0 without any."""
    return 1 + 2 * n // 3 if n > 0 else 0


def fresh(cosigned: Iterable[Cosigned], at: datetime, limits: Limits = LIMITS) -> tuple[Cosigned, ...]:
    """The cosignatures that count at `at`: younger than 24 hours and not from the future, one a key.

    A witness's clock may go ahead by what clocks may differ (`clock_offset_warn_s`).
    """
    oldest = at - timedelta(seconds=limits.cosignature_valid_s)
    newest = at + timedelta(seconds=limits.clock_offset_warn_s)
    found = {each.witness.key: each for each in cosigned if oldest < each.at <= newest}
    return tuple(found.values())


def count(cosigned: Iterable[Cosigned], at: datetime, limits: Limits = LIMITS) -> int:
    """How many witnesses count at `at`."""
    return len(fresh(cosigned, at, limits))
