"""The list of the next version, and the three streams that describe it to the hub.

Rules: the list is the last version's with what this pass has READY put in and what is ABSENT left out,
merged as sorted streams; held files stay as they were published. INVENTORY, LAYOUT and TABLE are written to
private files side by side, then cut into chunks like everything else.

    with VersionStreams(work_dir, limits) as streams:
        summary = streams.write(next_list(records, scratch), records)
        root = streams.send(uploader.add)
"""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import Self

from core.errors import Corrupt, InvalidInput
from core.limits import LIMITS, Limits
from node.publish.records import ListChange, Listed, PublishRecords
from node.publish.scratch import ABSENT, KNOWN, READY, Scratch
from sync.chunking import Sink
from sync.inventory import Entry, InventoryWriter
from sync.recipe import TABLE_RECORD_BYTES, ChunkRef, LayoutEntry, Parameters, Root, cut_stream, write_layout


@dataclass(frozen=True, slots=True)
class Summary:
    """Of a version: hex digest of its inventory, files, and their bytes with duplicates counted each time."""

    inventory_sha256: str
    files: int
    bytes: int


def changes(scratch: Scratch) -> Iterator[ListChange]:
    """How the next list differs from the last, by path."""
    for item in scratch.items(READY, KNOWN, ABSENT):
        if item.state == ABSENT:
            yield ListChange(item.path, None, 0)
        elif item.sha256 != item.was and item.sha256 is not None:
            yield ListChange(item.path, item.sha256, item.bytes)


def next_list(published: Iterable[Listed], changed: Iterable[ListChange]) -> Iterator[Listed]:
    """The sorted list `published` with the sorted `changed` applied."""
    before, after = iter(published), iter(changed)
    change = next(after, None)
    for listed in before:
        while change is not None and change.path < listed.path:
            if change.sha256 is not None:
                yield Listed(change.path, change.sha256, change.bytes)
            change = next(after, None)
        if change is None or change.path != listed.path:
            yield listed
    while change is not None:
        if change.sha256 is not None:
            yield Listed(change.path, change.sha256, change.bytes)
        change = next(after, None)


class VersionStreams:
    """The three streams of one version, in private files under `work_dir`."""

    def __init__(self, work_dir: Path, limits: Limits = LIMITS) -> None:
        work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._limits = limits
        self._inventory = self._file(work_dir)
        self._layout = self._file(work_dir)
        self._table = self._file(work_dir)

    def write(self, listed: Iterable[Listed], records: PublishRecords) -> Summary:
        """Write the streams. Raises `InvalidInput` for what cannot be a version: nothing, too many, too
        much."""
        writer = InventoryWriter(self._inventory, self._limits)
        total = 0
        for one in listed:
            path, sha256, size, _ = one
            writer.add(Entry(path, sha256.hex()))
            chunks = 0
            for segment in records.chunk_table(one):
                self._table.write(segment)
                chunks += len(segment) // TABLE_RECORD_BYTES
            if bool(chunks) != bool(size):
                raise Corrupt(
                    f"the state database does not know how {path!r} is cut",
                    remedy="start the node with `syncline-node run`, which rebuilds it from the hub",
                    reason="STATE_CORRUPT",
                )
            write_layout(LayoutEntry(size, chunks), self._layout)
            total += size
        if total > self._limits.dataset_bytes_max:
            raise InvalidInput(
                f"the dataset has {total} bytes, allowed are {self._limits.dataset_bytes_max}",
                remedy="split it into several datasets",
                reason="DATASET_TOO_LARGE",
            )
        summary = writer.finish()
        return Summary(summary.sha256, summary.lines, total)

    def send(self, sink: Sink) -> Root:
        """Cut the streams into chunks, give each to `sink`, and name them in a root."""
        refs = [self._cut(file, sink) for file in (self._inventory, self._layout, self._table)]
        return Root(Parameters.of(self._limits), *refs)

    def _cut(self, file: BufferedRandom, sink: Sink) -> tuple[ChunkRef, ...]:
        file.flush()
        file.seek(0)
        return cut_stream(file, sink, self._limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._inventory, self._layout, self._table):
            file.close()

    @staticmethod
    def _file(work_dir: Path) -> BufferedRandom:
        return tempfile.TemporaryFile(dir=work_dir)
