"""Checkpoints and proofs: signed over what is committed, one a size, and each continues the one before."""

import sqlite3
import threading

import pytest

from core.errors import Corrupt, InvalidInput
from core.names import PartnerId
from hub.services.hub import Hub
from hub.services.log.tree import Tiles, grow, store
from hub.services.translog import Record
from security.tlog.checkpoint import OpenedCheckpoint, open_checkpoint
from security.tlog.leaf import leaf_hash
from security.tlog.merkle import tree_root, verify_consistency, verify_inclusion
from sync.receipt import verify_receipt
from tests.simulation.federation import TestFederation, publish


def opened(federation: TestFederation, note: bytes) -> OpenedCheckpoint:
    log = federation.registry.registry.logs[-1]
    return open_checkpoint(note, log.origin, log.key)


def add_leaves(federation: TestFederation, count: int) -> None:
    """Records of nobody's lane."""
    hub = federation.hub
    with hub._context.database.write(visible=False) as connection:
        for number in range(count):
            hub.translog.append(connection, Record(type="act", actor="hub", object=str(number), owner=None))


def hashes(federation: TestFederation) -> list[bytes]:
    return [leaf_hash(each.leaf) for each in federation.hub.translog.leaves()]


def test_a_checkpoint_is_signed_by_the_registrys_key_over_all_committed_leaves(federation: TestFederation):
    log = federation.hub.log
    assert log.make_checkpoint()
    checkpoint = opened(federation, log.checkpoint().note).checkpoint
    assert checkpoint.origin == "test-geo/log"
    assert checkpoint.size == federation.hub.translog.size()
    assert checkpoint.root == tree_root(hashes(federation))


def test_nothing_is_signed_without_something_new_nor_twice_in_a_second(federation: TestFederation):
    log = federation.hub.log
    assert log.make_checkpoint()
    assert not log.make_checkpoint()
    assert not log.make_checkpoint(force=True)
    add_leaves(federation, 1)
    assert not log.make_checkpoint()
    federation.clock.advance(1)
    assert log.make_checkpoint()
    assert log.checkpoint_size() == federation.hub.translog.size()


def test_asking_for_a_size_makes_a_checkpoint_when_one_is_due(federation: TestFederation):
    size = opened(federation, federation.hub.log.checkpoint().note).checkpoint.size
    add_leaves(federation, 3)
    federation.clock.advance(1)
    assert opened(federation, federation.hub.log.checkpoint().note).checkpoint.size == size
    assert opened(federation, federation.hub.log.checkpoint(size + 1).note).checkpoint.size == size + 3
    assert opened(federation, federation.hub.log.checkpoint(size + 99).note).checkpoint.size == size + 3


def test_proofs_hold_for_every_leaf_and_size_across_tile_borders(federation: TestFederation):
    log = federation.hub.log
    sizes: list[int] = []
    while not sizes or sizes[-1] < 600:
        add_leaves(federation, 61)
        log.make_checkpoint(force=True)
        sizes.append(log.checkpoint_size())
    every = hashes(federation)
    roots = {size: tree_root(every[:size]) for size in sizes}
    for first in sizes:
        for second in sizes:
            if first <= second:
                proof = log.consistency(first, second)
                verify_consistency(first, second, proof, roots[first], roots[second])
    for size in sizes[:: len(sizes) // 2]:
        for index, proof in enumerate(log.inclusions(range(size), size)):
            verify_inclusion(every[index], index, size, proof, roots[size])
    newest = opened(federation, log.checkpoint().note).checkpoint
    assert newest.root == roots[newest.size]


@pytest.mark.parametrize(("first", "second"), [(0, 5), (5, 4), (1, 10**6), (-1, 3)])
def test_a_proof_beyond_the_newest_checkpoint_is_refused(federation: TestFederation, first: int, second: int):
    with pytest.raises(InvalidInput) as refused:
        federation.hub.log.consistency(first, second)
    assert refused.value.reason == "OUT_OF_RANGE"
    for index, size in [(5, 5), (0, 0), (0, 10**6), (-1, 3)]:
        with pytest.raises(InvalidInput) as refused:
            federation.hub.log.inclusion([index], size)
        assert refused.value.reason == "OUT_OF_RANGE"


def test_leaves_after_the_checkpoint_are_not_provable_yet(federation: TestFederation):
    log = federation.hub.log
    size = log.checkpoint_size()
    add_leaves(federation, 1)
    with pytest.raises(InvalidInput):
        log.inclusion([size], size + 1)


def alter(federation: TestFederation, statement: str, *values: object) -> None:
    """As an attacker with the disk."""
    connection = sqlite3.connect(federation.host.layout.database)
    with connection:
        connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize("tiles_too", [False, True])
def test_a_rewritten_history_is_never_signed(federation: TestFederation, tiles_too: bool):
    """Whoever alters what was signed, in the tiles or in leaves and tiles, gets no signature for it."""
    log = federation.hub.log
    size = log.checkpoint_size()
    if tiles_too:
        alter(federation, "UPDATE leaves SET leaf = ? WHERE idx = 1", b"rewritten")
        alter(federation, "DELETE FROM log_tiles")  # made again from the leaves
    else:
        forged = b"".join([bytes(32), *hashes(federation)[1:]])
        alter(federation, "UPDATE log_tiles SET hashes = ? WHERE level = 0 AND number = 0", forged)
    add_leaves(federation, 1)
    with pytest.raises(Corrupt) as refused:
        log.make_checkpoint(force=True)
    assert refused.value.reason == "LOG_DAMAGED"
    assert log.checkpoint_size() == size


def test_a_log_that_lost_leaves_signs_nothing_smaller(federation: TestFederation):
    log = federation.hub.log
    add_leaves(federation, 5)
    log.make_checkpoint(force=True)
    connection = sqlite3.connect(federation.host.layout.database)
    with connection:
        connection.execute("DELETE FROM leaves WHERE idx = (SELECT max(idx) FROM leaves)")
    connection.close()
    with pytest.raises(Corrupt) as refused:
        log.make_checkpoint(force=True)
    assert refused.value.reason == "LOG_DAMAGED"


def test_two_processes_make_one_checkpoint_a_size(federation: TestFederation):
    layout = federation.host.layout
    with Hub.open(layout, clock=federation.clock, limits=federation.limits) as beside:
        made: list[bool] = []

        def work(hub: Hub) -> None:
            for _ in range(20):
                with hub._context.database.write(visible=False) as connection:
                    hub.translog.append(
                        connection,
                        Record(type="act", actor="hub", object="x", owner=PartnerId("la-dgm")),
                    )
                made.append(hub.log.make_checkpoint(force=True))

        threads = [threading.Thread(target=work, args=(hub,)) for hub in (federation.hub, beside)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert any(made)
    federation.hub.log.make_checkpoint(force=True)
    checkpoint = opened(federation, federation.hub.log.checkpoint().note).checkpoint
    assert checkpoint.size == federation.hub.translog.size()
    assert checkpoint.root == tree_root(hashes(federation))
    assert list(federation.hub.fsck.check()) == []


def test_a_tree_that_another_process_has_extended_is_not_overwritten(federation: TestFederation):
    database = federation.hub._context.database
    with database.read() as connection:
        growth = grow(connection, 100)
    with database.write() as connection:
        assert store(connection, growth)
    with database.write() as connection:
        assert not store(connection, growth)
    with database.read() as connection:
        assert Tiles(connection).hash(0, 0) == hashes(federation)[0]


def test_a_long_tail_is_added_in_several_transactions(federation: TestFederation, monkeypatch):
    from hub.services.log import checkpoints

    monkeypatch.setattr(checkpoints, "_GROW_COUNT", 100)
    add_leaves(federation, 777)
    assert federation.hub.log.make_checkpoint()
    checkpoint = opened(federation, federation.hub.log.checkpoint().note).checkpoint
    assert checkpoint.root == tree_root(hashes(federation))


def test_a_commit_is_answered_with_a_receipt_that_names_its_leaf(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    assert version.accepted is not None
    assert version.accepted.receipt is not None
    receipt = verify_receipt(version.accepted.receipt, federation.registry.registry)
    receipt.check(version.dataset, version.manifest_id, version.accepted.leaf_index)
    leaves = list(federation.hub.translog.leaves())
    assert (receipt.log, receipt.leaf) == ("test-geo/log", leaves[receipt.leaf_index].leaf)
    federation.clock.advance(3600)
    federation.host.restart()
    again = federation.hub.catalogue.commit_version(
        federation.caller("la-dgm"), version.envelope, version.root
    )
    assert again.receipt is not None
    assert verify_receipt(again.receipt, federation.registry.registry) == receipt
