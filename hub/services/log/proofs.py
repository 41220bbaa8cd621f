"""Proofs of inclusion and of consistency, from the tiles.

proofs.consistency(7, 4711)
proofs.inclusion([3, 12], 4711)
"""

from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa

from core.errors import InvalidInput
from hub.services.context import Context
from hub.services.log.checkpoints import Checkpoints
from hub.services.log.tree import Tiles
from security.tlog.merkle import HASH_BYTES, consistency_proof, inclusion_proof

#: No proof has more hashes: the log has less than 2**48 leaves.
_HASHES_COUNT_MAX = 48


class Proofs:
    """Proofs for trees up to the newest checkpoint."""

    def __init__(self, context: Context, checkpoints: Checkpoints) -> None:
        self._context = context
        self._checkpoints = checkpoints
        limits = context.limits
        self._count_max = limits.message_bytes_max // (2 * _HASHES_COUNT_MAX * HASH_BYTES)

    def consistency(self, first: int, second: int) -> list[bytes]:
        """From `first` to `second` leaves. Raises `InvalidInput` (OUT_OF_RANGE)."""
        newest = self._checkpoints.newest().size
        if not 1 <= first <= second <= newest:
            raise InvalidInput(
                f"sizes {first} and {second} do not lie in order between 1 and {newest}",
                reason="OUT_OF_RANGE",
            )
        with self._context.database.read() as connection:
            return consistency_proof(Tiles(connection), first, second)

    def inclusion(self, indices: Sequence[int], size: int) -> list[list[bytes]]:
        """For each index, in the tree of that size. Raises `InvalidInput` (OUT_OF_RANGE; TOO_MANY)."""
        if len(indices) > self._count_max:
            raise InvalidInput(f"{len(indices)} proofs at once exceed {self._count_max}", reason="TOO_MANY")
        self._check_size(size)
        with self._context.database.read() as connection:
            return list(included(connection, indices, size))

    def every(self, indices: Iterable[int], size: int) -> Iterator[list[bytes]]:
        """The same for any number of indices, one after the other: for exports."""
        self._check_size(size)
        with self._context.database.read() as connection:
            yield from included(connection, indices, size)

    def _check_size(self, size: int) -> None:
        newest = self._checkpoints.newest().size
        if not 1 <= size <= newest:
            raise InvalidInput(f"size {size} does not lie between 1 and {newest}", reason="OUT_OF_RANGE")


def included(connection: sa.Connection, indices: Iterable[int], size: int) -> Iterator[list[bytes]]:
    """A proof for each index, from one snapshot; tiles are kept for some proofs, so that neighbours share
    them."""
    tiles = Tiles(connection)
    for made, index in enumerate(indices, 1):
        yield inclusion_proof(tiles, index, size)
        if made % 256 == 0:
            tiles = Tiles(connection)
