"""Envelopes under fire: no altered byte passes, and nothing but `Untrusted` comes out."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Untrusted
from security import envelope as dsse
from security.keys import SigningKey

KEY = SigningKey.from_seeds(bytes(32), bytes(32))
PAYLOAD = b'{"a":1}'
GOOD = dsse.sign(dsse.POLICY, PAYLOAD, [KEY])


@given(st.binary(max_size=400))
def test_round_trip_of_any_payload(payload: bytes) -> None:
    envelope = dsse.sign(dsse.POLICY, payload or b"x", [KEY])
    assert dsse.verify(envelope, dsse.POLICY, [KEY.public]).payload == (payload or b"x")


@settings(max_examples=settings.default.max_examples * 2)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_no_altered_byte_passes_as_something_else(at: int, value: int) -> None:
    altered = GOOD[:at] + bytes([value]) + GOOD[at + 1 :]
    try:
        verified = dsse.verify(altered, dsse.POLICY, [KEY.public])
    except Untrusted:
        return
    # White space for white space is all that may differ, and none is there.
    assert altered == GOOD
    assert verified.payload == PAYLOAD


@given(st.integers(0, len(GOOD)), st.integers(0, len(GOOD)))
def test_no_cut_passes(one: int, other: int) -> None:
    first, last = sorted((one, other))
    cut = GOOD[:first] + GOOD[last:]
    try:
        assert dsse.verify(cut, dsse.POLICY, [KEY.public]).payload == PAYLOAD
        assert cut == GOOD
    except Untrusted:
        pass


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(JUNK, JUNK, JUNK)
def test_junk_in_the_fields_is_refused(payload: object, payload_type: object, signatures: object) -> None:
    junk = {"payload": payload, "payloadType": payload_type, "signatures": signatures}
    try:
        dsse.verify(json.dumps(junk).encode(), dsse.POLICY, [KEY.public])
    except Untrusted:
        return
    raise AssertionError("junk was accepted")
