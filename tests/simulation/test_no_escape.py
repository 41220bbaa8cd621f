"""no_escape: no name in a manifest can touch a path outside the mirror, whatever links an attacker plants.

Two attackers: an owner and a hub that conspire, who sign and deliver any name they like; and somebody on the
subscriber's machine who can write into the mirror (never outside of it) at any moment.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from core.errors import InvalidInput, Untrusted
from core.names import DatasetId
from sync.chunking import chunk_id
from sync.compression import encode
from sync.frames import pack
from sync.ports import ChunkId, DatasetEntry, Evidence, Listing, StoredChunk, VersionDetail
from sync.recipe import (
    ChunkRef,
    LayoutEntry,
    Parameters,
    Root,
    cut_stream,
    write_layout,
    write_table,
)
from tests.simulation.federation import build_version, sha256_of_payload, upload
from tests.simulation.forged_log import ForgedLog
from tests.simulation.world import SimNode, World

DATASET = DatasetId("la-dgm/geology")
FILES = {"a.txt": b"alpha" * 50, "maps/one.geojson": b"one" * 200, "z.bin": bytes(range(256)) * 8}
SECRET = b"the subscriber's own file"

ILLEGAL = [
    "../escaped",
    "../../escaped",
    "maps/../../../escaped",
    "a/../../../../../../../../escaped",
    "/escaped",
    "//escaped",
    "./escaped",
    "a//escaped",
    "a/./escaped",
    "..",
    ".",
    "escaped/",
    ".syncline/manifest.json",
    ".SYNCLINE/manifest.json",
    ".Syncline",
    "a\\..\\..\\escaped",
    "a\nescaped",
    "a\x00escaped",
    "a\u2028b",
    "cafe\u0301",
    "x" * 300,
    "/".join("d" * 70),
]


class Outside:
    """Everything around the mirror: it must stay as it is, byte for byte, names and rights included."""

    def __init__(self, node: SimNode) -> None:
        self.home = node.home
        self.folder = node.home / "outside"
        (self.folder / "maps").mkdir(parents=True)
        for name in ("secret.txt", "a.txt", "z.bin", "maps/one.geojson"):
            (self.folder / name).write_bytes(SECRET)
        self._before = self._look()

    def check(self) -> None:
        assert self._look() == self._before
        assert {path.name for path in self.home.iterdir()} <= {"outside", "state", "mirror", "data"}
        assert not list(self.home.parent.rglob("escaped*")) and not Path("/escaped").exists()

    def _look(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for path in [self.folder, *sorted(self.folder.rglob("*"))]:
            status = path.lstat()
            held = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (held, status.st_mode, status.st_ino, status.st_uid)
        return found


@pytest.fixture
def world(fast_path: Path) -> Iterator[World]:
    with World(fast_path, ["la-dgm", "th-dmr"]) as made:
        made.nodes["la-dgm"].publishes("geology", [{"with": ["th-dmr"], "allow": ["read"]}])
        for path, data in FILES.items():
            made.nodes["la-dgm"].write("geology", path, data)
        yield made


def sync(world: World, who: str) -> list[BaseException]:
    world.clock.advance(60)
    return world.nodes[who].sync_pass().errors


# --- names ---------------------------------------------------------------------------------------------


def evil_recipe(world: World, names: list[str]) -> tuple[bytes, Root, dict[ChunkId, StoredChunk], int]:
    """An inventory of these names, unchecked, and all that belongs to it."""
    data = b"evil" * 20
    chunks: dict[ChunkId, StoredChunk] = {}

    def sink(id_: ChunkId, piece: bytes | memoryview) -> None:
        chunks[id_] = encode(id_, bytes(piece))

    ordered = sorted(names, key=lambda name: name.encode())
    digest = hashlib.sha256(data).hexdigest()
    inventory = "".join(f"{digest}  {name}\n" for name in ordered).encode()
    layout, table = BytesIO(), BytesIO()
    for _ in ordered:
        sink(chunk_id(data), data)
        write_layout(LayoutEntry(len(data), 1), layout)
        write_table(ChunkRef(chunk_id(data), len(data)), table)
    streams = [BytesIO(inventory), layout, table]
    for stream in streams:
        stream.seek(0)
    refs = [cut_stream(stream, sink, world.limits) for stream in streams]
    return inventory, Root(Parameters.of(world.limits), *refs), chunks, len(data) * len(ordered)


class EvilHub:
    """The hub's answers, with one version of the attackers' making; everything else is the real hub's."""

    def __init__(self, real: Any, world: World, names: list[str]) -> None:
        self._real = real
        self._federation = world.federation
        self._limits = world.limits
        inventory, self._root, self.chunks, size = evil_recipe(world, names)
        good = build_version(
            world.federation,
            "la-dgm",
            "geology",
            FILES,
            inventory_sha256=hashlib.sha256(inventory).hexdigest(),
            files=len(names),
            bytes=size,
        )
        self.envelope = good.envelope
        self.id = sha256_of_payload(good.envelope)
        self._content = [chunk_id(b"evil" * 20)] * len(names)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    @property
    def root(self) -> bytes:
        return self._root.to_bytes(self._limits)

    def list_datasets(self, _etag: str | None) -> Listing:
        return Listing((DatasetEntry(DATASET, self.id, 1, 1, True, True),), "evil")

    def list_versions(self, _dataset: DatasetId, _from_seq: int) -> Iterator[bytes]:
        return iter([self.envelope])

    def get_version(self, dataset: DatasetId, _id: str) -> VersionDetail:
        policy = list(self._real.list_policies(dataset, 1))[-1]
        return VersionDetail(self.envelope, policy, self.root)

    def get_evidence(self, dataset: DatasetId, _id: str) -> Evidence:
        policy = list(self._real.list_policies(dataset, 1))[-1]
        return ForgedLog(self._federation).prove("th-dmr", self.envelope, policy)

    def read_blobs(self, _dataset: DatasetId, _id: str, stream: Any, ranges: Any) -> Iterator[bytes]:
        ids = self._content if stream.name == "CONTENT" else [r.id for r in self._root.refs(stream)]
        wanted = [self.chunks[id_] for each in ranges for id_ in ids[each.first : each.first + each.count]]
        return pack(wanted, self._limits)


def test_no_escape_a_signed_name_that_leaves_the_mirror(world: World):
    """Owner and hub conspire: the subscriber refuses the whole version, and nothing is touched."""
    reader = world.nodes["th-dmr"]
    outside = Outside(reader)
    real = reader.link
    assert sync(world, "la-dgm") == []
    for name in ILLEGAL:
        reader.link = EvilHub(real, world, ["a.txt", name])  # type: ignore[assignment]
        errors = sync(world, "th-dmr")
        assert [type(error) for error in errors] in ([Untrusted], [InvalidInput]), (name, errors)
        assert reader.files(DATASET) is None, name
        outside.check()
        forget(reader)


def test_no_escape_the_control_the_same_way_with_legal_names_arrives(world: World):
    reader = world.nodes["th-dmr"]
    assert sync(world, "la-dgm") == []
    reader.link = EvilHub(reader.link, world, ["a.txt", "maps/b.txt"])  # type: ignore[assignment]
    sync(world, "th-dmr")
    assert set(reader.files(DATASET) or ()) == {"a.txt", "maps/b.txt"}


def test_no_escape_the_hub_takes_no_such_name(world: World):
    owner = world.nodes["la-dgm"]
    for path in FILES:
        (owner.folder("geology") / path).unlink()
    sync(world, "la-dgm")  # the policy alone
    for name in ILLEGAL:
        evil = EvilHub(owner.link, world, ["a.txt", name])
        upload(world.federation, "la-dgm", list(evil.chunks.values()))
        with pytest.raises((Untrusted, InvalidInput)):
            world.federation.api("la-dgm").commit_version(evil.envelope, evil.root)
    good = EvilHub(owner.link, world, ["a.txt", "maps/b.txt"])
    upload(world.federation, "la-dgm", list(good.chunks.values()))
    world.federation.api("la-dgm").commit_version(good.envelope, good.root)


def forget(node: SimNode) -> None:
    """The node has never heard of the dataset."""
    node.close()
    for path in node.state_dir.glob("state.sqlite*"):
        path.unlink()


# --- links ---------------------------------------------------------------------------------------------

Plant = Callable[[Path, Path], None]


def link_owner(mirror: Path, outside: Path) -> None:
    mirror.parent.parent.mkdir(parents=True, exist_ok=True)
    if not mirror.parent.exists():
        mirror.parent.symlink_to(outside)


def link_dataset(mirror: Path, outside: Path) -> None:
    mirror.parent.mkdir(parents=True, exist_ok=True)
    replace(mirror, outside)


def link_versions(mirror: Path, outside: Path) -> None:
    mirror.mkdir(parents=True, exist_ok=True)
    replace(mirror / "versions", outside)


def link_staging(mirror: Path, outside: Path) -> None:
    mirror.mkdir(parents=True, exist_ok=True)
    replace(mirror / ".staging", outside)


def link_current(mirror: Path, outside: Path) -> None:
    mirror.mkdir(parents=True, exist_ok=True)
    replace(mirror / "current", outside)


def folder_as_current(mirror: Path, _outside: Path) -> None:
    mirror.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(mirror / "current"):
        (mirror / "current").mkdir()


def link_staged_folder(mirror: Path, outside: Path) -> None:
    for staged in staged_versions(mirror):
        replace(staged / "maps", outside / "maps")


def link_staged_file(mirror: Path, outside: Path) -> None:
    for staged in staged_versions(mirror):
        for name in ("a.txt", "z.bin"):
            replace(staged / name, outside / name)


def hard_link_staged_file(mirror: Path, outside: Path) -> None:
    """Another name of a file of the subscriber's, where a file is to be written: content must not change."""
    for staged in staged_versions(mirror):
        for name in ("a.txt", "z.bin"):
            (staged / name).unlink(missing_ok=True)
            os.link(outside / name, staged / name)


def link_staged_evidence(mirror: Path, outside: Path) -> None:
    for staged in staged_versions(mirror):
        replace(staged / ".syncline", outside)


def link_staged_version(mirror: Path, outside: Path) -> None:
    (mirror / ".staging").mkdir(parents=True, exist_ok=True)
    for staged in staged_versions(mirror):
        replace(staged, outside)


def link_old_file(mirror: Path, outside: Path) -> None:
    """In the version that is there: what the next one is built from."""
    for version in (mirror / "versions").glob("*"):
        replace(version / "z.bin", outside / "z.bin")


def link_old_folder(mirror: Path, outside: Path) -> None:
    for version in (mirror / "versions").glob("*"):
        replace(version / "maps", outside / "maps")


PLANTS: list[Plant] = [
    link_owner,
    link_dataset,
    link_versions,
    link_staging,
    link_current,
    folder_as_current,
    link_staged_folder,
    link_staged_file,
    hard_link_staged_file,
    link_staged_evidence,
    link_staged_version,
    link_old_file,
    link_old_folder,
]


def replace(path: Path, target: Path) -> None:
    """A link in the place of whatever is there."""
    if path.is_symlink():
        return
    if path.exists():
        path.rename(path.with_name(f"{path.name}-aside-{os.urandom(2).hex()}"))
    if path.parent.is_dir():
        path.symlink_to(target)


def staged_versions(mirror: Path) -> list[Path]:
    return [path for path in (mirror / ".staging").glob("*") if path.is_dir() and not path.is_symlink()]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda each: each.__name__)
@pytest.mark.parametrize(
    "moment",
    [
        "between",
        "at every step",
        pytest.param("before", marks=pytest.mark.soak),
        pytest.param("within", marks=pytest.mark.soak),
    ],
)
def test_no_escape_links_that_somebody_plants(world: World, plant: Plant, moment: str):
    owner, reader = world.nodes["la-dgm"], world.nodes["th-dmr"]
    outside = Outside(reader)
    mirror = reader.mirror(DATASET)
    assert sync(world, "la-dgm") == []
    if moment == "before":
        plant(mirror, outside.folder)
    sync(world, "th-dmr")
    outside.check()
    owner.write("geology", "a.txt", b"beta" * 60)
    owner.write("geology", "maps/two.geojson", b"two" * 300)
    owner.write("geology", "z.bin", bytes(range(256)) * 9)
    assert sync(world, "la-dgm") == []
    if moment == "between":
        plant(mirror, outside.folder)
    elif moment == "within":
        world.watchers.append(at_call("read_blobs", 3, lambda: plant(mirror, outside.folder)))
    elif moment == "at every step":
        world.watchers.append(at_call("read_blobs", 0, lambda: plant(mirror, outside.folder)))
        world.disk.watchers.append(lambda who, *_: plant(mirror, outside.folder) if who == "th-dmr" else None)
    for _ in range(2):
        sync(world, "th-dmr")
        outside.check()
    assert not any(
        path.read_bytes() == SECRET
        for version in (mirror / "versions").glob("*")
        if not version.is_symlink() and not (mirror / "versions").is_symlink() and mirror.is_dir()
        for path in version.rglob("*")
        if path.is_file() and not path.is_symlink() and path.stat().st_nlink == 1
    ), "what lies outside is not copied in"


def at_call(call: str, number: int, act: Callable[[], None]) -> Callable[..., None]:
    """A watcher that acts at the n-th answer of a call (0: at each)."""
    seen = 0

    def watch(_who: str, name: str, _arguments: Any, _answer: Any) -> None:
        nonlocal seen
        if name == call:
            seen += 1
            if number in (0, seen):
                act()

    return watch
