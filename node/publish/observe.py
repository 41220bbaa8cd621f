"""Compare a folder with what was published: by stat alone, in one walk beside one sorted read of the state.

Rules: a file with the stat of its last hashing is not read again, unless that was racy; only a path that no walk found, in a
folder that could be listed, is ABSENT; whatever else keeps a published file from being read HOLDS it. Nothing is written to
the state and nobody is contacted, so that `plan` can do the same.

    observed = observe(section, records, scratch, folder.unmounted(before))
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter

from core.errors import Unavailable
from core.limits import LIMITS, Limits
from node.config import PublishSection
from node.publish.records import Known, PublishRecords, Seen
from node.publish.scratch import ABSENT, HELD, KNOWN, NEW, SAME, Scratch, WorkItem
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
    known = merge(records.known_files(), records.left_over(), key=attrgetter("path"))
    try:
        return comparison.run(walk(section.path, rules), known)
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

    def run(self, items: Iterator[Found | Obstacle], known_files: Iterator[Known]) -> Observed:
        files = size = 0
        known = next(known_files, None)
        for item in items:
            path = item.path
            key = path
            if isinstance(item, Obstacle) and item.below:
                key = path + "/"
            while known is not None and known.path < key:
                self._absent(known)
                known = next(known_files, None)
            same = known if known is not None and known.path == key else None
            if isinstance(item, Found):
                files += 1
                size += item.stat.size
                if same is None or same.was is None or same.seen is None or same.seen.stat != item.stat:
                    self._differs(item, same)
                elif same.seen.racy or same.seen.sha256 != same.was:
                    self._differs(item, same)
            else:
                self._obstacle(item, same)
            if same is not None:
                known = next(known_files, None)
        while known is not None:
            self._absent(known)
            known = next(known_files, None)
        return Observed(files, size)

    def _differs(self, item: Found, known: Known | None) -> None:
        was, was_bytes = (known.was, known.was_bytes) if known is not None else (None, 0)
        seen: Seen | None = known.seen if known is not None else None
        if seen is not None and seen.stat == item.stat and not seen.racy:
            state = SAME if seen.sha256 == was else KNOWN
            work = WorkItem(
                item.path, item.disk, item.stat, item.unit, was, was_bytes, seen.sha256, seen.bytes, state
            )
        else:
            work = WorkItem(
                item.path, item.disk, item.stat, item.unit, was, was_bytes, None, item.stat.size, NEW
            )
        self._scratch.add(work)

    def _obstacle(self, item: Obstacle, known: Known | None) -> None:
        if item.below:
            self._below, self._reason = item.path + "/", item.reason
            self._scratch.issue(item.path + "/", "held", item.reason)
        elif known is not None and known.was is not None:
            self._held(known, item.reason)
        else:
            self._scratch.issue(item.path, "skipped", item.reason)

    def _absent(self, known: Known) -> None:
        if known.was is None:
            return  # hashed once, never published
        if self._below and known.path.startswith(self._below):
            self._held(known, self._reason)
        elif self._unmounted and known.path.startswith(self._unmounted):
            self._held(known, UNMOUNTED)
        else:
            self._scratch.add(
                WorkItem(known.path, None, _NO_STAT, "", known.was, known.was_bytes, None, 0, ABSENT)
            )

    def _held(self, known: Known, reason: str) -> None:
        self._scratch.add(WorkItem(known.path, None, _NO_STAT, "", known.was, known.was_bytes, None, 0, HELD))
        self._scratch.issue(known.path, "held", reason)
