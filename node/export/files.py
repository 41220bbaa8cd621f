"""Inventories and files on this node's disks, as streams for a bundle.

Rules: only plain files, never through a link that stands for the file itself, and never waiting for a pipe;
that the bytes are those that were signed is checked by whoever writes the bundle.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from audit.bundle.contents import ContentFile
from core.errors import Unavailable

_PIECE_BYTES = 1 << 20
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class FileStream:
    """A whole file as it stands."""

    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def pieces(self) -> Iterator[bytes]:
        return _read(self.path)


@dataclass(frozen=True, slots=True)
class Lines:
    """An inventory that is written from a list; read twice, first for its size."""

    entries: Callable[[], Iterable[tuple[str, str]]]

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces()))

    def pieces(self) -> Iterator[bytes]:
        return (f"{sha256}  {path}\n".encode() for path, sha256 in self.entries())


@dataclass(frozen=True, slots=True)
class FolderContent:
    """Files below a folder: path, SHA-256 and size of each, sorted by path."""

    folder: Path
    listed: Callable[[], Iterable[tuple[str, str, int]]]

    def files(self) -> Iterator[ContentFile]:
        for path, sha256, size in self.listed():
            yield ContentFile(path, sha256, size, _read(self.folder / path, size))


def _read(path: Path, size: int | None = None) -> Iterator[bytes]:
    """A file's bytes; with `size`, only if it has as many. Raises `Unavailable`."""
    try:
        descriptor = os.open(path, _FLAGS)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or size not in (None, status.st_size):
                raise _changed(path)
            while piece := file.read(_PIECE_BYTES):
                yield piece
    except OSError as error:
        raise _changed(path) from error


def _changed(path: Path) -> Unavailable:
    return Unavailable(
        f"{path} is not there as it was published",
        remedy="export without --with-data; or let the hub's operator export it: syncline-hub export",
        reason="CONTENT_CHANGED",
    )
