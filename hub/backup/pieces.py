"""Files cut into objects: packs by segments that are only ever added to, the database by its content.

Rules: what an earlier snapshot of this hub holds, and the place still has, is not read again (packs) or not
written again (the database's chunks, `sync.chunking`). New chunks travel together, up to `OBJECT_BYTES` an
object. When more than half of what the database's objects hold is of older states, all of it is written anew,
so that objects of which little is needed do not stay for ever.

    writer = ObjectWriter(place, seal, known)
    add_pack(writer, file, earlier), add_database(writer, path, earlier, chunks)
    writer.finish()
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from core.limits import KIB, LIMITS, MIB
from core.progress import Progress
from hub.backup.place import Place, Stored
from hub.backup.seal import Seal
from hub.backup.snapshot import Piece, SavedFile, SavedObject, Snapshot
from hub.backup.source import SourceFile, read_part
from security.digests import sha256_hex
from sync.chunking import Chunker, chunk_id

OBJECT_BYTES = 32 * MIB
#: Smaller chunks than content's: a row that changes costs a page of 4 KiB, and its neighbours here.
DATABASE_CHUNKS = replace(LIMITS, chunk_bytes_min=4 * KIB, chunk_bytes_avg=16 * KIB, chunk_bytes_max=64 * KIB)
_UNDER_WAY_MAX = 1  # one object is written while the next is read and encrypted


class ObjectWriter:
    """Stores objects and numbers them for a snapshot. `known`: what the place has, kept up to date."""

    def __init__(
        self,
        place: Place,
        seal: Seal,
        known: dict[str, Stored],
        progress: Progress,
        *,
        object_bytes: int = OBJECT_BYTES,
    ) -> None:
        self.objects: list[SavedObject] = []
        self.bytes_added = 0
        self.object_bytes = object_bytes
        self._place = place
        self._seal = seal
        self._known = known
        self._progress = progress
        self._numbers: dict[str, int] = {}
        self._put: set[str] = set()
        self._threads = ThreadPoolExecutor(1, "backup-write")
        self._under_way: list[Future[Stored]] = []

    def put(self, data: bytes) -> int:
        """Store `data` unless it is there; the object's number."""
        sha256 = sha256_hex(data)
        name = self._seal.name(sha256)
        number = self._number(SavedObject(name, len(data), sha256))
        if name not in self._known and name not in self._put:
            self._put.add(name)
            sealed = self._seal.close(data)
            self._wait(_UNDER_WAY_MAX)
            self._under_way.append(self._threads.submit(self._place.put_object, name, sealed))
            self.bytes_added += len(sealed)
        self._progress.advance(len(data))
        return number

    @property
    def written(self) -> list[str]:
        """The names of the objects that were not there before."""
        return sorted(self._put)

    def again(self, saved: SavedObject) -> int | None:
        """The number of an object of an earlier snapshot; None where the place has lost it."""
        return self._number(saved) if saved.name in self._known else None

    def finish(self) -> None:
        """Wait until everything is durable."""
        self._wait(0)

    def close(self) -> None:
        """Give up the thread; what it writes is finished first."""
        self._threads.shutdown()

    def _number(self, saved: SavedObject) -> int:
        number = self._numbers.setdefault(saved.name, len(self.objects))
        if number == len(self.objects):
            self.objects.append(saved)
        return number

    def _wait(self, count: int) -> None:
        while len(self._under_way) > count:
            stored = self._under_way.pop(0).result()
            self._known[stored.name] = stored


def add_pack(writer: ObjectWriter, file: SourceFile, earlier: Snapshot | None) -> SavedFile | None:
    """A pack: the segments of an earlier snapshot, then what came since. None when it was removed."""
    pieces = _same_segments(writer, file, earlier)
    done = sum(count for _, _, count in pieces)
    while done < file.bytes:
        # Segments end at round offsets, so that a hub that knows of no earlier snapshot cuts the same again.
        count = min(file.bytes, (done // writer.object_bytes + 1) * writer.object_bytes) - done
        data = read_part(file, done, count)
        if data is None:
            return None
        pieces.append((writer.put(data), 0, count))
        done += count
    return SavedFile(file.path, 0o600, tuple(pieces))


def _same_segments(writer: ObjectWriter, file: SourceFile, earlier: Snapshot | None) -> list[Piece]:
    known = None if earlier is None else earlier.file(file.path)
    pieces: list[Piece] = []
    if earlier is None or known is None or known.bytes > file.bytes:
        return pieces
    for number, offset, count in known.pieces:
        again = writer.again(earlier.objects[number])
        if again is None:
            break  # it is read again from here
        pieces.append((again, offset, count))
    return pieces


def add_small(writer: ObjectWriter, files: Iterable[tuple[str, bytes]]) -> list[SavedFile]:
    """Small files, all in one object."""
    given = list(files)
    number = writer.put(b"".join(data for _, data in given))
    saved: list[SavedFile] = []
    offset = 0
    for path, data in given:
        saved.append(SavedFile(path, 0o600, ((number, offset, len(data)),) if data else ()))
        offset += len(data)
    return saved


def chunks_of_file(path: Path) -> Iterator[tuple[str, memoryview]]:
    """The chunks of a file with their ids in hex. A view is valid until the next one."""
    with path.open("rb", buffering=0) as file:
        for data in Chunker(DATABASE_CHUNKS).stream(file):
            yield chunk_id(data).hex(), data


def add_database(
    writer: ObjectWriter, name: str, path: Path, earlier: Snapshot | None, chunks: Sequence[str]
) -> tuple[SavedFile, list[str]]:
    """The database's copy in `path`. `chunks`: the ids of the earlier snapshot's pieces of it.

    Gives the file and the ids of its pieces, for the next time.
    """
    places = _known_places(name, earlier, chunks)
    wanted = [id_ for id_, _ in chunks_of_file(path)]
    if earlier is not None and _is_mostly_old(earlier, places, wanted, path.stat().st_size, writer):
        places = {}
    found: dict[str, Piece] = {}
    if earlier is not None:
        for id_ in wanted:
            if id_ in places and id_ not in found:
                number, offset, count = places[id_]
                again = writer.again(earlier.objects[number])
                if again is not None:
                    found[id_] = (again, offset, count)
    _write_chunks(writer, path, found)
    return SavedFile(name, 0o600, tuple(found[id_] for id_ in wanted)), wanted


def _write_chunks(writer: ObjectWriter, path: Path, found: dict[str, Piece]) -> None:
    """Write the chunks that are not in `found` yet, and add them to it."""
    bundle = bytearray()
    inside: dict[str, tuple[int, int]] = {}

    def flush() -> None:
        if not bundle:
            return
        number = writer.put(bytes(bundle))
        found.update({id_: (number, offset, count) for id_, (offset, count) in inside.items()})
        bundle.clear()
        inside.clear()

    for id_, data in chunks_of_file(path):
        if id_ in found or id_ in inside:
            continue
        if len(bundle) + len(data) > writer.object_bytes:
            flush()
        inside[id_] = (len(bundle), len(data))
        bundle += data
    flush()


def _known_places(name: str, earlier: Snapshot | None, chunks: Sequence[str]) -> Mapping[str, Piece]:
    file = None if earlier is None else earlier.file(name)
    if file is None or len(file.pieces) != len(chunks):
        return {}
    return dict(zip(chunks, file.pieces, strict=True))


def _is_mostly_old(
    earlier: Snapshot,
    places: Mapping[str, Piece],
    wanted: Sequence[str],
    file_bytes: int,
    writer: ObjectWriter,
) -> bool:
    """Whether what would be referred to is more than twice the file, with an object's room for small ones."""
    numbers = {places[id_][0] for id_ in wanted if id_ in places}
    return sum(earlier.objects[number].bytes for number in numbers) > 2 * file_bytes + writer.object_bytes
