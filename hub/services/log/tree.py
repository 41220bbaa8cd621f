"""The Merkle tree over the leaves, kept as C2SP tlog-tiles has it: rows of up to 256 hashes of a level.

Level 0 holds the leaves' hashes, level 1 the roots of full tiles of level 0, and so on. A full tile never
changes; the last one of a level grows. The tree follows the leaves outside of their commits: it is extended
when a checkpoint is made, for n new leaves with 2n hashes, and whatever was not stored is computed again.

    growth = grow(connection, leaves_max=65_536)         # in a snapshot
    store(write_connection, growth)                      # False when somebody else was faster
    inclusion_proof(Tiles(connection), index, size)      # a handful of rows
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from core.errors import Corrupt
from hub.storage import schema
from hub.storage.database import Database
from security.tlog.leaf import leaf_hash
from security.tlog.merkle import HASH_BYTES
from security.tlog.tiles import HEIGHT, WIDTH


class Tiles:
    """Hashes of complete subtrees, read from the tiles of one snapshot. Implements `merkle.Nodes`."""

    def __init__(
        self, connection: sa.Connection, unsaved: Mapping[tuple[int, int], bytes] | None = None
    ) -> None:
        self._connection = connection
        self._tiles = dict(unsaved or {})
        self._roots: dict[tuple[int, int], bytes] = {}  # proofs of neighbours share nearly all of theirs

    def hash(self, level: int, number: int) -> bytes:
        """Root of the complete subtree of `2**level` leaves that begins at leaf `number * 2**level`."""
        known = self._roots.get((level, number))
        if known is None:
            known = self._roots[level, number] = self._root(level, number)
        return known

    def _root(self, level: int, number: int) -> bytes:
        tile_level, height = divmod(level, HEIGHT)
        tile_number, first = divmod(number << height, WIDTH)
        hashes = self.tile(tile_level, tile_number)[first * HASH_BYTES : (first + (1 << height)) * HASH_BYTES]
        if len(hashes) != HASH_BYTES << height:
            raise damaged(f"tile {tile_number} of level {tile_level} is missing or too short")
        return subtree_root(hashes)

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile, one after the other; empty when there is none."""
        known = self._tiles.get((level, number))
        if known is None:
            table = schema.log_tiles
            found = self._connection.execute(
                sa.select(table.c.hashes).where(table.c.level == level, table.c.number == number)
            ).scalar_one_or_none()
            known = self._tiles[level, number] = found or b""
        return known


@dataclass(frozen=True, slots=True)
class Growth:
    """Tiles that are new or longer when the tree grows from `base` to `size` leaves."""

    base: int
    size: int
    tiles: Mapping[tuple[int, int], bytes]


def tree_size(connection: sa.Connection) -> int:
    """How many leaves the stored tiles cover."""
    table = schema.log_tiles
    last = connection.execute(
        sa.select(table.c.number, sa.func.length(table.c.hashes).label("bytes"))
        .where(table.c.level == 0)
        .order_by(table.c.number.desc())
        .limit(1)
    ).one_or_none()
    return 0 if last is None else last.number * WIDTH + last.bytes // HASH_BYTES


def grow(connection: sa.Connection, leaves_max: int) -> Growth:
    """What the next leaves (at most `leaves_max`) add to the stored tiles."""
    base = tree_size(connection)
    table = schema.leaves
    leaves = connection.execute(
        sa.select(table.c.leaf).where(table.c.idx >= base).order_by(table.c.idx).limit(leaves_max)
    ).scalars()
    hashes = [leaf_hash(leaf) for leaf in leaves]
    return Growth(base, base + len(hashes), grown(Tiles(connection), base, hashes))


def grown(tiles: Tiles, base: int, hashes: list[bytes]) -> dict[tuple[int, int], bytes]:
    """The tiles that `hashes` of leaves, appended to a tree of `base`, change or add."""
    made: dict[tuple[int, int], bytes] = {}
    level = 0
    while hashes:
        number, width = divmod(base, WIDTH)
        data = (tiles.tile(level, number) if width else b"") + b"".join(hashes)
        full: list[bytes] = []
        for at in range(0, len(data), WIDTH * HASH_BYTES):
            tile = data[at : at + WIDTH * HASH_BYTES]
            made[level, number] = tile
            number += 1
            if len(tile) == WIDTH * HASH_BYTES:
                full.append(subtree_root(tile))
        level, base, hashes = level + 1, base >> HEIGHT, full
    return made


def store(connection: sa.Connection, growth: Growth) -> bool:
    """Store what grew, in the caller's write transaction; False when the tree is another by now."""
    if tree_size(connection) != growth.base:
        return False
    if growth.tiles:
        statement = insert(schema.log_tiles)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["level", "number"], set_={"hashes": statement.excluded.hashes}
            ),
            [
                {"level": level, "number": number, "hashes": hashes}
                for (level, number), hashes in growth.tiles.items()
            ],
        )
    return True


def rebuild(database: Database, leaves_max: int) -> int:
    """Make all tiles anew from the leaves; how many leaves they cover.

    Nobody may ask for proofs meanwhile. Where it is killed, the next checkpoint goes on.
    """
    with database.write(visible=False) as connection:
        connection.execute(schema.log_tiles.delete())
    while True:
        with database.read() as connection:
            growth = grow(connection, leaves_max)
        if growth.base == growth.size:
            return growth.size
        with database.write(visible=False) as connection:
            store(connection, growth)


def subtree_root(hashes: bytes) -> bytes:
    """Root over a power of two of hashes that stand one after the other."""
    sha256 = hashlib.sha256
    while len(hashes) > HASH_BYTES:
        hashes = b"".join(
            [
                sha256(b"\x01" + hashes[at : at + 2 * HASH_BYTES]).digest()
                for at in range(0, len(hashes), 2 * HASH_BYTES)
            ]
        )
    return hashes


def damaged(what: str) -> Corrupt:
    """The log at the hub is not what the hub has signed."""
    return Corrupt(
        f"the log is damaged: {what}",
        remedy="run `syncline-hub fsck`; restore the hub's directory from a backup and keep the damaged one",
        reason="LOG_DAMAGED",
    )
