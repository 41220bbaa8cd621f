"""The log's evidence is verified before a version is applied, and refused by name where it lies."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import Untrusted
from node.subscribe import MirrorState
from security.digests import sha256_hex
from security.keys import WitnessKey
from security.tlog.cosignature import cosign, merge
from security.tlog.leaf import open_leaf, registry_leaf
from security.tlog.log_policy import parse as parse_log_policy
from security.tlog.note import NoteSignature, parse_note
from security.tlog.opening_file import OpeningFile
from security.tlog.tlog_proof import parse_proof_file, verify_leaf
from sync.ports import Evidence, LeafKind, PolicyExtract, ProvenLeaf
from tests.simulation.federation import (
    Published,
    TestFederation,
    publish,
    share,
)
from tests.simulation.forged_log import ForgedLog
from tests.unit.node_subscribe.conftest import DATASET, MirrorNode, noise
from tests.unit.node_subscribe.tampering import LyingHub

FILES = {"a.txt": b"alpha", "b/raster": noise(40_000, 5)}


@pytest.fixture
def lying(node: MirrorNode) -> LyingHub:
    hub: Any = LyingHub(node.api)
    node.hub = node.api = hub
    return hub


def given(federation: TestFederation) -> tuple[Published, PolicyExtract]:
    """A version that `th-dmr` may read, and its policy as that partner sees it."""
    published = publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    return published, federation.api("th-dmr").get_version(DATASET, published.manifest_id).policy


def refused(node: MirrorNode, reason: str) -> None:
    """The version is refused by that name, nothing is visible, and an honest hub brings it afterwards."""
    outcome = node.one()
    assert outcome.state is MirrorState.FAILED
    assert isinstance(outcome.error, Untrusted), outcome.error
    assert outcome.error.reason == reason, outcome.error
    assert outcome.error.remedy
    assert not node.current.exists()
    assert not list((node.mirror / "versions").iterdir())
    lying: Any = node.hub
    lying.honest_again()
    assert node.one().state is MirrorState.UPDATED
    assert node.files() == FILES


def altered(lying: LyingHub, kind: LeafKind, **changes: Any) -> None:
    """The hub changes the leaf of that kind."""

    def lie(honest: Any, *arguments: Any) -> Evidence:
        evidence: Evidence = honest.get_evidence(*arguments)
        return replace(
            evidence,
            leaves=tuple(replace(e, **changes) if e.kind is kind else e for e in evidence.leaves),
        )

    lying.replace("get_evidence", lie)


def swapped(lying: LyingHub, change: Any) -> None:
    """The hub changes the evidence by `change`."""
    lying.replace("get_evidence", lambda honest, *arguments: change(honest.get_evidence(*arguments)))


# --- what stands beside the data -------------------------------------------------------------------------


def test_provable_by_the_files_beside_the_data_alone(federation: TestFederation, node: MirrorNode) -> None:
    published, _ = given(federation)
    assert node.one().state is MirrorState.UPDATED
    log = node.current / ".syncline/log"
    logs = federation.registry.registry.logs
    records: dict[str, Any] = {}
    notes: set[bytes] = set()
    for name in ("version", "policy", "delivery"):
        opening = OpeningFile.from_bytes((log / f"{name}.opening.json").read_bytes())
        proof = (log / f"{name}.tlog-proof").read_bytes()
        leaf = next(each.leaf for each in federation.hub.translog.leaves() if each.index == opening.index)
        records[name] = open_leaf(leaf, opening.opening)
        assert verify_leaf(proof, leaf, logs).index == opening.index
        notes.add(parse_proof_file(proof).note)
    for seq in range(1, federation.registry.registry.seq + 1):
        proof = (log / f"registry-{seq:08}.tlog-proof").read_bytes()
        statement = federation.hub.registry.list_from(seq)[0]
        verify_leaf(proof, registry_leaf(_id(statement)), logs)
        notes.add(parse_proof_file(proof).note)
    assert notes == {(log / "checkpoint").read_bytes()}
    assert records["version"]["statement_sha256"] == published.manifest_id
    assert records["delivery"]["detail"]["partner"] == "th-dmr"
    policy = parse_log_policy((log / "log-policy").read_bytes())
    assert [each.public for each in policy.logs] == [logs[-1].key]
    assert {each.name for each in policy.witnesses} == {
        f"test-geo/{who}/main" for who in ("la-dgm", "th-dmr", "vn-dgm")
    }


def test_the_same_evidence_is_written_in_the_same_bytes(
    federation: TestFederation, node: MirrorNode, tmp_path: Path
) -> None:
    given(federation)
    node.sync()
    other = MirrorNode(federation, tmp_path / "other-state", tmp_path / "other")
    other.sync()
    assert evidence_files(node) == evidence_files(other)


def test_whoever_holds_a_version_is_on_record_even_if_no_byte_was_missing(
    federation: TestFederation, node: MirrorNode
) -> None:
    given(federation)
    node.sync()
    published = publish(federation, "la-dgm", "geology", FILES)  # the same inventory: nothing to fetch
    assert node.one().state is MirrorState.UPDATED
    opening = OpeningFile.from_bytes((node.current / ".syncline/log/delivery.opening.json").read_bytes())
    assert published.manifest_id.encode() in opening.record


# --- attacks --------------------------------------------------------------------------------------------


def test_the_control_a_forged_log_that_says_what_is_true_is_believed(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    published, policy = given(federation)
    evidence = ForgedLog(federation).prove("th-dmr", published.envelope, policy)
    lying.replace("get_evidence", lambda *_: evidence)
    assert node.one().state is MirrorState.UPDATED


def test_a_checkpoint_by_another_key(federation: TestFederation, node: MirrorNode, lying: LyingHub) -> None:
    published, policy = given(federation)
    log = ForgedLog(federation).about("th-dmr", published.envelope, policy)
    evidence = log.evidence(key=WitnessKey.generate())
    lying.replace("get_evidence", lambda *_: evidence)
    refused(node, "BAD_CHECKPOINT_SIGNATURE")


def test_a_checkpoint_of_another_log(federation: TestFederation, node: MirrorNode, lying: LyingHub) -> None:
    published, policy = given(federation)
    log = ForgedLog(federation).about("th-dmr", published.envelope, policy)
    log.origin = "test-geo/log/2"
    evidence = log.evidence()
    lying.replace("get_evidence", lambda *_: evidence)
    refused(node, "WRONG_ORIGIN")


def test_tree_size_0(federation: TestFederation, node: MirrorNode, lying: LyingHub) -> None:
    published, policy = given(federation)
    log = ForgedLog(federation).about("th-dmr", published.envelope, policy)
    evidence = log.evidence(size=0)
    lying.replace("get_evidence", lambda *_: evidence)
    refused(node, "BAD_INCLUSION_PROOF")


@pytest.mark.parametrize("kind", list(LeafKind))
def test_a_proof_for_another_leaf(
    federation: TestFederation, node: MirrorNode, lying: LyingHub, kind: LeafKind
) -> None:
    given(federation)

    def change(evidence: Evidence) -> Evidence:
        other = next(each for each in evidence.leaves if each.kind is not kind)
        changed = [
            replace(each, index=other.index, hashes=other.hashes) if each.kind is kind else each
            for each in evidence.leaves
        ]
        return replace(evidence, leaves=tuple(changed))

    swapped(lying, change)
    refused(node, "BAD_INCLUSION_PROOF")


@pytest.mark.parametrize("kind", list(LeafKind))
@pytest.mark.parametrize("how", ["longer hash", "one too many", "one too few"])
def test_a_proof_with_wrong_hash_lengths(
    federation: TestFederation, node: MirrorNode, lying: LyingHub, kind: LeafKind, how: str
) -> None:
    given(federation)

    def wrong(leaf: ProvenLeaf) -> ProvenLeaf:
        first, *rest = leaf.hashes
        hashes = {
            "longer hash": (first + b"\0", *rest),
            "one too many": (*leaf.hashes, b"\0" * 32),
            "one too few": tuple(rest),
        }[how]
        return replace(leaf, hashes=hashes)

    swapped(
        lying,
        lambda e: replace(e, leaves=tuple(wrong(each) if each.kind is kind else each for each in e.leaves)),
    )
    refused(node, "BAD_INCLUSION_PROOF")


@pytest.mark.parametrize(
    ("nonce", "reason"), [(b"\0" * 32, "BAD_INCLUSION_PROOF"), (b"\0" * 31, "WRONG_OPENING")]
)
def test_a_wrong_opening(
    federation: TestFederation, node: MirrorNode, lying: LyingHub, nonce: bytes, reason: str
) -> None:
    given(federation)
    altered(lying, LeafKind.VERSION, nonce=nonce)
    refused(node, reason)


def test_a_record_that_is_not_canonical(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    given(federation)
    altered(lying, LeafKind.VERSION, record=b'{"v": 1}')
    refused(node, "NON_CANONICAL")


def test_a_replayed_leaf_of_another_version(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    first, _ = given(federation)
    publish(federation, "la-dgm", "geology", {**FILES, "a.txt": b"newer"})
    third = publish(federation, "la-dgm", "geology", FILES)
    assert third.manifest_id != first.manifest_id

    def replay(honest: Any, dataset: Any, _: str) -> Evidence:
        return honest.get_evidence(dataset, first.manifest_id)

    lying.replace("get_evidence", replay)
    refused(node, "WRONG_RECORD")


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (LeafKind.VERSION, "actor", "vn-dgm"),
        (LeafKind.VERSION, "object", "la-dgm/other"),
        (LeafKind.VERSION, "type", "policy"),
        (LeafKind.VERSION, "detail", {"seq": 2}),
        (LeafKind.VERSION, "lane", None),
        (LeafKind.POLICY, "statement_sha256", "0" * 64),
        (LeafKind.POLICY, "actor", "vn-dgm"),
        (LeafKind.DELIVERY, "object", "la-dgm/other"),
        (LeafKind.DELIVERY, "statement_sha256", "0" * 64),
        (LeafKind.DELIVERY, "detail", {"partner": "vn-dgm"}),
        (LeafKind.DELIVERY, "v", 2),
        (LeafKind.DELIVERY, "v", True),
    ],
)
def test_a_logged_record_that_says_something_else(
    federation: TestFederation, node: MirrorNode, lying: LyingHub, kind: LeafKind, name: str, value: Any
) -> None:
    published, policy = given(federation)
    log = ForgedLog(federation).about("th-dmr", published.envelope, policy)
    log.records[kind] |= {name: value}
    evidence = log.evidence()
    lying.replace("get_evidence", lambda *_: evidence)
    refused(node, "WRONG_RECORD")


@pytest.mark.parametrize("kind", [LeafKind.VERSION, LeafKind.POLICY, LeafKind.DELIVERY])
def test_a_leaf_that_was_never_logged(
    federation: TestFederation, node: MirrorNode, lying: LyingHub, kind: LeafKind
) -> None:
    """Above all a delivery without a record: whoever serves it must say so in the log."""
    published, policy = given(federation)
    log = ForgedLog(federation).about("th-dmr", published.envelope, policy)
    del log.records[kind]
    evidence = log.evidence()
    lying.replace("get_evidence", lambda *_: evidence)
    refused(node, f"{kind.name}_NOT_LOGGED")


def test_two_leaves_for_one_version(federation: TestFederation, node: MirrorNode, lying: LyingHub) -> None:
    given(federation)
    swapped(lying, lambda evidence: replace(evidence, leaves=(*evidence.leaves, evidence.leaves[0])))
    refused(node, "MALFORMED_EVIDENCE")


def test_a_policy_swapped_under_a_manifest(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    """The hub serves an old, wider policy as the one in force; its own log says otherwise."""
    _, old = given(federation)
    share(federation, "la-dgm", "geology", read=["th-dmr", "vn-dgm"])
    lying.replace("get_version", lambda honest, *a: replace(honest.get_version(*a), policy=old))
    refused(node, "WRONG_RECORD")


def test_a_cosignature_that_does_not_verify(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    given(federation)
    witness = federation.members["vn-dgm"].witness

    def change(evidence: Evidence) -> Evidence:
        text = parse_note(evidence.checkpoint).text
        line = cosign(text, "test-geo/vn-dgm/main", witness, federation.clock.now())
        forged = NoteSignature(line.name, line.key_id, line.signature[:-1] + bytes([line.signature[-1] ^ 1]))
        return replace(evidence, checkpoint=merge(evidence.checkpoint, [forged]))

    swapped(lying, change)
    refused(node, "BAD_COSIGNATURE")


def test_a_registry_statement_that_was_never_logged(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    given(federation)
    swapped(lying, lambda e: replace(e, leaves=tuple(each for each in e.leaves if each.registry_seq != 2)))
    refused(node, "REGISTRY_NOT_LOGGED")


def test_a_registry_statement_that_was_logged_and_not_given(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    published, policy = given(federation)
    log = ForgedLog(federation)
    log.registries[max(log.registries) + 1] = sha256_hex(b"hidden")
    evidence = log.prove("th-dmr", published.envelope, policy)
    lying.replace("get_evidence", lambda *_: evidence)
    refused(node, "HIDDEN_REGISTRY")


def test_another_registry_statement_in_the_log_than_the_one_given(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    published, policy = given(federation)
    log = ForgedLog(federation)
    log.registries[2] = sha256_hex(b"another")
    evidence = log.prove("th-dmr", published.envelope, policy)
    lying.replace("get_evidence", lambda *_: evidence)
    refused(node, "BAD_INCLUSION_PROOF")


def test_registry_statements_logged_in_another_order(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    published, policy = given(federation)
    log = ForgedLog(federation)
    log.registries = dict(reversed(log.registries.items()))
    evidence = log.prove("th-dmr", published.envelope, policy)
    lying.replace("get_evidence", lambda *_: evidence)
    refused(node, "MALFORMED_EVIDENCE")


def _id(envelope: bytes) -> str:
    from security.envelope import parse

    return parse(envelope).id


def evidence_files(node: MirrorNode) -> dict[str, bytes]:
    """Everything beside the version."""
    base = node.current / ".syncline"
    return {str(path.relative_to(base)): path.read_bytes() for path in base.rglob("*") if path.is_file()}
