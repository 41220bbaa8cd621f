"""`fsck` computes the log anew from its leaves, and finds every tile and checkpoint that is another."""

import pytest

from security.keys import WitnessKey
from security.tlog.checkpoint import Checkpoint, sign_checkpoint
from tests.simulation.federation import TestFederation
from tests.unit.hub_services.test_log_checkpoints import add_leaves, alter
from tests.unit.hub_services.test_log_published import grown


@pytest.fixture
def logged(federation: TestFederation) -> TestFederation:
    """700 leaves, checkpoints on both sides of a tile's border."""
    for size in (100, 256, 257, 700):
        add_leaves(federation, size - federation.hub.translog.size())
        federation.hub.log.make_checkpoint(force=True)
    return federation


def problems(federation: TestFederation) -> set[str]:
    return {each.where for each in federation.hub.fsck.check()}


def test_a_sound_log_has_no_findings_nor_has_one_whose_tree_lags(logged: TestFederation):
    assert problems(logged) == set()
    add_leaves(logged, 5)
    assert problems(logged) == set()


def test_rewritten_leaf_is_found_by_its_tile_and_by_every_later_checkpoint(logged: TestFederation):
    alter(logged, "UPDATE leaves SET leaf = (SELECT leaf FROM leaves WHERE idx = 300) WHERE idx = 299")
    assert problems(logged) == {
        "log leaf 299",
        "log tile 1 of level 0",
        "log tile 0 of level 1",
        "checkpoint 700 of test-geo/log",
    }


@pytest.mark.parametrize(
    ("level", "number"), [(0, 0), (0, 2), (1, 0)], ids=["full", "partial", "second level"]
)
def test_an_altered_or_lost_tile_is_found(logged: TestFederation, level: int, number: int):
    alter(logged, "UPDATE log_tiles SET hashes = ? WHERE level = ? AND number = ?", bytes(64), level, number)
    assert problems(logged)
    alter(logged, "DELETE FROM log_tiles WHERE level = ? AND number = ?", level, number)
    assert problems(logged)


def test_an_altered_checkpoint_is_found(logged: TestFederation):
    root = bytes(range(32))
    alter(logged, "UPDATE log_checkpoints SET root = ? WHERE size = 256", root)
    assert problems(logged) == {"checkpoint 256 of test-geo/log"}


def test_a_checkpoint_that_another_key_signed_is_found(logged: TestFederation):
    note = sign_checkpoint(Checkpoint("test-geo/log", 257, bytes(32)), WitnessKey.generate())
    alter(logged, "UPDATE log_checkpoints SET note = ? WHERE size = 257", note)
    assert problems(logged) == {"checkpoint 257 of test-geo/log"}


def test_dropped_leaf_is_found(logged: TestFederation):
    alter(logged, "DELETE FROM leaves WHERE idx = 650")
    found = problems(logged)
    assert "log leaf 651" in found
    assert "log tree" in found
    assert "checkpoint 700 of test-geo/log" in found


def test_a_rolled_back_tree_is_found_by_the_checkpoints_that_it_lacks(logged: TestFederation):
    alter(logged, "DELETE FROM leaves WHERE idx >= 400")
    alter(logged, "DELETE FROM log_tiles WHERE level = 0 AND number >= 1")
    assert "checkpoint 700 of test-geo/log" in problems(logged)


def test_many_tiles_of_many_levels_are_compared_in_pages(federation: TestFederation):
    grown(federation, 66_000)
    from hub.services.log.checking import check_log

    logs = federation.registry.registry.logs
    database = federation.hub._context.database
    assert list(check_log(database, logs, federation.limits)) == []
    alter(federation, "UPDATE log_tiles SET hashes = ? WHERE level = 2", bytes(32))
    assert list(check_log(database, logs, federation.limits)) == [
        ("log tile 0 of level 2", "it is not what the leaves make")
    ]


@pytest.mark.parametrize("statement", ["DELETE FROM log_tiles", "UPDATE log_tiles SET hashes = zeroblob(64)"])
def test_lost_or_damaged_tiles_are_made_again_from_the_leaves(logged: TestFederation, statement: str):
    checkpoint = logged.hub.log.checkpoint_note()
    alter(logged, statement)
    assert problems(logged)
    lines = list(logged.hub.fsck.rebuild_index())
    assert lines[-1] == "log: 700 leaves"
    assert problems(logged) == set()
    add_leaves(logged, 1)
    assert logged.hub.log.make_checkpoint(force=True)
    assert logged.hub.log.checkpoint_note() != checkpoint
