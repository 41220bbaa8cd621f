"""What a bag is written into: a folder or a zip file. Nothing stands under the final name until it is whole.

    with Container.at(Path("evidence.zip"), base="asean-4711") as container:
        container.write("data/scope.json", 17, [b"…"])
        container.keep()                         # flushed and renamed; without it nothing is left

Rules: an existing name is never overwritten; work is done under a hidden name beside it. What is written
tells nothing of when, where and by whom: fixed times and modes. The outermost folder, or the zip file, is
for its owner alone: openings are for whoever they are given to.
"""

import contextlib
import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from audit.bundle.zip_writer import ZipWriter
from core import durable
from core.errors import Conflict, InvalidInput, Unavailable

ZIP_SUFFIX = ".zip"

#: 1980-01-01 UTC, the earliest time that a zip file can hold; folders get it too.
_TIME_S = 315_532_800
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755
_PRIVATE_FILE_MODE, _PRIVATE_FOLDER_MODE = 0o600, 0o700
_BUFFER_BYTES = 1 << 20


class Container(AbstractContextManager["Container"]):
    """The common part: the temporary name, and what becomes of it."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}.tmp")
        self._kept = False

    @staticmethod
    def at(out: Path, base: str) -> "Container":
        """A zip file where the name ends with `.zip`, else a folder. `base` names the folder in a zip file.

        Raises `Conflict` (ALREADY_EXISTS), `InvalidInput` when there is no folder to put it in.
        """
        check_free(out)
        return ZipFile(out, base) if out.suffix.lower() == ZIP_SUFFIX else Folder(out)

    def write(self, path: str, size: int, pieces: Iterable[bytes | memoryview]) -> None:
        """Add a file."""
        raise NotImplementedError

    def spool(self) -> BinaryIO:
        """A temporary file beside the bag, gone when it is closed."""
        with _explained(self.out):
            return cast("BinaryIO", tempfile.TemporaryFile(dir=self.out.parent, buffering=_BUFFER_BYTES))

    def keep(self) -> None:
        """Flush everything and give it its name."""
        with _explained(self.out):
            self._flush()
            check_free(self.out)
            durable.rename(self.temporary, self.out)
        self._kept = True

    def _flush(self) -> None:
        raise NotImplementedError

    def _discard(self) -> None:
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._kept:
            self._discard()


class Folder(Container):
    """A bag as a folder."""

    def __enter__(self) -> Self:
        with _explained(self.out):
            self.temporary.mkdir(_PRIVATE_FOLDER_MODE)
        return self

    def write(self, path: str, size: int, pieces: Iterable[bytes | memoryview]) -> None:
        del size
        target = self.temporary / path
        with _explained(self.out):
            if not target.parent.is_dir():
                target.parent.mkdir(_FOLDER_MODE, parents=True)
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                for piece in pieces:
                    _write_all(descriptor, piece)
                _settle(file.fileno(), _FILE_MODE)

    def _flush(self) -> None:
        for folder, _, _ in os.walk(self.temporary, topdown=False):
            is_top = Path(folder) == self.temporary
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                _settle(descriptor, _PRIVATE_FOLDER_MODE if is_top else _FOLDER_MODE)
            finally:
                os.close(descriptor)
        durable.sync_filesystem(self.temporary)

    def _discard(self) -> None:
        shutil.rmtree(self.temporary, ignore_errors=True)


class ZipFile(Container):
    """A bag as one zip file, below a folder `base` in it, as RFC 8493 (section 4) has it."""

    def __init__(self, out: Path, base: str) -> None:
        super().__init__(out)
        self._base = base
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with _explained(self.out), ExitStack() as undo:
            undo.callback(self._discard)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(self.temporary, flags, _PRIVATE_FILE_MODE)
            self._file = self._stack.enter_context(os.fdopen(descriptor, "wb", buffering=_BUFFER_BYTES))
            self._archive = ZipWriter(self._file, self._stack.enter_context(self.spool()))
            undo.pop_all()
        return self

    def write(self, path: str, size: int, pieces: Iterable[bytes | memoryview]) -> None:
        with _explained(self.out):
            self._archive.write(f"{self._base}/{path}", size, pieces)

    def _flush(self) -> None:
        self._archive.finish()
        self._file.flush()
        durable.fsync(self._file.fileno(), self.out)
        self._stack.close()

    def _discard(self) -> None:
        with contextlib.suppress(OSError):  # the disk is full: what was buffered is not wanted any more
            self._stack.close()
        self.temporary.unlink(missing_ok=True)


def check_free(out: Path) -> None:
    """Demand that nothing stands under the name, and that its folder does.

    Raises `Conflict` (ALREADY_EXISTS), `InvalidInput`.
    """
    if os.path.lexists(out):
        raise Conflict(
            f"{out} exists; evidence is never overwritten",
            remedy="choose another name, or move it away",
            reason="ALREADY_EXISTS",
        )
    if not out.parent.is_dir():
        raise InvalidInput(f"{out.parent} is not a folder", remedy="make it, or choose another place")


def _settle(descriptor: int, mode: int) -> None:
    with contextlib.suppress(PermissionError):  # a filesystem without modes (FAT)
        os.fchmod(descriptor, mode)
    os.utime(descriptor, (_TIME_S, _TIME_S))


def _write_all(descriptor: int, piece: bytes | memoryview) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def _explained(out: Path) -> Generator[None]:
    """The system's refusals, in words that say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(
                f"the disk of {out.parent} is full: nothing was left there",
                remedy="free some space, or choose another disk",
                reason="DISK_FULL",
            ) from error
        if error.errno in (errno.EINVAL, errno.ENAMETOOLONG, errno.EILSEQ):
            raise Unavailable(
                f"{out}: this filesystem cannot hold the name of a file: {error.strerror}",
                remedy=f"write one file instead: --out {out.name}{ZIP_SUFFIX}",
                reason="NAME_REFUSED",
            ) from error
        raise
