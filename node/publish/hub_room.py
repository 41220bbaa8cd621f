"""Room at the hub: an upload that the partner's quota would refuse is not begun.

Rules: the hub counts uncompressed bytes, each chunk once, so that only chunks that it lacks need room. While
everything that a version may bring fits in what is left, nobody counts: files are read and sent in one go.
Else what the hub lacks is counted before the first byte leaves, from chunk tables, by asking for ids: what
fits by that count is never refused. The same refusal is given again without asking as long as neither the
version, nor the quota, nor what is used has changed. The hub refuses all the same what comes to be too much
meanwhile: other nodes share the quota.

    room = HubRoom(hub, state, records, limits)
    if room.is_tight(new_bytes, files, all_bytes):
        room.require(summary, contents, streams)        # Denied (QUOTA_EXCEEDED)
"""

import json
import sqlite3
import struct
from collections.abc import Iterable
from contextlib import closing

from core.errors import Denied
from core.limits import KIB, LIMITS, Limits
from node.publish.records import Listed, PublishRecords
from node.publish.versions import Summary, VersionStreams
from node.state import NodeState
from sync.ports import ChunkId, HubApi, HubInfo
from sync.recipe import TABLE_RECORD_BYTES

#: More than a file takes in the inventory and the layout, and than three streams' last chunks add.
_FILE_BYTES, _STREAMS_BYTES = KIB, 64 * KIB

_RECORD = struct.Struct("<32sI")
assert _RECORD.size == TABLE_RECORD_BYTES


class HubRoom:
    """Of one dataset. One thread."""

    def __init__(
        self, hub: HubApi, state: NodeState, records: PublishRecords, limits: Limits = LIMITS
    ) -> None:
        self._hub = hub
        self._state = state
        self._records = records
        self._limits = limits
        self._refused = f"no_room:{records.dataset}"

    def is_tight(self, new_bytes: int, files: int, all_bytes: int) -> bool:
        """Whether a version of so many files and bytes, of which so many bytes may be new at the hub, could
        be more than the quota leaves."""
        info = self._hub.get_hub_info()
        if info.quota_bytes is None:
            return False
        chunks = all_bytes // self._limits.chunk_bytes_min + files
        most = new_bytes + chunks * TABLE_RECORD_BYTES + files * _FILE_BYTES + _STREAMS_BYTES
        return info.used_bytes + most > info.quota_bytes

    def require(self, summary: Summary, contents: Iterable[Listed], streams: VersionStreams) -> int:
        """How many bytes the hub lacks of `contents` and of a version's `streams`, which fit there.

        Raises `Denied` (QUOTA_EXCEEDED) when they do not.
        """
        info = self._hub.get_hub_info()
        lacking = self._known(summary, info)
        if lacking is None:
            with closing(_Lacking(self._hub, self._limits)) as counted:
                for one in contents:
                    for segment in self._records.chunk_table(one):
                        for chunk, length in _RECORD.iter_unpack(segment):
                            counted.add(chunk, length)
                streams.send(counted.sink)
                lacking = counted.bytes()
        quota = info.quota_bytes
        if lacking and quota is not None and info.used_bytes + lacking > quota:  # what is there needs none
            self._state.set_meta(self._refused, json.dumps([*_key(summary, info), lacking]))
            raise _no_room(info.used_bytes, quota, lacking)
        return lacking

    def _known(self, summary: Summary, info: HubInfo) -> int | None:
        """What was lacking when just this was refused, and nothing has changed since."""
        kept = self._state.get_meta(self._refused)
        *key, lacking = json.loads(kept) if kept else [0]
        return lacking if key == _key(summary, info) else None


def _key(summary: Summary, info: HubInfo) -> list[str | int | None]:
    return [summary.inventory_sha256, info.used_bytes, info.quota_bytes]


def _no_room(used: int, quota: int, lacking: int) -> Denied:
    left = max(0, quota - used)
    return Denied(
        f"{used:,} of {quota:,} bytes that the hub keeps for this agency are used: {left:,} are"
        f" left, and this version needs {lacking:,} more; nothing of it was sent",
        remedy=f"ask the hub's operator for {used + lacking - quota:,} bytes more, or publish less; it then"
        " goes on by itself",
        reason="QUOTA_EXCEEDED",
    )


class _Lacking:
    """Counts the bytes of the chunks that the hub lacks, each chunk once; on disk when they are many."""

    def __init__(self, hub: HubApi, limits: Limits) -> None:
        self._hub = hub
        self._count_max = limits.find_missing_count_max
        self._asking: dict[ChunkId, int] = {}
        self._connection = sqlite3.connect("")  # a temporary file, kept in memory while it is small
        self._connection.execute("CREATE TABLE lacking (id BLOB PRIMARY KEY, bytes INTEGER) WITHOUT ROWID")

    def sink(self, chunk: ChunkId, data: memoryview) -> None:
        """`add`, as whoever cuts bytes calls it."""
        self.add(chunk, len(data))

    def add(self, chunk: ChunkId, length: int) -> None:
        """A chunk that is to be at the hub."""
        self._asking[chunk] = length
        if len(self._asking) >= self._count_max:
            self._ask()

    def bytes(self) -> int:
        """Of all that was added and that the hub lacks."""
        if self._asking:
            self._ask()
        return int(self._connection.execute("SELECT coalesce(sum(bytes), 0) FROM lacking").fetchone()[0])

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()

    def _ask(self) -> None:
        missing = self._hub.find_missing(list(self._asking))
        rows = (row for row, lacks in zip(self._asking.items(), missing, strict=True) if lacks)
        self._connection.executemany("INSERT OR IGNORE INTO lacking VALUES (?, ?)", rows)
        self._asking = {}
