"""Is this still the folder that was published? Its identity, without leaving a marker in it.

Rules: a folder is the same while its inode and its file system are; an unmounted disk leaves another folder
in its place. Mounts within it are part of what was published: what lay on one that is gone is not removed.
A folder that is not there, or cannot be entered, holds its published state.

    now = identify(Path("/srv/geodata"))
    if known and not now.is_same(known): ...        # wait for a person
    now.unmounted(known)                            # {"scans"}
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from core.errors import Unavailable

_MOUNTINFO = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class FolderIdentity:
    """What tells one folder from another: inode, file system id, and the mounts below (relative paths)."""

    inode: int
    filesystem: int
    mounts: tuple[str, ...]

    def is_same(self, other: "FolderIdentity") -> bool:
        """Whether it is the same folder; mounts below may differ."""
        return (self.inode, self.filesystem) == (other.inode, other.filesystem)

    def unmounted(self, before: "FolderIdentity | None") -> frozenset[str]:
        """The mounts that were there `before` and are not now."""
        return frozenset(before.mounts if before else ()) - frozenset(self.mounts)

    def keeping(self, unmounted: frozenset[str]) -> "FolderIdentity":
        """The same folder, with mounts that are not there at the moment and still belong to it."""
        return FolderIdentity(self.inode, self.filesystem, tuple(sorted({*self.mounts, *unmounted})))

    def to_text(self) -> str:
        """For the state database."""
        return json.dumps({"inode": self.inode, "filesystem": self.filesystem, "mounts": list(self.mounts)})

    @classmethod
    def from_text(cls, text: str) -> "FolderIdentity | None":
        """What `to_text` wrote; None for the empty text."""
        if not text:
            return None
        value = json.loads(text)
        return cls(int(value["inode"]), int(value["filesystem"]), tuple(map(str, value["mounts"])))


def identify(root: Path) -> FolderIdentity:
    """The identity of the folder `root`. Raises `Unavailable` (FOLDER_MISSING) where there is none to be
    had."""
    try:
        info = root.stat()
        if not root.is_dir():
            raise NotADirectoryError(20, "is not a folder")
        # Stable over reboots where the file system has an id of its own; device numbers are not.
        filesystem = os.statvfs(root).f_fsid or info.st_dev
        os.close(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    except OSError as error:
        raise Unavailable(
            f"the published folder {root} cannot be had: {error.strerror}",
            remedy="mount its disk, restore its rights or its place; nothing is removed meanwhile",
            reason="FOLDER_MISSING",
        ) from error
    return FolderIdentity(info.st_ino, filesystem, _mounts_below(root))


def _mounts_below(root: Path) -> tuple[str, ...]:
    prefix = os.path.realpath(root).rstrip("/") + "/"
    return tuple(
        sorted(point.removeprefix(prefix) for point, _ in mount_points() if point.startswith(prefix))
    )


def mount_points() -> list[tuple[str, str]]:
    """Every mount point with its file system's type; none where the system does not tell."""
    try:
        lines = _MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    points: list[tuple[str, str]] = []
    for line in lines:
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) > 4 and right:
            points.append((_unescape(fields[4]), right.split(" ", 1)[0]))
    return points


def filesystem_type(path: Path) -> str:
    """The type of the file system that holds `path`: "ext4", "nfs4"; "" when unknown."""
    real = os.path.realpath(path)
    best, kind = "", ""
    for point, type_ in mount_points():
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, type_
    return kind


def _unescape(text: str) -> str:
    for code, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        text = text.replace(code, character)
    return text
