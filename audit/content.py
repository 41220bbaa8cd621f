"""Checks the data against the inventory: every file, byte for byte, and nothing else.

    findings = check_content(version_folder, inventory_path, manifest)

Rules: the folder is walked in the order of the inventory and compared as two streams, so that memory does
not grow with the number of files; links are never followed; files are hashed with all cores. `.syncline` at
the top is evidence, not data; folders without files are not data either.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from audit.dossier import StoredFile
from audit.findings import Finding, failed, passed, unchecked
from audit.hashing import Hashed, Job, digest_stream, hashed
from audit.walking import Found, read_plain, walk
from core.errors import SynclineError, Unavailable
from core.limits import LIMITS, Limits
from core.logs import printable
from core.progress import NullProgress, Progress
from sync.inventory import Entry, read
from sync.manifest import Manifest

_SHOWN_COUNT_MAX = 20


def check_inventory(inventory: StoredFile, manifest: Manifest) -> Finding:
    """The inventory is the one that the manifest signs."""
    try:
        with inventory.open() as file:
            digest = digest_stream(file).sha256
    except (OSError, Unavailable):
        return unchecked("inventory", "inventory.sha256 cannot be read", "copy the evidence whole, again")
    if digest != manifest.inventory_sha256:
        return failed(
            "inventory",
            "inventory.sha256 is not the one that the manifest signs",
            "fetch this version again: its list of files was altered",
        )
    return passed("inventory", f"{manifest.files} files, as the manifest signs it")


def check_content(
    folder: Path,
    inventory: Path,
    manifest: Manifest,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
) -> list[Finding]:
    """Every file of the (checked) inventory has its bytes, and no other file stands in `folder`."""
    tally = Tally()
    shown = progress if progress is not None else NullProgress()
    shown.begin(f"checking {manifest.dataset}", manifest.bytes)
    try:
        with inventory.open("rb") as lines:
            _compare(folder, read(lines, limits), tally, shown)
    except SynclineError as error:
        return [failed("inventory", error.message, error.remedy)]
    finally:
        shown.end()
    return tally.findings(manifest)


class Tally:
    """What the comparison found so far; names beyond the first few are only counted."""

    def __init__(self) -> None:
        self.files = 0
        self.bytes = 0
        self.wrong = Names()
        self.missing = Names()
        self.extra = Names()
        self.unreadable = Names()

    def add(self, path: bytes, signed: str, here: Hashed | None) -> None:
        """A file that should be there with the hash `signed`, and what was found in it."""
        self.files += 1
        if here is None:
            self.unreadable.add(path)
            return
        self.bytes += here.size
        if here.sha256 != signed:
            self.wrong.add(path)

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
                failed(
                    "nothing else",
                    f"{self.extra.count} names that nobody signed",
                    "do not use them; move them away, then verify again",
                    self.extra.shown(),
                )
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


class Names:
    """Names of files: all counted, the first few kept."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def add(self, path: bytes) -> None:
        """One more."""
        self.count += 1
        if len(self._first) < _SHOWN_COUNT_MAX:
            self._first.append(printable(os.fsdecode(path)))

    def shown(self) -> tuple[str, ...]:
        """The first few, and how many more there are."""
        more = self.count - len(self._first)
        return (*self._first, f"… and {more} more") if more else tuple(self._first)


def _compare(folder: Path, entries: Iterator[Entry], tally: Tally, progress: Progress) -> None:
    with closing(walk(folder)) as found:
        for (path, signed), here in hashed(_jobs(folder, entries, found, tally), progress):
            tally.add(path, signed, here)


def _jobs(
    folder: Path, entries: Iterator[Entry], found: Iterable[Found], tally: Tally
) -> Iterator[Job[tuple[bytes, str]]]:
    for path, entry, here in _merge(entries, found):
        if entry is None:
            tally.extra.add(path)
        elif here is None:
            tally.missing.add(path)
        elif here.size is None:
            tally.wrong.add(path)
        else:
            yield Job((path, entry.sha256), here.size, partial(read_plain, folder, path))


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
