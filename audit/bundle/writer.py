"""Writes evidence as a BagIt bag (RFC 8493): a folder or a zip file that any archive's tools can check.

    with new_bag(Path("evidence.zip"), base="asean-4711-for-la-dgm") as bag:
        bag.add("data/keys/log.pem", pem)
        digest = bag.stream("data/…/content/map.tif", size, pieces)
        bag.seal(readme, {"Source-Organization": "asean"})

Rules:

* Deterministic: the same content gives the same bytes. Files come sorted by the bytes of their paths, and no
  line says when or by which release the bag was made.
* Nothing stands under the final name before `seal`; an error leaves nothing at all.
* Memory does not grow with the number of files, nor with their sizes.
* Paths are legal (`core.names`), so that `sha256sum -c manifest-sha256.txt` checks the bag, too.

Format: docs/formats/bundle.md.
"""

import hashlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from audit.bundle.container import Container
from core.errors import Corrupt, InvalidInput
from core.limits import LIMITS, Limits
from core.names import check_path
from security.digests import Sha256Hex

PAYLOAD = "data/"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
DECLARATION = "bagit.txt"
INFO = "bag-info.txt"
README = "README.txt"

_DECLARED = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_PIECE_BYTES = 1 << 20
_PREFIX_BYTES_MAX, _PREFIX_DEPTH = 256, 8


@contextmanager
def new_bag(out: Path, base: str, limits: Limits = LIMITS) -> Generator["Bag"]:
    """A bag at `out` (a zip file where it ends with `.zip`), there when the block has called `seal`.

    `base` is the bag's folder within a zip file. Raises `Conflict` (ALREADY_EXISTS), `InvalidInput`,
    `Unavailable` (DISK_FULL).
    """
    with Container.at(out, base) as container, container.spool() as lines:
        yield Bag(container, lines, limits)


class Bag:
    """A bag that is being written. Payload first, sorted by path; then `seal`."""

    def __init__(self, container: Container, lines: BinaryIO, limits: Limits = LIMITS) -> None:
        self._container = container
        self._lines = lines
        self._limits = limits
        # What stands before a dataset's own path is short.
        self._paths = replace(
            limits,
            path_bytes_max=limits.path_bytes_max + _PREFIX_BYTES_MAX,
            path_depth_max=limits.path_depth_max + _PREFIX_DEPTH,
        )
        self._manifest = hashlib.sha256()
        self._manifest_bytes = 0
        self._last = b""
        self.files = 0
        self.bytes = 0

    def add(self, path: str, data: bytes) -> Sha256Hex:
        """Add a payload file; its SHA-256. `path` starts with `data/` and follows the one before it."""
        return self.stream(path, len(data), [data])

    def stream(self, path: str, size: int, pieces: Iterable[bytes | memoryview]) -> Sha256Hex:
        """Add a payload file of `size` bytes. Raises `Corrupt` when `pieces` are more or fewer."""
        key = self._check(path)
        counted = _Counted(pieces, size)
        self._container.write(path, size, counted)
        counted.check(path)
        self._last = key
        self.files += 1
        self.bytes += size
        line = f"{counted.sha256}  {path}\n".encode()
        self._lines.write(line)
        self._manifest.update(line)
        self._manifest_bytes += len(line)
        return counted.sha256

    def seal(self, readme: str, info: Mapping[str, str]) -> None:
        """Write the tag files, flush everything and give the bag its name."""
        told = {**info, "Payload-Oxum": f"{self.bytes}.{self.files}"}
        tags = {
            README: readme.encode(),
            INFO: "".join(f"{label}: {_one_line(text)}\n" for label, text in told.items()).encode(),
            DECLARATION: _DECLARED,
        }
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in tags.items()}
        digests[MANIFEST] = self._manifest.hexdigest()
        for name, data in tags.items():
            self._container.write(name, len(data), [data])
        self._lines.seek(0)
        self._container.write(MANIFEST, self._manifest_bytes, _pieces(self._lines))
        last = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode()
        self._container.write(TAG_MANIFEST, len(last), [last])
        self._container.keep()

    def _check(self, path: str) -> bytes:
        key = path.encode()
        if not path.startswith(PAYLOAD) or key <= self._last:
            raise InvalidInput(f"{path!r} is not payload that follows what is there", reason="UNSORTED")
        if self.files >= self._limits.bundle_files_count_max:
            raise InvalidInput(
                f"a bundle holds at most {self._limits.bundle_files_count_max:,} files",
                remedy="export fewer datasets at once, or a later period: --since",
                reason="TOO_MANY_FILES",
            )
        check_path(path, self._paths)
        return key


class _Counted:
    """Pieces that are counted and digested as they pass."""

    def __init__(self, pieces: Iterable[bytes | memoryview], size: int) -> None:
        self._pieces = pieces
        self._digest = hashlib.sha256()
        self._size = size
        self._passed = 0

    def __iter__(self) -> Iterator[bytes | memoryview]:
        for piece in self._pieces:
            self._passed += len(piece)
            if self._passed > self._size:
                return
            self._digest.update(piece)
            yield piece

    @property
    def sha256(self) -> Sha256Hex:
        return self._digest.hexdigest()

    def check(self, path: str) -> None:
        if self._passed != self._size:
            raise Corrupt(f"{path} has not the {self._size} bytes that were said", reason="WRONG_SIZE")


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece


def _one_line(text: str) -> str:
    return " ".join(text.split())
