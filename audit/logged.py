"""What the hub's log says, checked offline: one checkpoint, and leaves that are proven to stand under it.

    view, finding = open_log(evidence.log.checkpoint, chain)
    positions, finding = check_registry_leaves(view, evidence.log.registry_proofs, chain)
    record = view.record(opening, proof)               # LoggedRecord, or Untrusted

Rules: the checkpoint counts by the signature of a log that the registry names, nothing else in the note does
here (`audit.witnesses`); every proof stands under that one checkpoint; a leaf is made from its opening, never
read from anywhere, so an opening that does not fit has no proof.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast

from audit.dossier import LanePlace, LogCheckpoint, LoggedRecord, Position
from audit.findings import Finding, failed, passed, unchecked
from core.clock import parse_instant
from core.errors import InvalidInput, SynclineError, Untrusted
from core.limits import LIMITS, Limits
from core.names import check_partner
from security.canonical import parse_strict
from security.digests import is_digest
from security.members import RegistryLog
from security.registry import VerifiedRegistry
from security.tlog.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from security.tlog.leaf import leaf_hash, leaf_of, registry_leaf
from security.tlog.merkle import node_hash, verify_inclusion
from security.tlog.note import Note, parse_note
from security.tlog.opening_file import OpeningFile, check_lane
from security.tlog.position import log_number, position
from security.tlog.tlog_proof import ProofFile, parse_proof_file

_PREFIXES_COUNT_MAX = 4_096
_NO_LOG = "make it again with a current release, or ask the owner or the hub's operator for a bundle"
_FALSE = "stop; keep this evidence, and show it to the federation's administrators"


@dataclass(frozen=True, slots=True)
class LogView:
    """The log as one signed checkpoint shows it. Made by `open_log` alone."""

    logs: tuple[RegistryLog, ...]
    checkpoint: Checkpoint
    note: Note
    raw: bytes = field(repr=False)
    key: bytes
    limits: Limits
    prefixes: dict[int, bytes] = field(default_factory=dict[int, bytes], repr=False)
    """Roots of smaller trees that the first proofs show, by size."""

    @property
    def seen(self) -> LogCheckpoint:
        """The checkpoint for the dossier."""
        return LogCheckpoint(self.checkpoint.origin, self.checkpoint.size, self.checkpoint.root, self.raw)

    def position(self, index: int) -> Position:
        """The leaf's place, comparable across continued logs. Raises `Untrusted`."""
        return position(self.logs, self.checkpoint.origin, index)

    def prove(self, proof: bytes | ProofFile, leaf: bytes) -> int:
        """The index of `leaf`, proven under this checkpoint. Raises `Untrusted`."""
        parsed = proof if isinstance(proof, ProofFile) else self._parsed(proof)
        self._check_note(parsed.note)
        verify_inclusion(
            leaf_hash(leaf), parsed.index, self.checkpoint.size, parsed.hashes, self.checkpoint.root
        )
        if len(self.prefixes) < _PREFIXES_COUNT_MAX:
            size = self.checkpoint.size
            self.prefixes[parsed.index + 1] = prefix_root(leaf, parsed.index, parsed.hashes, size)
        return parsed.index

    def _parsed(self, proof: bytes) -> ProofFile:
        return parse_proof_file(proof, self.limits, known_note=self.raw)

    def record(self, opening: bytes, proof: bytes) -> LoggedRecord:
        """The record of `opening`, which `proof` shows to be logged. Raises `Untrusted`."""
        opened = OpeningFile.from_bytes(opening, self.limits)
        record = parse_strict(opened.record, self.limits)
        leaf = leaf_of(opened.opening)
        index = self.prove(proof, leaf)
        if index != opened.index:
            raise Untrusted(
                f"the opening is of leaf {opened.index}, its proof of leaf {index}", reason="WRONG_OPENING"
            )
        return read_record(opened, record, leaf, self.position(index))

    def _check_note(self, note: bytes) -> None:
        if note == self.raw:
            return
        other = open_checkpoint(note, self.checkpoint.origin, self.key, self.limits).checkpoint
        if other != self.checkpoint:
            raise Untrusted(
                f"the proof stands under another checkpoint ({other.size} leaves) than the one beside it"
                f" ({self.checkpoint.size})",
                reason="OTHER_CHECKPOINT",
            )


def open_log(
    note: bytes | None, chain: Sequence[VerifiedRegistry], limits: Limits = LIMITS
) -> tuple[LogView | None, Finding]:
    """The log behind the checkpoint `note`, signed by a log of the registry."""
    if note is None:
        return None, unchecked("log", "no checkpoint of the hub's log is at hand", _NO_LOG)
    if not chain:
        return None, unchecked("log", "without a registry the log's key is not known")
    logs = chain[-1].registry.logs
    try:
        origin = parse_checkpoint(parse_note(note, limits).text).origin
        log = logs[log_number(logs, origin)]
        opened = open_checkpoint(note, origin, log.key, limits)
        view = LogView(logs, opened.checkpoint, opened.note, note, log.key, limits)
        if opened.checkpoint.size == 0:
            raise Untrusted("the checkpoint is of a log without leaves", reason="EMPTY_LOG")
        view.position(0)
    except SynclineError as error:
        return None, failed("log", error.message, error.remedy or _FALSE)
    return view, passed("log", f"{origin}, {opened.checkpoint.size} leaves, signed by the log's key")


def check_registry_leaves(
    view: LogView | None, proofs: Mapping[int, bytes], chain: Sequence[VerifiedRegistry]
) -> tuple[dict[int, Position], Finding]:
    """Where the log records each registry statement: every one of them, in their order."""
    check = "registry leaves"
    if view is None:
        return {}, unchecked(check, "without the log it is not known when the registry changed")
    positions: dict[int, Position] = {}
    missing: list[int] = []
    for statement in chain:
        seq = statement.registry.seq
        proof = proofs.get(seq)
        if proof is None:
            missing.append(seq)
            continue
        try:
            index = view.prove(proof, registry_leaf(statement.id))
            positions[seq] = view.position(index)
        except SynclineError as error:
            return {}, failed(check, f"statement {seq}: {error.message}", error.remedy or _FALSE)
    places = list(positions.values())
    if any(later <= earlier for earlier, later in pairwise(places)):
        return {}, failed(check, "the log holds the statements in another order than their own", _FALSE)
    if unknown := sorted(set(proofs) - {each.registry.seq for each in chain}):
        return positions, failed(
            check,
            f"hidden registry: statement {unknown[0]} is proven to be logged, and is not given here",
            "ask who made this evidence for that statement",
        )
    if missing:
        return positions, unchecked(check, f"no proof that statement {missing[0]} was logged", _NO_LOG)
    return positions, passed(check, f"{len(chain)} statements, logged in their order")


def read_record(opened: OpeningFile, record: Mapping[str, Any], leaf: bytes, place: Position) -> LoggedRecord:
    """The record's members, with the types that all records have. Raises `Untrusted` (MALFORMED)."""
    statement, detail, lane = record.get("statement_sha256"), record.get("detail"), record.get("lane")
    texts = [record.get(name) for name in ("type", "time", "actor", "object")]
    if (
        record.get("v") != 1
        or not all(isinstance(each, str) for each in texts)
        or not isinstance(detail, dict)
        or not (statement is None or is_digest(statement))
        or not (lane is None or is_digest(lane))
    ):
        raise Untrusted(f"leaf {opened.index}: its record is not of a known form", reason="MALFORMED")
    kind, time, actor, about = cast("list[str]", texts)
    try:
        made = LoggedRecord(
            index=opened.index,
            position=place,
            record=record,
            leaf=leaf,
            type=kind,
            time=parse_instant(time),
            actor=actor,
            object=about,
            statement_sha256=statement,
            detail=cast("dict[str, Any]", detail),
            lane=_lane(opened, record, about),
        )
    except InvalidInput as error:
        raise Untrusted(f"leaf {opened.index}: {error.message}", reason="MALFORMED") from None
    return made


def prefix_root(leaf: bytes, index: int, hashes: Sequence[bytes], size: int) -> bytes:
    """The root of the tree of the first `index + 1` leaves, from a (verified) proof of leaf `index`.

    A proof's left siblings are all that stands before the leaf (RFC 9162, section 2.1.3.2), so they lead to
    that tree's root. This compares two checkpoints where nobody kept a proof of consistency.
    """
    inner = (index ^ (size - 1)).bit_length()
    lefts = [each for bit, each in enumerate(hashes[:inner]) if index >> bit & 1]
    found = leaf_hash(leaf)
    for each in (*lefts, *hashes[inner:]):
        found = node_hash(each, found)
    return found


def _lane(opened: OpeningFile, record: Mapping[str, Any], about: str) -> LanePlace | None:
    if opened.lane is None:
        return None
    owner = check_partner(about.partition("/")[0])
    check_lane(record, owner, opened.lane)
    return LanePlace(owner, opened.lane.n, opened.lane.prev)
