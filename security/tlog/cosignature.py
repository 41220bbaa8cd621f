"""Cosignatures: a witness's word that the log was append-only, as far as it has seen, at a time.

* Signed is `cosignature/v1\\ntime <seconds since 1970>\\n` and then the checkpoint's text, with Ed25519.
* A signature line is a witness's when name and key id are its own. Others are ignored; one that is a
  witness's and does not verify refuses the whole note.
* A witness counts once by its public bytes, whatever the names it goes by.

    line = cosign(opened.note.text, "asean/la-dgm/main", witness_key, clock.now())
    merge(note, [line])
    cosigners(opened.note, witnesses)            # tuple[Cosigned, ...]

Specification: https://c2sp.org/tlog-cosignature (version 1, type 0x04). Format: docs/formats/log.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.errors import Untrusted
from security.keys import WitnessKey, verify_ed25519
from security.tlog.note import COSIGNATURE_V1, Note, NoteSignature, check_key_name, key_id, parse_note

_TIME_BYTES = 8
_SIGNATURE_BYTES = _TIME_BYTES + 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Witness:
    """Who may cosign: key name `<federation>/<partner>/<node>`, raw Ed25519 key."""

    name: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A witness's valid cosignature, and the time that it states."""

    witness: Witness
    at: datetime


def cosign(checkpoint_text: bytes, name: str, key: WitnessKey, at: datetime) -> NoteSignature:
    """The line of witness `name` under a checkpoint's text."""
    seconds = (at - _EPOCH) // timedelta(seconds=1)
    (made,) = key.sign(_message(checkpoint_text, seconds))
    identifier = key_id(check_key_name(name), COSIGNATURE_V1, key.public)
    return NoteSignature(name, identifier, seconds.to_bytes(_TIME_BYTES, "big") + made.sig)


def verify_cosignature(text: bytes, signature: NoteSignature, name: str, public: bytes) -> datetime:
    """The time of `signature` under `text`, by witness `name`. Raises `Untrusted` (BAD_COSIGNATURE)."""
    if signature.name != name or signature.key_id != key_id(name, COSIGNATURE_V1, public):
        raise _bad(name)
    if len(signature.signature) != _SIGNATURE_BYTES:
        raise _bad(name)
    seconds = _seconds(signature.signature)
    try:
        verify_ed25519(public, signature.signature[_TIME_BYTES:], _message(text, seconds))
        return _EPOCH + timedelta(seconds=seconds)
    except (Untrusted, OverflowError):
        raise _bad(name) from None


def cosigners(note: Note, witnesses: Iterable[Witness]) -> tuple[Cosigned, ...]:
    """Those of `witnesses` who cosigned `note`, each with its time, in the order of `witnesses`.

    Raises `Untrusted` (BAD_COSIGNATURE) when a line of one of them does not verify.
    """
    lines = {(each.name, each.key_id): each for each in note.signatures}
    found: list[Cosigned] = []
    keys: set[bytes] = set()
    for witness in witnesses:
        line = lines.get((witness.name, key_id(witness.name, COSIGNATURE_V1, witness.key)))
        if line is None:
            continue
        at = verify_cosignature(note.text, line, witness.name, witness.key)
        if witness.key not in keys:
            keys.add(witness.key)
            found.append(Cosigned(witness, at))
    return tuple(found)


def merge(note: bytes, extra: Iterable[NoteSignature]) -> bytes:
    """`note` with more signature lines; of two by one witness the later stays. Verifies none."""
    parsed = parse_note(note)
    lines = {(each.name, each.key_id): each for each in parsed.signatures}
    for each in extra:
        there = lines.get((each.name, each.key_id))
        if there is None or _later(each, there):
            lines[each.name, each.key_id] = each
    return Note(parsed.text, tuple(lines.values())).to_bytes()


def _later(new: NoteSignature, old: NoteSignature) -> bool:
    timed = len(new.signature) == len(old.signature) == _SIGNATURE_BYTES
    return timed and _seconds(new.signature) > _seconds(old.signature)


def _seconds(signature: bytes) -> int:
    return int.from_bytes(signature[:_TIME_BYTES], "big")


def _message(text: bytes, seconds: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % seconds + text


def _bad(name: str) -> Untrusted:
    return Untrusted(f"the cosignature of {name} does not verify", reason="BAD_COSIGNATURE")
