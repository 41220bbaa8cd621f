"""Signed notes: a text, and lines that sign it.

    <text, ending in a newline>
                                                   one empty line
    — <key name> <base64 of key id (4 bytes) and signature>

* Read strictly: UTF-8, no control characters but newline, canonical base64, bounded size and number of
  signatures, no key (name and id) twice.
* Reading believes nothing: which key signs what is for `checkpoint` and `cosignature`.
* Signatures by keys that nobody knows are ignored by those.

    note = parse_note(data)
    note.text, note.signatures

Specification: https://c2sp.org/signed-note. Format: docs/formats/log.md.
"""

import hashlib
from dataclasses import dataclass
from typing import NoReturn

from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from security.fields import decode_base64, encode_base64
from security.keys import ED25519_PUBLIC_BYTES

ED25519_NOTE = 0x01
"""Signature type: Ed25519 over the text (a log's own)."""
COSIGNATURE_V1 = 0x04
"""Signature type: Ed25519 with a time (a witness's)."""

KEY_ID_BYTES = 4
_DASH = "— "
_NAME_CHARACTERS_MAX = 512


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line; `signature` is what follows the key id."""

    name: str
    key_id: bytes
    signature: bytes

    def to_line(self) -> str:
        """The line, with its newline."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text with its signatures. Nothing in it is believed yet."""

    text: bytes
    signatures: tuple[NoteSignature, ...]

    def to_bytes(self) -> bytes:
        """The note as it is sent and stored."""
        return self.text + b"\n" + "".join(each.to_line() for each in self.signatures).encode()

    def signature(self, name: str, key_id: bytes) -> bytes | None:
        """The signature of that key, if there is one."""
        return next(
            (each.signature for each in self.signatures if each.name == name and each.key_id == key_id), None
        )


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key as notes name it: name, signature type, raw bytes."""

    name: str
    algorithm: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ newline ‖ type ‖ key)."""
        return key_id(self.name, self.algorithm, self.public)

    def to_text(self) -> str:
        """`<name>+<key id in hex>+<base64 of type and key>` (a vkey)."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.algorithm]) + self.public)}"


def parse_note(data: bytes, limits: Limits = LIMITS) -> Note:
    """Read a note. Raises `Untrusted` (MALFORMED_NOTE)."""
    if len(data) > limits.note_bytes_max:
        _malformed(f"{len(data)} bytes exceed {limits.note_bytes_max}")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        _malformed("it is not UTF-8")
    if any(character < " " for character in set(whole) if character != "\n"):
        _malformed("it holds a control character")
    text, separator, lines = whole.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        _malformed("a text, an empty line and lines of signatures are wanted")
    signatures = [_signature(line) for line in lines[:-1].split("\n")]
    if len(signatures) > limits.note_signatures_count_max:
        _malformed(f"it has more than {limits.note_signatures_count_max} signatures")
    if len({(each.name, each.key_id) for each in signatures}) != len(signatures):
        _malformed("one key signs it twice")
    return Note(text.encode() + b"\n", tuple(signatures))


def verifier_key(name: str, algorithm: int, public: bytes) -> str:
    """The vkey of a public key: `<name>+<key id in hex>+<base64 of type and key>`."""
    return VerifierKey(check_key_name(name), algorithm, public).to_text()


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a vkey of an Ed25519 key (type 1 or 4). Raises `Untrusted` (MALFORMED_KEY)."""
    name, _, rest = text.partition("+")
    identifier, _, encoded = rest.partition("+")
    try:
        data = decode_base64(encoded, "verifier key")
        made = VerifierKey(check_key_name(name), data[0] if data else 0, data[1:])
    except (InvalidInput, Untrusted):
        raise Untrusted(f"{text[:80]!r} is not a verifier key", reason="MALFORMED_KEY") from None
    if made.algorithm not in {ED25519_NOTE, COSIGNATURE_V1} or len(made.public) != ED25519_PUBLIC_BYTES:
        raise Untrusted(f"the verifier key of {name} is not Ed25519", reason="MALFORMED_KEY")
    if made.key_id.hex() != identifier:
        raise Untrusted(f"the verifier key of {name} has another key's id", reason="MALFORMED_KEY")
    return made


def key_id(name: str, algorithm: int, public: bytes) -> bytes:
    """The first four bytes of SHA-256(name ‖ newline ‖ type ‖ key): a hint, no proof."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()[:KEY_ID_BYTES]


def check_key_name(name: str) -> str:
    """`name`, if a key may be called so: not empty, without spaces and plus. Raises `InvalidInput`."""
    if not is_key_name(name):
        raise InvalidInput(f"{name[:80]!r} is not the name of a key", reason="MALFORMED_KEY")
    return name


def is_key_name(name: str) -> bool:
    """Whether a key may be called so."""
    return 0 < len(name) <= _NAME_CHARACTERS_MAX and not any(
        character.isspace() or character == "+" or character < " " for character in name
    )


def _signature(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not is_key_name(name):
        _malformed("a line is no signature")
    try:
        data = decode_base64(encoded, "signature")
    except Untrusted:
        _malformed("a signature is not base64")
    if len(data) <= KEY_ID_BYTES:
        _malformed("a signature is empty")
    return NoteSignature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def _malformed(why: str) -> NoReturn:
    raise Untrusted(f"not a signed note: {why}", reason="MALFORMED_NOTE")
