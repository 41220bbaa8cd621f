"""The stored log, computed anew from its leaves: every tile, and the root and signature of every checkpoint.

Safe beside a running hub: what grows while it reads is not looked at. Memory is bounded at any size of a log.

    for where, problem in check_log(database, registry.logs, limits): ...
"""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from core.errors import SynclineError
from core.limits import Limits
from hub.services.log.tree import Tiles, subtree_root, tree_size
from hub.storage import schema
from hub.storage.database import Database
from security.registry import RegistryLog
from security.tlog.checkpoint import Checkpoint, open_checkpoint
from security.tlog.leaf import leaf_hash
from security.tlog.merkle import HASH_BYTES, Frontier
from security.tlog.tiles import WIDTH

_PAGE_COUNT = 16 * WIDTH

Problem = tuple[str, str]


def check_log(database: Database, logs: Sequence[RegistryLog], limits: Limits) -> Iterator[Problem]:
    """What is wrong, as (where, problem)."""
    with database.read() as connection:
        size = tree_size(connection)
        newest = connection.execute(sa.select(sa.func.max(schema.log_checkpoints.c.size))).scalar_one()
    checkpoints = _checkpoints(database, newest or 0)
    tree = _Rebuilt()
    pending = next(checkpoints, None)
    for hashes in _leaf_hashes(database, size):
        at = 0
        while pending is not None and pending.size <= tree.frontier.size + len(hashes) - at:
            end = at + pending.size - tree.frontier.size
            tree.extend(hashes[at:end])
            at = end
            yield from _check_checkpoint(pending, tree.frontier.root(), logs, limits)
            pending = next(checkpoints, None)
        tree.extend(hashes[at:])
        yield from _compare(database, tree.full_tiles())
    yield from _compare(database, tree.partial_tiles())
    if tree.frontier.size != size:
        yield "log tree", f"it covers {size} leaves, of which {tree.frontier.size} are there"
    while pending is not None:
        yield _where(pending), f"it covers {pending.size} leaves, and the tree {size}"
        pending = next(checkpoints, None)


class _Rebuilt:
    """The tree as the leaves make it: its right edge, and the tiles since they were last taken."""

    def __init__(self) -> None:
        self.frontier = Frontier()
        self._levels: list[tuple[int, bytes]] = []  # of each level: number of its last tile, hashes in it
        self._full: dict[tuple[int, int], bytes] = {}

    def extend(self, hashes: list[bytes]) -> None:
        self.frontier = self.frontier.extend(hashes)
        self._extend(0, b"".join(hashes))

    def full_tiles(self) -> dict[tuple[int, int], bytes]:
        taken, self._full = self._full, {}
        return taken

    def partial_tiles(self) -> dict[tuple[int, int], bytes]:
        return {(level, number): hashes for level, (number, hashes) in enumerate(self._levels) if hashes}

    def _extend(self, level: int, hashes: bytes) -> None:
        if not hashes:
            return
        if level == len(self._levels):
            self._levels.append((0, b""))
        number, rest = self._levels[level][0], self._levels[level][1] + hashes
        roots: list[bytes] = []
        while len(rest) >= WIDTH * HASH_BYTES:
            tile, rest = rest[: WIDTH * HASH_BYTES], rest[WIDTH * HASH_BYTES :]
            self._full[level, number] = tile
            roots.append(subtree_root(tile))
            number += 1
        self._levels[level] = number, rest
        self._extend(level + 1, b"".join(roots))


def _compare(database: Database, computed: dict[tuple[int, int], bytes]) -> Iterator[Problem]:
    """Stored tiles begin with what was computed; the last one may have grown since."""
    with database.read() as connection:
        stored = Tiles(connection)
        for (level, number), hashes in computed.items():
            if not stored.tile(level, number).startswith(hashes):
                yield f"log tile {number} of level {level}", "it is not what the leaves make"


def _check_checkpoint(
    row: sa.Row[Any], root: bytes, logs: Sequence[RegistryLog], limits: Limits
) -> Iterator[Problem]:
    if row.root != root:
        yield _where(row), "its root is not that of the leaves: the log was rewritten"
    log = next((each for each in logs if each.origin == row.origin), None)
    if log is None:
        yield _where(row), "the registry knows no such log"
        return
    try:
        opened = open_checkpoint(row.note, log.origin, log.key, limits)
    except SynclineError as error:
        yield _where(row), error.message
        return
    if opened.checkpoint != Checkpoint(row.origin, row.size, row.root):
        yield _where(row), "its note says something else"


def _where(row: sa.Row[Any]) -> str:
    return f"checkpoint {row.size} of {row.origin}"


def _leaf_hashes(database: Database, size: int) -> Iterator[list[bytes]]:
    """The hashes of the first `size` leaves, in pages; ends where one is missing."""
    table = schema.leaves
    first = 0
    while first < size:
        end = min(first + _PAGE_COUNT, size)
        with database.read() as connection:
            hashes = [
                leaf_hash(leaf)
                for leaf in connection.execute(
                    sa.select(table.c.leaf)
                    .where(table.c.idx >= first, table.c.idx < end)
                    .order_by(table.c.idx)
                ).scalars()
            ]
        yield hashes
        if len(hashes) < end - first:
            return
        first = end


def _checkpoints(database: Database, newest: int) -> Iterator[sa.Row[Any]]:
    """Every checkpoint up to that size, in pages."""
    table = schema.log_checkpoints
    last: tuple[int, str] = (-1, "")
    while True:
        with database.read() as connection:
            rows = connection.execute(
                sa.select(table)
                .where(sa.tuple_(table.c.size, table.c.origin) > sa.tuple_(*last), table.c.size <= newest)
                .order_by(table.c.size, table.c.origin)
                .limit(_PAGE_COUNT)
            ).all()
        yield from rows
        if len(rows) < _PAGE_COUNT:
            return
        last = rows[-1].size, rows[-1].origin
