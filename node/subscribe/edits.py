"""Has anybody touched a version that was applied? Local edits are reported, kept, and never built upon.

    found = inspect(record, folder)         # folder: descriptor of versions/<seq>-<id8>
    found.intact[3]                         # whether the file of line 3 is as it was applied
    found.lines                             # "geology.geojson was changed", for a person

A file counts as intact while its size, modification time and inode are those that were recorded when it was
applied; its content was hashed then. Files that do not belong to the version count as edits too.
"""

import os
import stat
import struct
from dataclasses import dataclass, field

from core.errors import Untrusted
from core.names import EVIDENCE_FOLDER
from node.materialise import Walker
from node.subscribe.records import FileStat, Record

_LINES_MAX = 5


@dataclass(slots=True)
class Inspection:
    """What became of a version since it was applied."""

    intact: bytearray
    edits: int = 0
    lines: list[str] = field(default_factory=list[str])

    def note(self, line: str) -> None:
        """Count an edit; the first few are told."""
        self.edits += 1
        if len(self.lines) < _LINES_MAX:
            self.lines.append(line)

    def summary(self, name: str) -> tuple[str, ...]:
        """Lines for a person about the version folder `name`; none when nothing was edited."""
        if not self.edits:
            return ()
        more = [f"and {self.edits - len(self.lines)} more"] if self.edits > len(self.lines) else []
        return tuple(f"versions/{name}: {line}" for line in [*self.lines, *more])


def inspect(record: Record, folder: int, stats: str = "stat") -> Inspection:
    """Compare every file of a version with its record, in which `stats` says what each looked like.

    Follows no link. Raises `Corrupt` (RECORD_DAMAGED).
    """
    try:
        return _inspect(record, folder, stats)
    except (ValueError, struct.error, Untrusted) as error:
        raise record.damaged() from error


def _inspect(record: Record, folder: int, stats: str) -> Inspection:
    found = Inspection(bytearray())
    counts = _FolderCounts(record, folder, found)
    with Walker(folder) as walker:
        for file, then in zip(record.files(), record.stats(stats), strict=True):
            counts.enter(file.path)
            now = _look(walker, file.path)
            found.intact.append(now == then)
            if now is None:
                counts.missing()
                found.note(f"{file.path} is missing")
            elif now != then:
                found.note(f"{file.path} was changed")
    counts.finish()
    return found


def _look(walker: Walker, path: str) -> FileStat | None:
    try:
        parent, name = walker.parent(path)
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except OSError:
        return None
    return FileStat.of(status) if stat.S_ISREG(status.st_mode) else FileStat(0, 0, 0)


class _FolderCounts:
    """How many names each folder should have.

    Folders come one after the other, so only the open ones are held.
    """

    def __init__(self, record: Record, root: int, found: Inspection) -> None:
        self._record = record
        self._root = root
        self._found = found
        self._open: list[tuple[str, int]] = [("", 1)]  # the evidence folder stands in the version's root

    def enter(self, path: str) -> None:
        folder = path.rpartition("/")[0]
        while not _within(folder, self._open[-1][0]):
            self._leave()
        while self._open[-1][0] != folder:
            above = self._open[-1][0]
            rest = folder[len(above) + 1 if above else 0 :]
            self._count()
            self._open.append((f"{above}/{rest.partition('/')[0]}".lstrip("/"), 0))
        self._count()

    def missing(self) -> None:
        name, count = self._open[-1]
        self._open[-1] = (name, count - 1)

    def finish(self) -> None:
        while self._open:
            self._leave()

    def _count(self) -> None:
        name, count = self._open[-1]
        self._open[-1] = (name, count + 1)

    def _leave(self) -> None:
        folder, expected = self._open.pop()
        names = _names(self._root, folder)
        if names is not None and len(names) > expected:
            for name in sorted(names - self._expected(folder)):
                self._found.note(f"{f'{folder}/{name}'.lstrip('/')} does not belong to the version")

    def _expected(self, folder: str) -> set[str]:
        start = f"{folder}/" if folder else ""
        names = {
            each.path[len(start) :].partition("/")[0]
            for each in self._record.files()
            if each.path.startswith(start)
        }
        return names | ({EVIDENCE_FOLDER} if not folder else set())


def _within(folder: str, above: str) -> bool:
    return not above or folder == above or folder.startswith(f"{above}/")


def _names(root: int, folder: str) -> set[str] | None:
    try:
        with Walker(root) as walker:
            parent, _ = walker.parent(f"{folder}/x" if folder else "x")
            return set(os.listdir(parent))
    except OSError:
        return None
