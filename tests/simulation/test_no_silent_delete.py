"""no_silent_delete: nothing is deleted anywhere without a version that its owner signed.

Only a file seen to be absent, in a folder seen to be the same and whole, is a removal; whatever else goes
wrong holds the last published state, loudly.
"""

import errno
import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.names import DatasetId
from tests.simulation.oracle import fetch_whole, statement_id
from tests.simulation.seeded import run, seeds
from tests.simulation.world import SimNode, World

DATASET = "la-dgm/geology"
FILES = {
    "a.txt": b"alpha" * 50,
    "maps/one.geojson": b"one" * 100,
    "maps/two.geojson": b"two" * 100,
    "ແຜນທີ່/đứt gãy.csv": "đứt".encode() * 40,
    "z.bin": bytes(range(256)) * 4,
}


@pytest.mark.parametrize("seed", seeds())
def test_no_silent_delete(seed: int):
    run(seed).check("no_silent_delete")


def vanished(folder: Path, _patch: pytest.MonkeyPatch) -> None:
    folder.rename(folder.with_name("moved-away"))


def unmounted(folder: Path, _patch: pytest.MonkeyPatch) -> None:
    """Another, empty folder in its place, as a mount point without its disk."""
    folder.rename(folder.with_name("moved-away"))
    folder.mkdir()


def another_disk(folder: Path, _patch: pytest.MonkeyPatch) -> None:
    folder.rename(folder.with_name("moved-away"))
    shutil.copytree(folder.with_name("moved-away"), folder)
    (folder / "a.txt").unlink()


def emptied(folder: Path, _patch: pytest.MonkeyPatch) -> None:
    """Somebody's script went wrong: most files are gone at once, above the guard."""
    for path in list(folder.rglob("*")):
        if path.is_file() and path.name != "a.txt":
            path.unlink()


def became_a_file(folder: Path, _patch: pytest.MonkeyPatch) -> None:
    folder.rename(folder.with_name("moved-away"))
    folder.write_bytes(b"")


def unlistable(folder: Path, patch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refusing(path: Any = ".") -> Any:
        if os.fspath(path).endswith("/geology/maps"):
            raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
        return scandir(path)

    patch.setattr(os, "scandir", refusing)


def broken_root(folder: Path, patch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refusing(path: Any = ".") -> Any:
        if os.fspath(path) == os.fspath(folder):
            raise OSError(errno.EIO, "Input/output error", os.fspath(path))
        return scandir(path)

    patch.setattr(os, "scandir", refusing)


def unreadable(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """The file was touched, so that it must be read, and reading it fails."""
    os.utime(folder / "z.bin", ns=(1, 1))
    open_ = os.open

    def refusing(path: Any, flags: int, *arguments: Any, **keys: Any) -> int:
        if os.fspath(path).endswith("/z.bin"):
            raise OSError(errno.EIO, "Input/output error", path)
        return open_(path, flags, *arguments, **keys)

    patch.setattr(os, "open", refusing)


def became_a_link(folder: Path, _patch: pytest.MonkeyPatch) -> None:
    """A small file, below the guard."""
    (folder / "a.txt").rename(folder.parent / "a.elsewhere")
    (folder / "a.txt").symlink_to(folder.parent / "a.elsewhere")


def became_a_pipe(folder: Path, _patch: pytest.MonkeyPatch) -> None:
    (folder / "a.txt").unlink()
    os.mkfifo(folder / "a.txt")


def folder_became_a_link(folder: Path, _patch: pytest.MonkeyPatch) -> None:
    (folder / "maps").rename(folder.parent / "maps.elsewhere")
    (folder / "maps").symlink_to(folder.parent / "maps.elsewhere")


def collided(folder: Path, _patch: pytest.MonkeyPatch) -> None:
    """A second spelling of a published name appears."""
    decomposed = folder / "ແຜນທີ່" / unicodedata.normalize("NFD", "đứt gãy.csv")
    decomposed.write_bytes(b"which of the two?")


TROUBLES: list[Callable[[Path, pytest.MonkeyPatch], None]] = [
    vanished,
    unmounted,
    another_disk,
    emptied,
    became_a_file,
    unlistable,
    broken_root,
    unreadable,
    became_a_link,
    became_a_pipe,
    folder_became_a_link,
    collided,
]


def shared(world: World) -> tuple[SimNode, SimNode]:
    """An owner with a published folder, and a reader who has it."""
    owner, reader = world.nodes["la-dgm"], world.nodes["th-dmr"]
    owner.publishes("geology", [{"with": ["th-dmr"], "allow": ["read"]}], remove_guard=0.3)
    for path, data in FILES.items():
        owner.write("geology", path, data)
    sync(world)
    assert reader.files(DATASET) == FILES
    return owner, reader


def sync(world: World) -> list[BaseException]:
    world.clock.advance(60)
    return [error for node in world.nodes.values() for error in node.sync_pass().errors]


def newest(world: World) -> set[str]:
    api = world.federation.api("la-dgm")
    head = list(api.list_versions(DatasetId(DATASET), 1))[-1]
    return set(fetch_whole(api, DatasetId(DATASET), statement_id(head), world.limits))


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: each.__name__)
def test_no_silent_delete_at_the_source(
    fast_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Callable[..., None]
):
    with World(fast_path, ["la-dgm", "th-dmr"]) as world:
        owner, reader = shared(world)
        with monkeypatch.context() as patch:
            trouble(owner.folder("geology"), patch)
            world.clock.advance(60)
            result = owner.sync_pass()
            outcome = result.published["geology"]
            assert isinstance(outcome, Exception) or outcome.attention, "it is told, with what to do"
            owner.sync_pass()
        reader.sync_pass()
        assert newest(world) >= set(FILES)
        held = reader.files(DATASET)
        assert held is not None and set(held) == set(FILES)


def test_no_silent_delete_a_real_removal_travels(fast_path: Path):
    """The control: a file that is seen to be absent is removed, by a signed version."""
    with World(fast_path, ["la-dgm", "th-dmr"]) as world:
        owner, reader = shared(world)
        (owner.folder("geology") / "a.txt").unlink()
        sync(world)
        assert newest(world) == set(FILES) - {"a.txt"}
        held = reader.files(DATASET)
        assert held is not None and set(held) == set(FILES) - {"a.txt"}


def test_no_silent_delete_approval_covers_what_was_shown_and_nothing_worse(fast_path: Path):
    with World(fast_path, ["la-dgm", "th-dmr"]) as world:
        owner, reader = shared(world)
        for path in ("a.txt", "maps/one.geojson"):
            (owner.folder("geology") / path).unlink()
        sync(world)
        owner.approve_all()
        (owner.folder("geology") / "maps/two.geojson").unlink()
        sync(world)
        assert reader.files(DATASET) == FILES, "three removals were never approved"
        owner.approve_all()
        sync(world)
        assert set(reader.files(DATASET) or ()) == {"ແຜນທີ່/đứt gãy.csv", "z.bin"}


@pytest.mark.parametrize("end", ["withdrawn", "prohibited", "owner gone from the settings"])
def test_no_silent_delete_what_was_received_stays(fast_path: Path, end: str):
    with World(fast_path, ["la-dgm", "th-dmr"]) as world:
        owner, reader = shared(world)
        share: dict[str, list[dict[str, Any]]] = {
            "withdrawn": [],
            "prohibited": [{"with": ["th-dmr"], "deny": ["discover"]}],
        }
        if end in share:
            owner.sections["geology"]["share"] = share[end]
        else:
            del owner.sections["geology"]
        for _ in range(2):
            sync(world)
        world.clock.advance(3 * 24 * 3600)
        sync(world)
        assert reader.files(DATASET) == FILES


def test_no_silent_delete_of_a_mirror_whose_disk_is_not_mounted(fast_path: Path):
    """An empty folder in the mirror's place is an error, not a reason to forget or to fill another disk."""
    with World(fast_path, ["la-dgm", "th-dmr"]) as world:
        owner, reader = shared(world)
        reader.mirror_root.rename(reader.home / "unmounted")
        reader.mirror_root.mkdir()
        owner.write("geology", "new.txt", b"new")
        errors = sync(world)
        assert [getattr(error, "reason", "") for error in errors] == ["MIRROR_MISSING"]
        assert list(reader.mirror_root.iterdir()) == []
        reader.mirror_root.rmdir()
        (reader.home / "unmounted").rename(reader.mirror_root)
        assert sync(world) == []
        assert reader.files(DATASET) == {**FILES, "new.txt": b"new"}


def test_no_silent_delete_local_edits_in_a_mirror_survive(fast_path: Path):
    with World(fast_path, ["la-dgm", "th-dmr"]) as world:
        owner, reader = shared(world)
        edited = reader.mirror(DATASET) / "current" / "a.txt"
        edited = edited.resolve()
        edited.chmod(0o644)
        edited.write_bytes(b"a note of ours")
        for number in range(4):
            owner.write("geology", "n.txt", b"%d" % number)
            sync(world)
            world.clock.advance(2 * 24 * 3600)
        sync(world)
        assert edited.read_bytes() == b"a note of ours"
        assert (reader.files(DATASET) or {})["a.txt"] == FILES["a.txt"]
