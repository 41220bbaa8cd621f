"""The chain rule that all statements share, and the log's leaves."""

import hashlib
from dataclasses import replace

import pytest

from core.errors import InvalidInput, Untrusted
from core.names import PartnerId
from security.digests import check_digest
from security.statement import Link, check_successor, same
from security.tlog.leaf import (
    lane_commitment,
    leaf_hash,
    make_leaf,
    new_salt,
    open_leaf,
    registry_leaf,
    registry_of_leaf,
)

ID = [character * 64 for character in "0123456789"]


@pytest.mark.parametrize(
    ("head", "new", "reason"),
    [
        (None, Link(1, None, ID[1]), None),
        (None, Link(2, ID[1], ID[2]), "GAP"),
        (None, Link(1, ID[1], ID[2]), "BROKEN_CHAIN"),
        (None, Link(0, None, ID[1]), "MALFORMED"),
        (Link(1, None, ID[1]), Link(2, ID[1], ID[2]), None),
        (Link(1, None, ID[1]), Link(2, ID[3], ID[2]), "BROKEN_CHAIN"),
        (Link(1, None, ID[1]), Link(2, None, ID[2]), "BROKEN_CHAIN"),
        (Link(1, None, ID[1]), Link(1, None, ID[2]), "FORK"),
        (Link(1, None, ID[1]), Link(1, None, ID[1]), "ROLLBACK"),
        (Link(3, ID[2], ID[3]), Link(2, ID[1], ID[2]), "ROLLBACK"),
        (Link(3, ID[2], ID[3]), Link(2, ID[1], ID[9]), "ROLLBACK"),
        (Link(3, ID[2], ID[3]), Link(5, ID[4], ID[5]), "GAP"),
        (Link(3, ID[2], ID[3]), Link(2**53, ID[3], ID[5]), "GAP"),
    ],
)
def test_one_way_forward(head: Link | None, new: Link, reason: str | None) -> None:
    if reason is None:
        check_successor(head, new, "test")
        return
    with pytest.raises(Untrusted) as caught:
        check_successor(head, new, "test")
    assert caught.value.reason == reason
    assert "test" in caught.value.message


def test_the_same_statement_again_is_known() -> None:
    head = Link(2, ID[1], ID[2])
    assert same(head, Link(2, ID[1], ID[2]))
    assert not same(head, Link(2, ID[1], ID[3]))
    assert not same(None, head)


def test_a_leaf_tells_nothing_without_its_opening() -> None:
    """Not even to somebody who guesses the record right."""
    record = {"kind": "policy", "dataset": "la-dgm/geology-1m"}
    leaf, opening = make_leaf(record)
    again, _ = make_leaf(record)
    assert leaf != again
    assert b"la-dgm" not in leaf
    assert open_leaf(leaf, opening) == record
    assert registry_of_leaf(leaf) is None


def test_a_wrong_opening_opens_nothing() -> None:
    leaf, opening = make_leaf({"n": 1})
    _, other = make_leaf({"n": 2})
    moved = replace(opening, record=opening.nonce[-1:] + opening.record, nonce=opening.nonce[:-1])
    for bad in (other, replace(opening, nonce=other.nonce), replace(opening, record=b'{"n":3}'), moved):
        with pytest.raises(Untrusted) as caught:
            open_leaf(leaf, bad)
        assert caught.value.reason == "WRONG_OPENING"


def test_registry_leaves_are_open_and_nothing_else_is() -> None:
    leaf = registry_leaf(ID[7])
    assert registry_of_leaf(leaf) == ID[7]
    for bad in (b"{}", b'{"registry":"x","v":1}', b'{"v":1}', leaf[:-1] + b',"x":1}', leaf + b"\n"):
        with pytest.raises(Untrusted):
            registry_of_leaf(bad)
    with pytest.raises(Untrusted):
        registry_leaf("not a digest")


def test_leaf_hashes_are_rfc_6962s() -> None:
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(b"x") == hashlib.sha256(b"\0x").digest()


def test_lane_commitments_hide_their_owner_and_bind_their_place() -> None:
    salt = new_salt()
    first = lane_commitment(PartnerId("la-dgm"), 1, None, salt)
    assert first == lane_commitment(PartnerId("la-dgm"), 1, None, salt)
    second = lane_commitment(PartnerId("la-dgm"), 2, first, salt)
    others = {
        lane_commitment(PartnerId("cn-cgs"), 1, None, salt),
        lane_commitment(PartnerId("la-dgm"), 1, None, new_salt()),
        lane_commitment(PartnerId("la-dgm"), 3, first, salt),
        lane_commitment(PartnerId("la-dgm"), 2, second, salt),
    }
    assert len(others | {first, second}) == 6
    for n, prev, used in [(0, None, salt), (1, first, salt), (2, None, salt), (1, None, b"short")]:
        with pytest.raises(InvalidInput):
            lane_commitment(PartnerId("la-dgm"), n, prev, used)
    with pytest.raises(InvalidInput):
        make_leaf({}, b"short")


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 63 + "\n", "٠" * 64])
def test_a_digest_has_one_spelling(text: str) -> None:
    with pytest.raises(Untrusted):
        check_digest(text, "it")
