"""A hub's log of any size on a disk, and what checkpoints and proofs cost in it.

    with Log(hub_folder) as log:                       # no server runs
        filled = log.fill(1_000_000)
        proofs = log.prove()

Leaves are filled in many at a time, not committed one by one: each has a record and a nonce as an
administrator's act has, and the tree over them is made by the hub's own checkpoint.
"""

import random
import secrets
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from core.clock import SystemClock
from hub.layout import Layout
from hub.services.hub import Hub
from hub.services.translog import Record
from hub.storage import schema
from hub.storage.database import Database
from security.digests import sha256_hex
from security.tlog.checkpoint import Checkpoint, parse_checkpoint
from security.tlog.leaf import NONCE_BYTES, Opening, leaf_hash, leaf_of
from security.tlog.merkle import verify_inclusion
from security.tlog.note import parse_note
from security.tlog.tlog_proof import to_proof_file

_ROWS_COUNT = 50_000
_PROOFS_COUNT = 200
_CHECKPOINTS_COUNT = 15
_ACT = Record(type="act", actor="operator", object="benchmark", owner=None, detail={"act": "none"})
_RECORD = (
    b'{"actor":"operator","detail":{"act":"none"},"lane":null,"object":"benchmark-%012d",'
    b'"time":"2026-11-22T12:00:00Z","type":"act","v":1}'
)

_INSERT = "INSERT INTO leaves (idx, leaf, type, record, nonce, actor) VALUES (?, ?, ?, ?, ?, ?)"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds, and CPU seconds of this process."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Proofs:
    """Medians over random leaves and sizes, each proof asked for by itself, so that no tile is shared; and a
    thousand proofs of neighbours in one go, as an export asks for them."""

    hashes: int
    file_bytes: int
    made: Spent
    verified: Spent
    consistency_hashes: int
    consistency_made: Spent
    thousand_made: Spent


def spent(do: Callable[[], T]) -> tuple[T, Spent]:
    """Do it; what came of it, and what it cost."""
    started = time.perf_counter(), time.process_time()
    done = do()
    return done, Spent(time.perf_counter() - started[0], time.process_time() - started[1])


class Log:
    """The log of the hub in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.hub = Hub.open(Layout(folder), clock=SystemClock())
        self.database = Database.open(Layout(folder).database)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()
        self.hub.close()

    def fill(self, count: int) -> tuple[Spent, Spent]:
        """Add leaves until there are `count`, then sign a checkpoint: what the rows and the tree cost."""

        def rows() -> None:
            for first in range(self.hub.translog.size(), count, _ROWS_COUNT):
                with self.database.write(visible=False) as connection:
                    numbers = range(first, min(first + _ROWS_COUNT, count))
                    connection.exec_driver_sql(_INSERT, [_row(number) for number in numbers])

        _, of_rows = spent(rows)
        _, of_tree = spent(lambda: self.hub.log.make_checkpoint(force=True))
        return of_rows, of_tree

    def append(self, count: int, *, in_one: int) -> Spent:
        """Append leaves as commits do, `in_one` a transaction."""

        def run() -> None:
            for _ in range(0, count, in_one):
                with self.database.write(visible=False) as connection:
                    for _ in range(in_one):
                        self.hub.translog.append(connection, _ACT)

        return spent(run)[1]

    def checkpoint(self) -> Spent:
        """A checkpoint over one new leaf: the median."""
        found: list[Spent] = []
        for _ in range(_CHECKPOINTS_COUNT):
            self.append(1, in_one=1)
            made, cost = spent(lambda: self.hub.log.make_checkpoint(force=True))
            assert made
            found.append(cost)
        return _median(found)

    def prove(self) -> Proofs:
        """Proofs under the newest checkpoint, each verified."""
        note = self.hub.log.checkpoint_note()
        newest = parse_checkpoint(parse_note(note).text)
        numbers = random.Random("proofs")
        inclusion = [self._inclusion(numbers.randrange(newest.size), newest) for _ in range(_PROOFS_COUNT)]
        consistency = [
            self._consistency(numbers.randrange(1, newest.size), newest) for _ in range(_PROOFS_COUNT)
        ]
        first = newest.size // 2
        _, thousand = spent(lambda: list(self.hub.log.inclusions(range(first, first + 1000), newest.size)))
        files = [len(to_proof_file(index, proof, note)) for index, proof, _, _ in inclusion]
        return Proofs(
            hashes=max(len(proof) for _, proof, _, _ in inclusion),
            file_bytes=max(files),
            made=_median([made for _, _, made, _ in inclusion]),
            verified=_median([verified for _, _, _, verified in inclusion]),
            consistency_hashes=max(len(proof) for proof, _ in consistency),
            consistency_made=_median([made for _, made in consistency]),
            thousand_made=thousand,
        )

    def _inclusion(self, index: int, newest: Checkpoint) -> tuple[int, list[bytes], Spent, Spent]:
        with self.database.read() as connection:
            table = schema.leaves
            leaf = connection.execute(table.select().where(table.c.idx == index)).one().leaf
        (proof,), made = spent(lambda: self.hub.log.inclusion([index], newest.size))
        _, verified = spent(lambda: verify_inclusion(leaf_hash(leaf), index, newest.size, proof, newest.root))
        return index, proof, made, verified

    def _consistency(self, first: int, newest: Checkpoint) -> tuple[list[bytes], Spent]:
        return spent(lambda: self.hub.log.consistency(first, newest.size))


def _median(found: Sequence[Spent]) -> Spent:
    return Spent(
        statistics.median(each.seconds for each in found),
        statistics.median(each.cpu_seconds for each in found),
    )


def _row(number: int) -> tuple[int, bytes, str, bytes, bytes, str]:
    record, nonce = _RECORD % number, secrets.token_bytes(NONCE_BYTES)
    leaf = b'{"commit":"%s","v":1}' % sha256_hex(nonce + record).encode()
    if number % _ROWS_COUNT == 0:
        assert leaf == leaf_of(Opening(record, nonce))
    return number, leaf, "act", record, nonce, "operator"
