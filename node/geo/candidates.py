"""Which files of a published version may say where or when the data are, and as what they stand published.

    for candidate in candidates(state, dataset, count_max=2_000): ...

Told by their names, in the order of the paths, from what was published and last hashed: nothing is opened.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from core.names import DatasetId
from node.geo.reader import Kind
from node.scan import Stat
from node.state import NodeState

#: Changes when readers come to say something else of the same bytes: what was remembered is then forgotten.
READERS_VERSION = 1

_SUFFIXES: dict[str, Kind] = {
    "tif": "geotiff",
    "tiff": "geotiff",
    "gpkg": "geopackage",
    "shp": "shapefile",
    "geojson": "geojson",
    "json": "geojson",
    "mseed": "miniseed",
    "miniseed": "miniseed",
    "msd": "miniseed",
}
#: SeisComP's archive names files by network, station, location, channel, kind, year and day.
_ARCHIVED = re.compile(r"[A-Z0-9]{1,2}\.[A-Z0-9]{1,5}\.[A-Z0-9]{0,2}\.[A-Z0-9]{3}\.D\.\d{4}\.\d{3}")


@dataclass(frozen=True, slots=True)
class Part:
    """A published file. `stat` is how it was when its content was hashed; None where that is not sure."""

    path: str
    sha256: bytes
    stat: Stat | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to read, with what it needs beside it."""

    kind: Kind
    parts: tuple[Part, ...]

    @property
    def path(self) -> str:
        """Of the file itself."""
        return self.parts[0].path

    @property
    def key(self) -> bytes:
        """What its place depends on: the contents, and who reads them how."""
        digest = sha256(f"{self.kind} {READERS_VERSION}\n".encode())
        for part in self.parts:
            digest.update(part.sha256)
        return digest.digest()


def kind_of(path: str) -> Kind | None:
    """What a file of that name should be; None: nothing that is looked at."""
    name = path.rpartition("/")[2]
    kind = _SUFFIXES.get(name.rpartition(".")[2].lower()) if "." in name else None
    return "miniseed" if kind is None and _ARCHIVED.fullmatch(name) else kind


def candidates(state: NodeState, dataset: DatasetId) -> Iterator[Candidate]:
    """All of the last accepted version, by path."""
    rows = state.database.conn.execute(f"{_PUBLISHED} ORDER BY p.path", (dataset,))
    for row in rows:
        kind = kind_of(str(row[0]))
        if kind is None:
            continue
        part = _part(row)
        beside = _beside(state, dataset, part.path) if kind == "shapefile" else None
        yield Candidate(kind, (part,) if beside is None else (part, beside))


_PUBLISHED = (
    "SELECT p.path, p.sha256, s.size, s.mtime_ns, s.ctime_ns, s.inode, s.wal, s.racy, s.sha256"
    " FROM published p LEFT JOIN seen s ON s.dataset = p.dataset AND s.path = p.path WHERE p.dataset = ?"
)


def _part(row: tuple[object, ...]) -> Part:
    path, published = str(row[0]), row[1]
    assert isinstance(published, bytes)
    # Racy: the file may have changed within the same instant as it was hashed, and look the same.
    certain = row[2] is not None and not row[7] and row[8] == published
    return Part(path, published, Stat(*row[2:7]) if certain else None)  # type: ignore[arg-type]


def _beside(state: NodeState, dataset: DatasetId, path: str) -> Part | None:
    stem = path.rpartition(".")[0]
    for suffix in ("prj", "PRJ"):
        row = state.database.conn.execute(
            f"{_PUBLISHED} AND p.path = ?", (dataset, f"{stem}.{suffix}")
        ).fetchone()
        if row is not None:
            return _part(row)
    return None
