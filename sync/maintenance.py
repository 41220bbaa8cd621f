"""How often an owner means to bring out versions, and what that says of the newest one. Pure.

The words are those of ISO 19115-1, MD_MaintenanceFrequencyCode. A dataset is *fresh* until its next version
is due, *due* for a tenth of its period (at least a day) after that, then *late*. For `irregular`,
`asNeeded` and `periodic` the owner may give the date of the next version; without one, and for those that
promise nothing, there is no saying.

    freshness("monthly", None, last_version, now)        # "fresh", "due", "late" or "unknown"
"""

from datetime import datetime, timedelta
from typing import Literal

Freshness = Literal["fresh", "due", "late", "unknown"]

#: The longest time between two versions; None: not told by the word alone.
PERIODS: dict[str, timedelta | None] = {
    "continual": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(days=7),
    "fortnightly": timedelta(days=14),
    "semimonthly": timedelta(days=16),
    "monthly": timedelta(days=31),
    "quarterly": timedelta(days=92),
    "biannually": timedelta(days=184),
    "annually": timedelta(days=366),
    "biennially": timedelta(days=731),
    "periodic": None,
    "asNeeded": None,
    "irregular": None,
    "notPlanned": None,
    "unknown": None,
}

#: Words beside which a date of the next version may stand.
WITH_DATE = frozenset({"periodic", "asNeeded", "irregular"})

_GRACE_LEAST = timedelta(days=1)
_GRACE_CONTINUAL = timedelta(hours=1)
_GRACE_SHARE = 10


def due_at(frequency: str | None, next_update: datetime | None, last_version: datetime) -> datetime | None:
    """When the next version is due; None where nothing was promised (or the word is not known)."""
    if frequency in WITH_DATE:
        # A version on or after the promised day keeps the promise.
        return None if next_update is None or last_version >= next_update else next_update
    period = PERIODS.get(frequency or "unknown")
    return None if period is None else last_version + period


def freshness(
    frequency: str | None, next_update: datetime | None, last_version: datetime, now: datetime
) -> Freshness:
    """How the newest version stands to what its owner declared."""
    due = due_at(frequency, next_update, last_version)
    if due is None:
        kept = frequency in WITH_DATE and next_update is not None
        return "fresh" if kept else "unknown"
    if now < due:
        return "fresh"
    return "due" if now < due + _grace(frequency) else "late"


def turns_at(
    frequency: str | None, next_update: datetime | None, last_version: datetime
) -> tuple[datetime, datetime] | None:
    """When `freshness` turns from fresh to due, and from due to late; None where it never turns."""
    due = due_at(frequency, next_update, last_version)
    return None if due is None else (due, due + _grace(frequency))


def _grace(frequency: str | None) -> timedelta:
    if frequency == "continual":
        return _GRACE_CONTINUAL
    return max((PERIODS.get(frequency or "") or timedelta()) / _GRACE_SHARE, _GRACE_LEAST)
