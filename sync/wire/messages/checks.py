"""What every message is checked for: lengths, bounds, pages. All complaints are `InvalidInput`."""

from collections.abc import Sequence
from typing import TypeVar

from core.errors import InvalidInput
from core.limits import LIMITS, Limits

DIGEST_BYTES = 32
#: Numbers also stand in signed JSON, which agrees on them up to here (RFC 8785, I-JSON).
INTEGER_MAX = 2**53 - 1
SHORT_BYTES_MAX = 1_024
T = TypeVar("T")


def digest_to_message(hex_digest: str) -> bytes:
    """A hex SHA-256 as 32 bytes. Raises `InvalidInput`."""
    try:
        return digest_checked(bytes.fromhex(hex_digest), "digest")
    except ValueError:
        raise ill_formed(f"{hex_digest[:80]!r} is not a digest in hex") from None


def digest_from_message(raw: bytes, what: str) -> str:
    """32 bytes as hex. Raises `InvalidInput`."""
    return digest_checked(raw, what).hex()


def digest_checked(raw: bytes, what: str) -> bytes:
    """`raw` if it has 32 bytes. Raises `InvalidInput`."""
    if len(raw) != DIGEST_BYTES:
        raise ill_formed(f"{what} has {len(raw)} bytes, not {DIGEST_BYTES}")
    return raw


def envelope_from_message(raw: bytes, limits: Limits = LIMITS) -> bytes:
    """A signed envelope, bounded and not empty; still unverified. Raises `InvalidInput`."""
    return bounded(raw, "envelope", 1, limits.envelope_bytes_max)


def bounded(raw: bytes, what: str, least: int, most: int) -> bytes:
    """`raw` if its length is within bounds. Raises `InvalidInput`."""
    if not least <= len(raw) <= most:
        raise ill_formed(f"{what} has {len(raw)} bytes, not {least} to {most}")
    return raw


def short(text: str, what: str) -> str:
    """`text` if it is short. Raises `InvalidInput`."""
    if len(text.encode()) > SHORT_BYTES_MAX:
        raise ill_formed(f"{what} is longer than {SHORT_BYTES_MAX} bytes")
    return text


def counted(value: int, what: str, least: int = 0, most: int = INTEGER_MAX) -> int:
    """`value` if it is within bounds. Raises `InvalidInput`."""
    if not least <= value <= most:
        raise ill_formed(f"{what} is {value}, not {least} to {most}")
    return value


def page_size_of(asked: int, limits: Limits) -> int:
    """The size of the page to send: what was asked, bounded; 0 asks for the default."""
    return min(asked or limits.page_count_max, limits.page_count_max)


def next_seq_of(value: int) -> int | None:
    """Where the next page starts; None at the end."""
    return counted(value, "next_seq") or None


def page_of(items: Sequence[T], limits: Limits) -> Sequence[T]:
    """`items` if they are not more than a page may hold. Raises `InvalidInput`."""
    if len(items) > limits.page_count_max:
        raise ill_formed(f"a page has {len(items)} entries, more than {limits.page_count_max}")
    return items


def ill_formed(why: str) -> InvalidInput:
    """The error for a message that breaks a rule."""
    return InvalidInput(f"ill-formed message: {why}", reason="MALFORMED_MESSAGE")
