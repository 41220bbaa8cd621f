"""What the log shows to everybody: checkpoint, tiles and bundles of entries, as C2SP tlog-tiles has them.

Only what the newest checkpoint covers, so that all of it is for ever. The checkpoint has the log's own
signature and no other: a witness's name would tell who is a partner.

    published.tile(0, 0, 256)             # 8,192 bytes, or None where there is no such tile
    published.entry_bundle(0, 17)
"""

import sqlalchemy as sa

from hub.services.context import Context
from hub.services.log.checkpoints import Checkpoints
from hub.services.log.tree import Tiles, damaged
from hub.storage import schema
from security.tlog.merkle import HASH_BYTES
from security.tlog.tiles import HEIGHT, LEVEL_MAX, WIDTH, encode_entries


class Published:
    """The public read path."""

    def __init__(self, context: Context, checkpoints: Checkpoints) -> None:
        self._context = context
        self._checkpoints = checkpoints

    def checkpoint_note(self) -> bytes:
        """The newest checkpoint."""
        return self._checkpoints.newest().note

    def tile(self, level: int, number: int, width: int = WIDTH) -> bytes | None:
        """The first `width` hashes of a tile; None when the newest checkpoint does not cover them."""
        if not self._covers(level, number, width):
            return None
        with self._context.database.read() as connection:
            hashes = Tiles(connection).tile(level, number)[: width * HASH_BYTES]
        if len(hashes) != width * HASH_BYTES:
            raise damaged(f"tile {number} of level {level} is missing or too short")
        return hashes

    def entry_bundle(self, number: int, width: int = WIDTH) -> bytes | None:
        """The first `width` leaves of a bundle; None when the newest checkpoint does not cover them."""
        if not self._covers(0, number, width):
            return None
        table = schema.leaves
        first = number * WIDTH
        with self._context.database.read() as connection:
            leaves = connection.execute(
                sa.select(table.c.leaf)
                .where(table.c.idx >= first, table.c.idx < first + width)
                .order_by(table.c.idx)
            ).scalars()
            return encode_entries(leaves)

    def _covers(self, level: int, number: int, width: int) -> bool:
        if not (0 <= level <= LEVEL_MAX and number >= 0 and 1 <= width <= WIDTH):
            return False
        return number * WIDTH + width <= self._checkpoints.newest().size >> (HEIGHT * level)
