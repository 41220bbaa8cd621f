"""What a node offers a restored hub goes in pages that a message holds, in order, and whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.limits import KIB, Limits
from node.hub_client.grpc_hub import _offers  # pyright: ignore[reportPrivateUsage]

SMALL = Limits(page_count_max=3)


@given(st.lists(st.integers(1, 3_900 * KIB), max_size=12))
def test_pages_together_are_the_offer(sizes: list[int]) -> None:
    envelopes = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    pages = [list(page) for page in _offers(envelopes, SMALL)]
    assert [each for page in pages for each in page] == envelopes
    for page in pages:
        assert len(page) <= SMALL.page_count_max
        assert sum(map(len, page)) <= SMALL.message_bytes_max


@pytest.mark.parametrize("count", [1, 3, 4])
def test_no_page_is_sent_without_need(count: int) -> None:
    assert len(list(_offers([b"x"] * count, SMALL))) == -(-count // 3)


def test_an_empty_offer_is_for_the_hub_to_refuse() -> None:
    assert list(_offers([], SMALL)) == [[]]
