"""One running hub a directory: a lock that the kernel lets go of, whatever happens to the process.

with exclusive(layout):              # raises Conflict when a hub runs already
    ...
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager

from core.errors import Conflict
from hub.layout import Layout


@contextmanager
def exclusive(layout: Layout) -> Generator[None]:
    """Hold the directory's lock. Raises `Conflict` (ALREADY_RUNNING)."""
    descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                f"a hub already runs on {layout.directory}",
                remedy="stop it first (systemctl stop syncline-hub)",
                reason="ALREADY_RUNNING",
            ) from None
        yield
    finally:
        os.close(descriptor)


def is_running(layout: Layout) -> bool:
    """Whether a hub runs on this directory now."""
    try:
        descriptor = os.open(layout.lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
