"""Staging a version: links for what is here, chunks for what is not, every file hashed before it counts.

    Assembly(hub, target, plan, staging=…, old=…, limits=…, progress=…).run()

Rules: files are written in the inventory's order, so folders open once and chunks come in one stream; a
file's SHA-256 is computed while it is written and must be the inventory's; no file is held in memory; nothing
is flushed file by file (the caller flushes the filesystem once). An interrupted run leaves files that the
next one finds again.
"""

from collections.abc import Callable, Iterator

from core import durable
from core.limits import LIMITS, MIB, Limits
from core.progress import Progress
from node.materialise import Walker, explain
from node.subscribe.plan import LocalChunk, Plan, Source
from node.subscribe.receive import Part, Receiver, Window
from node.subscribe.records import STAT, File, Table
from node.subscribe.staging import examine
from node.subscribe.write import Writer
from node.subscribe.writeback import Writeback
from sync.manifest import VerifiedManifest
from sync.ports import HubApi
from sync.recipe import TABLE_RECORD_BYTES

_PARTS_MAX = 16_384  # a window's parts
_SEGMENT_CHUNKS = 8_192  # a part's chunks, where each is looked up
_WORTH_BYTES = 1 * MIB  # a beginning of a file is continued from this size on, else fetched again
_DESCRIPTORS_MAX = 64  # beginnings that wait to be continued


class Assembly:
    """One version being staged. `staging` and `old` are folder descriptors; `old` is that of `plan.old`.

    `check_room` hears every megabyte how many bytes are still to be written, and may raise.
    """

    def __init__(
        self,
        hub: HubApi,
        target: VerifiedManifest,
        plan: Plan,
        *,
        staging: int,
        old: int | None,
        progress: Progress,
        limits: Limits = LIMITS,
        resumed: bool = False,
        check_room: Callable[[int], None] | None = None,
    ) -> None:
        self._hub = hub
        self._check_room = check_room
        self._target = target
        self._plan = plan
        self._staging = staging
        self._old = old
        self._progress = progress
        self._limits = limits
        self._resumed = resumed
        self._done_bytes = 0
        self._told_bytes = 0
        self._waiting = 0
        self._writeback = Writeback(staging)

    @property
    def bytes_left(self) -> int:
        """What is still to be written."""
        return max(0, self._plan.fetch_bytes - self._done_bytes)

    def run(self) -> None:
        """Stage every file, and write what each looks like to the record, as `stat.part`."""
        pending = self._plan.new.folder / "stat.part"
        with (
            self._plan.new.table() as table,
            Receiver(self._hub, self._target, table, self._windows(table), self._limits) as receiver,
            pending.open("wb", buffering=1 << 18) as stats,
        ):
            writer = Writer(
                self._target, self._plan, receiver, table,
                staging=self._staging, old=self._old, advance=self._advance,
            )  # fmt: skip
            try:
                with Writeback(self._staging) as self._writeback:
                    for window in receiver.windows():
                        for part in window.parts:
                            status = writer.write(part)
                            if status is not None:
                                stats.write(STAT.pack(*status))
                stats.flush()
                durable.fsync(stats.fileno(), pending)
            except OSError as error:
                raise explain(error, f"staging {self._target.manifest.dataset}", self.bytes_left) from error
            finally:
                writer.close()
                self._advance(0, force=True)

    # Planning, in the receiver's thread

    def _windows(self, table: Table) -> Iterator[Window]:
        window = Window()
        with Walker(self._staging) as walker:
            for file, origin in self._with_origins():
                for part in self._parts(file, origin, walker, table):
                    window.parts.append(part)
                    self._ask(window, part)
                    if (
                        len(window.parts) >= _PARTS_MAX
                        or len(window.ranges) >= self._limits.read_ranges_count_max
                    ):
                        yield window
                        window = Window()
        if window.parts:
            yield window

    def _with_origins(self) -> Iterator[tuple[File, tuple[str, int] | None]]:
        """Every new file, and for those that stay at their path the line of the old file."""
        old = self._plan.old.files() if self._plan.old is not None else iter(())
        before = next(old, None)
        for file in self._plan.new.files():
            source = self._plan.source(file)
            if source is Source.KEEP:
                while before is not None and before.path != file.path:
                    before = next(old, None)
                assert before is not None
                yield file, (before.path, before.line)
            elif source is Source.MOVED:
                yield file, self._plan.moved_from(file)
            elif source is Source.TWIN:
                twin = self._plan.twin_of(file)
                yield file, None if twin is None else (twin, 0)
            else:
                yield file, None

    def _parts(
        self, file: File, origin: tuple[str, int] | None, walker: Walker, table: Table
    ) -> Iterator[Part]:
        source = self._plan.source(file)
        if source is not Source.FETCH:
            yield Part(file, source, file.first, 0, origin=origin)
            return
        part = Part(file, source, file.first, file.chunks)
        if self._resumed:
            self._resume(part, walker, table)
        if not self._plan.has_local_chunks or part.complete:
            yield part
            return
        end = part.first + part.chunks
        begins = True
        while True:
            count = min(_SEGMENT_CHUNKS, end - part.first)
            segment = Part(file, source, part.first, count, begins=begins, ends=part.first + count == end)
            if begins:
                segment.descriptor, segment.offset, segment.hasher = part.descriptor, part.offset, part.hasher
            segment.local = self._local(segment, table)
            yield segment
            part.first += count
            begins = False
            if segment.ends:
                return

    def _resume(self, part: Part, walker: Walker, table: Table) -> None:
        worth = _WORTH_BYTES if self._waiting < _DESCRIPTORS_MAX else self._limits.dataset_bytes_max
        found = examine(walker, part.file, table, worth_bytes=worth)
        if found is None:
            return
        part.first += found.chunks
        part.chunks -= found.chunks
        part.complete = found.descriptor is None
        part.descriptor, part.offset, part.hasher = found.descriptor, found.offset, found.hasher
        self._waiting += found.descriptor is not None

    def _local(self, part: Part, table: Table) -> dict[int, LocalChunk]:
        """Places of the part's chunks in old files. Chunks that follow each other there cost no question."""
        found: dict[int, LocalChunk] = {}
        for ordinal in range(part.first, part.first + part.chunks):
            at = ordinal * TABLE_RECORD_BYTES
            place = self._plan.local_chunk(table[at : at + 32])
            if place is not None:
                found[ordinal] = place
        return found

    def _ask(self, window: Window, part: Part) -> None:
        if part.source is not Source.FETCH or part.complete or not part.chunks:
            return
        if not part.local:
            window.ask(part.first, part.chunks)
            return
        for ordinal in range(part.first, part.first + part.chunks):
            if ordinal not in part.local:
                window.ask(ordinal, 1)

    # Progress, in the writer's thread

    def _advance(self, count: int, *, force: bool = False) -> None:
        self._done_bytes += count
        if force or self._done_bytes - self._told_bytes >= MIB:
            self._writeback.wrote(self._done_bytes - self._told_bytes)
            self._progress.advance(self._done_bytes - self._told_bytes)
            self._told_bytes = self._done_bytes
            if self._check_room is not None and not force:
                self._check_room(self.bytes_left)
