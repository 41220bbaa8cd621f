"""The witnesses' cosignatures: taken from who they say they are, for checkpoints that the hub has signed.

Each witness's newest is kept for ever, those before for some hours. A witness that brings a checkpoint which
the hub has not signed has seen another history: it is refused, loudly (WRONG_CHECKPOINT).

    cosignatures.add(caller, note)             # idempotent
    cosignatures.view(connection, newest)      # with all that witnesses have said last
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from core.clock import format_instant, parse_instant
from core.errors import InvalidInput, Untrusted
from core.logs import get_logger
from hub.services.context import Caller, Context
from hub.services.log.checkpoints import Checkpoints, StoredCheckpoint
from hub.services.log.witnesses import Witnesses
from hub.storage import schema
from security.tlog.checkpoint import parse_checkpoint
from security.tlog.cosignature import Cosigned, Witness, merge, verify_cosignature
from security.tlog.note import NoteSignature, parse_note
from security.tlog.quorum import count, needed
from sync.ports import CheckpointView

_log = get_logger("hub.log")

#: Periods of the refusals' leaf for which a witness's earlier cosignatures are kept: a checkpoint gets all of
#: its cosignatures before it is dropped for its successor.
_KEPT_PERIODS = 2


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many of the witnesses that were seen lately have cosigned within a day, and how many are needed."""

    fresh: int
    seen: int
    needed: int


class Cosignatures:
    """Takes and gives cosignatures. Thread-safe."""

    def __init__(self, context: Context, checkpoints: Checkpoints, witnesses: Witnesses) -> None:
        self._context = context
        self._limits = context.limits
        self._clock = context.clock
        self._checkpoints = checkpoints
        self._witnesses = witnesses

    def add(self, caller: Caller, data: bytes) -> None:
        """Keep the calling witness's cosignature: a note with that signature alone.

        Raises `Untrusted` (MALFORMED_NOTE, MALFORMED_CHECKPOINT, WRONG_SIGNER, BAD_COSIGNATURE,
        WRONG_CHECKPOINT), `InvalidInput` (CLOCK_OFFSET), `Denied`.
        """
        witness = self._witnesses.of(caller)
        note = parse_note(data, self._limits)
        if len(note.signatures) != 1:
            raise Untrusted("a cosignature comes as a note with one signature", reason="MALFORMED_NOTE")
        (signature,) = note.signatures
        if signature.name != witness.name:
            raise Untrusted(
                f"a cosignature of {signature.name} came from {witness.name}", reason="WRONG_SIGNER"
            )
        at = verify_cosignature(note.text, signature, witness.name, witness.key)
        self._check_time(at)
        checkpoint = parse_checkpoint(note.text)
        with self._context.database.read() as connection:
            signed = self._checkpoints.of_size(connection, checkpoint.origin, checkpoint.size)
            known = self._known(connection, caller, checkpoint.origin, checkpoint.size)
        if signed is None or signed.root != checkpoint.root:
            _log.error(
                "a witness has seen a checkpoint that this hub has not signed",
                witness=witness.name,
                checkpoint=note.text.decode(),
                remedy="was this hub restored from a backup? Continue its log under a new origin; if not,"
                " somebody else has the log's key",
            )
            raise Untrusted(
                f"the hub has signed no such checkpoint of {checkpoint.size} leaves",
                remedy="tell the hub's operator: node and hub have seen two histories",
                reason="WRONG_CHECKPOINT",
            )
        if known is None or known.key != witness.key or known.time < format_instant(at):
            self._keep(caller, witness, signed, signature, at)

    def view(self, connection: sa.Connection, newest: StoredCheckpoint) -> CheckpointView:
        """The newest checkpoint with its cosignatures, and earlier ones with those of the witnesses that have
        cosigned none later."""
        groups: dict[int, list[sa.Row[Any]]] = {}
        for row in self._last_of_each(connection, newest.origin):
            groups.setdefault(row.size, []).append(row)
        notes: list[bytes] = []
        room = self._limits.message_bytes_max // 2
        for size in sorted(groups.keys() - {newest.size}, reverse=True):
            earlier = self._checkpoints.of_size(connection, newest.origin, size)
            assert earlier is not None
            notes.append(merge(earlier.note, self._fitting(groups[size])))
            room -= len(notes[-1])
            if room < 0:
                notes.pop()
                break
        return CheckpointView(merge(newest.note, self._fitting(groups.get(newest.size, ()))), tuple(notes))

    def merged(self, connection: sa.Connection, checkpoint: StoredCheckpoint) -> bytes:
        """A checkpoint's note with all of its cosignatures."""
        table = schema.log_cosignatures
        rows = connection.execute(
            _with_made().where(table.c.origin == checkpoint.origin, table.c.size == checkpoint.size)
        ).all()
        return merge(checkpoint.note, self._fitting(self._counting(connection, rows)))

    def best(self, connection: sa.Connection, newest: StoredCheckpoint, min_size: int) -> bytes:
        """Of the checkpoints with at least `min_size` leaves the one that most witnesses have cosigned within
        a day, the newest of these; the newest of all where nobody has."""
        table = schema.log_cosignatures
        rows = connection.execute(
            _with_made().where(
                table.c.origin == newest.origin,
                table.c.size >= min_size,
                table.c.time > format_instant(self._ago(self._limits.cosignature_valid_s)),
            )
        ).all()
        counts: dict[int, int] = {newest.size: 0}
        for row in self._counting(connection, rows):
            counts[row.size] = counts.get(row.size, 0) + 1
        size = max(counts, key=lambda each: (counts[each], each))
        chosen = self._checkpoints.of_size(connection, newest.origin, size)
        assert chosen is not None
        return self.merged(connection, chosen)

    def quorum(self, connection: sa.Connection, origin: str) -> Quorum:
        """How the witnesses that were seen in `witness_seen_s` are doing, whatever they cosigned last."""
        rows = self._last_of_each(connection, origin)
        cosigned = [
            Cosigned(Witness(self._witnesses.name(row.partner, row.node), row.key), parse_instant(row.time))
            for row in rows
        ]
        fresh = count(cosigned, self._clock.now(), self._limits)
        return Quorum(fresh, len(rows), needed(len(rows)))

    # --- steps -----------------------------------------------------------------------------------

    def _check_time(self, at: datetime) -> None:
        ahead_s = (at - self._clock.now()).total_seconds()
        if ahead_s > self._limits.clock_offset_warn_s:
            raise InvalidInput(
                f"the cosignature is {ahead_s:.0f} s in the future",
                remedy="set this machine's clock (NTP), or tell the operator if it is the hub's",
                reason="CLOCK_OFFSET",
            )

    def _known(
        self, connection: sa.Connection, caller: Caller, origin: str, size: int
    ) -> sa.Row[Any, Any] | None:
        table = schema.log_cosignatures
        return connection.execute(
            sa.select(table.c.key, table.c.time).where(
                table.c.origin == origin,
                table.c.size == size,
                table.c.partner == caller.partner,
                table.c.node == caller.node,
            )
        ).one_or_none()

    def _keep(
        self,
        caller: Caller,
        witness: Witness,
        signed: StoredCheckpoint,
        signature: NoteSignature,
        at: datetime,
    ) -> None:
        table = schema.log_cosignatures
        values: dict[str, object] = {
            "key": witness.key,
            "key_id": signature.key_id,
            "signature": signature.signature,
            "time": format_instant(at),
        }
        mine = sa.and_(
            table.c.origin == signed.origin, table.c.partner == caller.partner, table.c.node == caller.node
        )
        with self._context.database.write(visible=False) as connection:
            newest = connection.execute(sa.select(sa.func.max(table.c.size)).where(mine)).scalar_one_or_none()
            values["last"] = newest is None or signed.size >= newest
            connection.execute(
                insert(table)
                .values(
                    origin=signed.origin, size=signed.size, partner=caller.partner, node=caller.node, **values
                )
                .on_conflict_do_update(index_elements=["origin", "size", "partner", "node"], set_=values)
            )
            if values["last"]:
                connection.execute(
                    table.update().where(mine, table.c.last, table.c.size < signed.size).values(last=False)
                )
            old = format_instant(self._ago(_KEPT_PERIODS * self._limits.refusals_every_s))
            connection.execute(table.delete().where(mine, table.c.last.is_(False), table.c.time < old))

    def _last_of_each(self, connection: sa.Connection, origin: str) -> Sequence[sa.Row[Any]]:
        """What each witness that counts and was seen lately has cosigned last."""
        table = schema.log_cosignatures
        rows = connection.execute(
            _with_made()
            .where(
                table.c.origin == origin,
                table.c.last,
                table.c.time > format_instant(self._ago(self._limits.witness_seen_s)),
            )
            .order_by(table.c.time.desc(), table.c.partner, table.c.node)
        ).all()
        return self._counting(connection, rows)

    def _counting(self, connection: sa.Connection, rows: Iterable[sa.Row[Any]]) -> list[sa.Row[Any]]:
        standing = self._witnesses.standing(connection)
        return [row for row in rows if standing.counts(row.partner, row.node, row.key, row.size, row.made)]

    def _fitting(self, rows: Iterable[sa.Row[Any]]) -> list[NoteSignature]:
        """As many lines as a note may have."""
        lines: list[NoteSignature] = []
        room = self._limits.note_bytes_max // 2
        for row in rows:
            line = NoteSignature(self._witnesses.name(row.partner, row.node), row.key_id, row.signature)
            room -= len(line.to_line().encode())
            if room < 0 or len(lines) + 1 >= self._limits.note_signatures_count_max:
                break
            lines.append(line)
        return lines

    def _ago(self, seconds: float) -> datetime:
        return self._clock.now() - timedelta(seconds=seconds)


def _with_made() -> sa.Select[Any]:
    """Cosignatures, each with the time of its checkpoint."""
    table, checkpoints = schema.log_cosignatures, schema.log_checkpoints
    return sa.select(table, checkpoints.c.made).join(
        checkpoints, sa.and_(checkpoints.c.origin == table.c.origin, checkpoints.c.size == table.c.size)
    )
