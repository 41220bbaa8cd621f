"""One log as this node has seen it: every leaf's hash, the newest checkpoint, the newest that it cosigned.

    history.stage(hashes)                       # written and flushed, not believed
    history.staged_root()                       # compare with what the log has signed, then
    history.accept()
    history.root_at(4711)                       # of any size up to `size`

    <folder>/about      origin, when and why it was begun, how many leaves of the log before were lost
    <folder>/leaves     32 bytes a leaf, append-only
    <folder>/nodes.1 …  roots of whole subtrees of 256, 256² and 256³ leaves
    <folder>/position   size and root of what is believed
    <folder>/seen       the newest checkpoint that is proven to continue all before it
    <folder>/cosigned   the newest that this node has promised to stand for

Rules: what stands beyond `position` is not believed and is cut off at the next start; `leaves` is flushed
before `position` names it, `cosigned` before a cosignature is made. A file that the disk has damaged is
noticed by the root in `position`, and the leaves are fetched again; `seen` and `cosigned` stay.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BufferedRandom
from pathlib import Path

from core import durable
from core.errors import Corrupt
from core.logs import get_logger
from node.materialise import system_errors
from security.tlog.merkle import EMPTY_ROOT, HASH_BYTES, Frontier, node_hash, root_at

_STEP = 8  # bits between two levels that are kept
_FILES = ("leaves", "nodes.1", "nodes.2", "nodes.3")
_GROUP = 1 << _STEP
_READ_COUNT = 256 * 256

FIRST = "first"
CONTINUED = "continued"
DECIDED = "decided"

log = get_logger("node.witness")


@dataclass(frozen=True, slots=True)
class About:
    """What a history is of. `why`: FIRST, CONTINUED (the administrators' word), DECIDED (the operator's).

    `lost`: leaves of the log before that this one does not have.
    """

    origin: str
    began: str
    why: str = FIRST
    lost: int = 0


class History:
    """The files of one history. One writer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.about = About(**json.loads((folder / "about").read_bytes()))
        self._size = 0
        self._root = EMPTY_ROOT
        self._staged = 0
        self._open_position()

    @classmethod
    def begin(cls, folder: Path, about: About, prefix: "History | None" = None, size: int = 0) -> "History":
        """Make a history, with the first `size` leaves of `prefix`; there, whole, or not at all."""
        with system_errors(f"keeping the log's history in {folder.parent}"):
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            staged = folder.with_name(f".{folder.name}.tmp")
            if staged.exists():
                for each in staged.iterdir():
                    each.unlink()
                staged.rmdir()
            staged.mkdir(mode=0o700)
            durable.write_file(staged / "about", json.dumps(asdict(about)).encode(), mode=0o600)
            if prefix is not None:
                for level, name in enumerate(_FILES):
                    _copy(prefix.folder / name, staged / name, (size >> (_STEP * level)) * HASH_BYTES)
                position = _position(size, prefix.root_at(size))
                durable.write_file(staged / "position", position, mode=0o600)
            durable.rename(staged, folder)
        return cls(folder)

    @property
    def origin(self) -> str:
        """The log's origin line."""
        return self.about.origin

    @property
    def size(self) -> int:
        """How many leaves are believed."""
        return self._size

    @property
    def root(self) -> bytes:
        """The root of the tree of those."""
        return self._root

    # --- checkpoints -------------------------------------------------------------------------------

    def seen(self) -> bytes | None:
        """The newest checkpoint's note."""
        return _read(self.folder / "seen")

    def see(self, note: bytes) -> None:
        """Remember a checkpoint that was proven to continue the one before."""
        self._write("seen", note)

    def set_aside_seen(self) -> None:
        """Keep a damaged `seen` beside, and go on without it."""
        with system_errors(f"keeping the log's history in {self.folder}"):
            durable.rename(self.folder / "seen", self.folder / "seen.damaged")

    def cosigned(self) -> bytes | None:
        """The note of the newest checkpoint that this node has promised to stand for."""
        return _read(self.folder / "cosigned")

    def promise(self, note: bytes) -> None:
        """Remember what is about to be cosigned."""
        self._write("cosigned", note)

    # --- leaves ------------------------------------------------------------------------------------

    def stage(self, hashes: Sequence[bytes]) -> None:
        """Write the next leaves' hashes, and the roots of the subtrees that they complete; flushed."""
        with system_errors(f"keeping the log's history in {self.folder}"):
            end = self._size + len(hashes)
            for level, name in enumerate(_FILES):
                shift = _STEP * level
                first, last = self._size >> shift, end >> shift
                with _opened(self.folder / name) as file:
                    file.truncate(first * HASH_BYTES)
                    file.seek(first * HASH_BYTES)
                    if level == 0:
                        file.write(b"".join(hashes))
                    else:
                        file.writelines(self._subtrees(level, first, last))
                    file.flush()
                    durable.fsync(file.fileno(), self.folder / name)
            self._staged = end

    def staged_root(self) -> bytes:
        """The root of what is believed and staged."""
        return root_at(self, self._staged) if self._staged else EMPTY_ROOT

    def accept(self) -> None:
        """What was staged is believed from here on."""
        root = self.staged_root()
        self._write("position", _position(self._staged, root))
        self._size, self._root = self._staged, root

    def forget_leaves(self) -> None:
        """Believe in no leaf any more: they are fetched again. Checkpoints stay."""
        self._write("position", _position(0, EMPTY_ROOT))
        self._size = self._staged = 0
        self._root = EMPTY_ROOT

    def leaf_hashes(self, first: int, count: int) -> bytes:
        """The hashes of some leaves, one after the other."""
        return self._stored(0, first, count)

    def root_at(self, size: int) -> bytes:
        """The root of the tree of the first `size` leaves."""
        assert 0 <= size <= self._size
        return root_at(self, size) if size else EMPTY_ROOT

    def hash(self, level: int, number: int) -> bytes:
        """The root of a whole subtree (`security.tlog.merkle.Nodes`)."""
        kept = min(level // _STEP, len(_FILES) - 1)
        spread = level - kept * _STEP
        return _fold(self._stored(kept, number << spread, 1 << spread))

    def check(self) -> None:
        """Compute everything again from the leaves. Raises `Corrupt` (HISTORY_DAMAGED), after forgetting
        them."""
        with system_errors(f"reading the log's history in {self.folder}"):
            whole = self._recomputed()
        if whole != self._root:
            self._damaged("the leaves do not give the root that they gave before")

    def _recomputed(self) -> bytes:
        """The root, from the leaves alone, in bounded memory."""
        tree = Frontier()
        for first in range(0, self._size, _READ_COUNT):
            tree = tree.extend(split(self._stored(0, first, min(_READ_COUNT, self._size - first))))
        return tree.root()

    def _damaged(self, why: str) -> None:
        self.forget_leaves()
        raise Corrupt(
            f"this node's own record of the log in {self.folder} was damaged: {why}",
            remedy="it is fetched again by itself; check the disk",
            reason="HISTORY_DAMAGED",
        )

    def _open_position(self) -> None:
        data = _read(self.folder / "position")
        if data is None:
            return
        try:
            value = json.loads(data)
            self._size = self._staged = int(value["size"])
            self._root = bytes.fromhex(value["root"])
            whole = all(
                (self.folder / name).stat().st_size >= (self._size >> (_STEP * level)) * HASH_BYTES
                for level, name in enumerate(_FILES)
                if self._size >> (_STEP * level)
            )
            if whole and self.root_at(self._size) == self._root:
                return
        except (OSError, ValueError, KeyError, TypeError):
            pass
        log.error("the record of the log was damaged and is fetched again", folder=str(self.folder))
        self.forget_leaves()

    def _subtrees(self, level: int, first: int, last: int) -> list[bytes]:
        return [_fold(self._stored(level - 1, n << _STEP, _GROUP)) for n in range(first, last)]

    def _stored(self, level: int, first: int, count: int) -> bytes:
        with (self.folder / _FILES[level]).open("rb") as file:
            file.seek(first * HASH_BYTES)
            data = file.read(count * HASH_BYTES)
        if len(data) != count * HASH_BYTES:
            self._damaged(f"{_FILES[level]} is too short")
        return data

    def _write(self, name: str, data: bytes) -> None:
        with system_errors(f"keeping the log's history in {self.folder}"):
            durable.write_file(self.folder / name, data, mode=0o600)


def _position(size: int, root: bytes) -> bytes:
    return json.dumps({"size": size, "root": root.hex()}).encode()


def split(hashes: bytes) -> list[bytes]:
    """Hashes that stand one after the other."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def _fold(data: bytes) -> bytes:
    """The root of a whole subtree, from the roots of its equal parts."""
    row = split(data)
    while len(row) > 1:
        parts = iter(row)
        row = [node_hash(left, right) for left, right in zip(parts, parts, strict=True)]
    return row[0]


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _opened(path: Path) -> BufferedRandom:
    path.touch(mode=0o600)
    return path.open("r+b")


def _copy(source: Path, target: Path, count: int) -> None:
    """The first `count` bytes, flushed."""
    with _opened(target) as copy:
        if count:
            with source.open("rb") as original:
                while count:
                    part = original.read(min(count, 1 << 20))
                    if not part:
                        raise OSError(f"{source} is too short")
                    copy.write(part)
                    count -= len(part)
        copy.flush()
        durable.fsync(copy.fileno(), target)
