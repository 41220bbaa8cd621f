"""Checkpoints: the log's signed word for its size and root.

* The text has three lines: origin, size in decimal, root in base64. Extension lines are refused: no monitor
  could audit them.
* The key name of the log's signature is its origin; its signature type is Ed25519 (0x01).
* Opening demands the origin and the key from the registry; only then is there an `OpenedCheckpoint`.

    note = sign_checkpoint(Checkpoint("asean/log", 3, root), log_key)
    opened = open_checkpoint(note, "asean/log", log.key)         # or Untrusted

Specification: https://c2sp.org/tlog-checkpoint. Format: docs/formats/log.md.
"""

import re
from dataclasses import dataclass

from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from security.fields import decode_base64, encode_base64
from security.keys import WitnessKey, verify_ed25519
from security.tlog.merkle import EMPTY_ROOT, HASH_BYTES, SIZE_MAX
from security.tlog.note import (
    ED25519_NOTE,
    Note,
    NoteSignature,
    check_key_name,
    is_key_name,
    key_id,
    parse_note,
)

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: its origin, how many leaves it has, their root."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if len(self.root) != HASH_BYTES or not 0 <= self.size <= SIZE_MAX:
            raise InvalidInput(
                "a checkpoint has a size and a root of 32 bytes", reason="MALFORMED_CHECKPOINT"
            )
        if (self.size == 0) and self.root != EMPTY_ROOT:
            raise InvalidInput("a log without leaves has the empty root", reason="MALFORMED_CHECKPOINT")

    def to_text(self) -> bytes:
        """The note's text: what log and witnesses sign."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n".encode()


@dataclass(frozen=True, slots=True)
class OpenedCheckpoint:
    """A checkpoint that the log's key signed, and its note. Made by `open_checkpoint` alone."""

    checkpoint: Checkpoint
    note: Note


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Read a note's text. Raises `Untrusted` (MALFORMED_CHECKPOINT)."""
    try:
        lines = text.decode("utf-8").split("\n")
        if len(lines) != 4 or lines[3] or not is_key_name(lines[0]) or not _SIZE.fullmatch(lines[1]):
            raise _malformed()
        return Checkpoint(lines[0], int(lines[1]), decode_base64(lines[2], "checkpoint"))
    except (InvalidInput, UnicodeDecodeError, Untrusted):
        raise _malformed() from None


def sign_checkpoint(checkpoint: Checkpoint, log_key: WitnessKey) -> bytes:
    """The note with the log's signature."""
    name, text = check_key_name(checkpoint.origin), checkpoint.to_text()
    (made,) = log_key.sign(text)
    signature = NoteSignature(name, key_id(name, ED25519_NOTE, log_key.public), made.sig)
    return Note(text, (signature,)).to_bytes()


def open_checkpoint(note: bytes, origin: str, key: bytes, limits: Limits = LIMITS) -> OpenedCheckpoint:
    """The checkpoint in `note`, signed by the raw Ed25519 `key` of the log `origin`.

    Raises `Untrusted`: MALFORMED_NOTE, MALFORMED_CHECKPOINT, WRONG_ORIGIN, BAD_CHECKPOINT_SIGNATURE.
    """
    parsed = parse_note(note, limits)
    checkpoint = parse_checkpoint(parsed.text)
    if checkpoint.origin != origin:
        raise Untrusted(
            f"this is a checkpoint of {checkpoint.origin}, not of {origin}", reason="WRONG_ORIGIN"
        )
    signature = parsed.signature(origin, key_id(origin, ED25519_NOTE, key))
    if signature is None:
        raise Untrusted(f"{origin}: the log's key has not signed this", reason="BAD_CHECKPOINT_SIGNATURE")
    try:
        verify_ed25519(key, signature, parsed.text)
    except Untrusted:
        raise Untrusted(
            f"{origin}: the log's signature does not verify", reason="BAD_CHECKPOINT_SIGNATURE"
        ) from None
    return OpenedCheckpoint(checkpoint, parsed)


def _malformed() -> Untrusted:
    return Untrusted(
        "a checkpoint has three lines: origin, size and root (no more are known here)",
        reason="MALFORMED_CHECKPOINT",
    )
