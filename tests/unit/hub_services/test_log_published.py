"""What everybody may read: the whole log can be checked with it, and it names nobody."""

import hashlib

from hub.storage import schema
from security.tlog.checkpoint import open_checkpoint
from security.tlog.leaf import leaf_hash, registry_leaf
from security.tlog.merkle import Frontier
from security.tlog.tiles import parse_entries
from tests.simulation.federation import TestFederation, publish
from tests.unit.hub_services.test_log_cosignatures import add


def grown(federation: TestFederation, size: int) -> None:
    """Leaves and a checkpoint; the leaves come straight into the database."""
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    first = federation.hub.translog.size()
    with federation.hub._context.database.write(visible=False) as connection:
        rows = [
            {"idx": index, "leaf": registry_leaf(f"{index:064x}"), "type": "act", "record": b"{}"}
            for index in range(first, size)
        ]
        connection.execute(schema.leaves.insert(), rows)
    federation.hub.log.make_checkpoint(force=True)


def test_a_monitor_rebuilds_the_tree_from_tiles_and_entries(federation: TestFederation):
    grown(federation, 70_000)
    log = federation.hub.log
    key = federation.registry.registry.logs[-1]
    checkpoint = open_checkpoint(log.checkpoint_note(), key.origin, key.key).checkpoint
    hashes: list[bytes] = []
    frontier = Frontier()
    for number in range(-(-checkpoint.size // 256)):
        width = min(256, checkpoint.size - number * 256)
        bundle, tile = log.entry_bundle(number, width), log.tile(0, number, width)
        assert bundle is not None
        assert tile is not None
        leaves = [leaf_hash(leaf) for leaf in parse_entries(bundle, width)]
        assert b"".join(leaves) == tile
        frontier = frontier.extend(leaves)
        if width == 256:
            hashes.append(_root(tile))
    assert frontier.root() == checkpoint.root
    for number in range(-(-len(hashes) // 256)):
        part = hashes[number * 256 : number * 256 + 256]
        assert log.tile(1, number, len(part)) == b"".join(part)
    (first,) = [log.tile(2, 0, 1)]
    assert first == _root(b"".join(hashes[:256]))


def _root(hashes: bytes) -> bytes:
    level = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    while len(level) > 1:
        level = [
            hashlib.sha256(b"\x01" + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=True)
        ]
    return level[0]


def test_partial_tiles_and_bundles_end_at_the_checkpoint(federation: TestFederation):
    log = federation.hub.log
    size = log.checkpoint_size()
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])  # leaves after it
    assert size < 256
    assert len(log.tile(0, 0, size) or b"") == 32 * size
    assert log.tile(0, 0, size - 1) == (log.tile(0, 0, size) or b"")[:-32]
    bundle = log.entry_bundle(0, size)
    assert bundle is not None
    assert len(parse_entries(bundle, size)) == size
    for level, number, width in [(0, 0, size + 1), (0, 0, 256), (0, 1, 1), (1, 0, 1), (0, 0, 0), (0, 0, 257)]:
        assert log.tile(level, number, width) is None
    for level, number, width in [(-1, 0, 1), (0, -1, 256), (99, 0, 1), (0, 10**18, 1)]:
        assert log.tile(level, number, width) is None
    assert log.entry_bundle(0, size + 1) is None
    assert log.entry_bundle(-1, 1) is None


def test_what_is_public_names_no_partner_and_no_dataset(federation: TestFederation):
    """Not even through the witnesses' names: the checkpoint comes without cosignatures."""
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    federation.hub.log.make_checkpoint(force=True)
    add(federation, "la-dgm")
    assert b"la-dgm" in federation.hub.log.checkpoint().note
    log = federation.hub.log
    size = log.checkpoint_size()
    everything = b"".join(
        [log.checkpoint_note(), log.tile(0, 0, size) or b"", log.entry_bundle(0, size) or b""]
    )
    for word in (b"la-dgm", b"th-dmr", b"vn-dgm", b'geo"', b"dgm", b"main", b"read"):
        assert word not in everything
