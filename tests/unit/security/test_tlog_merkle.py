"""The tree against the vectors that Certificate Transparency's own code publishes."""

import hashlib

import pytest

from core.errors import Untrusted
from security.tlog.leaf import leaf_hash
from security.tlog.merkle import (
    Frontier,
    consistency_proof,
    inclusion_proof,
    root_at,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

# google/certificate-transparency, merkle_tree_test; used by every implementation since.
INPUTS = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"
]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): INCLUSION[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
LEAVES = [leaf_hash(bytes.fromhex(each)) for each in INPUTS]


class Nodes:
    def hash(self, level: int, number: int) -> bytes:
        return tree_root(LEAVES[number << level : (number + 1) << level])


def test_published_roots() -> None:
    frontier = Frontier()
    for size, root in enumerate(ROOTS):
        assert tree_root(LEAVES[:size]).hex() == root_at(Nodes(), size).hex() == frontier.root().hex() == root
        if size < len(LEAVES):
            frontier = frontier.append(LEAVES[size])


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_published_inclusion_proofs(index: int, size: int) -> None:
    proof = [bytes.fromhex(each) for each in INCLUSION[index, size]]
    assert inclusion_proof(Nodes(), index, size) == proof
    verify_inclusion(LEAVES[index], index, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("first", "second"), CONSISTENCY)
def test_published_consistency_proofs(first: int, second: int) -> None:
    proof = [bytes.fromhex(each) for each in CONSISTENCY[first, second]]
    assert consistency_proof(Nodes(), first, second) == proof
    roots = bytes.fromhex(ROOTS[first]), bytes.fromhex(ROOTS[second])
    verify_consistency(first, second, proof, *roots)


@pytest.mark.parametrize("size", range(1, len(LEAVES) + 1))
def test_a_proof_holds_for_its_own_place_alone(size: int) -> None:
    """At the right edge, the path of one place is the beginning of another's: only the length tells them
    apart."""
    root = tree_root(LEAVES[:size])
    for index in range(size):
        proof = inclusion_proof(Nodes(), index, size)
        for other in range(size):
            if other == index:
                verify_inclusion(LEAVES[index], index, size, proof, root)
                continue
            with pytest.raises(Untrusted) as caught:
                verify_inclusion(LEAVES[index], other, size, proof, root)
            assert caught.value.reason == "BAD_INCLUSION_PROOF"


def test_a_leaf_is_never_taken_for_a_node() -> None:
    """Without the two prefixes, a leaf of 64 bytes could stand for a whole subtree."""
    left, right = LEAVES[0], LEAVES[1]
    assert tree_root([leaf_hash(left + right)]) != tree_root([left, right])
    assert tree_root([left, right]) == hashlib.sha256(b"\x01" + left + right).digest()
