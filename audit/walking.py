"""Walks a folder as a stream, in the order of whole paths, following no link.

    for found in walk(version_folder):                 # Found(path, size); size None: no plain file
        read_plain(version_folder, found.path)

Rules: the order is that of the bytes of relative paths, so that two such streams can be merged; memory holds
the names of the folders on the way, no more; a folder that cannot be listed has no files, which says enough.
"""

import os
import stat
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NamedTuple

from audit.hashing import Hashed, digest_descriptor
from core.names import EVIDENCE_FOLDER

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_EVIDENCE = EVIDENCE_FOLDER.encode()


class Found(NamedTuple):
    """A name in the folder that is not a folder. `size` None when it is no plain file."""

    path: bytes
    size: int | None


def walk(folder: Path, *, leave_out: bytes = _EVIDENCE) -> Generator[Found]:
    """All that is not a folder below `folder`, ascending; without the folder `leave_out` at the top."""
    root = os.fsencode(folder)
    waiting = [_scan(root, b"")]
    while waiting:
        for path, is_folder in waiting[-1]:
            if is_folder:
                if path != leave_out:
                    waiting.append(_scan(root, path))
                    break
            else:
                yield Found(path, _size(root + b"/" + path))
        else:
            waiting.pop()


def read_plain(folder: Path, path: bytes) -> Hashed | None:
    """Size and hash of the plain file at `path`; None when it is none, or cannot be read."""
    try:
        descriptor = os.open(os.fsencode(folder) + b"/" + path, _FLAGS)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        return digest_descriptor(descriptor, status.st_size) if stat.S_ISREG(status.st_mode) else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _scan(root: bytes, relative: bytes) -> Iterator[tuple[bytes, bool]]:
    # A folder sorts as its name with a slash, so that depth first is the order of whole paths.
    keys: list[bytes] = []
    try:
        with os.scandir(root + b"/" + relative if relative else root) as entries:
            keys = [
                entry.name + b"/" if entry.is_dir(follow_symlinks=False) else entry.name for entry in entries
            ]
    except OSError:
        pass
    keys.sort()
    before = relative + b"/" if relative else b""
    for key in keys:
        is_folder = key.endswith(b"/")
        yield before + (key[:-1] if is_folder else key), is_folder


def _size(path: bytes) -> int | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
