"""converges: faults over, each subscriber holds exactly what the policy grants of the newest version."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.names import DatasetId
from tests.simulation.in_process_hub import Fault
from tests.simulation.oracle import check_mirrored_version, resolve, statement_id
from tests.simulation.seeded import run, seeds
from tests.simulation.world import Restart, World

DATASET = DatasetId("la-dgm/geology")


@pytest.mark.parametrize("seed", seeds())
def test_converges(seed: int):
    run(seed).check("converges")


def two(fast_path: Path) -> World:
    world = World(fast_path, ["la-dgm", "th-dmr", "vn-dgm"])
    owner = world.nodes["la-dgm"]
    owner.publishes("geology", [{"with": ["th-dmr"], "allow": ["read"]}])
    owner.write("geology", "a.txt", b"one" * 200)
    world.clock.advance(60)
    return world


def held(world: World, who: str) -> tuple[str, dict[str, bytes]] | None:
    version = resolve(world.nodes[who].mirror(DATASET))
    return None if version is None else check_mirrored_version(version)


def check(world: World) -> None:
    """th-dmr holds the newest version and vn-dgm nothing."""
    for node in world.nodes.values():
        assert node.sync_pass().errors == []
    owner = world.nodes["la-dgm"]
    versions = list(world.federation.api("la-dgm").list_versions(DATASET, 1))
    assert held(world, "th-dmr") == (statement_id(versions[-1]), owner.listed("geology"))
    assert held(world, "vn-dgm") is None


CALLS = ("publish_policy", "find_missing", "update_blobs", "commit_version", "list_datasets", "get_version")
CALLS += ("list_versions", "read_blobs", "acknowledge", "list_registry", "get_hub_info")


@pytest.mark.parametrize("fault", [Fault.REQUEST_LOST, Fault.ANSWER_LOST])
def test_converges_after_a_lost_request_or_answer_of_any_call(fast_path: Path, fault: Fault):
    """Each call in turn, three times in a row, in the midst of an edit on its way."""
    with two(fast_path) as world:
        for number, call in enumerate(CALLS):
            for node in world.nodes.values():
                node.faults.script(call, fault, fault, fault)
            world.nodes["la-dgm"].write("geology", "a.txt", b"%d" % number * 700)
            world.nodes["la-dgm"].write("geology", f"new-{number}.txt", b"new")
            world.clock.advance(60)
            for _ in range(2):
                for node in world.nodes.values():
                    node.sync_pass()
            for node in world.nodes.values():
                node.faults.stop()
            check(world)
        assert len(list(world.federation.api("la-dgm").list_versions(DATASET, 1))) == len(CALLS)


def test_converges_after_a_lost_answer(fast_path: Path):
    """The hub has the version, the node does not know it, and the folder has moved on: no fork, no fence."""
    with two(fast_path) as world:
        owner = world.nodes["la-dgm"]
        owner.faults.script("commit_version", Fault.ANSWER_LOST)
        owner.sync_pass()
        owner.close()
        owner.write("geology", "a.txt", b"two" * 300)
        world.clock.advance(60)
        owner.sync_pass()
        check(world)
        assert len(list(world.federation.api("la-dgm").list_versions(DATASET, 1))) == 2


@pytest.mark.parametrize("how", list(Restart))
def test_converges_over_a_hub_that_comes_and_goes(fast_path: Path, how: Restart):
    with two(fast_path) as world:
        for number in range(3):
            world.nodes["la-dgm"].write("geology", "a.txt", b"%d" % number * 900)
            world.clock.advance(60)
            world.nodes["la-dgm"].sync_pass()
            world.restart_hub(how)
            check(world)


def test_converges_by_the_clock_alone(fast_path: Path):
    """`not_before` and `not_after` take effect by themselves."""
    with two(fast_path) as world:
        owner, reader = world.nodes["la-dgm"], world.nodes["th-dmr"]
        now = world.clock.now()
        begins, ends = now + timedelta(hours=1), now + timedelta(hours=2)
        rule: dict[str, Any] = {
            "with": ["th-dmr"],
            "allow": ["read"],
            "not_before": begins,
            "not_after": ends,
        }
        owner.sections["geology"]["share"] = [rule]
        for node in world.nodes.values():
            assert node.sync_pass().errors == []
        assert held(world, "th-dmr") is None
        world.clock.advance(3600)
        check(world)
        then = held(world, "th-dmr")
        world.clock.advance(3600)
        owner.write("geology", "a.txt", b"not for you any more")
        world.clock.advance(60)
        for node in (owner, reader, owner, reader):
            assert node.sync_pass().errors == []
        assert held(world, "th-dmr") == then, "what was received stays, and nothing new comes"


def test_converges_though_the_state_of_both_nodes_is_lost(fast_path: Path):
    """Databases gone: the hub tells the owner its head, at a person's word; the reader finds its mirror."""
    with two(fast_path) as world:
        check(world)
        for who in ("la-dgm", "th-dmr"):
            node = world.nodes[who]
            node.close()
            for path in node.state_dir.glob("state.sqlite*"):
                path.unlink()
        world.nodes["la-dgm"].write("geology", "b.txt", b"after the loss")
        world.clock.advance(60)
        world.nodes["la-dgm"].sync_pass()
        world.nodes["la-dgm"].approve_all()
        world.nodes["la-dgm"].sync_pass()
        check(world)
        assert len(list(world.federation.api("la-dgm").list_versions(DATASET, 1))) == 2
