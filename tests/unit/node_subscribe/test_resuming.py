"""A pass may stop anywhere: what is done is kept, what is visible is whole, and it converges."""

import os
import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from core import durable
from core.errors import Denied, Unavailable
from node.subscribe import MirrorState
from node.subscribe.mirror import Mirror
from sync.frames import unpack
from sync.ports import HubApi, RecipeStream
from tests.simulation.federation import TestFederation, publish, share
from tests.simulation.in_process_hub import Fault
from tests.unit.node_subscribe.conftest import DATASET, SMALL, MirrorNode, noise
from tests.unit.node_subscribe.tampering import LyingHub

LARGE = {"raster.tif": noise(4_000_000, 3), "small/a": b"a" * 3000, "small/b": noise(9_000, 4)}
STEPS = ("sync_tree", "rename", "fsync_dir", "write", "fsync")


class Killed(BaseException):
    """The process died here."""


def cut_after(count: int) -> Any:
    """A `read_blobs` whose CONTENT breaks after `count` frames."""

    def read(honest: HubApi, *arguments: Any) -> Any:
        for number, frame in enumerate(honest.read_blobs(*arguments)):
            if arguments[2] is RecipeStream.CONTENT and number == count:
                raise Unavailable("the connection broke", reason="CONNECTION")
            yield frame

    return read


@pytest.fixture
def lying(node: MirrorNode) -> LyingHub:
    hub: Any = LyingHub(node.api)
    node.hub = node.api = hub
    return hub


def test_resumes_a_cut_transfer_repeats_at_most_a_frame(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    publish(federation, "la-dgm", "geology", LARGE, read=["th-dmr"])
    lying.replace("read_blobs", cut_after(100))
    first = node.one()
    assert first.state is MirrorState.FAILED and 0 < first.bytes_left < 4_012_000
    fetched: list[int] = []

    def counted(honest: HubApi, *arguments: Any) -> Any:
        for frame in honest.read_blobs(*arguments):
            if arguments[2] is RecipeStream.CONTENT:
                fetched.extend(chunk.raw_bytes for chunk in unpack(frame))
            yield frame

    lying.replace("read_blobs", counted)
    assert node.one().state is MirrorState.UPDATED
    assert node.files() == LARGE
    # The reader batches a MiB between its threads: what was not written yet counts as on its way.
    assert sum(fetched) <= first.bytes_left + SMALL.frame_bytes_max
    assert sum(fetched) < 3_000_000


def test_resumes_into_a_newer_version_with_what_was_staged(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    publish(federation, "la-dgm", "geology", LARGE, read=["th-dmr"])
    lying.replace("read_blobs", cut_after(120))
    node.sync()
    newer = {**LARGE, "small/a": b"newer", "zz": b"added"}
    publish(federation, "la-dgm", "geology", newer)
    lying.honest_again()
    before = node.hub.bytes_down
    assert node.one().state is MirrorState.UPDATED
    assert node.files() == newer
    assert node.hub.bytes_down - before < 2_500_000
    assert os.listdir(node.mirror / ".staging") == []


def test_a_staged_file_that_was_altered_is_not_believed(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    publish(
        federation, "la-dgm", "geology", {"a": noise(90_000, 8), "b": noise(2_000_000, 1)}, read=["th-dmr"]
    )
    lying.replace("read_blobs", cut_after(40))
    node.sync()
    [staging] = (node.mirror / ".staging").iterdir()
    staged = staging / "a"
    staged.chmod(0o644)
    data = bytearray(staged.read_bytes())
    data[500] ^= 1
    staged.write_bytes(data)
    (staging / "planted").write_text("not of this version")
    lying.honest_again()
    assert node.one().state is MirrorState.UPDATED
    assert node.files() == {"a": noise(90_000, 8), "b": noise(2_000_000, 1)}


@pytest.mark.parametrize("nth", range(0, 40, 3))
def test_never_a_mix_killed_at_any_durable_step(
    federation: TestFederation, node: MirrorNode, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """Whatever step is the last one: `current` is the old version or the new one, whole."""
    old = {"a": b"old", "b": noise(20_000, 1), "same": b"same"}
    new = {"a": b"new", "b": noise(20_000, 2), "same": b"same", "c": b"more"}
    publish(federation, "la-dgm", "geology", old, read=["th-dmr"])
    node.sync()
    publish(federation, "la-dgm", "geology", new)
    count = 0

    def kill(step: str, path: Path) -> None:
        nonlocal count
        count += 1
        if count > nth:
            raise Killed

    monkeypatch.setattr(durable, "fault_hook", kill)
    with suppress(Killed):
        node.sync()
    monkeypatch.setattr(durable, "fault_hook", durable._no_fault)
    assert node.files() in (old, new)
    assert node.one().state in (MirrorState.UPDATED, MirrorState.CURRENT)
    assert node.files() == new
    assert node.one().acknowledged


@pytest.mark.parametrize("seed", range(6))
def test_converges_under_faults(federation: TestFederation, node: MirrorNode, seed: int) -> None:
    """Whatever the network does, when it stops each mirror is the newest version, and was never a mix."""
    chance = random.Random(seed)
    versions: list[dict[str, bytes]] = []
    node.faults.random.seed(seed)
    for number in range(4):
        files = {
            f"d{chance.randrange(4)}/f{n}": noise(chance.randrange(60_000), chance.randrange(8))
            for n in range(8)
        }
        versions.append({"number": str(number).encode(), **files})
        publish(federation, "la-dgm", "geology", versions[-1], read=["th-dmr"])
        node.faults.rate = 0.3
        for _ in range(3):
            with suppress(Unavailable):  # the listing itself may fail
                node.sync()
            if node.current.exists():
                assert node.files() in versions
    node.faults.stop()
    assert node.one().error is None
    assert node.files() == versions[-1]
    assert node.one().acknowledged


def test_an_acknowledgement_waits_for_a_hub_that_is_away(
    federation: TestFederation, node: MirrorNode
) -> None:
    publish(federation, "la-dgm", "geology", LARGE, read=["th-dmr"])
    node.faults.script("acknowledge", Fault.REQUEST_LOST)
    outcome = node.one()
    assert outcome.state is MirrorState.UPDATED and not outcome.acknowledged
    node.faults.script("acknowledge", Fault.ANSWER_LOST)
    assert not node.one().acknowledged
    assert node.one().acknowledged


def test_a_grant_that_ends_midway_keeps_what_was_received(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    publish(federation, "la-dgm", "geology", {"a": b"1"}, read=["th-dmr"])
    node.sync()
    publish(federation, "la-dgm", "geology", LARGE)

    def denied(honest: HubApi, *arguments: Any) -> Any:
        for number, frame in enumerate(honest.read_blobs(*arguments)):
            if arguments[2] is RecipeStream.CONTENT and number == 60:
                share(federation, "la-dgm", "geology", read=["vn-dgm"])
                raise Denied("no more", reason="DENIED")
            yield frame

    lying.replace("read_blobs", denied)
    outcome = node.one()
    assert (outcome.state, outcome.seq) == (MirrorState.GRANT_ENDED, 1)
    assert node.files() == {"a": b"1"}
    assert os.listdir(node.mirror / ".staging")
    lying.honest_again()
    assert node.one().state is MirrorState.GRANT_ENDED
    share(federation, "la-dgm", "geology", read=["th-dmr"])
    assert node.one().state is MirrorState.UPDATED
    assert node.files() == LARGE


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(
    federation: TestFederation, node: MirrorNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(federation, "la-dgm", "geology", LARGE, read=["th-dmr"])
    monkeypatch.setattr(Mirror, "free_bytes", lambda _: 1_000_000)
    outcome = node.one()
    assert isinstance(outcome.error, Unavailable) and outcome.error.reason == "DISK_FULL"
    assert "1.0 MB are free there, 4.0 MB are needed" in outcome.error.message
    assert "free 3.0 MB on that disk; it goes on by itself" in outcome.error.remedy
    monkeypatch.undo()
    assert node.one().state is MirrorState.UPDATED


def test_a_disk_that_fills_up_midway_keeps_what_was_staged(
    federation: TestFederation, node: MirrorNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(federation, "la-dgm", "geology", LARGE, read=["th-dmr"])
    real, written = os.writev, 0

    def writev(descriptor: int, buffers: Any) -> int:
        nonlocal written
        written += sum(map(len, buffers))
        if written > 2_500_000:
            raise OSError(28, "No space left on device")
        return real(descriptor, buffers)

    monkeypatch.setattr(os, "writev", writev)
    outcome = node.one()
    assert isinstance(outcome.error, Unavailable) and outcome.error.reason == "DISK_FULL"
    assert "bytes are missing" in outcome.error.message
    monkeypatch.undo()
    before = node.hub.bytes_down
    assert node.one().state is MirrorState.UPDATED
    assert node.hub.bytes_down - before < 2_500_000


def test_a_lost_database_adopts_the_mirror_without_fetching_it(
    federation: TestFederation, node: MirrorNode
) -> None:
    publish(federation, "la-dgm", "geology", LARGE, read=["th-dmr"])
    node.sync()
    for path in node.state_dir.glob("state.sqlite*"):
        path.unlink()
    before = node.hub.bytes_down
    assert node.one().state is MirrorState.UPDATED
    assert node.hub.bytes_down - before < 10_000
    assert node.files() == LARGE


def test_a_lost_state_directory_adopts_the_mirror_after_hashing_it(
    federation: TestFederation, node: MirrorNode
) -> None:
    publish(federation, "la-dgm", "geology", LARGE, read=["th-dmr"])
    node.sync()
    for path in node.state_dir.glob("state.sqlite*"):
        path.unlink()
    shutil.rmtree(node.state_dir / "mirrors")
    before = node.hub.bytes_down
    assert node.one().state is MirrorState.UPDATED
    assert node.hub.bytes_down - before < 60_000  # the recipe, not the content
    inode = (node.current / "raster.tif").stat().st_ino
    publish(federation, "la-dgm", "geology", {**LARGE, "new": b"1"})
    node.sync()
    assert (node.current / "raster.tif").stat().st_ino == inode


@pytest.mark.parametrize("name", ["stat", "layout", "inventory"])
def test_a_damaged_record_is_set_aside_and_the_mirror_adopted_after_hashing_it(
    federation: TestFederation, node: MirrorNode, name: str
) -> None:
    publish(federation, "la-dgm", "geology", LARGE, read=["th-dmr"])
    node.sync()
    (file,) = (node.state_dir / "mirrors").glob(f"*/*/{name}")
    record = file.parent
    with file.open("r+b") as opened:
        opened.truncate(7)
    before = node.hub.bytes_down
    outcome = node.one()
    assert outcome.error is None and outcome.state is MirrorState.UPDATED
    assert "damaged" in outcome.attention[0] and f"{record}.damaged" in outcome.attention[0]
    assert node.hub.bytes_down - before < 60_000  # the recipe, not the content
    assert (record.with_name(f"{record.name}.damaged") / name).stat().st_size == 7
    assert node.files() == LARGE
    outcome = node.one()
    assert outcome.state is MirrorState.CURRENT and not outcome.attention  # told once


@pytest.mark.parametrize(("name", "fetched_max"), [("stat", 60_000), ("inventory", 10_000_000)])
def test_a_damaged_record_does_not_keep_the_next_version_away(
    federation: TestFederation, node: MirrorNode, name: str, fetched_max: int
) -> None:
    publish(federation, "la-dgm", "geology", LARGE, read=["th-dmr"])
    node.sync()
    (file,) = (node.state_dir / "mirrors").glob(f"*/*/{name}")
    file.write_bytes(b"1234567")
    publish(federation, "la-dgm", "geology", {**LARGE, "new": b"1"})
    before = node.hub.bytes_down
    outcome = node.one()
    assert node.hub.bytes_down - before < fetched_max
    assert outcome.state is MirrorState.UPDATED and "damaged" in outcome.attention[0]
    assert node.files() == {**LARGE, "new": b"1"}
    assert node.one().state is MirrorState.CURRENT


def test_a_mirror_that_was_removed_is_fetched_again(federation: TestFederation, node: MirrorNode) -> None:
    publish(federation, "la-dgm", "geology", LARGE, read=["th-dmr"])
    node.sync()
    shutil.rmtree(node.mirror / "versions")
    assert node.one().state is MirrorState.UPDATED
    assert node.files() == LARGE
    shutil.rmtree(node.root)
    outcome = node.one()
    assert outcome.error is not None and outcome.error.reason == "MIRROR_MISSING"


def test_a_lost_current_link_is_put_back(federation: TestFederation, node: MirrorNode) -> None:
    publish(federation, "la-dgm", "geology", LARGE, read=["th-dmr"])
    node.sync()
    node.current.unlink()
    assert node.one().state is MirrorState.CURRENT
    assert node.files() == LARGE


def test_descriptors_are_given_back(federation: TestFederation, node: MirrorNode) -> None:
    publish(federation, "la-dgm", "geology", LARGE, read=["th-dmr"])
    node.sync()
    before = len(os.listdir("/proc/self/fd"))
    for number in range(5):
        publish(federation, "la-dgm", "geology", {**LARGE, "n": str(number).encode()})
        node.sync()
    assert len(os.listdir("/proc/self/fd")) <= before + 2
    assert DATASET
