"""What the node knows of one version's files, in flat files beside its database, a folder a version.

    <state_dir>/mirrors/<key>/<seq>-<id8>/
      manifest.json policy.json policy-rules.json   what was verified, byte for byte
      root                                          the recipe's root
      inventory layout table                        the recipe's streams
      stat                                          24 bytes a line of the inventory: size, mtime in ns, inode
      stat.part, staged                             the same while the version waits for its evidence
      proven                                        which evidence stands in `.syncline/log/` (`proofkeeping`)
      acknowledgement.json                          what was signed when it was applied

Rules: a record is complete when it has `stat`, which is written last; lines are read as streams, so memory
does not grow with the number of files. A damaged one is set aside as `<seq>-<id8>.damaged`, and goes when its
version goes. The mirror's own `.syncline/` is for its readers, and never read back:
whoever can write there must not be able to change what this node believes.
"""

import mmap
import os
import shutil
import struct
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from core import durable
from core.errors import Corrupt
from core.limits import LIMITS, Limits
from sync import recipe
from sync.ports import RecipeStream

STAT = struct.Struct("<QQQ")
STREAMS = {
    RecipeStream.INVENTORY: "inventory",
    RecipeStream.LAYOUT: "layout",
    RecipeStream.TABLE: "table",
}

#: `stat` while the version is not applied yet.
PENDING = "stat.part"

#: How the folder of a record that was set aside ends.
DAMAGED = ".damaged"

#: TABLE as bytes on disk; slices are copies, so that nobody holds the file open.
Table = bytes | mmap.mmap


class File(NamedTuple):
    """A file of a version: its line (from 0), name, digest, size and its chunks' places in TABLE."""

    line: int
    path: str
    sha256: str
    size: int
    first: int
    chunks: int


class FileStat(NamedTuple):
    """What a file that was applied looked like; who differs was edited since."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileStat":
        """From what the system says."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


class Record:
    """The record of one version."""

    def __init__(self, folder: Path, limits: Limits = LIMITS) -> None:
        self.folder = folder
        self._limits = limits

    @property
    def name(self) -> str:
        """`<seq>-<id8>`, as the version's folder in the mirror."""
        return self.folder.name

    @property
    def is_complete(self) -> bool:
        """Whether the version was applied and all is known of it."""
        return all((self.folder / name).exists() for name in ("stat", "root", *STREAMS.values()))

    def path(self, stream: RecipeStream) -> Path:
        """Where a stream stands."""
        return self.folder / STREAMS[stream]

    def read(self, name: str) -> bytes | None:
        """One of the small files."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def keep(self, name: str, data: bytes) -> None:
        """Write one of the small files, durably."""
        durable.write_file(self.folder / name, data, mode=0o600)

    def files(self) -> Iterator[File]:
        """Every file in the inventory's order. Raises `Corrupt` when the streams do not belong together.

        Lines are only split here: `streams.fetch_streams` has checked each before anything else may see them.
        """
        first = 0
        with ExitStack() as stack:
            lines = stack.enter_context(self.path(RecipeStream.INVENTORY).open("rb", buffering=1 << 18))
            layout = recipe.read_layout(stack.enter_context(self.path(RecipeStream.LAYOUT).open("rb")))
            for line, (text, described) in enumerate(zip_longest(lines, layout)):
                if text is None or described is None:
                    raise self.damaged()
                size, chunks = described
                yield File(line, text[66:-1].decode(), text[:64].decode("ascii"), size, first, chunks)
                first += chunks

    @contextmanager
    def table(self) -> Generator[Table]:
        """TABLE for random access; 36 bytes a chunk."""
        with self.path(RecipeStream.TABLE).open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                yield b""
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                yield mapped

    def stats(self, name: str = "stat") -> Iterator[FileStat]:
        """What each file looked like when it was applied, in the inventory's order."""
        with (self.folder / name).open("rb") as file:
            while piece := file.read(STAT.size * 4096):
                for values in STAT.iter_unpack(piece):
                    yield FileStat(*values)

    def damaged(self) -> Corrupt:
        """The error (RECORD_DAMAGED) for a record that contradicts itself."""
        return Corrupt(
            f"the record {self.folder} is damaged",
            remedy="the next pass sets it aside and checks the mirror anew",
            reason="RECORD_DAMAGED",
        )

    def set_aside(self) -> Path:
        """Keep what is damaged for whoever wants to know why, in place of what was kept before."""
        aside = self.folder.with_name(f"{self.name}{DAMAGED}")
        shutil.rmtree(aside, ignore_errors=True)
        durable.rename(self.folder, aside)
        return aside

    def remove(self) -> None:
        """Forget the version."""
        shutil.rmtree(self.folder, ignore_errors=True)
