"""Where and when a published dataset is, by its files: after a commit, beside the publishing path.

    places = Places(state, room)
    places.of(dataset, folder).place    # takes its time; raises nothing for what files do

Rules (ADR 15): only what was published is read: through a descriptor whose file has, before and after, the
fingerprint under which its content was hashed, or through a snapshot of a database; anything else is not
known, for now. The folder sees reads alone. Readers run apart and may fail or be killed: then the place of
that file is not known, and the log says why, once; it is tried again after a restart. A dataset's place is
the union over its first files.
"""

import os
import stat as modes
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from core.errors import SynclineError
from core.logs import get_logger
from core.names import DatasetId
from node.geo.cache import PlaceCache
from node.geo.candidates import Candidate, Part, candidates
from node.geo.place import Place, unite
from node.geo.reader import Gone, Reader, ReaderLimits, Unstartable, opened
from node.room import Room
from node.scan import Stat
from node.snapshot import snapshot, snapshot_bytes, stat_of_database
from node.state import NodeState, translated

#: Files of a dataset that are looked at.
FILES_MAX = 2_000
_PROBLEMS_TOLD_MAX = 20

_log = get_logger("node.geo")


class _NotNow(Exception):
    """The file cannot be read as what was published; another time perhaps."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found. `is_complete`: another look would find the same."""

    place: Place
    is_complete: bool


class Places:
    """Finds places. `give_up` may be called from any thread."""

    def __init__(
        self,
        state: NodeState,
        room: Room,
        *,
        limits: ReaderLimits = ReaderLimits(),  # noqa: B008 - frozen
        files_max: int = FILES_MAX,
    ) -> None:
        self._state = state
        self._work_dir = state.state_dir / "work"
        self._room = room
        self._limits = limits
        self._files_max = files_max
        self._failed: set[bytes] = set()
        self._told: Counter[DatasetId] = Counter()
        self._bounded: set[DatasetId] = set()
        self._reader: Reader | None = None
        self._is_given_up = False

    def of(self, dataset: DatasetId, folder: Path, *, stopping: Callable[[], bool] = lambda: False) -> Look:
        """The union over the dataset's files. Raises `SynclineError` where the state cannot be used.

        `stopping` ends it between two files.
        """
        found: list[Place] = []
        complete = True
        with translated(self._state.path), Reader(self._limits) as reader:
            self._reader = reader
            cache = PlaceCache(self._state)
            for candidate in self._first(dataset):
                key = candidate.key
                place = cache.get(key)
                if place is None and key not in self._failed:
                    if self._is_given_up or stopping():
                        return Look(unite(found), is_complete=False)
                    try:
                        place = self._read(reader, candidate, folder)
                    except (_NotNow, OSError, SynclineError, Unstartable) as error:
                        _log.debug("not looked at for now", path=candidate.path, why=str(error))
                        complete = False
                    except Gone as error:
                        complete = complete and not self._is_given_up
                        self._failed.add(key)
                        self._tell(dataset, candidate.path, str(error))
                    else:
                        cache.put(key, place)
                        self._tell(dataset, candidate.path, place.problem)
                if place is not None:
                    found.append(place)
        return Look(unite(found), complete)

    def give_up(self) -> None:
        """End what is under way, and begin nothing more: the node stops."""
        self._is_given_up = True
        if self._reader is not None:
            self._reader.kill()

    def _first(self, dataset: DatasetId) -> Sequence[Candidate]:
        first = list(islice(candidates(self._state, dataset), self._files_max + 1))
        if len(first) > self._files_max and dataset not in self._bounded:
            self._bounded.add(dataset)
            _log.info("where the data are is that of the first files", dataset=dataset, files=self._files_max)
        return first[: self._files_max]

    def _read(self, reader: Reader, candidate: Candidate, folder: Path) -> Place:
        with ExitStack() as stack:
            if candidate.kind == "geopackage":
                return self._read_database(reader, candidate, folder, stack)
            descriptors = [_open_as_published(stack, folder, part) for part in candidate.parts]
            place = reader.read(candidate.kind, descriptors)
            for part, descriptor in zip(candidate.parts, descriptors, strict=True):
                _check_is(os.fstat(descriptor), part.stat)
            return place

    def _read_database(self, reader: Reader, candidate: Candidate, folder: Path, stack: ExitStack) -> Place:
        part = candidate.parts[0]
        path = _disk_path(folder, part.path)
        self._room.need(self._work_dir, f"the snapshot of {part.path}", snapshot_bytes(path))
        file, stat = stack.enter_context(snapshot(path, self._work_dir))
        if part.stat is None or stat != part.stat:
            raise _NotNow
        place = reader.read(candidate.kind, [file.fileno()])
        if stat_of_database(path) != stat:
            raise _NotNow
        return place

    def _tell(self, dataset: DatasetId, path: str, problem: str) -> None:
        """Once for each content; of a dataset full of them, of the first."""
        if problem and not self._is_given_up and self._told[dataset] < _PROBLEMS_TOLD_MAX:
            self._told[dataset] += 1
            _log.info("where a file's data are is not known", dataset=dataset, path=path, why=problem)


def _open_as_published(stack: ExitStack, folder: Path, part: Part) -> int:
    """A descriptor of the file, if it still is what was hashed."""
    descriptor = opened(os.fspath(_disk_path(folder, part.path)))
    stack.callback(os.close, descriptor)
    _check_is(os.fstat(descriptor), part.stat)
    return descriptor


def _check_is(info: os.stat_result, stat: Stat | None) -> None:
    mine = (info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
    if stat is None or not modes.S_ISREG(info.st_mode) or mine != stat[:4]:
        raise _NotNow


def _disk_path(folder: Path, path: str) -> Path:
    """Versions have names in normal form C; some disks keep the other."""
    plain = folder / path
    if plain.exists():
        return plain
    other = folder / unicodedata.normalize("NFD", path)
    return other if other.exists() else plain
