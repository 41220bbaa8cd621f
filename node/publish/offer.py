"""Bring to the hub what is known but may not be there: content whose chunk table the state has.

Rules: the hub is asked by chunk ids, in batches; only a file of which it lacks something is read again. A
file that does not hold that content any more is reported, never guessed.

    lost = Offerer(hub, records, preparer, root, limits).offer(listed, sink)
"""

import os
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.limits import LIMITS, Limits
from node.publish.prepare import Preparer
from node.publish.records import Listed, PublishRecords
from node.publish.scratch import READY, WorkItem
from node.scan import stat_of
from sync.chunking import Sink
from sync.ports import ChunkId, HubApi
from sync.recipe import TABLE_RECORD_BYTES


class Offerer:
    """Offers known content. One thread."""

    def __init__(
        self, hub: HubApi, records: PublishRecords, preparer: Preparer, root: Path, limits: Limits = LIMITS
    ) -> None:
        self._hub = hub
        self._records = records
        self._preparer = preparer
        self._root = root
        self._limits = limits

    def offer(self, listed: Iterable[Listed], sink: Sink) -> list[str]:
        """Send what the hub lacks of these files; the paths that hold other bytes by now."""
        lost: list[str] = []
        for one in self._lacking(listed):
            path = locate(self._root, one.path)
            stat = None if path is None else stat_of(os.fspath(path))
            if path is None or stat is None:
                lost.append(one.path)
                continue
            disk = os.path.relpath(path, self._root)
            item = WorkItem(one.path, disk, stat, "", None, 0, one.sha256, one.bytes, READY)
            if not self._preparer.reread(item, sink):
                lost.append(one.path)
        return lost

    def _lacking(self, listed: Iterable[Listed]) -> Iterator[Listed]:
        """The files of which the hub lacks at least one chunk; each content once."""
        ids: list[ChunkId] = []
        owners: list[Listed] = []
        given: set[str] = set()
        for one in listed:
            for segment in self._records.chunk_table(one):
                for at in range(0, len(segment), TABLE_RECORD_BYTES):
                    ids.append(segment[at : at + 32])
                    owners.append(one)
                    if len(ids) == self._limits.find_missing_count_max:
                        yield from self._ask(ids, owners, given)
                        ids, owners = [], []
        if ids:
            yield from self._ask(ids, owners, given)

    def _ask(self, ids: list[ChunkId], owners: list[Listed], given: set[str]) -> Iterator[Listed]:
        lacking: dict[str, Listed] = {}
        for missing, owner in zip(self._hub.find_missing(ids), owners, strict=True):
            if missing and owner.path not in given:
                lacking[owner.path] = owner
        # A file across two questions is read once.
        given.clear()
        given.update(lacking)
        yield from lacking.values()


def locate(root: Path, path: str) -> Path | None:
    """The file whose normalised path is `path`: by its name, else by the one name that normalises to it."""
    found = root
    for part in path.split("/"):
        direct = found / part
        if os.path.lexists(direct):
            found = direct
            continue
        try:
            names = [name for name in os.listdir(found) if unicodedata.normalize("NFC", name) == part]
        except OSError:
            return None
        if len(names) != 1:
            return None
        found = found / names[0]
    return found
