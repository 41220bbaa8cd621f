"""never_a_mix: who resolves a mirror's `current` once sees one version, whole, never files of two."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.names import DatasetId
from sync.chunking import chunk_id
from sync.compression import encode
from sync.frames import pack_frame, unpack
from tests.simulation.oracle import check_mirrored_version, resolve
from tests.simulation.seeded import run, seeds
from tests.simulation.world import SimNode, World

DATASET = "la-dgm/geology"


@pytest.mark.parametrize("seed", seeds())
def test_never_a_mix(seed: int):
    run(seed).check("never_a_mix")


@pytest.fixture
def world(fast_path: Path) -> Iterator[World]:
    with World(fast_path, ["la-dgm", "th-dmr"]) as made:
        made.nodes["la-dgm"].publishes("geology", [{"with": ["th-dmr"], "allow": ["read"]}])
        publish(made, 1)
        yield made


def publish(world: World, number: int) -> None:
    """Version `number`: every file says which version it is of, but for one that never changes."""
    owner = world.nodes["la-dgm"]
    chance = random.Random(number)
    owner.write("geology", "small.txt", b"version %d" % number)
    owner.write("geology", "maps/large.bin", b"%d" % number + chance.randbytes(6_000))
    owner.write("geology", f"maps/only-in-{number}", b"here")
    (owner.folder("geology") / f"maps/only-in-{number - 1}").unlink(missing_ok=True)
    if number == 1:
        owner.write("geology", "same.bin", random.Random(0).randbytes(3_000))
    world.clock.advance(60)
    assert owner.sync_pass(subscribe=False).errors == []


def seen(reader: SimNode) -> bytes | None:
    """What a user of the mirror sees now, if it is a whole version: its number."""
    version = resolve(reader.mirror(DATASET))
    if version is None:
        return None
    return check_mirrored_version(version)[1]["small.txt"]


def test_never_a_mix_at_every_durable_step(world: World):
    """Somebody looks at every step of two updates; the node is killed at each step of a third, in turn."""
    reader = world.nodes["th-dmr"]
    sights: list[bytes | None] = []
    trouble: list[BaseException] = []

    def look(who: str, *_: Any) -> None:
        if who == "th-dmr":
            try:
                sights.append(seen(reader))
            except (AssertionError, OSError) as error:
                trouble.append(error)

    world.disk.watchers.append(look)
    world.watchers.append(look)
    for number in (1, 2):
        if number > 1:
            publish(world, number)
        assert reader.sync_pass(publish=False).errors == []
    assert trouble == []
    changes = [sight for at, sight in enumerate(sights) if at == 0 or sight != sights[at - 1]]
    assert changes == [None, b"version 1", b"version 2"]

    steps = len([each for each in world.disk.steps if each[0] == "th-dmr"])
    publish(world, 3)
    for after in range(steps):
        world.disk.kill("th-dmr", after)
        result = reader.sync_pass(publish=False)
        assert trouble == []
        if result.error is None and seen(reader) == b"version 3":
            break
    else:
        pytest.fail("a pass without a kill was never reached")
    assert after > 5 and trouble == []


def test_never_a_mix_for_a_reader_who_resolved_before_the_update(world: World):
    """A program that works in what `current` named keeps seeing that version, whole, for a day."""
    reader = world.nodes["th-dmr"]
    reader.sync_pass(publish=False)
    resolved = resolve(reader.mirror(DATASET))
    assert resolved is not None
    folder = os.open(resolved, os.O_RDONLY)
    for number in (2, 3, 4):
        publish(world, number)
        assert reader.sync_pass(publish=False).errors == []
        assert check_mirrored_version(resolved)[1]["small.txt"] == b"version 1"
    assert sorted(os.listdir(folder)) == [".syncline", "maps", "same.bin", "small.txt"]
    os.close(folder)


def test_never_a_mix_an_edit_between_the_look_and_the_link(world: World):
    """A file of the old version is edited after it was found intact, before it is linked into the new one."""
    reader = world.nodes["th-dmr"]
    reader.sync_pass(publish=False)
    publish(world, 2)
    old = resolve(reader.mirror(DATASET))
    assert old is not None

    def edit(_who: str, call: str, arguments: tuple[Any, ...], _answer: Any) -> None:
        if call == "read_blobs" and arguments[2].name == "CONTENT":
            (old / "same.bin").chmod(0o644)
            (old / "same.bin").write_bytes(b"edited in the meantime")

    world.watchers.append(edit)
    reader.sync_pass(publish=False)
    assert (old / "same.bin").read_bytes() == b"edited in the meantime"
    assert seen(reader) == b"version 2"


Tamper = Callable[[bytes], bytes]


@pytest.mark.parametrize("kind", ["a bit", "another chunk"])
def test_never_a_mix_of_what_came_altered(world: World, kind: str):
    """Bytes altered on the way, with or without an id that fits: the version is refused, the old stays."""
    reader = world.nodes["th-dmr"]
    reader.sync_pass(publish=False)
    publish(world, 2)
    real = reader.link.api.read_blobs

    def altered(*arguments: Any) -> Iterator[bytes]:
        for frame in real(*arguments):
            if arguments[2].name != "CONTENT":
                yield bytes(frame)
                continue
            chunks = list(unpack(frame, world.limits))
            data = b"x" * chunks[0].raw_bytes
            id_ = chunk_id(data) if kind == "another chunk" else chunks[0].id
            chunks[0] = encode(id_, data)
            yield pack_frame(chunks, world.limits)

    reader.link.api.read_blobs = altered  # type: ignore[method-assign]
    result = reader.sync_pass(publish=False)
    assert [getattr(error, "exit_status", 0) for error in result.errors] == [7]
    assert seen(reader) == b"version 1"
    reader.link.api.read_blobs = real  # type: ignore[method-assign]
    assert reader.sync_pass(publish=False).errors == []
    assert seen(reader) == b"version 2"


def test_never_a_mix_of_what_the_owner_did_not_sign(world: World):
    """The recipe lists other chunks than those of the signed file: the hub, or who uploaded, lies."""
    from tests.simulation.federation import build_version, upload

    reader, federation = world.nodes["th-dmr"], world.federation
    reader.sync_pass(publish=False)
    head = list(federation.api("la-dgm").list_versions(DatasetId(DATASET), 1))[-1]
    from tests.simulation.oracle import statement_id

    honest = {"small.txt": b"version 2", "other.txt": b"as signed"}
    forged = {**honest, "other.txt": b"another"}
    lie = build_version(federation, "la-dgm", "geology", forged)
    version = build_version(
        federation,
        "la-dgm",
        "geology",
        honest,
        seq=2,
        prev=statement_id(head),
        bytes=sum(map(len, forged.values())),
    )
    from sync.recipe import Root

    root, other = Root.from_bytes(version.root), Root.from_bytes(lie.root)
    mixed = Root(root.parameters, root.inventory, other.layout, other.table).to_bytes()
    upload(federation, "la-dgm", [*version.chunks, *lie.chunks])
    federation.api("la-dgm").commit_version(version.envelope, mixed)
    result = reader.sync_pass(publish=False)
    assert [getattr(error, "reason", "") for error in result.errors] == ["WRONG_CONTENT"]
    assert seen(reader) == b"version 1"
