"""What must wait for a person: many removals at once, another folder in the place of the published one.

Rules: removals above the guard (a share of the published files, or of their bytes) wait, and so does a
folder whose identity changed; an approval covers what was shown and nothing worse. A file that stands in the
folder under a new name is not removed (`Scratch.removals`).

    waiting = check(records.head(), scratch.removals(), folder, guard=0.2)
    if waiting and not waiting.covered_by(records.approval()): ...
"""

from dataclasses import dataclass
from typing import Any

from core.names import DatasetId
from node.folder import FolderIdentity
from node.publish.records import Head
from node.publish.scratch import Counts


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits. Falsy when nothing does."""

    removals: Counts | None = None  # set when they are above the guard
    folder: str = ""  # the new identity, set when it changed
    unmounted: tuple[str, ...] = ()  # disks below the folder that are not there; what lay on them is held
    adopt: str = ""  # id of a head at the hub that this node does not know
    lines: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.lines)

    def attention(self, dataset: DatasetId) -> tuple[str, ...]:
        """The lines for a person, the last of which says what to do."""
        if not self.lines:
            return ()
        remedy = f"see syncline-node plan {dataset}; if it is meant, syncline-node approve {dataset}"
        return (*self.lines[:-1], f"{self.lines[-1]} → {remedy}")

    def facts(self) -> dict[str, Any]:
        """For the state database."""
        return {
            "removals": None if self.removals is None else list(self.removals),
            "folder": self.folder,
            "unmounted": list(self.unmounted),
            "adopt": self.adopt,
            "lines": list(self.lines),
        }

    def covered_by(self, approval: dict[str, Any]) -> bool:
        """Whether a person has approved this, or something at least as grave."""
        if self.removals is not None:
            approved = approval.get("removals")
            if approved is None or approved[0] < self.removals.files or approved[1] < self.removals.bytes:
                return False
        if self.folder and approval.get("folder") != self.folder:
            return False
        return not self.adopt or approval.get("adopt") == self.adopt


def check(head: Head, removals: Counts, folder: FolderIdentity, guard: float) -> Waiting:
    """What of this pass must wait, given the last accepted version."""
    lines: list[str] = []
    held_back: Counts | None = None
    if head.files and (removals.files > guard * head.files or removals.bytes > guard * head.bytes):
        held_back = removals
        lines.append(
            f"{removals.files} of {head.files} files ({removals.bytes} of {head.bytes} bytes) would"
            f" be removed, above the guard of {guard:.0%}"
        )
    before = FolderIdentity.from_text(head.folder)
    changed = before is not None and not folder.is_same(before)
    if changed:
        lines.append("the folder is not the one that was published before: another disk, or made anew")
    return Waiting(held_back, folder.to_text() if changed else "", lines=tuple(lines))


def check_mounts(unmounted: frozenset[str]) -> Waiting:
    """What is held for disks that are not mounted, until they are or a person says that they are gone for
    good.

    The rest of the dataset does not wait for them.
    """
    lines = tuple(
        f"the disk below {point!r} is not mounted, so its files are held: mount it, or approve their removal"
        for point in sorted(unmounted)
    )
    return Waiting(unmounted=tuple(sorted(unmounted)), lines=lines)
