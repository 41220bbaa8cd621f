"""The other witnesses: who they are, what they have cosigned, and how many of them stand for the log.

    peers = Peers(registry)
    cosigned = peers.read(view, logs)           # each valid, by the registry's witness keys
    standing(cosigned, known, now)              # "checkpoint 4711, cosigned by 5 of 7 witnesses (5 needed)"

Rules: witnesses are the nodes of active partners, under the keys of the newest registry; a signature by a
name or key that is none of theirs is ignored, one in their name that does not verify is refused. A
cosignature of a larger tree stands for a smaller one too, because its witness has checked that the one
continues the other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.errors import Untrusted
from core.limits import Limits
from security.registry import Registry, RegistryLog
from security.tlog.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from security.tlog.cosignature import Cosigned, cosigners
from security.tlog.note import parse_note
from security.tlog.quorum import fresh, needed
from security.tlog.witnesses import witnesses_of
from sync.ports import CheckpointView

WitnessName = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Shown:
    """A checkpoint that the log has signed, with the valid cosignatures under it."""

    checkpoint: Checkpoint
    note: bytes
    cosigned: tuple[Cosigned, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """How well the log is witnessed: at `size`, by `count` of `of` witnesses; `needed` are a quorum."""

    size: int
    count: int
    of: int
    needed: int


def read_view(view: CheckpointView, registry: Registry, limits: Limits) -> Iterator[Shown]:
    """The newest checkpoint first, then those that others cosigned.

    Raises `Untrusted`: a note that its log has not signed, BAD_COSIGNATURE.
    """
    witnesses = witnesses_of(registry)
    for note in (view.note, *view.cosigned):
        log = _log_of(note, registry.logs, limits)
        opened = open_checkpoint(note, log.origin, log.key, limits)
        yield Shown(opened.checkpoint, note, cosigners(opened.note, witnesses))


def _log_of(note: bytes, logs: Sequence[RegistryLog], limits: Limits) -> RegistryLog:
    origin = parse_checkpoint(parse_note(note, limits).text).origin
    for log in logs:
        if log.origin == origin:
            return log
    raise Untrusted(f"the registry lists no log {origin}", reason="WRONG_ORIGIN")


def last_times(shown: Iterable[Shown]) -> Iterator[tuple[str, bytes, int]]:
    """When each witness cosigned, in seconds since 1970."""
    for each in shown:
        for one in each.cosigned:
            yield one.witness.name, one.witness.key, int(one.at.timestamp())


def standing(
    shown: Sequence[Shown],
    origin: str,
    seen: Mapping[WitnessName, int],
    registry: Registry,
    now: datetime,
    limits: Limits,
) -> Standing:
    """The largest checkpoint that a quorum stands for, or, without a quorum, the newest with what it has.

    `seen`: when each witness cosigned last; those within `witness_seen_s` are the n of the quorum.
    """
    since = now - timedelta(seconds=limits.witness_seen_s)
    members = {(each.name, each.key) for each in witnesses_of(registry)}
    n = sum(who in members and datetime.fromtimestamp(at, UTC) > since for who, at in seen.items())
    ours = [each for each in shown if each.checkpoint.origin == origin]
    sizes = sorted({each.checkpoint.size for each in ours}, reverse=True)
    counts = [_count(ours, size, now, limits) for size in sizes]
    enough = needed(n)
    for size, count in zip(sizes, counts, strict=True):
        if enough and count >= enough:
            return Standing(size, count, n, enough)
    return Standing(sizes[0], counts[0], n, enough) if sizes else Standing(0, 0, n, enough)


def _count(shown: Sequence[Shown], size: int, now: datetime, limits: Limits) -> int:
    above = [one for each in shown if each.checkpoint.size >= size for one in each.cosigned]
    return len(fresh(above, now, limits))
