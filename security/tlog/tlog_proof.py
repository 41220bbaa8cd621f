"""A proof that a leaf is in the log, in one file that needs nothing but the log's key.

    data = to_proof_file(index, hashes, checkpoint_note)
    proven = verify_leaf(data, leaf, registry.logs)            # Proven, or Untrusted

* No `extra` data: it would not be authenticated, so it is refused here rather than believed somewhere.
* The checkpoint stands in it as a whole note, cosignatures included.

Specification: https://c2sp.org/tlog-proof. Format: docs/formats/log.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from security.fields import decode_base64, encode_base64
from security.members import RegistryLog
from security.tlog.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from security.tlog.leaf import leaf_hash
from security.tlog.merkle import HASH_BYTES, SIZE_MAX, verify_inclusion
from security.tlog.note import Note, parse_note
from security.tlog.position import log_number

_HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)
_HASHES_COUNT_MAX = 63
_LINE_BYTES = 45


@dataclass(frozen=True, slots=True)
class ProofFile:
    """A parsed proof; nothing in it is believed yet. `note` is the checkpoint's bytes."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes


@dataclass(frozen=True, slots=True)
class Proven:
    """A leaf that is in a log of the registry. `log_number` counts `logs[]` from 0. Made by `verify_leaf`."""

    index: int
    checkpoint: Checkpoint
    note: Note
    log_number: int


def to_proof_file(index: int, hashes: Sequence[bytes], checkpoint_note: bytes) -> bytes:
    """The file's bytes. Raises `InvalidInput` for what could not be read again."""
    if not 0 <= index <= SIZE_MAX or len(hashes) > _HASHES_COUNT_MAX:
        raise InvalidInput("this is no proof of inclusion")
    if any(len(each) != HASH_BYTES for each in hashes):
        raise InvalidInput("a hash has 32 bytes")
    lines = [_HEADER, f"index {index}", *(encode_base64(each) for each in hashes), ""]
    return "".join(f"{line}\n" for line in lines).encode() + checkpoint_note


def parse_proof_file(data: bytes, limits: Limits = LIMITS, *, known_note: bytes | None = None) -> ProofFile:
    """Read a proof strictly. Raises `Untrusted` (MALFORMED_PROOF, MALFORMED_NOTE).

    `known_note` has been parsed before: many proofs under one checkpoint need not parse it each.
    """
    if len(data) > limits.note_bytes_max + (_HASHES_COUNT_MAX + 2) * _LINE_BYTES:
        _malformed("it is too large")
    head, separator, note = data.partition(b"\n\n")
    try:
        header, index, *hashes = head.decode("ascii").split("\n")
    except (UnicodeDecodeError, ValueError):
        _malformed("its first lines are not those of a proof")
    matched = _INDEX.fullmatch(index)
    if not separator or header != _HEADER or matched is None or len(hashes) > _HASHES_COUNT_MAX:
        _malformed("its first lines are not those of a proof")
    if int(matched[1]) > SIZE_MAX:
        _malformed("its index is too large")
    if note != known_note:
        parse_note(note, limits)
    return ProofFile(int(matched[1]), tuple(_hash(each) for each in hashes), note)


def verify_leaf(
    proof: bytes | ProofFile, leaf: bytes, logs: Sequence[RegistryLog], limits: Limits = LIMITS
) -> Proven:
    """That `leaf` (its bytes) is in one of `logs`, under a checkpoint that this log signed.

    Raises `Untrusted`: MALFORMED_PROOF, MALFORMED_NOTE, MALFORMED_CHECKPOINT, UNKNOWN_LOG,
    BAD_CHECKPOINT_SIGNATURE, BAD_INCLUSION_PROOF.
    """
    parsed = proof if isinstance(proof, ProofFile) else parse_proof_file(proof, limits)
    origin = parse_checkpoint(parse_note(parsed.note, limits).text).origin
    number = log_number(logs, origin)
    opened = open_checkpoint(parsed.note, origin, logs[number].key, limits)
    checkpoint = opened.checkpoint
    verify_inclusion(leaf_hash(leaf), parsed.index, checkpoint.size, parsed.hashes, checkpoint.root)
    return Proven(parsed.index, checkpoint, opened.note, number)


def _hash(line: str) -> bytes:
    try:
        data = decode_base64(line, "hash")
    except Untrusted:
        _malformed("a hash is not base64")
    if len(data) != HASH_BYTES:
        _malformed("a hash has not 32 bytes")
    return data


def _malformed(why: str) -> NoReturn:
    raise Untrusted(f"not a proof of inclusion: {why}", reason="MALFORMED_PROOF")
