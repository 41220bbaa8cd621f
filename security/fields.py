"""Reading a parsed statement field by field: each with its type and bound, none forgotten.

    fields = Fields(parse_strict(payload), "policy")
    seq = fields.integer("seq", 1)
    fields.finish()                      # Untrusted(UNKNOWN_FIELD) if a key was never read

Everything that is wrong is `Untrusted` (MALFORMED or UNKNOWN_FIELD) and names the field.
"""

import base64
import binascii
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from core.clock import parse_instant
from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from security.digests import Sha256Hex, check_digest

#: Control characters, surrogates (which UTF-8 cannot hold), line and paragraph separators.
_UNFIT = frozenset({"Cc", "Cs", "Zl", "Zp"})


class Fields:
    """One JSON object of a statement. Remembers which keys were read."""

    def __init__(self, value: object, what: str, limits: Limits = LIMITS) -> None:
        if not isinstance(value, dict):
            raise Untrusted(f"{what}: not a JSON object", reason="MALFORMED")
        self._values = cast("dict[str, Any]", value)
        self._read: set[str] = set()
        self._what = what
        self._limits = limits

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, bytes_max: int | None = None, *, lines: bool = False) -> str:
        """A non-empty string of at most `bytes_max` (default `limits.text_bytes_max`) bytes of UTF-8.

        Without control characters, so that it may be shown on a terminal; line feeds with `lines`.
        """
        value = self._take(name)
        bound = self._limits.text_bytes_max if bytes_max is None else bytes_max
        if not isinstance(value, str) or not value or len(value) > bound or _unfit(value, bound, lines=lines):
            raise self.wrong(name, f"a text of 1 to {bound} bytes without control characters")
        return value

    def optional_text(self, name: str) -> str | None:
        """As `text`, or None where the key is absent."""
        return self.text(name) if name in self._values else None

    def integer(self, name: str, minimum: int = 0) -> int:
        """An integer of at least `minimum`."""
        value = self._take(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            raise self.wrong(name, f"an integer of at least {minimum}")
        return value

    def instant(self, name: str) -> datetime:
        """A time like 2026-11-22T13:21:00Z."""
        text = self.text(name)
        try:
            return parse_instant(text)
        except InvalidInput:
            raise self.wrong(name, "a time like 2026-11-22T13:21:00Z") from None

    def optional_instant(self, name: str) -> datetime | None:
        """As `instant`, or None where the key is absent."""
        return self.instant(name) if name in self._values else None

    def digest(self, name: str) -> Sha256Hex:
        """A SHA-256 in lower-case hexadecimal."""
        return check_digest(self.text(name), f"{self._what}: {name}")

    def digest_or_null(self, name: str) -> Sha256Hex | None:
        """A digest, or null (which must be written)."""
        value = self._take(name)
        return None if value is None else self.digest(name)

    def binary(self, name: str, bytes_count: int | None = None, bytes_max: int = 64 * 1024) -> bytes:
        """Standard base64 with padding; exactly `bytes_count` bytes where given."""
        text = self.text(name, 4 * bytes_max // 3 + 4)
        data = decode_base64(text, f"{self._what}: {name}")
        if bytes_count is not None and len(data) != bytes_count:
            raise self.wrong(name, f"{bytes_count} bytes in base64")
        return data

    def array(self, name: str, count_max: int) -> list[object]:
        """An array of at most `count_max` items, each still to be read."""
        value = self._take(name)
        if not isinstance(value, list) or len(cast("list[object]", value)) > count_max:
            raise self.wrong(name, f"an array of at most {count_max}")
        return cast("list[object]", value)

    def object(self, name: str) -> "Fields":
        """A nested object."""
        return Fields(self._take(name), f"{self._what}: {name}", self._limits)

    def texts(self, name: str) -> dict[str, str]:
        """An object of language tag to text, not empty, at most `limits.languages_count_max`."""
        value = self._take(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "an object of language to text")
        inner = Fields(cast("object", value), f"{self._what}: {name}", self._limits)
        languages = cast("dict[str, object]", value)
        if not 1 <= len(languages) <= self._limits.languages_count_max:
            raise self.wrong(name, f"an object of 1 to {self._limits.languages_count_max} languages")
        if any(not 1 <= len(language) <= 35 for language in languages):
            raise self.wrong(name, "an object whose keys are BCP 47 language tags")
        return {language: inner.text(language) for language in languages}

    def raw(self, name: str) -> Any:
        """The parsed value as it is."""
        return self._take(name)

    def rest(self) -> Mapping[str, Any]:
        """What was not read so far, for statements that keep unknown keys."""
        return {name: value for name, value in self._values.items() if name not in self._read}

    def version(self, number: int = 1) -> None:
        """Demand `"v": number`."""
        if self._take("v") != number or isinstance(self._values["v"], bool):
            raise Untrusted(
                f"{self._what}: version {self._values['v']!r} is not known",
                remedy="a newer Syncline may be needed",
                reason="UNKNOWN_VERSION",
            )

    def finish(self) -> None:
        """Refuse keys that were never read."""
        unknown = sorted(self.rest())
        if unknown:
            raise Untrusted(
                f"{self._what}: unknown field {unknown[0]!r}",
                remedy="a newer Syncline may be needed",
                reason="UNKNOWN_FIELD",
            )

    def wrong(self, name: str, wanted: str) -> Untrusted:
        """The error for a field that is not `wanted`."""
        return Untrusted(f"{self._what}: {name} must be {wanted}", reason="MALFORMED")

    def _take(self, name: str) -> Any:
        if name not in self._values:
            raise Untrusted(f"{self._what}: {name} is missing", reason="MALFORMED")
        self._read.add(name)
        return self._values[name]


def _unfit(text: str, bytes_max: int, *, lines: bool) -> bool:
    if text.isascii() and text.isprintable():
        return False
    shown = text.replace("\n", "") if lines else text
    if any(unicodedata.category(each) in _UNFIT for each in shown):
        return True
    return len(text.encode("utf-8")) > bytes_max


def decode_base64(text: str, what: str) -> bytes:
    """RFC 4648 section 4, padded, one spelling only. Raises `Untrusted` (MALFORMED)."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = None
    if data is None or base64.b64encode(data).decode("ascii") != text:
        raise Untrusted(f"{what} is not base64", reason="MALFORMED")
    return data


def encode_base64(data: bytes) -> str:
    """RFC 4648 section 4, padded."""
    return base64.b64encode(data).decode("ascii")
