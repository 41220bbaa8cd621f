"""Pages are cut by count and by bytes, and belong to one view."""

import pytest

from core.errors import InvalidInput, Unavailable
from core.names import DatasetId
from hub.rpc.catalogue import fitting, listing_page
from sync.ports import DatasetEntry, Listing


def listing(count: int, etag: str = "e1") -> Listing:
    entries = [DatasetEntry(DatasetId(f"la-dgm/d{n:03}"), None, 0, 1, False, False) for n in range(count)]
    return Listing(tuple(entries), etag)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 10, 11])
def test_pages_together_are_the_whole_listing(count: int) -> None:
    whole, token, seen = listing(count), "", []
    while True:
        page = listing_page(whole, token, 5)
        seen += page.entries
        token = page.next_page_token
        if not token:
            break
    assert tuple(seen) == whole.entries


def test_a_listing_that_changed_between_two_pages_must_be_begun_again() -> None:
    token = listing_page(listing(10), "", 5).next_page_token
    with pytest.raises(Unavailable) as caught:
        listing_page(listing(10, "e2"), token, 5)
    assert caught.value.reason == "LISTING_CHANGED"


@pytest.mark.parametrize("token", ["5", "e1:", "e1:0", "e1:-5", "e1:x", ":5", "e1:٥"])
def test_a_page_token_of_no_page_is_refused(token: str) -> None:
    with pytest.raises(InvalidInput):
        listing_page(listing(10), token, 5)


def test_a_page_never_exceeds_its_bytes_but_always_moves_on() -> None:
    items = [b"x" * 4, b"x" * 4, b"x" * 9, b"x"]
    assert fitting(items, 8, len) == items[:2]
    assert fitting(items[2:], 8, len) == items[2:3]
    assert fitting([], 8, len) == []
    assert fitting(items, 100, len) == items
