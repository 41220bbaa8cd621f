"""Links that somebody plants, and files that somebody edits, in a mirror."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from core.errors import Untrusted
from node.subscribe import MirrorState
from tests.simulation.federation import TestFederation, publish
from tests.unit.node_subscribe.conftest import MirrorNode, noise
from tests.unit.node_subscribe.tampering import LyingHub
from tests.unit.node_subscribe.test_resuming import cut_after

FILES = {"a.txt": b"alpha", "maps/x": noise(40_000, 7), "maps/y": b"y"}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that nothing may reach; `untouched` checks it."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "precious").write_bytes(b"precious")
    return folder


def untouched(folder: Path) -> bool:
    return [each.name for each in folder.iterdir()] == ["precious"] and (
        folder / "precious"
    ).read_bytes() == b"precious"


@pytest.mark.parametrize(
    "place", ["la-dgm", "la-dgm/geology", "la-dgm/geology/versions", "la-dgm/geology/.staging"]
)
def test_no_escape_through_a_planted_folder_link(
    federation: TestFederation, node: MirrorNode, outside: Path, place: str
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    link = node.root / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    outcome = node.one()
    assert isinstance(outcome.error, Untrusted) and outcome.error.reason == "MIRROR_TAMPERED"
    assert untouched(outside)


@pytest.mark.parametrize("name", ["a.txt", "maps", "maps/y", "extra"])
def test_no_escape_through_links_in_staging(
    federation: TestFederation, node: MirrorNode, outside: Path, name: str
) -> None:
    publish(federation, "la-dgm", "geology", {**FILES, "zz": noise(900_000)}, read=["th-dmr"])
    honest: Any = node.api
    hub: Any = LyingHub(honest)
    node.hub = node.api = hub
    hub.replace("read_blobs", cut_after(1))
    node.sync()
    [staging] = (node.mirror / ".staging").iterdir()
    target = staging / name
    if target.is_dir():
        for each in target.iterdir():
            each.unlink()
        target.rmdir()
    target.unlink(missing_ok=True)
    target.parent.mkdir(exist_ok=True)
    target.symlink_to(outside / "precious" if name != "maps" else outside)
    hub.honest_again()
    outcome = node.one()
    assert isinstance(outcome.error, Untrusted) and outcome.error.reason == "MIRROR_TAMPERED"
    assert untouched(outside)
    target.unlink()
    assert node.one().state is MirrorState.UPDATED


def test_no_escape_a_current_that_is_not_our_link(
    federation: TestFederation, node: MirrorNode, outside: Path
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.sync()
    node.current.unlink()
    node.current.symlink_to(outside)
    publish(federation, "la-dgm", "geology", {"a": b"2"})
    outcome = node.one()
    assert isinstance(outcome.error, Untrusted)
    assert untouched(outside)


def test_no_escape_a_source_replaced_by_a_link(
    federation: TestFederation, node: MirrorNode, outside: Path
) -> None:
    """An old version's file is a link now: it is neither linked forward nor read."""
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.sync()
    victim = node.current.resolve() / "maps/x"
    victim.unlink()
    victim.symlink_to(outside / "precious")
    publish(federation, "la-dgm", "geology", {**FILES, "a.txt": b"2"})
    assert node.one().state is MirrorState.UPDATED
    assert not (node.current / "maps/x").is_symlink()
    assert node.files()["maps/x"] == FILES["maps/x"]
    assert untouched(outside)


def edit(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_local_edit_is_reported_and_kept(federation: TestFederation, node: MirrorNode) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.sync()
    edit(node.current / "a.txt", b"my own notes")
    (node.current / "maps/mine.qgz").write_bytes(b"a project")
    outcome = node.one()
    assert outcome.state is MirrorState.NEEDS_ATTENTION and outcome.needs_attention
    told = "\n".join(outcome.attention)
    assert "a.txt was changed" in told and "maps/mine.qgz does not belong" in told
    assert (node.current / "a.txt").read_bytes() == b"my own notes"


def test_an_edited_version_comes_back_as_it_was_signed_when_it_is_removed_as_told(
    federation: TestFederation, node: MirrorNode
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.sync()
    edited = node.current.resolve()
    edit(edited / "a.txt", b"my own notes")
    assert f"remove {edited}" in node.one().attention[-1]
    shutil.rmtree(edited)
    assert node.one().attention == ()
    assert node.files() == FILES


def test_a_local_edit_is_never_linked_forward_nor_pruned(
    federation: TestFederation, node: MirrorNode
) -> None:
    node.keep = 1
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.sync()
    edited = node.current.resolve()
    edit(edited / "maps/x", b"edited")
    edit(edited / "maps/y", b"z")
    publish(federation, "la-dgm", "geology", {**FILES, "a.txt": b"2"})
    outcome = node.one()
    assert outcome.state is MirrorState.UPDATED and outcome.needs_attention
    assert node.files() == {**FILES, "a.txt": b"2"}
    federation.clock.advance(3 * 24 * 3600)
    for _ in range(2):
        outcome = node.one()
        assert (edited / "maps/x").read_bytes() == b"edited"
        assert any("is kept" in line for line in outcome.attention)
    shutil.rmtree(edited)
    assert node.one().attention == () or node.one().attention == ()


def test_a_file_deleted_in_a_mirror_is_reported_and_comes_back_with_the_next_version(
    federation: TestFederation, node: MirrorNode
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.sync()
    (node.current / "maps/y").unlink()
    assert any("maps/y is missing" in line for line in node.one().attention)
    publish(federation, "la-dgm", "geology", {**FILES, "a.txt": b"2"})
    node.sync()
    assert node.files() == {**FILES, "a.txt": b"2"}


def test_where_links_are_not_to_be_had_files_are_copied(
    federation: TestFederation, node: MirrorNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.sync()

    def no_links(*_: Any, **__: Any) -> None:
        raise OSError(31, "Too many links")

    real = os.link
    monkeypatch.setattr(os, "link", lambda *a, **k: no_links() if "src_dir_fd" in k else real(*a, **k))
    publish(federation, "la-dgm", "geology", {**FILES, "a.txt": b"2", "b": FILES["maps/x"]})
    assert node.one().state is MirrorState.UPDATED
    assert node.files() == {**FILES, "a.txt": b"2", "b": FILES["maps/x"]}
    assert (node.current / "maps/x").stat().st_nlink == 1
