"""JSON that has one spelling: RFC 8785 (JCS), read as strictly as it is written.

Whatever is signed is in this form, so that two parsers cannot see two things in the same bytes:

* UTF-8 without a byte order mark, nothing before or after the value;
* no key twice in an object (the standard parser would keep the last);
* integers within ±(2^53 - 1); fractions, exponents, NaN and infinities do not exist here;
* bounded size and depth;
* encoding the parsed value again yields exactly the same bytes.

    payload = canonical({"seq": 1, "prev": None})     # b'{"prev":null,"seq":1}'
    value = parse_strict(payload)                     # or Untrusted
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias, cast

import rfc8785

from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits

JSON: TypeAlias = "bool | int | str | Sequence[JSON] | Mapping[str, JSON] | None"
"""What may stand in a statement: JSON without fractions."""


class _RefusedError(ValueError):
    """Raised inside the parser's hooks, with the reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def canonical(value: JSON) -> bytes:
    """`value` in RFC 8785 form. Raises `InvalidInput` for what JSON here cannot hold."""
    try:
        _refuse_fractions(value)
        return rfc8785.dumps(cast("Any", value))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"cannot be written as canonical JSON: {error}", reason="NON_CANONICAL") from error


def parse_strict(payload: bytes, limits: Limits = LIMITS, bytes_max: int | None = None) -> dict[str, Any]:
    """The object in a statement's `payload`, at most `bytes_max` long, else `limits.payload_bytes_max`.

    Raises `Untrusted` with reason MALFORMED, DUPLICATE_KEY or NON_CANONICAL.
    """
    value = parse_canonical(payload, bytes_max or limits.payload_bytes_max, limits)
    if not isinstance(value, dict):
        raise Untrusted("the payload is not a JSON object", reason="MALFORMED")
    return cast("dict[str, Any]", value)


def parse_canonical(data: bytes, bytes_max: int, limits: Limits = LIMITS) -> object:
    """Any JSON value in canonical form. Raises as `parse_strict` does."""
    value = parse_json(data, bytes_max, limits)
    if data.isascii() and _plain(value) == data:
        return value
    try:
        again = rfc8785.dumps(cast("Any", value))
    except ValueError as error:
        raise Untrusted(f"not canonical JSON: {error}", reason="NON_CANONICAL") from error
    if again != data:
        raise Untrusted("not canonical JSON (RFC 8785)", reason="NON_CANONICAL")
    return value


def _plain(value: object) -> bytes:
    """Canonical as long as it is ASCII, where keys sort alike by bytes and by UTF-16; much faster."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def parse_json(data: bytes, bytes_max: int, limits: Limits = LIMITS) -> object:
    """JSON in any spelling (an envelope's), with every other rule above. Raises `Untrusted`."""
    if len(data) > bytes_max:
        raise Untrusted(f"JSON of {len(data)} bytes exceeds {bytes_max}", reason="MALFORMED")
    try:
        text = data.decode("utf-8")
        value: object = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_float=_no_fraction,
            parse_constant=_no_fraction,
            parse_int=_integer,
        )
    except _RefusedError as refused:
        raise Untrusted(refused.message, reason=refused.reason) from refused
    except (ValueError, RecursionError) as error:
        raise Untrusted(f"not JSON in UTF-8: {error}", reason="MALFORMED") from error
    _check_depth(value, limits.json_depth_max)
    return value


def _check_depth(value: object, depth_max: int) -> None:
    # The standard parser stops endless nesting by itself (RecursionError), so this may come after it.
    level = [value]
    for _ in range(depth_max):
        level = [inner for each in level for inner in _children(each) if isinstance(inner, dict | list)]
        if not level:
            return
    raise Untrusted(f"JSON nested deeper than {depth_max}", reason="MALFORMED")


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value).values()
    if isinstance(value, list):
        return cast("list[object]", value)
    return ()


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _RefusedError("DUPLICATE_KEY", f"the key {key!r} stands twice in one object")
            seen.add(key)
    return made


def _no_fraction(text: str) -> NoReturn:
    raise _RefusedError("NON_CANONICAL", f"the number {text[:32]} is not an integer")


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) >= 2**53:
        raise _RefusedError("NON_CANONICAL", f"the number {text[:32]} exceeds 2^53 - 1")
    return int(text)


def _refuse_fractions(value: object) -> None:
    if isinstance(value, float):
        raise _RefusedError("NON_CANONICAL", f"the number {value} is not an integer")
    if isinstance(value, dict):
        for each in cast("dict[object, object]", value).values():
            _refuse_fractions(each)
    elif isinstance(value, list | tuple):
        for each in cast("Sequence[object]", value):
            _refuse_fractions(each)
