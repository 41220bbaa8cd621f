"""The pack files of a store, open for reading: few descriptors for many packs, shared by threads.

with files.open(number) as descriptor: os.pread(descriptor, …)
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sync.stores.records import PACK_SUFFIX, pack_name

_OPEN_MAX = 32


@dataclass(slots=True)
class _Open:
    descriptor: int
    users: int = 0


class PackFiles:
    """Descriptors of packs, closed when many others were used since."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._lock = threading.Lock()

    def path(self, number: int) -> Path:
        """Where a pack is."""
        return self.directory / pack_name(number)

    def numbers(self) -> list[int]:
        """The packs on the disk, ascending."""
        stems = (path.name.removesuffix(PACK_SUFFIX) for path in self.directory.glob(f"*{PACK_SUFFIX}"))
        return sorted(int(stem) for stem in stems if stem.isdecimal())

    def bytes(self) -> int:
        """What the packs take on the disk."""
        return sum(self.path(number).stat().st_size for number in self.numbers())

    @contextmanager
    def open(self, number: int) -> Generator[int]:
        """A descriptor to read a pack from. Raises `OSError`."""
        with self._lock:
            entry = self._open.get(number)
            if entry is None:
                entry = _Open(os.open(self.path(number), os.O_RDONLY | os.O_CLOEXEC))
                self._open[number] = entry
            self._open.move_to_end(number)
            entry.users += 1
        try:
            yield entry.descriptor
        finally:
            with self._lock:
                entry.users -= 1
                if self._open.get(number) is not entry and not entry.users:  # forgotten meanwhile
                    os.close(entry.descriptor)
                self._evict()

    def forget(self, number: int) -> None:
        """A pack was removed: its descriptor is closed when its last reader has done."""
        with self._lock:
            entry = self._open.pop(number, None)
            if entry is not None and not entry.users:
                os.close(entry.descriptor)

    def close(self) -> None:
        """Close what nobody is reading."""
        with self._lock:
            for number in [number for number, entry in self._open.items() if not entry.users]:
                os.close(self._open.pop(number).descriptor)

    def _evict(self) -> None:
        for number in list(self._open):
            if len(self._open) <= _OPEN_MAX:
                return
            if not self._open[number].users:
                os.close(self._open.pop(number).descriptor)


def read_at(descriptor: int, offset: int, count: int) -> memoryview:
    """`count` bytes at `offset`; fewer only where the file ends."""
    data = os.pread(descriptor, count, offset)
    if len(data) == count or not data:
        return memoryview(data)
    parts = [data]
    got = len(data)
    while got < count and (data := os.pread(descriptor, count - got, offset + got)):
        parts.append(data)
        got += len(data)
    return memoryview(b"".join(parts))
