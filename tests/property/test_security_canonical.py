"""Canonical JSON: what we write we read back, and no other bytes mean the same."""

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.errors import Untrusted
from security.canonical import canonical, parse_strict
from security.fields import decode_base64, encode_base64

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=5)


@given(OBJECTS)
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    assert parse_strict(canonical(value)) == value


@given(OBJECTS, st.data())
def test_no_other_spelling_is_accepted(value: dict[str, Any], data: st.DataObject) -> None:
    """Any bytes that are accepted are the canonical bytes of what they say."""
    written = bytearray(canonical(value))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(written) - 1))
        written[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        if not written:
            return
    try:
        read = parse_strict(bytes(written))
    except Untrusted:
        return
    assert canonical(read) == bytes(written)


@given(OBJECTS)
def test_the_standard_library_reads_the_same(value: dict[str, Any]) -> None:
    assert json.loads(canonical(value)) == value


@given(st.binary(max_size=300))
def test_junk_is_refused_never_a_crash(data: bytes) -> None:
    with contextlib.suppress(Untrusted):
        parse_strict(data)


@given(st.binary(max_size=64), st.text("AQgw+/=-_ \n", max_size=12))
def test_base64_has_one_spelling(data: bytes, text: str) -> None:
    assert decode_base64(encode_base64(data), "it") == data
    with contextlib.suppress(Untrusted):
        assert encode_base64(decode_base64(text, "it")) == text
