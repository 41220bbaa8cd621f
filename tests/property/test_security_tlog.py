"""The log's tree and files against a naive model: what is true is proven, what is altered refused."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput, SynclineError, Untrusted
from security.keys import WitnessKey
from security.members import RegistryLog
from security.tlog import log_policy, tiles
from security.tlog.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from security.tlog.cosignature import Witness, cosign, cosigners, merge
from security.tlog.leaf import leaf_hash
from security.tlog.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    root_at,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from security.tlog.note import parse_note
from security.tlog.opening_file import LanePlace, OpeningFile
from security.tlog.tlog_proof import parse_proof_file, to_proof_file, verify_leaf

COUNT = 200
LEAVES = [leaf_hash(b"leaf %d" % number) for number in range(COUNT)]
OTHER = hashlib.sha256(b"another hash").digest()
LOG = WitnessKey.from_seed(bytes(32))
NOW = datetime(2026, 11, 22, 16, 0, 0, tzinfo=UTC)


def split(count: int) -> int:
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def mth(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = split(len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:middle]) + mth(leaves[middle:])).digest()


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    middle = split(len(leaves))
    if index < middle:
        return [*path(index, leaves[:middle]), mth(leaves[middle:])]
    return [*path(index - middle, leaves[middle:]), mth(leaves[:middle])]


def subproof(first: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    """RFC 6962, 2.1.2."""
    if first == len(leaves):
        return [] if whole else [mth(leaves)]
    middle = split(len(leaves))
    if first <= middle:
        return [*subproof(first, leaves[:middle], whole=whole), mth(leaves[middle:])]
    return [*subproof(first - middle, leaves[middle:], whole=False), mth(leaves[:middle])]


class NaiveNodes:
    def __init__(self) -> None:
        self._known: dict[tuple[int, int], bytes] = {}

    def hash(self, level: int, number: int) -> bytes:
        assert (number + 1) << level <= COUNT, "only complete subtrees are asked for"
        if (level, number) not in self._known:
            self._known[level, number] = mth(LEAVES[number << level : (number + 1) << level])
        return self._known[level, number]


NODES = NaiveNodes()
ROOTS = [mth(LEAVES[:size]) for size in range(COUNT + 1)]


@pytest.mark.parametrize("size", range(COUNT + 1))
def test_every_size_has_the_model_s_root(size: int) -> None:
    assert tree_root(LEAVES[:size]) == root_at(NODES, size) == ROOTS[size]


@pytest.mark.parametrize("size", [*range(1, 70), 127, 128, 129, 199, 200])
def test_every_leaf_and_every_older_tree_is_proven_as_in_the_model(size: int) -> None:
    for index in range(size):
        proof = inclusion_proof(NODES, index, size)
        assert proof == path(index, LEAVES[:size])
        verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])
        first = index + 1
        older = consistency_proof(NODES, first, size)
        assert older == subproof(first, LEAVES[:size], whole=True)
        verify_consistency(first, size, older, ROOTS[first], ROOTS[size])


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert tree_root([]) == EMPTY_ROOT == hashlib.sha256(b"").digest()
    assert Frontier() == Frontier.from_bytes(Frontier().to_bytes())


def altered(proof: list[bytes]) -> list[tuple[str, list[bytes]]]:
    made = [
        ("a hash more", [*proof, OTHER]),
        ("a hash more in front", [OTHER, *proof]),
        ("a hash of 31 bytes more", [*proof, OTHER[:31]]),
    ]
    for at, each in enumerate(proof):
        made += [
            (f"hash {at} missing", proof[:at] + proof[at + 1 :]),
            (f"hash {at} twice", [*proof[: at + 1], *proof[at:]]),
            (f"hash {at} another", [*proof[:at], OTHER, *proof[at + 1 :]]),
            (f"hash {at} cut", [*proof[:at], each[:31], *proof[at + 1 :]]),
            (f"hash {at} longer", [*proof[:at], each + b"\0", *proof[at + 1 :]]),
        ]
    if len(proof) > 1 and proof[0] != proof[-1]:
        made.append(("reversed", proof[::-1]))
    return made


@given(st.data())
def test_an_altered_inclusion_proof_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, COUNT))
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(NODES, index, size)
    leaf, root = LEAVES[index], ROOTS[size]
    for _, wrong in altered(proof):
        refused_inclusion(leaf, index, size, wrong, root)
    for other in {index - 1, index + 1, size, data.draw(st.integers(0, 2 * COUNT))} - {index}:
        refused_inclusion(leaf, other, size, proof, root)
    refused_inclusion(OTHER, index, size, proof, root)
    refused_inclusion(leaf[:31], index, size, proof, root)
    refused_inclusion(leaf, index, size, proof, OTHER)
    refused_inclusion(leaf, index, size, proof, b"")
    for nonsense in (0, -1, 2**64):
        refused_inclusion(leaf, index, nonsense, proof, root)


def refused_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> None:
    with pytest.raises(Untrusted) as caught:
        verify_inclusion(leaf, index, size, proof, root)
    assert caught.value.reason == "BAD_INCLUSION_PROOF"


@given(st.data())
def test_an_altered_consistency_proof_is_refused(data: st.DataObject) -> None:
    second = data.draw(st.integers(1, COUNT))
    first = data.draw(st.integers(1, second))
    proof = consistency_proof(NODES, first, second)
    old, new = ROOTS[first], ROOTS[second]
    for _, wrong in altered(proof):
        refused_consistency(first, second, wrong, old, new)
    refused_consistency(first, second, proof, OTHER, new)
    refused_consistency(first, second, proof, old, OTHER)
    refused_consistency(first, second, proof, old[:31], new)
    refused_consistency(0, second, proof, EMPTY_ROOT, new)
    refused_consistency(0, 0, [], EMPTY_ROOT, EMPTY_ROOT)
    refused_consistency(second + 1, second, proof, old, new)
    if first < second:
        refused_consistency(second, first, proof, new, old)
        refused_consistency(first, second, proof, new, old)


def refused_consistency(first: int, second: int, proof: list[bytes], old: bytes, new: bytes) -> None:
    with pytest.raises(Untrusted) as caught:
        verify_consistency(first, second, proof, old, new)
    assert caught.value.reason == "BAD_CONSISTENCY_PROOF"


@given(st.integers(0, COUNT), st.integers(0, COUNT), st.integers(0, COUNT))
def test_a_frontier_grows_in_any_steps(one: int, two: int, three: int) -> None:
    low, middle, high = sorted((one, two, three))
    grown = Frontier().extend(LEAVES[:low]).extend(iter(LEAVES[low:middle]))
    again = Frontier.from_bytes(grown.to_bytes())
    for leaf in LEAVES[middle:high]:
        again = again.append(leaf)
    assert again == Frontier().extend(LEAVES[:high])
    assert (again.size, again.root()) == (high, ROOTS[high])


@given(st.binary(max_size=200))
def test_a_frontier_on_disk_is_read_strictly(data: bytes) -> None:
    try:
        found = Frontier.from_bytes(data)
    except Untrusted as error:
        assert error.reason == "MALFORMED"
    else:
        assert found.to_bytes() == data


def test_no_proof_is_made_beyond_the_tree() -> None:
    for index, size in ((0, 0), (3, 3), (-1, 3)):
        with pytest.raises(InvalidInput):
            inclusion_proof(NODES, index, size)
    for first, second in ((0, 3), (4, 3)):
        with pytest.raises(InvalidInput):
            consistency_proof(NODES, first, second)


# Files: whatever is read back is what was written, and no altered byte passes.


def note_of(size: int, witnesses: int = 2) -> tuple[bytes, list[Witness]]:
    note = sign_checkpoint(Checkpoint("mekong-geo/log", size, ROOTS[size]), LOG)
    keys = [WitnessKey.from_seed(bytes([number + 1]) * 32) for number in range(witnesses)]
    names = [f"mekong-geo/p{number}/main" for number in range(witnesses)]
    lines = [
        cosign(parse_note(note).text, name, key, NOW + timedelta(seconds=number))
        for number, (name, key) in enumerate(zip(names, keys, strict=True))
    ]
    return merge(note, lines), [Witness(name, key.public) for name, key in zip(names, keys, strict=True)]


@given(st.integers(0, COUNT), st.data())
def test_no_altered_byte_of_a_checkpoint_passes(size: int, data: st.DataObject) -> None:
    note, witnesses = note_of(size)
    opened = open_checkpoint(note, "mekong-geo/log", LOG.public)
    assert opened.note.to_bytes() == note
    assert len(cosigners(opened.note, witnesses)) == 2
    at = data.draw(st.integers(0, len(note) - 1))
    wrong = bytearray(note)
    wrong[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        again = open_checkpoint(bytes(wrong), "mekong-geo/log", LOG.public)
        # What is left: a line of a witness. It is refused, or no longer that witness's.
        assert again.checkpoint == opened.checkpoint
        assert len(cosigners(again.note, witnesses)) < 2
    except Untrusted as error:
        assert error.reason in {
            "MALFORMED_NOTE",
            "MALFORMED_CHECKPOINT",
            "WRONG_ORIGIN",
            "BAD_CHECKPOINT_SIGNATURE",
            "BAD_COSIGNATURE",
        }


@given(st.integers(1, COUNT), st.data())
def test_no_altered_byte_of_a_proof_s_head_passes(size: int, data: st.DataObject) -> None:
    note, _ = note_of(size)
    index = data.draw(st.integers(0, size - 1))
    proof = to_proof_file(index, inclusion_proof(NODES, index, size), note)
    leaf, logs = b"leaf %d" % index, [RegistryLog("mekong-geo/log", LOG.public)]
    proven = verify_leaf(proof, leaf, logs)
    assert (proven.index, proven.checkpoint.size, proven.log_number) == (index, size, 0)
    assert parse_proof_file(proof).note == note
    wrong = bytearray(proof)
    wrong[data.draw(st.integers(0, proof.index(b"\n\n") + 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Untrusted) as caught:
        verify_leaf(bytes(wrong), leaf, logs)
    assert caught.value.reason in {
        "MALFORMED_PROOF",
        "MALFORMED_NOTE",
        "MALFORMED_CHECKPOINT",
        "BAD_INCLUSION_PROOF",
    }
    with pytest.raises(Untrusted):
        verify_leaf(proof, b"another leaf", logs)


def test_no_bytes_make_a_reader_fall() -> None:
    readers = [
        (parse_note, lambda found: found.to_bytes()),
        (parse_checkpoint, lambda found: found.to_text()),
        (parse_proof_file, lambda found: to_proof_file(found.index, found.hashes, found.note)),
        (OpeningFile.from_bytes, lambda found: found.to_bytes()),
    ]
    note, _ = note_of(7)
    seeds = [note, note.partition(b"\n\n")[0] + b"\n", to_proof_file(3, LEAVES[:3], note), OPENING.to_bytes()]

    @given(st.sampled_from(range(len(readers))), st.data())
    def holds(which: int, data: st.DataObject) -> None:
        read, write = readers[which]
        start = data.draw(st.sampled_from(seeds))
        at = data.draw(st.integers(0, len(start)))
        made = start[:at] + data.draw(st.binary(max_size=6)) + start[at + data.draw(st.integers(0, 6)) :]
        try:
            found = read(made)
        except Untrusted:
            return
        assert write(found) == made

    holds()


OPENING = OpeningFile(4711, b'{"v":1}', bytes(32), LanePlace(2, "ab" * 32, bytes(32)))


@given(
    st.integers(0, 2**53 - 1),
    st.binary(max_size=100),
    st.none() | st.builds(LanePlace, st.just(1), st.none(), st.binary(min_size=32, max_size=32)),
)
def test_an_opening_file_is_read_back(index: int, record: bytes, lane: LanePlace | None) -> None:
    made = OpeningFile(index, record or b"x", bytes(32), lane)
    assert OpeningFile.from_bytes(made.to_bytes()) == made


@given(st.integers(0, 63), st.integers(0, 2**63 - 1), st.integers(1, 256))
def test_a_tile_has_one_path(level: int, number: int, width: int) -> None:
    assert tiles.parse_path(tiles.tile_path(level, number, width)) == tiles.TilePlace(level, number, width)
    assert tiles.parse_path(tiles.entries_path(number, width)) == tiles.TilePlace(None, number, width)


@given(st.lists(st.binary(max_size=80), max_size=256))
def test_a_bundle_of_entries_is_read_back(leaves: list[bytes]) -> None:
    data = tiles.encode_entries(leaves)
    assert tiles.parse_entries(data, len(leaves)) == leaves
    for wrong in (data + b"\0", data[:-1]) if data else (b"\0",):
        with pytest.raises(Untrusted):
            tiles.parse_entries(wrong, len(leaves))


@given(st.text(alphabet="log witness group quorum none any all 12 a b c\n\t#+", max_size=120))
def test_a_policy_is_read_or_refused(text: str) -> None:
    try:
        log_policy.parse(text.encode())
    except SynclineError as error:
        assert error.reason == "MALFORMED_LOG_POLICY"
