"""Digests as everybody else prints them: lower-case hexadecimal SHA-256.

sha256_hex(b"")                      # "e3b0c442…b855"
check_digest(text, "the subject")    # returns it, or raises Untrusted
"""

import hashlib
import re

from core.errors import Untrusted

Sha256Hex = str
"""64 lower-case hexadecimal digits."""

_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


def sha256_hex(data: bytes | memoryview) -> Sha256Hex:
    """SHA-256 of `data` (FIPS 180-4), in lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def is_digest(text: object) -> bool:
    """Whether `text` is exactly 64 lower-case hexadecimal digits."""
    return isinstance(text, str) and _HEX.fullmatch(text) is not None


def check_digest(text: str, what: str) -> Sha256Hex:
    """`text`, if it is a digest. Raises `Untrusted` (MALFORMED) that names `what`."""
    if not is_digest(text):
        raise Untrusted(f"{what} is not a SHA-256 in lower-case hexadecimal", reason="MALFORMED")
    return text
