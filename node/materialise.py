"""Writing names that strangers chose, so that none of them leaves the mirror (`no_escape`).

Rules: every step goes through the descriptor of the folder above it, never through a whole path; no step
follows a symbolic link, whoever planted it; files are created exclusively (0444), folders are 0755; nothing
is ever written into a file that has another link. What the mirror's own path contains (above
`<owner>/<dataset>`) is its owner's business and may be links.

    with Walker(staging, create=True) as walker:
        folder, name = walker.parent("maps/geology.geojson")
        descriptor = create_file(folder, name)
"""

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from core.errors import SynclineError, Unavailable, Untrusted

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_MODE = 0o444
_FOLDER_MODE = 0o755


def tampered(what: str) -> Untrusted:
    """The error for a link or another thing where Syncline made a folder or a file."""
    return Untrusted(
        f"{what} is not what Syncline put there",
        remedy="somebody changed the mirror's folders: look who, remove it, and sync again",
        reason="MIRROR_TAMPERED",
    )


@contextmanager
def system_errors(what: str, missing_bytes: int | None = None) -> Generator[None]:
    """Turn an `OSError` into ours; `what` was being done."""
    try:
        yield
    except OSError as error:
        raise explain(error, what, missing_bytes) from error


def explain(error: OSError, what: str, missing_bytes: int | None = None) -> SynclineError:
    """The error of ours that `error`, met while doing `what`, means."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        lacking = f" ({missing_bytes:,} bytes are missing)" if missing_bytes else ""
        return Unavailable(
            f"{what}: the disk is full{lacking}",
            remedy="free some space; what was fetched is kept, and the next pass goes on from there",
            reason="DISK_FULL",
        )
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EEXIST):
        return tampered(f"{what}: {error.filename or 'a path'}")
    return Unavailable(
        f"{what}: {error.strerror or error}", remedy="correct the folder's rights, or look at the disk"
    )


def open_root(path: Path) -> int:
    """A descriptor of the folder `path`, which exists; links in it are followed."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def open_folder(parent: int, name: str, *, create: bool = False) -> int:
    """A descriptor of `name` in `parent`. Never follows a link: raises `Untrusted` (MIRROR_TAMPERED)."""
    if create:
        with suppress(FileExistsError):
            os.mkdir(name, _FOLDER_MODE, dir_fd=parent)
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise tampered(f"the folder {name!r} in the mirror") from error
        raise


def create_file(folder: int, name: str) -> int:
    """A descriptor for writing the new file `name`. Raises `FileExistsError`."""
    return os.open(
        name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE, dir_fd=folder
    )


def open_file(folder: int, name: str) -> int | None:
    """A descriptor for reading the regular file `name`; None when there is none. Links are `Untrusted`."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise tampered(f"the file {name!r} in the mirror") from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise tampered(f"the file {name!r} in the mirror")
    return descriptor


def reopen_for_writing(folder: int, name: str, reading: int) -> int | None:
    """A descriptor for writing the read-only file that `reading` has open.

    None when the name means another file by now, or when the file has a second name, whose
    content a write would change.
    """
    before = os.fstat(reading)
    if before.st_nlink != 1:
        return None
    os.fchmod(reading, 0o600)
    try:
        writing = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOENT):
            return None
        raise
    after = os.fstat(writing)
    os.fchmod(writing, _FILE_MODE)
    if (after.st_dev, after.st_ino) != (before.st_dev, before.st_ino):
        os.close(writing)
        return None
    return writing


class Walker:
    """Descriptors of the folders below one folder, kept while neighbours follow each other.

    Paths in sorted order open each folder once. Not thread-safe; each thread has its own.
    """

    def __init__(self, root: int, *, create: bool = False) -> None:
        self._descriptors = [os.dup(root)]
        self._parts: list[str] = []
        self._folder = ""
        self._create = create

    def parent(self, path: str) -> tuple[int, str]:
        """The folder of `path` (a legal inventory path) and its last part.

        Raises `FileNotFoundError` when the folder is missing (unless `create`), `Untrusted` for a link.
        """
        folder, _, name = path.rpartition("/")
        if folder != self._folder:
            self._enter(folder)
        return self._descriptors[-1], name

    def _enter(self, folder: str) -> None:
        wanted = folder.split("/") if folder else []
        common = 0
        for ours, theirs in zip(self._parts, wanted, strict=False):
            if ours != theirs:
                break
            common += 1
        while len(self._parts) > common:
            os.close(self._descriptors.pop())
            self._parts.pop()
        self._folder = "/".join(self._parts)
        for part in wanted[common:]:
            if part in ("", ".", ".."):  # refused where names are read; here it would leave the mirror
                raise tampered(f"the path {folder!r}")
            self._descriptors.append(open_folder(self._descriptors[-1], part, create=self._create))
            self._parts.append(part)
            self._folder = "/".join(self._parts)

    def close(self) -> None:
        """Give the descriptors back."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def anchored(folder: int, name: str = "") -> Path:
    """A path to `name` in the open `folder` that no rename or link above it can divert (Linux procfs)."""
    return Path(f"/proc/self/fd/{folder}") / name
