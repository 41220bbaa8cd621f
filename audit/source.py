"""Where evidence stands: a folder on a disk here, a zip file in `audit.bundle.zip_source`; one face for both.

    source = FolderSource(version_folder / ".syncline")
    source.read("manifest.json", 2 * MIB)              # bytes, or None when there is no such plain file
    source.names("registry")                           # names of the files in a folder, in order

Rules: links, devices and pipes are never opened, also not as a folder on the way; every read is bounded; a
file that is absent is None, because absence is for the checks to judge.
"""

import os
import stat
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from audit.dossier import StoredFile
from core.errors import InvalidInput, Unavailable

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Source(Protocol):
    """A tree of files. Names are relative, with `/`; sorting is by their bytes."""

    def read(self, name: str, bytes_max: int) -> bytes | None:
        """A file's bytes, None when there is none. Raises `InvalidInput` above `bytes_max`."""
        ...

    def file(self, name: str) -> StoredFile:
        """A file to be opened later."""
        ...

    def names(self, folder: str) -> Iterable[str]:
        """Names of the files directly in `folder`, ascending."""
        ...

    def folders(self, folder: str) -> Iterable[str]:
        """Names of the folders directly in `folder`, ascending."""
        ...

    def path(self, name: str) -> Path | None:
        """Where `name` stands on a disk; None within a zip file."""
        ...


@dataclass(frozen=True, slots=True)
class DiskFile:
    """A `StoredFile` on a disk."""

    name: str
    at: Path

    @contextmanager
    def open(self) -> Generator[BinaryIO]:
        """Its bytes. Raises `Unavailable` when it is no plain file that can be read."""
        with open_plain(self.at) as file:
            if file is None:
                raise Unavailable(
                    f"{self.at} is no file that can be read", remedy="copy the evidence whole, as it was made"
                )
            yield file


class FolderSource:
    """A folder. Every folder on the way to a file must be one itself, not a link to one."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._plain: set[str] = set()

    def read(self, name: str, bytes_max: int) -> bytes | None:
        if not self._reachable(name):
            return None
        return read_bounded(self._root / name, bytes_max)

    def file(self, name: str) -> StoredFile:
        if not self._reachable(name):
            return DiskFile(name, self._root / "\0")  # nothing is called so
        return DiskFile(name, self._root / name)

    def names(self, folder: str) -> Iterable[str]:
        return self._listed(folder, folders=False)

    def folders(self, folder: str) -> Iterable[str]:
        return self._listed(folder, folders=True)

    def path(self, name: str) -> Path | None:
        return self._root / name

    def _listed(self, folder: str, *, folders: bool) -> list[str]:
        if not self._reachable(f"{folder}/x" if folder else "x"):
            return []
        try:
            with os.scandir(self._root / folder) as entries:
                names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False) == folders]
        except OSError:
            return []
        return sorted(names, key=os.fsencode)

    def _reachable(self, name: str) -> bool:
        folder = name.rpartition("/")[0]
        if folder in self._plain:
            return True
        place = self._root
        for part in ("", *folder.split("/")) if folder else ("",):
            place = place / part
            if not is_plain_folder(place):
                return False
        self._plain.add(folder)
        return True


@contextmanager
def open_plain(path: Path) -> Generator[BinaryIO | None]:
    """A plain file for reading; None for anything else, without waiting for a pipe."""
    try:
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError):
        yield None
        return
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        yield None
        return
    with os.fdopen(descriptor, "rb") as file:
        yield file


def read_bounded(path: Path, bytes_max: int) -> bytes | None:
    """The bytes of a plain file, None when there is none. Raises `InvalidInput` above `bytes_max`."""
    with open_plain(path) as file:
        try:
            data = None if file is None else file.read(bytes_max + 1)
        except OSError:
            # A disk that fails is for the checks to tell, by what is missing then.
            data = None
    if data is not None and len(data) > bytes_max:
        raise InvalidInput(f"{path} is larger than {bytes_max} bytes", remedy="it is not what it should be")
    return data


def is_plain_folder(path: Path) -> bool:
    """Whether `path` is a folder itself, not a link to one."""
    return path.is_dir() and not path.is_symlink()
