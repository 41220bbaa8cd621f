"""Walk a published folder: the truth about what is in it, in the inventory's order.

Rules: nothing is opened but folders; links are never followed; names come in Unicode normal form C, sorted by
the bytes of the whole path; what cannot travel is an `Obstacle` in the stream, never a silent gap. A folder
that cannot be listed, or lies on another file system than when it was published, is an obstacle for all
below it. One folder's names are in memory at a time.

    for item in walk(root, ScanRules(exclude=("*.tmp",))):
        match item:
            case Found(path=path, stat=stat): ...
            case Obstacle(path=path, reason=reason, below=below): ...
"""

import os
import re
import stat as modes
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from core.limits import LIMITS, Limits
from core.logs import printable
from core.names import case_key, path_problem, portability_problem
from node.units import SQLITE_SIDECARS, any_special, incomplete, is_sqlite_name, sidecar_base, unit_of


class Stat(NamedTuple):
    """What tells that a file has not changed. `wal` describes an SQLite file's journals, "" for none."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    wal: str


class Found(NamedTuple):
    """A file that can travel. `disk` is its name on disk below the root where normalisation changed it."""

    path: str
    stat: Stat
    unit: str
    disk: str | None = None


class Obstacle(NamedTuple):
    """Something that cannot travel; with `below`, neither can anything under it. A published state stays."""

    path: str
    reason: str
    below: bool = False
    kind: str = "held"  # "skipped": of a sort that is never carried; "": said already


UNMOUNTED = "another disk was mounted here when it was published, and is not now"

_LINK = "is a link"
_SPECIAL = "is a device, a socket or another special file"
_NEVER_CARRIED = (_LINK, _SPECIAL)
_PLAIN_PATH = 600
_PLAIN_DEPTH = 40
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.,=+()\[\] -]{1,200}", re.ASCII).fullmatch
_first = itemgetter(0)


def _nothing_published(_path: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class ScanRules:
    """How to walk.

    `unmounted` are folders on which another file system was mounted when they were published, and is not
    now; `was_published` answers for the parts of a unit that is falling apart.
    """

    exclude: tuple[str, ...] = ()
    portable: bool = False
    unmounted: frozenset[str] = frozenset()
    was_published: Callable[[str], bool] = _nothing_published
    limits: Limits = LIMITS


def compile_exclude(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    """One expression for all `exclude` globs, matched against a whole path; None when there are none.

    A pattern without a slash matches a name at any depth; with one, the path from the dataset's root. `*`
    and `?` stay within a name, `**` crosses folders. What matches a folder excludes all below it.
    """
    if not patterns:
        return None
    return re.compile("|".join(_translate(pattern) for pattern in patterns), re.DOTALL)


def _translate(pattern: str) -> str:
    anchored = "/" in pattern.rstrip("/")
    parts: list[str] = [] if anchored else ["(?:.*/)?"]
    for token in re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]*\]|[^*?\[]+|\[", pattern.strip("/")):
        match token:
            case "**/":
                parts.append("(?:.*/)?")
            case "**":
                parts.append(".*")
            case "*":
                parts.append("[^/]*")
            case "?":
                parts.append("[^/]")
            case _ if token[0] == "[" and len(token) > 2:
                inner = token[1:-1].replace("\\", "\\\\").replace("[", "\\[")
                parts.append("[^" + inner[1:] + "]" if inner[0] == "!" else "[" + inner + "]")
            case _:
                parts.append(re.escape(token))
    return "(?:" + "".join(parts) + ")"


def walk(root: Path, rules: ScanRules) -> Iterator[Found | Obstacle]:
    """Everything in `root`, in the order of the inventory. Raises `OSError` when the root itself cannot be
    listed."""
    return _Walk(rules).folder(os.fspath(root), "", "")


def stat_of(entry_path: str, *, journals: bool = False) -> Stat | None:
    """The present stat of a regular file, as `walk` gives it; None when it is not one (any more).

    `journals`: it is an SQLite database although its name does not say so.
    """
    try:
        info = os.lstat(entry_path)
    except OSError:
        return None
    if not modes.S_ISREG(info.st_mode):
        return None
    wal = ""
    if journals or is_sqlite_name(entry_path):
        wal = _journals(entry_path)
    return Stat(info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, wal)


def _journals(path: str) -> str:
    return "".join(_journal(suffix, path + suffix) for suffix in ("-wal", "-journal"))


def _journal(suffix: str, path: str) -> str:
    try:
        info = os.lstat(path)
    except OSError:
        return ""
    if info.st_size == 0:
        return ""
    return f"{suffix}:{info.st_size}:{info.st_mtime_ns}:{info.st_ctime_ns}:{info.st_ino}"


class _Walk:
    def __init__(self, rules: ScanRules) -> None:
        self._rules = rules
        self._excluded = compile_exclude(rules.exclude)
        self._databases: set[str] = set()  # of the folder at hand: files with journals beside them

    def folder(self, disk: str, path: str, below_root: str) -> Iterator[Found | Obstacle]:
        """The folder `disk`, whose normalised path is `path` ("" or ending in /) and whose name on disk below
        the root is `below_root` (likewise)."""
        entries: dict[str, os.DirEntry[str]] = {}
        obstacles: list[Obstacle] = []
        self._read(disk, path, entries, obstacles)
        folders: set[str] = set()
        unfit: list[str] = []
        # A short path of plain names has no problem; only others are looked at closely.
        plain = (
            not self._rules.portable
            and path != ""
            and len(path) < _PLAIN_PATH
            and path.count("/") < _PLAIN_DEPTH
        )
        for name, entry in entries.items():
            if plain and _PLAIN_NAME(name) and entry.is_file(follow_symlinks=False):
                continue
            reason = self._unfit(path + name, entry, folders)
            if reason is not None:
                unfit.append(name)
                kind = "skipped" if reason in _NEVER_CARRIED else "held"
                obstacles.append(Obstacle(path + name, reason, name in folders, kind))
                if name not in folders:  # it may stand where a published folder stood
                    obstacles.append(Obstacle(path + name, reason, below=True, kind=""))
        for name in unfit:
            del entries[name]
            folders.discard(name)
        special = any_special(entries) or self._rules.portable
        if special:
            self._part_units(path, entries, folders, obstacles)
        # Strings compare by code point, which is the order of their UTF-8 bytes.
        items: list[tuple[str, str | Obstacle]] = [
            (name + "/" if name in folders else name, name) for name in entries
        ]
        prefix = len(path)
        items += [(o.path[prefix:] + "/" * o.below, o) for o in obstacles]
        items.sort(key=_first)
        special = special or ".gdb/" in path.lower()
        for _key, item in items:
            if isinstance(item, Obstacle):
                yield item
            elif item in folders:
                yield from self._descend(entries[item], path + item, below_root)
            elif special:
                yield from self._file(entries[item], path + item, below_root, entries)
            else:
                entry = entries[item]
                try:
                    info = entry.stat(follow_symlinks=False)
                except OSError:
                    yield from self._file(entry, path + item, below_root, entries)
                    continue
                disk_name = below_root + entry.name
                yield Found(
                    path + item,
                    Stat(info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, ""),
                    "",
                    None if disk_name == path + item else disk_name,
                )

    def _read(
        self, disk: str, path: str, entries: dict[str, os.DirEntry[str]], obstacles: list[Obstacle]
    ) -> None:
        collided: dict[str, bool] = {}  # whether a folder is among those of a name
        with os.scandir(disk) as listing:
            for entry in listing:
                raw = entry.name
                name = raw if raw.isascii() else unicodedata.normalize("NFC", raw)
                if self._excluded is not None and self._excluded.fullmatch(path + name):
                    continue
                if name in entries or name in collided:
                    both = [entry, entries.pop(name)] if name in entries else [entry]
                    collided[name] = collided.get(name, False) or any(map(_is_folder, both))
                    continue
                entries[name] = entry
        for name, is_folder in collided.items():
            reason = "two names on disk are the same in Unicode normal form C; rename one of them"
            obstacles.append(Obstacle(path + name, reason))
            if is_folder:
                obstacles.append(Obstacle(path + name, reason, below=True))

    def _unfit(self, path: str, entry: os.DirEntry[str], folders: set[str]) -> str | None:
        problem = path_problem(path, self._rules.limits)
        if problem is None and self._rules.portable:
            problem = portability_problem(path)
        try:
            if entry.is_dir(follow_symlinks=False):
                folders.add(path.rpartition("/")[2])
            elif problem is None and not entry.is_file(follow_symlinks=False):
                problem = _LINK if entry.is_symlink() else _SPECIAL
        except OSError as error:
            return f"cannot be examined: {error.strerror}"
        return problem

    def _part_units(
        self, path: str, entries: dict[str, os.DirEntry[str]], folders: set[str], obstacles: list[Obstacle]
    ) -> None:
        files = entries.keys() - folders
        bases = {sidecar_base(name) for name in files}
        self._databases = {name for name in files if name in bases}
        for name in sorted(files):
            base = sidecar_base(name)
            if base is not None and (
                is_sqlite_name(base) or (base in files and _has_magic(entries[base].path))
            ):
                del entries[name]  # its content travels within the SQLite file, by way of a snapshot
                if base not in files:
                    obstacles.append(
                        Obstacle(path + name, f"belongs to the SQLite file {base!r}, which is missing")
                    )
        for part, reason in incomplete(files, lambda name: self._rules.was_published(path + name)):
            entries.pop(part, None)
            obstacles.append(Obstacle(path + part, reason))
        if self._rules.portable:
            self._case_collisions(path, entries, folders, obstacles)

    def _case_collisions(
        self, path: str, entries: dict[str, os.DirEntry[str]], folders: set[str], obstacles: list[Obstacle]
    ) -> None:
        by_key: dict[str, list[str]] = {}
        for name in entries:
            by_key.setdefault(case_key(name), []).append(name)
        for names in by_key.values():
            for name in names if len(names) > 1 else ():
                del entries[name]
                other = next(each for each in names if each != name)
                reason = f"differs from {other!r} by upper and lower case alone"
                obstacles.append(Obstacle(path + name, reason, below=name in folders))

    def _descend(self, entry: os.DirEntry[str], path: str, below_root: str) -> Iterator[Found | Obstacle]:
        if path in self._rules.unmounted:
            yield Obstacle(path, UNMOUNTED, below=True)
            return
        try:
            yield from self.folder(entry.path, path + "/", f"{below_root}{entry.name}/")
        except OSError as error:
            if error.filename != entry.path:
                raise
            # Raised before the first item: a folder is listed whole before anything in it is given.
            yield Obstacle(path, f"cannot be listed: {error.strerror}", below=True)

    def _file(
        self, entry: os.DirEntry[str], path: str, below_root: str, entries: Mapping[str, os.DirEntry[str]]
    ) -> Iterator[Found | Obstacle]:
        try:
            info = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return  # removed since the folder was listed
        except OSError as error:
            yield Obstacle(path, f"cannot be examined: {error.strerror}")
            return
        wal = ""
        name = path.rpartition("/")[2]
        if is_sqlite_name(name) or name in self._databases:
            wal = _journals(entry.path)
        disk_name = None if below_root + entry.name == path else below_root + entry.name
        yield Found(
            path,
            Stat(info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, wal),
            unit_of(path, name, entries),
            disk_name,
        )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return True


def _has_magic(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False


def readable(path: str) -> str:
    """`path` for a terminal or a log: control characters escaped, bytes that are not UTF-8 as \\xNN."""
    return printable(path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


__all__ = [
    "SQLITE_SIDECARS",
    "Found",
    "Obstacle",
    "ScanRules",
    "Stat",
    "compile_exclude",
    "readable",
    "stat_of",
    "walk",
]
