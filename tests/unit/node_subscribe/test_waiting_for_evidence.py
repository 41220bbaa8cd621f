"""Evidence that is late, or grows: waited for without fetching twice, and bettered while a version stands."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import durable
from core.errors import Unavailable, Untrusted
from node.alarms import Alarms
from node.proofs import ProvenVersion
from node.state import NodeState
from node.subscribe import MirrorState
from node.subscribe.proofkeeping import kept
from node.subscribe.records import Record
from node.witness.history import About, History
from node.witnessed import Witnessed
from security.keys import SigningKey
from security.registry import Registry, sign_registry, verify_next
from security.tlog.cosignature import cosign
from security.tlog.leaf import leaf_hash
from security.tlog.note import Note, parse_note
from security.tlog.opening_file import OpeningFile
from sync.ports import Evidence, LeafKind
from tests.simulation.federation import TestFederation, publish, share
from tests.simulation.forged_log import ForgedLog
from tests.unit.node_subscribe.conftest import DATASET, MirrorNode, noise
from tests.unit.node_subscribe.tampering import LyingHub

FILES = {"a.txt": b"alpha", "b/raster": noise(40_000, 5)}
MEMBERS = ("la-dgm", "th-dmr", "vn-dgm")


@pytest.fixture
def lying(node: MirrorNode) -> LyingHub:
    hub: Any = LyingHub(node.api)
    node.hub = node.api = hub
    return hub


def late(*_: Any) -> Any:
    raise Unavailable("no checkpoint covers it", reason="NOT_COVERED")


def cosigned_by(federation: TestFederation, *who: str) -> None:
    """These witnesses cosign the newest checkpoint."""
    for each in who:
        api = federation.api(each)
        note = parse_note(api.get_checkpoint().note)
        member = federation.members[each]
        line = cosign(note.text, f"test-geo/{each}/main", member.witness, federation.clock.now())
        api.add_cosignature(Note(note.text, (line,)).to_bytes())


def log_of(node: MirrorNode) -> Path:
    return node.current / ".syncline/log"


def records(node: MirrorNode) -> list[Record]:
    return [Record(each) for each in sorted((node.state_dir / "mirrors").glob("*/*"))]


def known(node: MirrorNode) -> tuple[int, int]:
    """Cosignatures beside the one version, and the quorum."""
    (record,) = records(node)
    mark = kept(record)
    assert mark is not None
    return mark.cosigned, mark.quorum


# --- late -----------------------------------------------------------------------------------------------


def test_a_checkpoint_that_is_late_is_waited_for_and_nothing_is_fetched_twice(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    lying.replace("get_evidence", late)
    outcome = node.one()
    assert (outcome.state, outcome.error) == (MirrorState.AWAITS_LOG, None)
    assert outcome.waits and outcome.needs_attention
    assert "no checkpoint covers it yet" in outcome.attention[0]
    assert not node.current.exists() and not list((node.mirror / "versions").iterdir())
    asked: list[Any] = []

    def counted(honest: Any, *arguments: Any) -> Any:
        asked.append(arguments)
        return honest.read_blobs(*arguments)

    lying.replace("read_blobs", counted)
    assert node.one().state is MirrorState.AWAITS_LOG
    lying.honest_again()
    lying.replace("read_blobs", counted)
    assert node.one().state is MirrorState.UPDATED
    assert node.files() == FILES
    assert asked == []


def test_while_it_waits_what_is_staged_is_not_read_again(
    federation: TestFederation, node: MirrorNode, lying: LyingHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    lying.replace("get_evidence", late)
    node.one()

    def assembled(*_: Any, **__: Any) -> Any:
        raise AssertionError("staged twice")

    monkeypatch.setattr("node.subscribe.filling.Assembly", assembled)
    assert node.one().state is MirrorState.AWAITS_LOG
    lying.honest_again()
    assert node.one().state is MirrorState.UPDATED
    assert node.files() == FILES


def test_what_was_changed_in_staging_while_it_waited_is_made_right(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    lying.replace("get_evidence", late)
    node.one()
    (staged,) = (node.mirror / ".staging").iterdir()
    (staged / "a.txt").unlink()
    (staged / "a.txt").write_bytes(b"other")
    (staged / "planted").write_bytes(b"x")
    lying.honest_again()
    assert node.one().state is MirrorState.UPDATED
    assert node.files() == FILES


def test_never_a_mix_the_version_that_stands_is_kept_while_the_next_one_waits(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.sync()
    publish(federation, "la-dgm", "geology", {**FILES, "a.txt": b"second"})
    lying.replace("get_evidence", late)
    assert node.one().state is MirrorState.AWAITS_LOG
    publish(federation, "la-dgm", "geology", {**FILES, "a.txt": b"third"})
    outcome = node.one()
    assert (outcome.state, outcome.seq, outcome.wanted_seq) == (MirrorState.AWAITS_LOG, 1, 3)
    assert node.files() == FILES
    lying.honest_again()
    assert node.one().seq == 3
    assert node.files() == {**FILES, "a.txt": b"third"}


def test_a_registry_statement_newer_than_the_checkpoint_is_waited_for(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    published = publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    policy = federation.api("th-dmr").get_version(DATASET, published.manifest_id).policy
    evidence = ForgedLog(federation).prove("th-dmr", published.envelope, policy)
    federation.enrol("kh-gdmr")
    lying.replace("get_evidence", lambda *_: evidence)
    lying.replace("list_versions", _after_a_refresh(node))
    assert node.one().state is MirrorState.AWAITS_LOG
    lying.honest_again()
    assert node.one().state is MirrorState.UPDATED


def _after_a_refresh(node: MirrorNode) -> Any:
    """The node has learnt the newest registry, as it does at each greeting."""
    from node.trust import TrustStore

    TrustStore(node.state_dir, node.federation.clock).refresh(node.federation.api("th-dmr"))
    return lambda honest, *arguments: honest.list_versions(*arguments)


def test_a_policy_that_changes_between_the_bytes_and_the_evidence_is_received_anew(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])

    def once(honest: Any, *arguments: Any) -> Any:
        lying.honest_again()
        share(federation, "la-dgm", "geology", read=["th-dmr", "vn-dgm"])
        return honest.get_evidence(*arguments)

    lying.replace("get_evidence", once)
    assert node.one().state is MirrorState.UPDATED
    opening = OpeningFile.from_bytes((log_of(node) / "policy.opening.json").read_bytes())
    assert b'"seq":2' in opening.record


def test_a_grant_that_ends_between_the_bytes_and_the_evidence_ends_it(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])

    def once(honest: Any, *arguments: Any) -> Any:
        lying.honest_again()
        share(federation, "la-dgm", "geology", discover=["th-dmr"])
        return honest.get_evidence(*arguments)

    lying.replace("get_evidence", once)
    assert node.one().state is MirrorState.GRANT_ENDED
    assert not node.current.exists()


def test_a_hub_that_knows_no_log_brings_no_version(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    """Else an old release would be every attacker's excuse."""
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])

    def unknown(*_: Any) -> Any:
        raise Unavailable("the hub does not know this call", reason="UNIMPLEMENTED")

    lying.replace("get_evidence", unknown)
    outcome = node.one()
    assert outcome.state is MirrorState.FAILED and isinstance(outcome.error, Unavailable)
    assert not node.current.exists()


@pytest.mark.parametrize("step", ["rename", "sync_tree", "write"])
def test_resumes_a_node_that_dies_while_it_puts_the_evidence_there(
    federation: TestFederation, node: MirrorNode, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])

    class Killed(BaseException):
        pass

    count = 0

    @contextmanager
    def dying_at(n: int) -> Iterator[None]:
        nonlocal count
        count = 0

        def die(name: str, path: Path) -> None:
            nonlocal count
            if name == step:
                count += 1
                if count == n:
                    raise Killed

        monkeypatch.setattr(durable, "fault_hook", die)
        yield
        monkeypatch.undo()

    for n in range(1, 40):
        with dying_at(n):
            try:
                node.one()
            except Killed:
                pass
            else:
                break
    assert node.one().state is MirrorState.CURRENT
    assert node.files() == FILES
    assert (log_of(node) / "delivery.tlog-proof").exists()


# --- keys, by the log's order ----------------------------------------------------------------------------


def test_a_key_that_was_withdrawn_after_the_version_was_logged_still_counts(
    federation: TestFederation, node: MirrorNode
) -> None:
    """Old evidence survives: the version's leaf stands before the registry that no longer lists the key."""
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    withdraw(federation, "la-dgm")
    assert node.one().state is MirrorState.UPDATED


def test_a_version_logged_after_its_key_was_withdrawn_is_refused(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    published = publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    policy = federation.api("th-dmr").get_version(DATASET, published.manifest_id).policy
    withdraw(federation, "la-dgm")
    evidence = ForgedLog(federation).prove("th-dmr", published.envelope, policy)  # registries first
    lying.replace("get_evidence", lambda *_: evidence)
    outcome = node.one()
    assert isinstance(outcome.error, Untrusted)
    assert outcome.error.reason == "KEY_NOT_VALID"
    assert not node.current.exists()


def withdraw(federation: TestFederation, partner: str) -> None:
    """The registry lists another signing key of the partner, and its first one no more."""
    current = federation.registry
    member = current.registry.partner(partner)
    assert member is not None
    draft = current.successor(federation.clock.now()).with_partner(
        replace(member, signing_keys=(SigningKey.generate().public,))
    )
    envelope = sign_registry(draft, [federation.administrator])
    hub = federation.hub
    with hub._context.database.write() as connection:
        hub.registry.append(connection, verify_next(current, envelope))


# --- witnesses --------------------------------------------------------------------------------------------


def test_with_require_witnesses_a_version_waits_for_their_quorum(
    federation: TestFederation, node: MirrorNode
) -> None:
    node.require_witnesses = True
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    outcome = node.one()
    assert (outcome.state, outcome.error) == (MirrorState.AWAITS_WITNESSES, None)
    assert "0 of 3" in outcome.attention[0] and "→" in outcome.attention[0]
    cosigned_by(federation, "la-dgm", "th-dmr")
    assert node.one().state is MirrorState.AWAITS_WITNESSES
    before = node.hub.bytes_down
    cosigned_by(federation, "vn-dgm")
    assert node.one().state is MirrorState.UPDATED
    assert node.hub.bytes_down == before
    assert len((log_of(node) / "checkpoint").read_text().splitlines()) == 4 + 4
    assert "quorum witnesses" in (log_of(node) / "log-policy").read_text()


def test_without_it_a_quorum_is_shown_and_not_required(federation: TestFederation, node: MirrorNode) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    assert node.one().state is MirrorState.UPDATED
    assert known(node) == (0, 3)
    assert "quorum none" in (log_of(node) / "log-policy").read_text()


def test_cosignatures_of_yesterday_do_not_count(federation: TestFederation, node: MirrorNode) -> None:
    node.require_witnesses = True
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.one()
    cosigned_by(federation, *MEMBERS)
    federation.clock.advance(25 * 3600)
    assert node.one().state is MirrorState.AWAITS_WITNESSES


def test_a_revoked_witness_counts_no_more(federation: TestFederation, node: MirrorNode) -> None:
    node.require_witnesses = True
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.one()
    cosigned_by(federation, *MEMBERS)
    federation.hub.registry.revoke("vn-dgm", [federation.administrator])  # type: ignore[arg-type]
    outcome = node.one()
    assert outcome.state in (MirrorState.AWAITS_WITNESSES, MirrorState.UPDATED)
    if outcome.state is MirrorState.UPDATED:  # two witnesses are left, and both have cosigned
        assert known(node) == (2, 2)


def test_a_log_that_grows_all_the_time_still_brings_its_quorum(
    federation: TestFederation, node: MirrorNode
) -> None:
    """The evidence is given under the checkpoint that most have cosigned, not under the newest."""
    node.require_witnesses = True
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.one()
    cosigned_by(federation, *MEMBERS)
    federation.clock.advance(60)
    publish(federation, "vn-dgm", "other", FILES)
    federation.api("vn-dgm").get_checkpoint()
    assert node.one().state is MirrorState.UPDATED


class _View:
    """What this node has witnessed: so many others, and one history."""

    def __init__(self, seen: int, error: Untrusted | None = None) -> None:
        self.seen = seen
        self.error = error

    def check(self, proven: ProvenVersion) -> None:
        del proven
        if self.error is not None:
            raise self.error

    def witnesses(self, registry: Registry) -> int:
        del registry
        return self.seen


def test_the_quorum_is_of_the_witnesses_seen_lately_and_never_of_none(
    federation: TestFederation, node: MirrorNode
) -> None:
    node.require_witnesses = True
    node.view = _View(0)
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    outcome = node.one()
    assert outcome.state is MirrorState.AWAITS_WITNESSES
    assert "0 of 1" in outcome.attention[0]
    cosigned_by(federation, "th-dmr")
    node.view = _View(2)
    assert node.one().state is MirrorState.AWAITS_WITNESSES
    node.view = _View(1)
    assert node.one().state is MirrorState.UPDATED


def test_evidence_that_contradicts_what_this_node_has_witnessed(
    federation: TestFederation, node: MirrorNode
) -> None:
    node.view = _View(3, Untrusted("the hub has shown two histories", reason="ALARM"))
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    outcome = node.one()
    assert isinstance(outcome.error, Untrusted) and outcome.error.reason == "ALARM"
    assert not node.current.exists()


def test_a_forked_log_is_told_from_the_one_that_this_node_has_read(
    federation: TestFederation, node: MirrorNode
) -> None:
    """A checkpoint of the log's own key, over other leaves than those that the witness has read."""
    published = publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    api = federation.api("th-dmr")
    policy = api.get_version(DATASET, published.manifest_id).policy
    forged = ForgedLog(federation).prove("th-dmr", published.envelope, policy)
    publish(federation, "vn-dgm", "other", FILES)  # the true log is longer than the forged one
    size = api.get_checkpoint().note.split(b"\n")[1]
    leaves = api.get_entries(0, int(size)).leaves
    about = About("test-geo/log", "2026-11-22T12:00:00Z")
    history = History.begin(node.state_dir / "witness/history-1", about)
    history.stage([leaf_hash(each) for each in leaves])
    history.accept()
    state = NodeState(node.state_dir)
    try:
        node.view = Witnessed(node.state_dir, state, federation.clock)
        assert node.view.witnesses(federation.registry.registry) == 0
        lying: Any = LyingHub(node.api)
        lying.replace("get_evidence", lambda *_: forged)
        honest, node.hub, node.api = node.api, lying, lying
        outcome = node.one()
        assert isinstance(outcome.error, Untrusted) and outcome.error.reason == "ALARM", outcome.error
        assert "the hub has shown two histories" in outcome.error.message
        (alarm,) = Alarms(node.state_dir).open()
        assert alarm.kind == "two-histories" and "shown" in alarm.evidence
        node.hub = node.api = honest
        assert node.one().state is MirrorState.UPDATED, "the true evidence agrees with the true log"
    finally:
        state.close()


# --- what stands already ----------------------------------------------------------------------------------


def test_evidence_beside_a_version_gains_cosignatures_until_a_quorum_stands(
    federation: TestFederation, node: MirrorNode
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.one()
    inode = (node.current / "a.txt").stat().st_ino
    cosigned_by(federation, *MEMBERS)
    assert node.one().state is MirrorState.CURRENT
    assert known(node) == (0, 3), "not due yet"
    federation.clock.advance(300)
    assert node.one().state is MirrorState.CURRENT
    assert known(node) == (3, 3)
    note = parse_note((log_of(node) / "checkpoint").read_bytes())
    assert len(note.signatures) == 4
    assert sorted(each.name for each in (node.current / ".syncline").iterdir()) == [
        "inventory.sha256",
        "keys",
        "log",
        "manifest.json",
        "policy-rules.json",
        "policy.json",
        "registry",
    ]
    assert (node.current / "a.txt").stat().st_ino == inode
    (record,) = records(node)
    mark = kept(record)
    assert mark is not None and mark.again is None, "it rests"


def test_a_mirror_of_the_first_release_gets_its_evidence(
    federation: TestFederation, node: MirrorNode
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.one()
    forget_evidence(node)
    federation.enrol("kh-gdmr")
    share(federation, "la-dgm", "geology", read=["th-dmr", "vn-dgm"])
    outcome = node.one()
    assert (outcome.state, outcome.attention) == (MirrorState.CURRENT, ())
    evidence = node.current / ".syncline"
    assert len(list((evidence / "registry").iterdir())) == federation.registry.registry.seq
    assert (evidence / "log/version.tlog-proof").exists()
    opening = OpeningFile.from_bytes((evidence / "log/policy.opening.json").read_bytes())
    assert b'"seq":2' in opening.record
    assert node.files() == FILES


@pytest.mark.parametrize("n", range(1, 12))
def test_resumes_evidence_that_is_put_beside_an_old_mirror(
    federation: TestFederation, node: MirrorNode, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.one()
    forget_evidence(node)

    class Killed(BaseException):
        pass

    left = n

    def die(name: str, path: Path) -> None:
        nonlocal left
        if ".syncline" in str(path) or "/proc/self/fd" in str(path) or "mirrors" in str(path):
            left -= 1
            if left == 0:
                raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(durable, "fault_hook", die)
        with suppress(Killed):
            node.one()
    assert node.one().attention == ()
    names = {each.name for each in (node.current / ".syncline").iterdir()}
    assert "log" in names and not names & {".new", ".old"}
    assert (log_of(node) / "checkpoint").exists()


def test_an_old_mirror_whose_grant_has_ended_stays_as_it_is(
    federation: TestFederation, node: MirrorNode
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.one()
    forget_evidence(node)
    share(federation, "la-dgm", "geology", discover=["vn-dgm"])
    assert node.one().state is MirrorState.GRANT_ENDED
    assert node.files() == FILES


def test_evidence_that_does_not_hold_is_told_and_what_stands_stays(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.one()
    before = (log_of(node) / "checkpoint").read_bytes()
    federation.clock.advance(300)

    def lie(honest: Any, *arguments: Any) -> Evidence:
        evidence: Evidence = honest.get_evidence(*arguments)
        leaves = tuple(
            replace(each, hashes=each.hashes[:-1]) if each.kind is LeafKind.VERSION else each
            for each in evidence.leaves
        )
        return replace(evidence, leaves=leaves)

    lying.replace("get_evidence", lie)
    outcome = node.one()
    assert outcome.state is MirrorState.FAILED and isinstance(outcome.error, Untrusted)
    assert (log_of(node) / "checkpoint").read_bytes() == before
    lying.honest_again()
    assert node.one().state is MirrorState.CURRENT


def test_the_acknowledgement_is_kept_for_who_asks_later(federation: TestFederation, node: MirrorNode) -> None:
    from sync.acknowledgement import verify_acknowledgement

    published = publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.one()
    (record,) = records(node)
    data = record.read("acknowledgement.json")
    assert data is not None
    member = federation.members["th-dmr"]
    verified = verify_acknowledgement(data, [member.signing.public], member.partner)
    assert verified.acknowledgement.manifest_sha256 == published.manifest_id


def forget_evidence(node: MirrorNode) -> None:
    """As the first release left it."""
    shutil.rmtree(log_of(node))
    for record in records(node):
        for name in ("proven", "policy.json", "policy-rules.json"):
            (record.folder / name).unlink(missing_ok=True)
