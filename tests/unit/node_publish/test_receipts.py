"""What the hub has accepted, proven for the owner: receipts at once, the proofs once they are covered."""

from dataclasses import replace
from typing import Any

import pytest

from core.errors import SynclineError, Unavailable, Untrusted
from core.names import PartnerId
from node.alarms import Alarms
from node.publish import PublishState
from node.publish.collect import Collector
from node.publish.receipts import ReceiptStore
from security.envelope import RECEIPT, sign
from security.keys import SigningKey
from security.keystore import load_signing_key
from security.tlog.leaf import open_leaf
from security.tlog.opening_file import OpeningFile
from security.tlog.tlog_proof import verify_leaf
from sync.ports import LeafKind
from sync.receipt import Receipt, verify_receipt
from tests.unit.node_publish.conftest import Agency


class LyingHub:
    """The honest hub, but for what a test replaces."""

    def __init__(self, honest: Any, **lies: Any) -> None:
        self._honest = honest
        self._lies = lies

    def __getattr__(self, name: str) -> Any:
        honest = getattr(self._honest, name)
        lie = self._lies.get(name)
        return honest if lie is None else lambda *arguments: lie(honest, *arguments)


def collector(agency: Agency, hub: Any = None) -> Collector:
    return Collector(
        PartnerId("la-dgm"),
        agency.state,
        agency.trust,
        hub or agency.hub,
        agency.clock,
        agency.federation.limits,
    )


def waiting(agency: Agency) -> list[str]:
    return [each.folder.name for each in ReceiptStore(agency.state_dir).waiting(agency.dataset)]


def receipt_of(agency: Agency) -> Receipt:
    folder = ReceiptStore(agency.state_dir).folder(agency.dataset, 1, head(agency))
    return verify_receipt((folder / "receipt.json").read_bytes(), agency.trust.current().registry)


def head(agency: Agency) -> str:
    known = agency.records.head()
    assert known is not None and known.manifest_id is not None
    return known.manifest_id


def forged(agency: Agency, receipt: Receipt, key: SigningKey) -> bytes:
    del agency
    return sign(RECEIPT, receipt.to_payload(), [key])


def published(agency: Agency) -> None:
    agency.write("a.txt", b"alpha")
    assert agency.publish().state is PublishState.PUBLISHED


def test_durable_ack_the_receipt_is_kept_with_the_statement(agency: Agency) -> None:
    published(agency)
    receipt = receipt_of(agency)
    receipt.check(agency.dataset, head(agency), receipt.leaf_index)
    assert receipt.leaf == next(
        each.leaf for each in agency.federation.hub.translog.leaves() if each.index == receipt.leaf_index
    )
    folder = ReceiptStore(agency.state_dir).folder(agency.dataset, 1, head(agency))
    assert (folder / "manifest.json").read_bytes() == agency.versions()[0]
    known = agency.records.head()
    assert known is not None
    assert waiting(agency) == [f"policy-1-{str(known.policy_id)[:8]}", f"1-{head(agency)[:8]}"]


def test_provable_the_owner_holds_the_logs_proof_of_its_versions_and_policies(agency: Agency) -> None:
    published(agency)
    assert collector(agency).run([agency.dataset]) == 2
    assert waiting(agency) == []
    store = ReceiptStore(agency.state_dir)
    known = agency.records.head()
    assert known is not None and known.policy_id is not None
    logs = agency.federation.registry.registry.logs
    for folder, name, statement in (
        (store.folder(agency.dataset, 1, head(agency)), "version", head(agency)),
        (store.folder(agency.dataset, 1, known.policy_id, policy=True), "policy", known.policy_id),
    ):
        opening = OpeningFile.from_bytes((folder / f"{name}.opening.json").read_bytes())
        leaf = next(e.leaf for e in agency.federation.hub.translog.leaves() if e.index == opening.index)
        assert open_leaf(leaf, opening.opening)["statement_sha256"] == statement
        assert verify_leaf((folder / f"{name}.tlog-proof").read_bytes(), leaf, logs).index == opening.index
    assert collector(agency).run([agency.dataset]) == 0


def test_a_policy_that_changes_alone_is_proven_with_the_newest_version(agency: Agency) -> None:
    published(agency)
    collector(agency).run([agency.dataset])
    share = [{"with": ["th-dmr", "vn-dgm"], "allow": ["read"]}]
    agency.publish(share=share)
    assert len(waiting(agency)) == 1
    assert collector(agency).run([agency.dataset]) == 1
    assert waiting(agency) == []


def test_resumes_a_lost_answer_brings_the_receipt_later(agency: Agency) -> None:
    from tests.simulation.in_process_hub import Fault

    agency.write("a.txt", b"alpha")
    agency.faults.script("commit_version", Fault.ANSWER_LOST)
    with pytest.raises(Unavailable):
        agency.publish()
    agency.publish()
    assert receipt_of(agency).dataset == agency.dataset


def test_a_receipt_with_a_bad_signature_is_an_error_and_the_version_goes_on(agency: Agency) -> None:
    agency.write("a.txt", b"alpha")

    def lie(honest: Any, *arguments: Any) -> Any:
        made = honest(*arguments)
        receipt = verify_receipt(made.receipt, agency.trust.current().registry)
        return replace(made, receipt=forged(agency, receipt, SigningKey.generate()))

    agency.clock.advance(60)
    with pytest.raises(Untrusted) as raised:
        agency.publisher(LyingHub(agency.hub, commit_version=lie)).run()
    assert raised.value.reason == "UNKNOWN_SIGNER"
    agency.publish()
    assert len(agency.versions()) == 1
    assert receipt_of(agency).manifest_sha256 == head(agency)


@pytest.mark.parametrize(
    "changes",
    [
        {"manifest_sha256": "0" * 64},
        {"dataset": "la-dgm/other"},
        {"leaf_index": 4711},
        {"federation": "other-geo"},
        {"log": "test-geo/log/2"},
        {"leaf": b'{"registry":"' + b"0" * 64 + b'","v":1}'},
    ],
)
def test_a_receipt_for_something_else_is_refused(agency: Agency, changes: dict[str, Any]) -> None:
    agency.write("a.txt", b"alpha")
    key = load_signing_key(agency.federation.host.layout.hub_key)

    def lie(honest: Any, *arguments: Any) -> Any:
        made = honest(*arguments)
        receipt = verify_receipt(made.receipt, agency.trust.current().registry)
        return replace(made, receipt=forged(agency, replace(receipt, **changes), key))

    agency.clock.advance(60)
    with pytest.raises(Untrusted) as raised:
        agency.publisher(LyingHub(agency.hub, commit_version=lie)).run()
    assert raised.value.reason == "WRONG_RECEIPT"


def test_a_hub_of_an_older_release_gives_no_receipt_and_is_tolerated(agency: Agency) -> None:
    agency.write("a.txt", b"alpha")
    older = LyingHub(
        agency.hub, commit_version=lambda honest, *arguments: replace(honest(*arguments), receipt=None)
    )
    agency.clock.advance(60)
    assert agency.publisher(older).run().state is PublishState.PUBLISHED
    assert collector(agency).run([agency.dataset]) == 2


def test_a_hub_that_knows_no_log_is_asked_again_later(agency: Agency) -> None:
    published(agency)

    def unknown(*_: Any) -> Any:
        raise Unavailable("the hub does not know this call", reason="UNIMPLEMENTED")

    older = LyingHub(agency.hub, get_checkpoint=unknown, get_evidence=unknown)
    assert collector(agency, older).run([agency.dataset]) == 0
    assert collector(agency).run([agency.dataset]) == 2


def test_nothing_is_asked_of_the_hub_while_nothing_waits(agency: Agency) -> None:
    published(agency)
    collector(agency).run([agency.dataset])

    def asked(*_: Any) -> Any:
        raise AssertionError

    assert collector(agency, LyingHub(agency.hub, get_checkpoint=asked)).run([agency.dataset]) == 0


def test_a_rewritten_leaf_does_not_agree_with_the_receipt(agency: Agency) -> None:
    """The hub promised one leaf and shows another at that place: the owner has both in its hands."""
    published(agency)
    key = load_signing_key(agency.federation.host.layout.hub_key)
    folder = ReceiptStore(agency.state_dir).folder(agency.dataset, 1, head(agency))
    other = replace(receipt_of(agency), leaf=b'{"commit":"' + b"0" * 64 + b'","v":1}')
    (folder / "receipt.json").write_bytes(forged(agency, other, key))
    with pytest.raises(Untrusted) as raised:
        collector(agency).run([agency.dataset])
    assert raised.value.reason == "ALARM"
    (alarm,) = Alarms(agency.state_dir).open()
    assert alarm.kind == "dropped-leaf"
    assert "receipt.json" in alarm.evidence
    assert not (folder / "version.tlog-proof").exists()


def test_a_proof_that_does_not_hold_is_not_kept(agency: Agency) -> None:
    published(agency)

    def lie(honest: Any, *arguments: Any) -> Any:
        evidence = honest(*arguments)
        leaves = tuple(
            replace(each, hashes=each.hashes[:-1]) if each.kind is LeafKind.VERSION else each
            for each in evidence.leaves
        )
        return replace(evidence, leaves=leaves)

    with pytest.raises(SynclineError) as raised:
        collector(agency, LyingHub(agency.hub, get_evidence=lie)).run([agency.dataset])
    assert raised.value.reason == "BAD_INCLUSION_PROOF"
    assert len(waiting(agency)) == 2
