"""One running hub a directory, and one backup of it: locks that the kernel lets go of, whatever happens.

with exclusive(layout):              # raises Conflict when a hub runs already
    ...
with backing_up(layout):             # raises Conflict when one is made; nothing is removed meanwhile
    ...
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from core.errors import Conflict
from hub.layout import Layout


@contextmanager
def exclusive(layout: Layout) -> Generator[None]:
    """Hold the directory's lock. Raises `Conflict` (ALREADY_RUNNING)."""
    refusal = Conflict(
        f"a hub already runs on {layout.directory}",
        remedy="stop it first (systemctl stop syncline-hub)",
        reason="ALREADY_RUNNING",
    )
    with _held(layout.lock, refusal):
        yield


@contextmanager
def backing_up(layout: Layout) -> Generator[None]:
    """Hold the lock of backups. Raises `Conflict` (BACKUP_RUNS)."""
    refusal = Conflict(
        f"a backup of {layout.directory} is being made", remedy="wait until it is done", reason="BACKUP_RUNS"
    )
    with _held(layout.backup_lock, refusal):
        yield


def is_running(layout: Layout) -> bool:
    """Whether a hub runs on this directory now."""
    return _is_held(layout.lock)


def is_backing_up(layout: Layout) -> bool:
    """Whether a backup is being made now."""
    return _is_held(layout.backup_lock)


@contextmanager
def _held(path: Path, refusal: Conflict) -> Generator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise refusal from None
        yield
    finally:
        os.close(descriptor)


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
