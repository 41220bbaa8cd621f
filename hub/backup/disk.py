"""The disk that backups stand on: one writer at a time, and its errors in our words.

with translated(path):
    path.mkdir()                         # no space left: `Unavailable` (DISK_FULL)
"""

import errno
import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from core.errors import Conflict, SynclineError, Unavailable

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


def lock(descriptor: int, path: Path, *, shared: bool) -> None:
    """Lock the open file of the place at `path`. Raises `Conflict` (BACKUP_RUNS)."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(
            f"{path} is in use by another backup, check or restore",
            remedy="wait until it is done",
            reason="BACKUP_RUNS",
        ) from None
    except OSError as error:  # a network file system without locks: the hub's own lock must do
        if error.errno not in _NO_LOCKS:
            raise


@contextmanager
def translated(path: Path) -> Generator[None]:
    """What the system says of the disk, in our words. Raises `Unavailable` (DISK_FULL, PLACE_UNAVAILABLE)."""
    try:
        yield
    except SynclineError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(
                f"no space left in {path}; earlier snapshots there are as they were",
                remedy="free space there, or use a larger disk; the next run goes on with what was written",
                reason="DISK_FULL",
            ) from error
        raise Unavailable(
            f"{error.filename or path}: {error.strerror or error}",
            remedy="check the disk, its mount and its rights; earlier snapshots are as they were",
            reason="PLACE_UNAVAILABLE",
        ) from error
