"""Checkpoints: what the log's key signs, and when.

* Signed only over committed leaves, and stored before anybody sees it.
* One checkpoint a size; the next one is larger, and continues the one before: if the tiles do not lead to the
  last signed root, nothing is signed (LOG_DAMAGED), because it would be a second history.
* At most one in `limits.checkpoint_every_s`, while there is something new.

Commits do not wait: they insert leaves, and the tree follows here.

    checkpoints.make()                  # True when there is a new one
    checkpoints.newest().note           # the note with the log's signature alone
"""

import threading
from dataclasses import dataclass

import sqlalchemy as sa

from core.clock import format_instant
from core.errors import Unavailable
from hub.backup.marker import refuse_unsettled
from hub.services.context import Context
from hub.services.log import tree
from hub.services.log.tree import Growth, Tiles, damaged
from hub.services.registry import RegistryService
from hub.services.translog import leaf_count
from hub.storage import schema
from security.keys import WitnessKey
from security.keystore import load_witness_key
from security.registry import RegistryLog
from security.tlog.checkpoint import Checkpoint, sign_checkpoint
from security.tlog.merkle import root_at
from security.tlog.position import continued

#: Leaves that are added to the tree in one transaction: the writer's lock is held for tens of milliseconds.
_GROW_COUNT = 16_384


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint that was signed. `made` as `format_instant` writes it."""

    origin: str
    size: int
    root: bytes
    note: bytes
    made: str


@dataclass(frozen=True, slots=True)
class _Step:
    """What one transaction stores. `checkpoint` is None while the tree still lags."""

    growth: Growth
    checkpoint: Checkpoint | None
    note: bytes


class Checkpoints:
    """Makes and finds them. Thread-safe; several processes may work at once."""

    def __init__(self, context: Context, registry: RegistryService) -> None:
        self._context = context
        self._database = context.database
        self._clock = context.clock
        self._registry = registry
        self._lock = threading.Lock()
        self._last_made: float | None = None
        self._key: WitnessKey | None = None

    def make(self, *, force: bool = False) -> bool:
        """Sign a checkpoint, if there is something new and the last was not made just now; whether it was.

        `force` is for commands and tests: without regard to the last one's age. Raises `Corrupt`
        (LOG_DAMAGED), `Conflict` (RESTORED), `Unavailable` (LOG_KEY_MISSING, BUSY, DISK_FULL).
        """
        with self._lock:
            while (step := self._prepare(force=force)) is not None:
                if self._store(step) and step.checkpoint is not None:
                    self._last_made = self._clock.monotonic()
                    return True
            return False

    def newest(self, connection: sa.Connection | None = None) -> StoredCheckpoint:
        """The newest checkpoint of the current log. Without `connection`, a first one is made if there is
        none."""
        if connection is not None:
            found = _newest(connection, self._log(connection)[-1].origin)
        else:
            found = self.newest_or_none()
            if found is None:
                self.make(force=True)
                found = self.newest_or_none()
        if found is None:
            raise Unavailable("the log has no checkpoint yet", remedy="try again", reason="NOT_COVERED")
        return found

    def newest_or_none(self) -> StoredCheckpoint | None:
        """The same, without making one."""
        with self._database.read() as connection:
            return _newest(connection, self._log(connection)[-1].origin)

    def of_size(self, connection: sa.Connection, origin: str, size: int) -> StoredCheckpoint | None:
        """The checkpoint of that log and size, if one was signed."""
        table = schema.log_checkpoints
        row = connection.execute(
            sa.select(table).where(table.c.origin == origin, table.c.size == size)
        ).one_or_none()
        return None if row is None else StoredCheckpoint(*row)

    def _log(self, connection: sa.Connection) -> tuple[RegistryLog, ...]:
        """The logs; the last is the current one."""
        return self._registry.membership(connection).registry.registry.logs

    # --- steps -----------------------------------------------------------------------------------

    def _prepare(self, *, force: bool) -> _Step | None:
        """What to store next, from one snapshot; None when there is nothing to do now."""
        with self._database.read() as connection:
            logs = self._log(connection)
            newest = _newest(connection, logs[-1].origin)
            leaves = leaf_count(connection)
            if newest is not None:
                if leaves < newest.size:
                    raise damaged(f"{newest.size} leaves were signed, and {leaves} are there")
                if leaves == newest.size or not (force or self._is_due()):
                    return None
            growth = tree.grow(connection, _GROW_COUNT)
            if growth.size < leaves:
                return _Step(growth, None, b"")
            if not growth.size:
                return None
            tiles = Tiles(connection, growth.tiles)
            self._check_continues(tiles, logs, newest, growth.size)
            checkpoint = Checkpoint(logs[-1].origin, growth.size, root_at(tiles, growth.size))
            return _Step(growth, checkpoint, sign_checkpoint(checkpoint, self._key_of(logs)))

    def _check_continues(
        self, tiles: Tiles, logs: tuple[RegistryLog, ...], newest: StoredCheckpoint | None, size: int
    ) -> None:
        """What was signed before is the beginning of what is to be signed."""
        if newest is not None:
            before = newest.size, newest.root
        else:
            base = continued(logs, len(logs) - 1)
            if base is None:
                return
            before = base[1].size, base[1].root
        if before[0] > size or root_at(tiles, before[0]) != before[1]:
            raise damaged(f"its first {before[0]} leaves are not those that were signed")

    def _store(self, step: _Step) -> bool:
        """Store a step; False when another process was faster."""
        with self._database.write(visible=False) as connection:
            if not tree.store(connection, step.growth):
                return False
            if step.checkpoint is not None:
                newest = _newest(connection, step.checkpoint.origin)
                if newest is not None and newest.size >= step.checkpoint.size:
                    return False
                connection.execute(
                    schema.log_checkpoints.insert().values(
                        origin=step.checkpoint.origin,
                        size=step.checkpoint.size,
                        root=step.checkpoint.root,
                        note=step.note,
                        made=format_instant(self._clock.now()),
                    )
                )
        return True

    def _is_due(self) -> bool:
        if self._last_made is None:
            return True
        return self._clock.monotonic() - self._last_made >= self._context.limits.checkpoint_every_s

    def _key_of(self, logs: tuple[RegistryLog, ...]) -> WitnessKey:
        """The key of the current log; read again when the registry names another."""
        refuse_unsettled(self._context.layout)
        log, path = logs[-1], self._context.layout.log_key_of(len(logs))
        if self._key is None or self._key.public != log.key:
            self._key = load_witness_key(path)
        if self._key.public != log.key:
            raise Unavailable(
                f"{path} is not the key of {log.origin}, which the registry names",
                remedy="put the key of that log in its place",
                reason="LOG_KEY_MISSING",
            )
        return self._key


def _newest(connection: sa.Connection, origin: str) -> StoredCheckpoint | None:
    table = schema.log_checkpoints
    row = connection.execute(
        sa.select(table).where(table.c.origin == origin).order_by(table.c.size.desc()).limit(1)
    ).one_or_none()
    return None if row is None else StoredCheckpoint(*row)
