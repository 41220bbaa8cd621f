"""Checks the data against the inventory: every file, byte for byte, and nothing else.

    findings = check_content(version_folder, inventory_path, manifest)

Rules: the folder is walked in the order of the inventory and compared as two streams, so that memory does
not grow with the number of files; links are never followed; files are hashed in threads. `.syncline` at the
top is evidence, not data; folders without files are not data either.
"""

import hashlib
import os
import stat
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from audit.findings import Finding, failed, passed, unchecked
from core.errors import SynclineError
from core.limits import LIMITS, Limits
from core.logs import printable
from core.names import EVIDENCE_FOLDER
from core.progress import NullProgress, Progress
from sync.inventory import Entry, read
from sync.manifest import Manifest

_SHOWN_COUNT_MAX = 20


class Found(NamedTuple):
    """A name in the folder that is not a folder. `size` None when it is no plain file."""

    path: bytes
    size: int | None


def check_inventory(path: Path, manifest: Manifest) -> Finding:
    """The inventory is the one that the manifest signs."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return unchecked("inventory", f"inventory.sha256: {error.strerror}", "fetch the mirror's .syncline")
    if digest != manifest.inventory_sha256:
        return failed("inventory", "inventory.sha256 is not the one that the manifest signs")
    return passed("inventory", f"{manifest.files} files, as the manifest signs it")


def check_content(
    folder: Path,
    inventory: Path,
    manifest: Manifest,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
) -> list[Finding]:
    """Every file of the (checked) inventory has its bytes, and no other file stands in `folder`."""
    tally = _Tally(progress if progress is not None else NullProgress())
    tally.progress.begin(f"checking {manifest.dataset}", manifest.bytes)
    try:
        with inventory.open("rb") as lines:
            _compare(folder, read(lines, limits), tally)
    except SynclineError as error:
        return [failed("inventory", error.message, error.remedy)]
    finally:
        tally.progress.end()
    return tally.findings(manifest)


class _Tally:
    """What the comparison found so far; names beyond the first few are only counted."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.files = 0
        self.bytes = 0
        self.wrong = _Names()
        self.missing = _Names()
        self.extra = _Names()
        self.unreadable = _Names()

    def findings(self, manifest: Manifest) -> list[Finding]:
        bad = [
            failed("files", f"{names.count} {what}", remedy, names.shown())
            for names, what, remedy in (
                (self.wrong, "files do not have the signed bytes", "fetch this version again"),
                (self.missing, "files are missing", "fetch this version again"),
            )
            if names.count
        ]
        if self.extra.count:
            bad.append(
                failed("nothing else", f"{self.extra.count} names that nobody signed", "", self.extra.shown())
            )
        if self.unreadable.count:
            bad.append(
                unchecked(
                    "files",
                    f"{self.unreadable.count} files cannot be read: {', '.join(self.unreadable.shown())}",
                    "run as a user that may read them",
                )
            )
        if bad:
            return bad
        if (self.files, self.bytes) != (manifest.files, manifest.bytes):
            counted = f"{self.files} files with {self.bytes} bytes"
            signed = f"{manifest.files} with {manifest.bytes}"
            return [failed("files", f"{counted} stand here, the manifest says {signed}")]
        return [
            passed("files", f"{self.files} files, {self.bytes} bytes, each as signed"),
            passed("nothing else", "no other file stands there"),
        ]


class _Names:
    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def add(self, path: bytes) -> None:
        self.count += 1
        if len(self._first) < _SHOWN_COUNT_MAX:
            self._first.append(printable(os.fsdecode(path)))

    def shown(self) -> tuple[str, ...]:
        more = self.count - len(self._first)
        return (*self._first, f"… and {more} more") if more else tuple(self._first)


def _compare(folder: Path, entries: Iterator[Entry], tally: _Tally) -> None:
    threads = min(8, os.cpu_count() or 1)
    pending: deque[tuple[Found, str, Future[str | None]]] = deque()
    with ThreadPoolExecutor(threads, "hash") as pool, closing(walk(folder)) as found:
        for path, entry, here in _merge(entries, found):
            if entry is None:
                tally.extra.add(path)
            elif here is None:
                tally.missing.add(path)
            elif here.size is None:
                tally.wrong.add(path)
            else:
                pending.append((here, entry.sha256, pool.submit(_digest, folder, here.path)))
                if len(pending) > 16 * threads:
                    _settle(pending.popleft(), tally)
        while pending:
            _settle(pending.popleft(), tally)


def _settle(one: tuple[Found, str, Future[str | None]], tally: _Tally) -> None:
    here, signed, future = one
    digest = future.result()
    size = here.size or 0
    tally.progress.advance(size)
    tally.files += 1
    tally.bytes += size
    if digest is None:
        tally.unreadable.add(here.path)
    elif digest != signed:
        tally.wrong.add(here.path)


def _merge(
    entries: Iterable[Entry], found: Iterable[Found]
) -> Iterator[tuple[bytes, Entry | None, Found | None]]:
    """Both streams ascend by path bytes; each path comes once, with what either says."""
    left, right = iter(entries), iter(found)
    entry, here = next(left, None), next(right, None)
    while entry is not None or here is not None:
        signed = None if entry is None else entry.path.encode("utf-8")
        if here is not None and (signed is None or here.path < signed):
            yield here.path, None, here
            here = next(right, None)
        elif signed is not None and (here is None or signed < here.path):
            yield signed, entry, None
            entry = next(left, None)
        elif signed is not None:
            yield signed, entry, here
            entry, here = next(left, None), next(right, None)


def walk(folder: Path) -> Generator[Found]:
    """All that is not a folder below `folder`, ascending by the bytes of its relative path."""
    # A folder sorts as its name with a slash, so that depth first is the order of whole paths.
    waiting = [_scan(os.fsencode(folder), b"")]
    while waiting:
        for path, status in waiting[-1]:
            if status is not None and stat.S_ISDIR(status.st_mode):
                if path != EVIDENCE_FOLDER.encode():
                    waiting.append(_scan(os.fsencode(folder), path))
                    break
            else:
                plain = status is not None and stat.S_ISREG(status.st_mode)
                yield Found(path, status.st_size if status is not None and plain else None)
        else:
            waiting.pop()


def _scan(root: bytes, relative: bytes) -> Iterator[tuple[bytes, os.stat_result | None]]:
    found: list[tuple[bytes, bytes, os.stat_result | None]] = []
    try:
        with os.scandir(os.path.join(root, relative)) as entries:  # noqa: PTH118 - paths are bytes here
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                key = entry.name + b"/" if stat.S_ISDIR(status.st_mode) else entry.name
                path = relative + b"/" + entry.name if relative else entry.name
                found.append((key, path, status))
    except OSError:
        # A folder that cannot be listed: its files will be missing, which says enough.
        pass
    return iter([(path, status) for _, path, status in sorted(found, key=lambda one: one[0])])


def _digest(folder: Path, path: bytes) -> str | None:
    try:
        whole = os.fsencode(folder) + b"/" + path
        descriptor = os.open(whole, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
