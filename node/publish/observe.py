"""Compare a folder with what was published: by stat alone, in one walk beside one sorted read of the state.

Rules: a file with the stat of its last hashing is not read again, unless that was racy; only a path that no
walk found, in a folder that could be listed, is ABSENT; whatever else keeps a published file from being
read HOLDS it. Nothing is written to the state and nobody is contacted, so that `plan` can do the same.

    observed = observe(section, records, scratch, folder.unmounted(before))
"""

from collections.abc import Iterator
from dataclasses import dataclass

from core.errors import Unavailable
from core.limits import LIMITS, Limits
from node.config import PublishSection
from node.publish.records import KnownRow, PublishRecords
from node.publish.scratch import ABSENT, HELD, KNOWN, NEW, Scratch, WorkItem
from node.scan import UNMOUNTED, Found, Obstacle, ScanRules, Stat, walk

_NO_STAT = Stat(0, 0, 0, 0, "")


@dataclass(frozen=True, slots=True)
class Observed:
    """What the walk saw: all files that can travel, and their bytes on disk."""

    files: int
    bytes: int


def observe(
    section: PublishSection,
    records: PublishRecords,
    scratch: Scratch,
    unmounted: frozenset[str],
    limits: Limits = LIMITS,
) -> Observed:
    """Fill `scratch` with every difference between the folder and the last version.

    Raises `Unavailable` (FOLDER_MISSING) when the folder cannot be listed.
    """
    rules = ScanRules(
        exclude=tuple(section.exclude),
        portable=section.names == "portable",
        unmounted=unmounted,
        was_published=records.was_published,
        limits=limits,
    )
    comparison = _Comparison(scratch, tuple(f"{point}/" for point in unmounted))
    try:
        return comparison.run(walk(section.path, rules), records.known_files())
    except OSError as error:
        raise Unavailable(
            f"the published folder {section.path} cannot be listed: {error.strerror}",
            remedy="mount its disk, restore its rights or its place; nothing is removed meanwhile",
            reason="FOLDER_MISSING",
        ) from error


class _Comparison:
    def __init__(self, scratch: Scratch, unmounted: tuple[str, ...]) -> None:
        self._scratch = scratch
        self._unmounted = unmounted
        self._below = ""  # an obstacle for everything that starts so
        self._reason = ""

    def run(self, items: Iterator[Found | Obstacle], known_files: Iterator[KnownRow]) -> Observed:
        files = size = 0
        known = next(known_files, None)
        for item in items:
            path = item.path
            if isinstance(item, Found):
                key = path
                files += 1
                size += item.stat.size
            else:
                key = path + "/" if item.below else path
            while known is not None and known[0] < key:
                self._absent(known)
                known = next(known_files, None)
            same = known if known is not None and known[0] == key else None
            if isinstance(item, Obstacle):
                self._obstacle(item, same)
            elif same is None or same[3:8] != item.stat or same[8] or same[9] != same[1]:
                self._differs(item, same)
            if same is not None:
                known = next(known_files, None)
        while known is not None:
            self._absent(known)
            known = next(known_files, None)
        return Observed(files, size)

    def _differs(self, item: Found, known: KnownRow | None) -> None:
        was, was_bytes = (known[1], known[2]) if known is not None else (None, 0)
        sha256, size, state = None, item.stat.size, NEW
        if known is not None and known[3:8] == item.stat and not known[8]:
            sha256, size, state = known[9], known[10], KNOWN
        self._scratch.add(
            WorkItem(item.path, item.disk, item.stat, item.unit, was, was_bytes, sha256, size, state)
        )

    def _obstacle(self, item: Obstacle, known: KnownRow | None) -> None:
        if item.below:
            self._below, self._reason = item.path + "/", item.reason
            if item.kind:
                self._scratch.issue(item.path + "/", item.kind, item.reason)
        elif known is not None and known[1] is not None:
            self._held(known, item.reason)
        else:
            self._scratch.issue(item.path, item.kind, item.reason)

    def _absent(self, known: KnownRow) -> None:
        if known[1] is None:
            return  # hashed once, never published
        if self._below and known[0].startswith(self._below):
            self._held(known, self._reason)
        elif self._unmounted and known[0].startswith(self._unmounted):
            self._held(known, UNMOUNTED)
        else:
            self._keep(known, ABSENT)

    def _held(self, known: KnownRow, reason: str) -> None:
        self._keep(known, HELD)
        self._scratch.issue(known[0], "held", reason)

    def _keep(self, known: KnownRow, state: str) -> None:
        # What was hashed last is what was published: else its stat says nothing of the published file.
        stat = Stat(*known[3:8]) if state == ABSENT and known[9] == known[1] else _NO_STAT
        self._scratch.add(WorkItem(known[0], None, stat, "", known[1], known[2], None, 0, state))
