"""A reader of places, and a node's state with a published folder."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.names import DatasetId
from node.geo.place import Place
from node.geo.places import Places
from node.geo.reader import Kind, Reader, ReaderLimits
from node.publish.records import PublishRecords, Seen
from node.room import Room
from node.scan import stat_of
from node.snapshot import stat_of_database
from node.state import NodeState

Read = Callable[..., Place]


@pytest.fixture(scope="session")
def read() -> Iterator[Read]:
    """`read(kind, path, …)` in a process apart."""
    with Reader() as reader:

        def one(kind: Kind, *paths: Path) -> Place:
            descriptors = [os.open(path, os.O_RDONLY) for path in paths]
            try:
                return reader.read(kind, descriptors)
            finally:
                for each in descriptors:
                    os.close(each)

        yield one


@dataclass
class Published:
    """A dataset whose folder was published as it stood."""

    state: NodeState
    folder: Path
    dataset: DatasetId

    def publish(self, *, racy: bool = False) -> None:
        """Note every file in the folder as hashed and published, as a commit does."""
        seen: list[tuple[str, Seen]] = []
        for path in sorted(self.folder.rglob("*")):
            stat = stat_of_database(path) if path.suffix == ".gpkg" else stat_of(os.fspath(path))
            if stat is None or path.name.endswith(("-wal", "-shm")) or path.is_dir():
                continue
            data = path.read_bytes()
            digest = hashlib.sha256(data).digest()
            seen.append((path.relative_to(self.folder).as_posix(), Seen(stat, racy, digest, len(data))))
        PublishRecords(self.state, self.dataset).store_hashed(seen, [])
        with self.state.writing() as database:
            database.conn.execute("DELETE FROM published")
            database.conn.executemany(
                "INSERT INTO published VALUES (?, ?, ?, ?)",
                [(self.dataset, path, each.sha256, each.bytes) for path, each in seen],
            )

    def places(self, limits: ReaderLimits = ReaderLimits(), files_max: int = 2_000) -> Places:  # noqa: B008
        return Places(self.state, Room(), limits=limits, files_max=files_max)


@pytest.fixture
def published(tmp_path: Path) -> Iterator[Published]:
    folder = tmp_path / "folder"
    folder.mkdir()
    state = NodeState(tmp_path / "state")
    yield Published(state, folder, DatasetId("la-dgm/geology"))
    state.close()
