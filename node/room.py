"""Room on the node's disks: work stops before a disk is full, and goes on by itself when there is room.

Rules: `disk_reserve_bytes` of each disk stay free, for what must still be written then (the report, signed
statements, the state); who is about to write much asks first; the refusal says how much is free and how much
is needed, and is tried again like any other failure. How much is free is an argument, for tests.

    room = Room(limits)
    room.need(state_dir, "publishing", size)        # Unavailable (DISK_FULL)
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from core.errors import Unavailable
from core.limits import LIMITS, Limits
from core.terminal import bytes_text

DISK_FULL = "DISK_FULL"


class DiskUsage(NamedTuple):
    """Of one filesystem, for this user."""

    total_bytes: int
    free_bytes: int
    device: int


Usage = Callable[[Path], DiskUsage]


def disk_usage(path: Path) -> DiskUsage:
    """Of the filesystem that holds `path`, or will hold it. Raises `OSError`."""
    while not path.exists() and path != path.parent:
        path = path.parent
    status = os.statvfs(path)
    size, free = status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
    return DiskUsage(size, free, path.stat().st_dev)


class Room:
    """See the module. Methods may be called from any thread."""

    def __init__(self, limits: Limits = LIMITS, usage: Usage = disk_usage) -> None:
        self._limits = limits
        self._usage = usage

    def of(self, path: Path) -> DiskUsage | None:
        """The disk of `path`; None where it cannot be asked."""
        try:
            return self._usage(path)
        except OSError:
            return None

    def need(self, path: Path, doing: str, bytes_count: int = 0, *, reserve: float = 1.0) -> None:
        """Raise `Unavailable` (DISK_FULL) unless `bytes_count` and that share of the reserve are free."""
        found = self.of(path)
        kept = int(self._limits.disk_reserve_bytes * reserve)
        if found is not None and found.free_bytes < bytes_count + kept:
            raise no_room(path, doing, found.free_bytes, bytes_count, kept)


def no_room(path: Path, doing: str, free_bytes: int, needed_bytes: int, kept_bytes: int) -> Unavailable:
    """The refusal: what was to be done on the disk of `path`, what is free there and what is needed."""
    free, kept = bytes_text(free_bytes), bytes_text(kept_bytes)
    wanted = f"{bytes_text(needed_bytes)} are needed and {kept} are" if needed_bytes else f"{kept} are always"
    lacking = bytes_text(needed_bytes + kept_bytes - free_bytes)
    return Unavailable(
        f"{doing} stops before the disk of {path} is full: {free} are free there, {wanted} kept free",
        remedy=f"free {lacking} on that disk; it goes on by itself",
        reason=DISK_FULL,
    )
