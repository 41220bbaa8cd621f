"""The Merkle tree of RFC 6962 (section 2.1; verification as in RFC 9162, sections 2.1.3.2 and 2.1.4.2).

* Everything here takes *leaf hashes* (`leaf.leaf_hash`), 32 bytes each, never leaves.
* A proof has exactly the length that index and size demand: one hash more or less is refused, and so is a
  hash that has not 32 bytes, a tree of size 0, an index beyond the tree.
* Proofs are made from complete subtrees (`Nodes`), which never change once they are full.

    verify_inclusion(leaf_hash, index, size, proof, root)            # None, or Untrusted(BAD_INCLUSION_PROOF)
    frontier = Frontier().extend(hashes)
    frontier.root()
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from core.errors import InvalidInput, Untrusted

HASH_BYTES = 32
SIZE_MAX = 2**63 - 1
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""

_SIZE_BYTES = 8
_CHUNK_COUNT = 1 << 15


class Nodes(Protocol):
    """Where the hashes of complete subtrees come from."""

    def hash(self, level: int, number: int) -> bytes:
        """Root of the complete subtree of `2**level` leaves that begins at leaf `number * 2**level`."""
        ...


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: the roots of its complete subtrees, largest first, one a set bit of `size`.

    All that is needed to append leaves and to know the root.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= SIZE_MAX or len(self.hashes) != self.size.bit_count():
            raise Untrusted(
                f"no frontier of {self.size} leaves has {len(self.hashes)} hashes", reason="MALFORMED"
            )
        _check_lengths(self.hashes)

    def append(self, leaf_hash: bytes) -> "Frontier":
        """With one more leaf."""
        return self.extend((leaf_hash,))

    def extend(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """With more leaves, in their order; in bounded memory, whatever their number."""
        size, by_level = self.size, self._by_level()
        remaining = iter(leaf_hashes)
        while chunk := list(islice(remaining, _CHUNK_COUNT)):
            _check_lengths(chunk)
            size += len(chunk)
            _carry(by_level, chunk)
        return Frontier(size, tuple(by_level[level] for level in sorted(by_level, reverse=True)))

    def root(self) -> bytes:
        """The tree's root."""
        return _fold(self.hashes) if self.hashes else EMPTY_ROOT

    def to_bytes(self) -> bytes:
        """Size (8 bytes, big-endian), then the hashes, largest subtree first."""
        return self.size.to_bytes(_SIZE_BYTES, "big") + b"".join(self.hashes)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Frontier":
        """Read what `to_bytes` writes. Raises `Untrusted` (MALFORMED)."""
        if len(data) < _SIZE_BYTES:
            raise Untrusted("a frontier has a size", reason="MALFORMED")
        hashes = data[_SIZE_BYTES:]
        return cls(
            int.from_bytes(data[:_SIZE_BYTES], "big"),
            tuple(hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)),
        )

    def _by_level(self) -> dict[int, bytes]:
        levels = (level for level in range(self.size.bit_length() - 1, -1, -1) if self.size >> level & 1)
        return dict(zip(levels, self.hashes, strict=True))


def tree_root(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root of a tree of these leaves; `EMPTY_ROOT` without any."""
    return Frontier().extend(leaf_hashes).root()


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """That leaf number `index` (from 0) of the tree of `size` leaves with this `root` has this hash.

    Raises `Untrusted` (BAD_INCLUSION_PROOF).
    """
    if not 0 <= index < size <= SIZE_MAX:
        raise _no_inclusion(f"leaf {index} is not in a tree of {size}")
    if any(len(each) != HASH_BYTES for each in (leaf_hash, root, *proof)):
        raise _no_inclusion("a hash has not 32 bytes")
    inner, border = _shape(index, size)
    if len(proof) != inner + border:
        raise _no_inclusion(f"it has {len(proof)} hashes instead of {inner + border}")
    if _climb(leaf_hash, proof[:inner], proof[inner:], index) != root:
        raise _no_inclusion("it leads to another root")


def verify_consistency(
    first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> None:
    """That the tree of `second` leaves begins with the tree of `first` (1 ≤ first ≤ second).

    Raises `Untrusted` (BAD_CONSISTENCY_PROOF).
    """
    if not 1 <= first <= second <= SIZE_MAX:
        raise _inconsistent(f"there is no proof from {first} to {second} leaves")
    if any(len(each) != HASH_BYTES for each in (first_root, second_root, *proof)):
        raise _inconsistent("a hash has not 32 bytes")
    if first == second:
        if proof or first_root != second_root:
            raise _inconsistent("one size has one root, and needs no hashes")
        return
    # The walk begins at the largest complete subtree that ends with the first tree. A first tree that is
    # complete is that subtree, and its root is known; otherwise the proof begins with the subtree's root.
    level = (first & -first).bit_length() - 1
    complete = first == 1 << level
    inner, border = _shape(first - 1, second)
    inner -= level
    wanted = inner + border + (not complete)
    if len(proof) != wanted:
        raise _inconsistent(f"it has {len(proof)} hashes instead of {wanted}")
    path = proof if complete else proof[1:]
    begin, number = first_root if complete else proof[0], (first - 1) >> level
    lefts = [each for bit, each in enumerate(path[:inner]) if number >> bit & 1]
    if _climb(begin, (), (*lefts, *path[inner:]), 0) != first_root:
        raise _inconsistent("it leads to another first root")
    if _climb(begin, path[:inner], path[inner:], number) != second_root:
        raise _inconsistent("it leads to another second root")


def root_at(nodes: Nodes, size: int) -> bytes:
    """The root of the tree's first `size` leaves."""
    if size < 0:
        raise InvalidInput(f"no tree has {size} leaves", reason="OUT_OF_RANGE")
    return _range_root(nodes, 0, size) if size else EMPTY_ROOT


def inclusion_proof(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """The proof for leaf `index` in the tree of `size` leaves. Raises `InvalidInput` (OUT_OF_RANGE)."""
    if not 0 <= index < size:
        raise InvalidInput(f"leaf {index} is not in a tree of {size}", reason="OUT_OF_RANGE")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range_root(nodes, middle, end))
            end = middle
        else:
            proof.append(_range_root(nodes, start, middle))
            start = middle
    proof.reverse()
    return proof


def consistency_proof(nodes: Nodes, first: int, second: int) -> list[bytes]:
    """The proof from `first` to `second` leaves. Raises `InvalidInput` (OUT_OF_RANGE)."""
    if not 1 <= first <= second:
        raise InvalidInput(f"there is no proof from {first} to {second} leaves", reason="OUT_OF_RANGE")
    proof: list[bytes] = []
    start, end = 0, second
    # `first` is inside (start, end]; what it covers whole is the end of the walk.
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            proof.append(_range_root(nodes, middle, end))
            end = middle
        else:
            proof.append(_range_root(nodes, start, middle))
            start = middle
    if start != 0:
        proof.append(_range_root(nodes, start, end))
    proof.reverse()
    return proof


def _shape(index: int, size: int) -> tuple[int, int]:
    """How many hashes the proof for `index` has: below where its path meets the tree's right edge, and above.

    Below, the siblings stand on the side that the index's bits say; above, all of them stand on the left.
    """
    inner = (index ^ (size - 1)).bit_length()
    return inner, (index >> inner).bit_count()


def _climb(found: bytes, inner: Sequence[bytes], border: Sequence[bytes], number: int) -> bytes:
    """The root that these siblings lead to from subtree `number` of its level."""
    for bit, each in enumerate(inner):
        found = node_hash(each, found) if number >> bit & 1 else node_hash(found, each)
    for each in border:
        found = node_hash(each, found)
    return found


def _carry(by_level: dict[int, bytes], hashes: list[bytes]) -> None:
    """Add `hashes`, complete subtrees of level 0, pairing level by level as far as they go."""
    sha256 = hashlib.sha256
    level = 0
    while hashes:
        waiting = by_level.pop(level, None)
        if waiting is not None:
            hashes.insert(0, waiting)
        if len(hashes) & 1:
            by_level[level] = hashes.pop()
        pairs = iter(hashes)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
        level += 1


def _range_root(nodes: Nodes, start: int, end: int) -> bytes:
    """Root over the leaves [start, end), where `start` is a multiple of the largest power of two in it."""
    parts: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        parts.append(nodes.hash(level, start >> level))
        start += 1 << level
    return _fold(parts)


def _fold(hashes: Sequence[bytes]) -> bytes:
    found = hashes[-1]
    for each in reversed(hashes[:-1]):
        found = node_hash(each, found)
    return found


def _split(count: int) -> int:
    """The largest power of two below `count` (≥ 2)."""
    return 1 << ((count - 1).bit_length() - 1)


def _check_lengths(hashes: Sequence[bytes]) -> None:
    if any(length != HASH_BYTES for length in set(map(len, hashes))):
        raise Untrusted("a hash of the tree has not 32 bytes", reason="MALFORMED")


def _no_inclusion(why: str) -> Untrusted:
    return Untrusted(f"the proof of inclusion does not hold: {why}", reason="BAD_INCLUSION_PROOF")


def _inconsistent(why: str) -> Untrusted:
    return Untrusted(f"the proof of consistency does not hold: {why}", reason="BAD_CONSISTENCY_PROOF")
