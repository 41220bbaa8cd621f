"""Signed notes, checkpoints, cosignatures, proofs and policies: others' examples, and each attack by name."""

import base64
import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import SSlibKey

from core.clock import format_instant
from core.errors import InvalidInput, Untrusted
from core.limits import Limits
from core.names import PartnerId
from security.keys import WitnessKey, ed25519_pem, verify_ed25519
from security.members import RegistryLog
from security.tlog import log_policy, tiles
from security.tlog.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from security.tlog.cosignature import Cosigned, Witness, cosign, cosigners, merge, verify_cosignature
from security.tlog.leaf import lane_commitment, leaf_hash, open_leaf
from security.tlog.merkle import EMPTY_ROOT, tree_root, verify_consistency, verify_inclusion
from security.tlog.note import (
    COSIGNATURE_V1,
    ED25519_NOTE,
    Note,
    NoteSignature,
    key_id,
    parse_note,
    parse_verifier_key,
    verifier_key,
)
from security.tlog.opening_file import LanePlace, OpeningFile, check_lane
from security.tlog.position import position
from security.tlog.quorum import count, needed
from security.tlog.tlog_proof import parse_proof_file, to_proof_file, verify_leaf
from tests.installed import needs_openssl

ORIGIN = "mekong-geo/log"
LOG = WitnessKey.from_seed(bytes([7]) * 32)
WITNESS = WitnessKey.from_seed(bytes([8]) * 32)
NAME = "mekong-geo/la-dgm/main"
NOW = datetime(2026, 11, 22, 16, 0, 0, tzinfo=UTC)
LEAF = b"a leaf"
NOTE = sign_checkpoint(Checkpoint(ORIGIN, 1, leaf_hash(LEAF)), LOG)
TEXT = parse_note(NOTE).text
LOGS = [RegistryLog(ORIGIN, LOG.public)]

OPENSSL = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in text -sigfile sig".split()  # noqa: SIM905

# golang.org/x/mod/sumdb/note, the example of Open.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# FiloSottile/torchwood, cmd/litewitness/testdata: a checkpoint of a Sigsum log.
SIGSUM_KEY = bytes.fromhex("52c05edad1bf5feffa81354faae59a655d9a9a1a793ed2f62c39c26c0be2aecd")
SIGSUM_ORIGIN = "sigsum.org/v1/tree/985ea163f5af026723561354f51f2ebcdcf2af809ce254ccfb64aa9aadd80f90"
SIGSUM_NOTE = (
    f"{SIGSUM_ORIGIN}\n1\nKgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— {SIGSUM_ORIGIN} "
    "7BKT0gOfNZ1J0So9unY3BZtm2YkPIoNYM/dce0Z2avJDs8dxN6ts9bOSwwrVrbjm6P9K3ZxpK6jJngOG6YvGGzV/lwo=\n"
)
# c2sp.org/tlog-cosignature, its example (whose public keys are not given).
SOFA_NOTE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def reason_of(call, *arguments: object) -> str:
    with pytest.raises(Untrusted) as caught:
        call(*arguments)
    return caught.value.reason


# Others' examples.


def test_a_note_of_go_s_own_example_verifies() -> None:
    key, note = parse_verifier_key(PETER), parse_note(PETERS_NOTE.encode())
    signature = note.signature(key.name, key.key_id)
    assert signature is not None
    verify_ed25519(key.public, signature, note.text)
    assert note.to_bytes() == PETERS_NOTE.encode()
    assert key.to_text() == PETER


def test_a_checkpoint_of_another_log_verifies() -> None:
    opened = open_checkpoint(SIGSUM_NOTE.encode(), SIGSUM_ORIGIN, SIGSUM_KEY)
    assert opened.checkpoint == Checkpoint(SIGSUM_ORIGIN, 1, b"*" + bytes(31))


def test_the_specification_s_example_is_read_and_written_alike() -> None:
    note = parse_note(SOFA_NOTE.encode())
    assert note.to_bytes() == SOFA_NOTE.encode()
    assert parse_checkpoint(note.text).size == 20852163
    assert int.from_bytes(note.signatures[1].signature[:8], "big") == 1679315147


def test_published_verifier_keys_are_read() -> None:
    assert parse_verifier_key(
        "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    ).algorithm == (ED25519_NOTE)
    remora = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
    assert parse_verifier_key(remora).algorithm == COSIGNATURE_V1


# Independent verifiers of what we write.


@needs_openssl
def test_openssl_and_securesystemslib_verify_a_checkpoint(tmp_path: Path) -> None:
    line = NOTE.decode().splitlines()[-1].split(" ")
    assert line[:2] == ["—", ORIGIN]
    signature = base64.b64decode(line[2])[4:]
    (tmp_path / "key.pem").write_bytes(ed25519_pem(LOG.public))
    (tmp_path / "text").write_bytes(NOTE[: NOTE.rindex(b"\n\n") + 1])
    (tmp_path / "sig").write_bytes(signature)
    subprocess.run(OPENSSL, cwd=tmp_path, check=True, capture_output=True)
    key = SSlibKey("id", "ed25519", "ed25519", {"public": LOG.public.hex()})
    key.verify_signature(_Signature(signature), TEXT)


@needs_openssl
def test_openssl_verifies_a_cosignature(tmp_path: Path) -> None:
    made = cosign(TEXT, NAME, WITNESS, NOW)
    seconds = int(NOW.timestamp())
    assert made.signature[:8] == seconds.to_bytes(8, "big")
    (tmp_path / "key.pem").write_bytes(ed25519_pem(WITNESS.public))
    (tmp_path / "text").write_bytes(f"cosignature/v1\ntime {seconds}\n".encode() + TEXT)
    (tmp_path / "sig").write_bytes(made.signature[8:])
    subprocess.run(OPENSSL, cwd=tmp_path, check=True, capture_output=True)


class _Signature:
    keyid = "id"

    def __init__(self, signature: bytes) -> None:
        self.signature = signature.hex()


# Notes are read strictly.


@pytest.mark.parametrize(
    ("why", "data"),
    [
        ("nothing", b""),
        ("no signature", TEXT + b"\n"),
        ("no empty line", NOTE.replace(b"\n\n", b"\n")),
        ("the end cut off", NOTE[:-1]),
        ("a byte behind", NOTE + b"x"),
        ("an empty line behind", NOTE + b"\n"),
        ("CR LF", NOTE.replace(b"\n", b"\r\n")),
        ("a control character", NOTE.replace(b"log", b"l\x07g", 1)),
        ("not UTF-8", NOTE.replace(b"log", b"l\xffg", 1)),
        ("a hyphen for the dash", NOTE.replace("—".encode(), b"-")),
        ("two spaces", NOTE.replace("— ".encode(), "—  ".encode())),
        ("a line twice", NOTE + NOTE.partition(b"\n\n")[2]),
        ("unpadded base64", NOTE.replace(b"=\n", b"\n")),
        ("a key id alone", TEXT + "\n— x AAAAAA==\n".encode()),
        ("a name with plus", TEXT + "\n— x+y AAAAAAAA\n".encode()),
        ("a name with a Unicode space", TEXT + "\n— x\u2003y AAAAAAAA\n".encode()),
    ],
)
def test_what_is_no_note_is_refused(why: str, data: bytes) -> None:
    assert reason_of(parse_note, data) == "MALFORMED_NOTE", why


def test_a_note_is_bounded() -> None:
    small = Limits(note_bytes_max=len(NOTE))
    parse_note(NOTE, small)
    assert reason_of(parse_note, merge(NOTE, [cosign(TEXT, NAME, WITNESS, NOW)]), small) == "MALFORMED_NOTE"
    one = Limits(note_signatures_count_max=1)
    assert reason_of(parse_note, merge(NOTE, [cosign(TEXT, NAME, WITNESS, NOW)]), one) == "MALFORMED_NOTE"


@pytest.mark.parametrize(
    "text",
    [
        "mekong-geo/log\n1\n",
        "mekong-geo/log\n1\nAAAA\n",
        "mekong-geo/log\n01\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n",
        "mekong-geo/log\n+1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n",
        "mekong-geo/log\n١\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n",
        "mekong-geo/log\n9223372036854775808\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n",
        "\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n",
        "mekong-geo/log\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\nextension\n",
        "mekong-geo/log\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=",
        # A tree of size 0 has one root, and no other may be slipped in under it.
        "mekong-geo/log\n0\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    assert reason_of(parse_checkpoint, text.encode()) == "MALFORMED_CHECKPOINT"


def test_an_empty_log_has_a_checkpoint() -> None:
    note = sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), LOG)
    assert open_checkpoint(note, ORIGIN, LOG.public).checkpoint.size == 0
    with pytest.raises(InvalidInput):
        Checkpoint(ORIGIN, 0, leaf_hash(b""))


# Who signed.


def test_a_checkpoint_of_another_log_is_refused() -> None:
    assert reason_of(open_checkpoint, NOTE, "other/log", LOG.public) == "WRONG_ORIGIN"


def test_a_checkpoint_by_another_key_is_refused() -> None:
    assert reason_of(open_checkpoint, NOTE, ORIGIN, WITNESS.public) == "BAD_CHECKPOINT_SIGNATURE"
    forged = sign_checkpoint(Checkpoint(ORIGIN, 1, leaf_hash(LEAF)), WITNESS)
    assert reason_of(open_checkpoint, forged, ORIGIN, LOG.public) == "BAD_CHECKPOINT_SIGNATURE"


def test_a_signature_moved_to_another_text_is_refused() -> None:
    moved = Note(Checkpoint(ORIGIN, 2, leaf_hash(LEAF)).to_text(), parse_note(NOTE).signatures)
    assert reason_of(open_checkpoint, moved.to_bytes(), ORIGIN, LOG.public) == "BAD_CHECKPOINT_SIGNATURE"


def test_a_cosignature_is_never_taken_for_the_log_s_signature() -> None:
    alone = Note(TEXT, (cosign(TEXT, ORIGIN, LOG, NOW),)).to_bytes()
    assert reason_of(open_checkpoint, alone, ORIGIN, LOG.public) == "BAD_CHECKPOINT_SIGNATURE"


def test_cosignatures_are_counted_by_key() -> None:
    me = Witness(NAME, WITNESS.public)
    note = parse_note(merge(NOTE, [cosign(TEXT, NAME, WITNESS, NOW)]))
    assert cosigners(note, [me]) == (Cosigned(me, NOW),)
    assert cosigners(note, []) == ()
    assert cosigners(parse_note(NOTE), [me]) == ()


def test_one_key_under_two_names_counts_once() -> None:
    names = ["mekong-geo/a/main", "mekong-geo/b/main"]
    note = parse_note(merge(NOTE, [cosign(TEXT, name, WITNESS, NOW) for name in names]))
    assert len(note.signatures) == 3
    assert len(cosigners(note, [Witness(name, WITNESS.public) for name in names])) == 1


def test_a_cosignature_by_a_revoked_witness_is_ignored() -> None:
    """Its key is no longer in the registry: the line is a stranger's, by its key id."""
    note = parse_note(merge(NOTE, [cosign(TEXT, NAME, WITNESS, NOW)]))
    assert cosigners(note, [Witness(NAME, LOG.public)]) == ()


def test_a_false_cosignature_in_a_witness_s_name_refuses_the_note() -> None:
    line = cosign(TEXT, NAME, WITNESS, NOW)
    me = Witness(NAME, WITNESS.public)
    later = (int(NOW.timestamp()) + 1).to_bytes(8, "big")
    for signature in (
        line.signature[:-1] + bytes([line.signature[-1] ^ 1]),
        later + line.signature[8:],
        line.signature[8:],
        line.signature + b"\0",
        (2**63).to_bytes(8, "big") + line.signature[8:],
    ):
        note = Note(TEXT, (replace(line, signature=signature),))
        assert reason_of(cosigners, note, [me]) == "BAD_COSIGNATURE"
    assert (
        reason_of(verify_cosignature, TEXT, line, "mekong-geo/other/main", WITNESS.public)
        == "BAD_COSIGNATURE"
    )
    assert reason_of(cosigners, Note(TEXT + b"x\n", (line,)), [me]) == "BAD_COSIGNATURE"


def test_a_time_that_no_calendar_holds_is_refused() -> None:
    seconds = 2**62
    signed = WITNESS.sign(b"cosignature/v1\ntime %d\n" % seconds + TEXT)[0].sig
    line = NoteSignature(
        NAME, key_id(NAME, COSIGNATURE_V1, WITNESS.public), seconds.to_bytes(8, "big") + signed
    )
    assert reason_of(verify_cosignature, TEXT, line, NAME, WITNESS.public) == "BAD_COSIGNATURE"


def test_merging_keeps_the_later_cosignature() -> None:
    old, new = (cosign(TEXT, NAME, WITNESS, NOW + timedelta(seconds=each)) for each in (0, 60))
    me = [Witness(NAME, WITNESS.public)]
    for order in ([old, new], [new, old], [new, new]):
        (found,) = cosigners(parse_note(merge(NOTE, order)), me)
        assert found.at == NOW + timedelta(seconds=60)
    assert merge(NOTE, []) == NOTE


def test_a_quorum_is_more_than_two_thirds() -> None:
    assert [needed(n) for n in range(8)] == [0, 1, 2, 3, 3, 4, 5, 5]
    keys = [Witness(f"w{n}", bytes([n]) * 32) for n in range(4)]
    hours = [0, 23, 24, 25]
    cosigned = [Cosigned(key, NOW - timedelta(hours=hour)) for key, hour in zip(keys, hours, strict=True)]
    assert count(cosigned, NOW) == 2
    assert count([Cosigned(keys[0], NOW + timedelta(hours=1))], NOW) == 0, "from the future"
    assert count([Cosigned(keys[0], NOW + timedelta(seconds=200))], NOW) == 1, "a clock that goes ahead"


# Proofs.


def test_a_proof_file_is_as_the_specification_has_it() -> None:
    data = to_proof_file(0, [], NOTE)
    assert data == b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + NOTE
    assert verify_leaf(data, LEAF, LOGS).checkpoint.size == 1
    assert verify_leaf(parse_proof_file(data), LEAF, LOGS).log_number == 0
    two = to_proof_file(1, [bytes(32)], NOTE).split(b"\n")
    assert two[1:4] == [b"index 1", b"A" * 43 + b"=", b""]


def test_a_proof_for_another_leaf_is_refused() -> None:
    data = to_proof_file(0, [], NOTE)
    assert reason_of(verify_leaf, data, b"another", LOGS) == "BAD_INCLUSION_PROOF"
    longer = to_proof_file(0, [bytes(32)], NOTE)
    assert reason_of(verify_leaf, longer, LEAF, LOGS) == "BAD_INCLUSION_PROOF"


def test_a_proof_under_a_tree_of_size_0_is_refused() -> None:
    empty = sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), LOG)
    assert reason_of(verify_leaf, to_proof_file(0, [], empty), LEAF, LOGS) == "BAD_INCLUSION_PROOF"


def test_a_proof_of_a_log_that_the_registry_lacks_is_refused() -> None:
    data = to_proof_file(0, [], NOTE)
    assert reason_of(verify_leaf, data, LEAF, [RegistryLog("other/log", LOG.public)]) == "UNKNOWN_LOG"
    assert reason_of(verify_leaf, data, LEAF, [RegistryLog(ORIGIN, WITNESS.public)]) == (
        "BAD_CHECKPOINT_SIGNATURE"
    )


@pytest.mark.parametrize(
    "head",
    [
        "c2sp.org/tlog-proof@v2\nindex 0\n\n",
        "c2sp.org/tlog-proof@v1\n\n",
        "c2sp.org/tlog-proof@v1\nindex 00\n\n",
        "c2sp.org/tlog-proof@v1\nindex -1\n\n",
        "c2sp.org/tlog-proof@v1\nindex 9223372036854775808\n\n",
        "c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n\n",
        "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n" + "A" * 43 + "\n\n",
        "c2sp.org/tlog-proof@v1\r\nindex 0\r\n\r\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n" + ("A" * 43 + "=\n") * 64 + "\n",
        " c2sp.org/tlog-proof@v1\nindex 0\n\n",
    ],
)
def test_what_is_no_proof_is_refused(head: str) -> None:
    assert reason_of(parse_proof_file, head.encode() + NOTE) == "MALFORMED_PROOF"


def test_bytes_behind_a_proof_are_refused() -> None:
    assert reason_of(parse_proof_file, to_proof_file(0, [], NOTE) + b"\n") == "MALFORMED_NOTE"


# Openings.


def test_a_record_is_at_its_place_in_the_lane() -> None:
    owner, salt = PartnerId("la-dgm"), bytes([3]) * 32
    record = {"lane": lane_commitment(owner, 2, "ab" * 32, salt)}
    check_lane(record, owner, LanePlace(2, "ab" * 32, salt))
    wrong = [
        (PartnerId("kh-gdmr"), LanePlace(2, "ab" * 32, salt)),
        (owner, LanePlace(3, "ab" * 32, salt)),
        (owner, LanePlace(2, "cd" * 32, salt)),
        (owner, LanePlace(2, "ab" * 32, bytes(32))),
        (owner, LanePlace(1, None, salt)),
        (owner, LanePlace(2, None, salt)),
    ]
    for partner, place in wrong:
        assert reason_of(check_lane, record, partner, place) == "WRONG_OPENING"
    assert reason_of(check_lane, {"lane": None}, owner, LanePlace(1, None, salt)) == "WRONG_OPENING"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":1,"x":1'),
        (b'"index":7', b'"index":-7'),
        (b'"n":2', b'"n":1'),
        (b'"n":2', b'"n":0'),
        (b"{", b" {"),
        (b'"nonce":"AAAA', b'"nonce":"'),
    ],
)
def test_an_opening_file_is_read_strictly(before: bytes, after: bytes) -> None:
    good = OpeningFile(7, b"{}", bytes(32), LanePlace(2, "ab" * 32, bytes(32))).to_bytes()
    assert before in good
    reason_of(OpeningFile.from_bytes, good.replace(before, after, 1))


# Tiles.


def test_paths_of_tiles_are_as_the_specification_has_them() -> None:
    assert tiles.tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tiles.tile_path(1, 0, 17) == "tile/1/000.p/17"
    assert tiles.entries_path(273, 112) == "tile/entries/273.p/112"
    # "A tree of size 70,000": 273 full tiles and one of 112; one full of level 1 and one of 17; one of 1.
    assert [tiles.partial_width(level, 70_000) for level in range(4)] == [112, 17, 1, 0]
    assert [tiles.partial_width(level, 256) for level in range(2)] == [0, 1]


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/1", "tile/0/0001", "tile/00/001", "tile/64/001", "tile/0/x000/001", "tile/0/x001/x002",
        "tile/0/001.p/0", "tile/0/001.p/256", "tile/0/001.p/01", "tile/0/001/", "/tile/0/001", "tile/0/٠٠١",
        "tile/x/001", "tile/entries/../001", "tile/0/" + "x999/" * 6 + "999", "checkpoint", "tile/0/001\n",
    ],
)  # fmt: skip
def test_only_one_spelling_of_a_path_is_known(path: str) -> None:
    assert tiles.parse_path(path) is None


def test_a_bundle_that_is_cut_or_too_short_is_refused() -> None:
    data = tiles.encode_entries([b"one", b""])
    assert data == b"\x00\x03one\x00\x00"
    for wrong in (data[:-1], data[:-2], data + b"\x00\x00", b"\x00"):
        assert reason_of(tiles.parse_entries, wrong, 2) == "MALFORMED_TILE"
    with pytest.raises(InvalidInput):
        tiles.encode_entries([bytes(65_536)])


# Policies.


def test_a_policy_is_written_and_read() -> None:
    witnesses = [
        Witness(f"mekong-geo/p{n}/main", WitnessKey.from_seed(bytes([n]) * 32).public) for n in range(1, 5)
    ]
    data = log_policy.write(LOGS, witnesses, needed(4))
    assert data.decode().splitlines()[-1] == "quorum witnesses"
    policy = log_policy.parse(data)
    assert policy.witnesses == tuple(witnesses)
    assert [(log.name, log.public) for log in policy.logs] == [(ORIGIN, LOG.public)]
    cosigned = [Cosigned(each, NOW) for each in witnesses]
    assert policy.satisfied(cosigned[:3])
    assert not policy.satisfied(cosigned[:2])
    none = log_policy.parse(log_policy.write(LOGS, [], 0))
    assert none.satisfied([])


def test_the_specification_s_example_is_understood() -> None:
    keys = {name: WitnessKey.generate().public for name in ("X1", "X2", "X3", "Y1", "Y2", "Y3")}
    vkey = {name: verifier_key(name.lower(), COSIGNATURE_V1, key) for name, key in keys.items()}
    text = f"""# a comment
log {verifier_key("example.com/log", ED25519_NOTE, LOG.public)} https://example.com

witness X1 {vkey["X1"]}
witness X2 {vkey["X2"]}
  witness X3 {vkey["X3"]}
group X-witnesses 2 X1 X2 X3
witness\tY1 {vkey["Y1"]}
witness Y2 {vkey["Y2"]} https://y2.example
witness Y3 {vkey["Y3"]}
group Y-witnesses any Y1 Y2 Y3
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""
    policy = log_policy.parse(text.encode())

    def satisfied(*names: str) -> bool:
        return policy.satisfied([Cosigned(policy.names[name], NOW) for name in names])

    assert satisfied("X1", "X3", "Y2")
    assert not satisfied("X1", "Y1", "Y2", "Y3")
    assert not satisfied("X1", "X2", "X3")


LOG_LINE = f"log {verifier_key(ORIGIN, ED25519_NOTE, LOG.public)}\n"
WITNESS_LINE = f"witness w {verifier_key(NAME, COSIGNATURE_V1, WITNESS.public)}\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        LOG_LINE,
        f"{LOG_LINE}quorum none",
        f"{LOG_LINE}quorum none\nquorum none\n",
        f"{LOG_LINE}quorum w\n",
        f"{LOG_LINE}{LOG_LINE}quorum none\n",
        f"{WITNESS_LINE}{WITNESS_LINE.replace(' w ', ' v ')}quorum none\n",
        f"{WITNESS_LINE}group g 2 w\nquorum g\n",
        f"{WITNESS_LINE}group g 0 w\nquorum g\n",
        f"{WITNESS_LINE}group g any\nquorum g\n",
        f"{WITNESS_LINE}group g any w w\nquorum g\n",
        f"{WITNESS_LINE}group g any w\ngroup h any w g\nquorum h\n",
        f"{WITNESS_LINE}group none any w\nquorum none\n",
        f"{WITNESS_LINE}group g any none\nquorum none\n",
        f"group g any w\n{WITNESS_LINE}quorum g\n",
        f"quorum w\n{WITNESS_LINE}",
        f"{WITNESS_LINE}group w any w\nquorum w\n",
        f"{LOG_LINE.replace('log ', 'witness w ')}quorum none\n",
        f"{WITNESS_LINE.replace('witness w ', 'log ')}quorum none\n",
        f"{LOG_LINE}strange line\nquorum none\n",
        f"{LOG_LINE}quorum none\r\n",
        f"{LOG_LINE.replace('+', '+0', 1)}quorum none\n",
    ],
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    assert reason_of(log_policy.parse, text.encode()) == "MALFORMED_LOG_POLICY"


# Positions.


def continued(logs: list[RegistryLog], number: int, key: WitnessKey, size: int) -> RegistryLog:
    note = sign_checkpoint(Checkpoint(logs[number].origin, size, leaf_hash(b"%d" % size)), key)
    return RegistryLog(
        f"{ORIGIN}/{len(logs) + 1}", WitnessKey.generate().public, (logs[number].origin, note.decode())
    )


def test_positions_are_comparable_across_continued_logs() -> None:
    second_key = WitnessKey.generate()
    logs = [*LOGS]
    logs.append(replace(continued(logs, 0, LOG, 80), key=second_key.public))
    logs.append(continued(logs, 1, second_key, 70))
    assert (
        position(logs, ORIGIN, 50) == position(logs, f"{ORIGIN}/2", 50) == position(logs, f"{ORIGIN}/3", 50)
    )
    # What the old log held beyond the copy was before whatever the new one added.
    assert position(logs, ORIGIN, 90) == (0, 90) < position(logs, f"{ORIGIN}/2", 80) == (1, 80)
    assert position(logs, f"{ORIGIN}/3", 69) == (0, 69)
    assert position(logs, f"{ORIGIN}/3", 75) == (2, 75)
    assert reason_of(position, logs, "other/log", 1) == "UNKNOWN_LOG"


def test_a_continuation_that_the_old_log_did_not_sign_is_refused() -> None:
    forged = continued([*LOGS], 0, WITNESS, 80)
    assert reason_of(position, [*LOGS, forged], forged.origin, 1) == "BROKEN_CONTINUATION"
    itself = replace(forged, continues=(forged.origin, NOTE.decode()))
    assert reason_of(position, [*LOGS, itself], forged.origin, 1) == "BROKEN_CONTINUATION"


# The golden vectors.

VECTORS = Path(__file__).parents[2] / "vectors"
GOLDEN = json.loads((VECTORS / "log.json").read_bytes())


def golden(name: str) -> bytes:
    return (VECTORS / "log" / name).read_bytes()


def test_the_golden_log_holds() -> None:
    log = parse_verifier_key(GOLDEN["log_vkey"])
    witness = parse_verifier_key(GOLDEN["witness_vkey"])
    assert WitnessKey.from_seed(bytes.fromhex(GOLDEN["log_seed"])).public == log.public
    hashes = [leaf_hash(leaf.encode()) for leaf in GOLDEN["leaves"]]
    roots = [bytes.fromhex(each) for each in GOLDEN["roots"]]
    assert [tree_root(hashes[:size]) for size in range(len(hashes) + 1)] == roots
    opened = open_checkpoint(golden("checkpoint"), GOLDEN["origin"], log.public)
    assert (opened.checkpoint.size, opened.checkpoint.root) == (len(hashes), roots[-1])
    (found,) = cosigners(opened.note, [Witness(GOLDEN["witness"], witness.public)])
    assert format_instant(found.at) == GOLDEN["cosigned_at"]
    for index, proof in enumerate(GOLDEN["inclusion"]):
        verify_inclusion(
            hashes[index], index, len(hashes), [bytes.fromhex(each) for each in proof], roots[-1]
        )
    for first, proof in enumerate(GOLDEN["consistency"], start=1):
        path = [bytes.fromhex(each) for each in proof]
        verify_consistency(first, len(hashes), path, roots[first], roots[-1])
    index = GOLDEN["proven_index"]
    leaf = GOLDEN["leaves"][index].encode()
    assert verify_leaf(golden("6.tlog-proof"), leaf, [RegistryLog(log.name, log.public)]).index == index
    opening = OpeningFile.from_bytes(golden("6.opening.json"))
    assert (opening.index, open_leaf(leaf, opening.opening)["n"]) == (index, index)
    policy = log_policy.parse(golden("log-policy"))
    assert policy.satisfied([found])
    assert not policy.satisfied([])
    assert golden("tile-0-000.p-11") == b"".join(hashes)
    entries = tiles.parse_entries(golden("tile-entries-000.p-11"), len(hashes))
    assert [entry.decode() for entry in entries] == GOLDEN["leaves"]


@pytest.mark.parametrize("row", GOLDEN["refused"], ids=lambda row: f"{row['as']}: {row['why']}")
def test_altered_evidence_is_refused_for_the_stated_reason(row: dict[str, str]) -> None:
    log, witness = parse_verifier_key(GOLDEN["log_vkey"]), parse_verifier_key(GOLDEN["witness_vkey"])
    leaf = GOLDEN["leaves"][GOLDEN["proven_index"]].encode()
    data = base64.b64decode(row["base64"])
    with pytest.raises(Untrusted) as caught:
        if row["as"] == "proof":
            verify_leaf(data, leaf, [RegistryLog(log.name, log.public)])
        else:
            opened = open_checkpoint(data, log.name, log.public)
            assert row["as"] == "cosigners"
            cosigners(opened.note, [Witness(witness.name, witness.public)])
    assert caught.value.reason == row["reason"]
