"""The owner's side of durable_ack and resumes: lost answers, killed passes, fences, a lost state."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.errors import Conflict, Corrupt, InvalidInput, Unavailable
from node.publish import PublishState, approve, dataset_status
from node.state import NodeState, rebuild
from sync.ports import Accepted, ChunkId
from tests.simulation.in_process_hub import Fault, InProcessHub
from tests.unit.node_publish.conftest import READ, Agency


def test_a_lost_answer_is_settled_by_the_same_bytes(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    agency.faults.script("commit_version", Fault.ANSWER_LOST)
    with pytest.raises(Unavailable):
        agency.publish()
    assert len(agency.versions()) == 1  # it was accepted, and we do not know
    agency.reopen()
    agency.write("a.txt", "alpha, edited meanwhile")
    outcome = agency.publish()
    assert outcome.seq == 2
    envelopes = agency.versions()
    assert len(envelopes) == 2
    assert agency.records.journalled("version") is None


def test_a_lost_request_signs_nothing_anew(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    agency.faults.script("commit_version", Fault.REQUEST_LOST)
    with pytest.raises(Unavailable):
        agency.publish()
    journalled = agency.records.journalled("version")
    assert journalled is not None
    agency.write("a.txt", "edited")
    agency.publish()
    assert agency.versions()[0] == journalled.envelope
    assert len(agency.versions()) == 2


def test_a_lost_answer_to_a_policy_is_settled_too(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    agency.faults.script("publish_policy", Fault.ANSWER_LOST)
    with pytest.raises(Unavailable):
        agency.publish()
    agency.reopen()
    assert agency.publish().state is PublishState.PUBLISHED
    assert len(list(agency.hub.list_policies(agency.dataset, 1))) == 1


def test_nothing_is_signed_before_the_bytes_are_durable(agency: Agency) -> None:
    agency.write("a.bin", random.Random(3).randbytes(50_000))
    hub = agency.hub

    def broken(frames: Iterator[bytes]) -> Iterator[int]:
        for _ in frames:
            raise Conflict("the hub refuses", reason="REFUSED")
        yield 0

    hub.update_blobs = broken  # type: ignore[method-assign]
    agency.clock.advance(60)
    with pytest.raises(Conflict):
        agency.publisher(hub).run()
    assert agency.records.journalled("version") is None
    assert not agency.versions()
    assert agency.publish().state is PublishState.PUBLISHED


def test_a_killed_pass_does_not_hash_again(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        agency.write(f"{number}.bin", random.Random(number).randbytes(3_000))
    hub = agency.hub

    def commit(envelope: bytes, root: bytes | None) -> Accepted:
        raise KeyboardInterrupt

    hub.commit_version = commit  # type: ignore[method-assign]
    agency.clock.advance(60)
    with pytest.raises(KeyboardInterrupt):
        agency.publisher(hub).run()
    agency.reopen()
    agency.records.forget_journal()  # as if it was killed just before it signed
    from sync.chunking import FileHasher

    def digest(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(FileHasher, "digest", digest)
    outcome = agency.publish()
    assert outcome.files == 30
    assert agency.detail().root is not None


def test_known_files_that_the_hub_lacks_are_read_again(agency: Agency) -> None:
    """The first pass hashed everything and sent nothing."""
    for number in range(10):
        agency.write(f"{number}.bin", random.Random(number).randbytes(3_000))
    hub = agency.hub

    def lost(frames: Iterator[bytes]) -> Iterator[int]:
        raise Conflict("no", reason="REFUSED")

    hub.update_blobs = lost  # type: ignore[method-assign]
    agency.clock.advance(60)
    with pytest.raises(Conflict):
        agency.publisher(hub).run()
    agency.reopen()
    assert agency.publish().state is PublishState.PUBLISHED
    assert agency.detail().root is not None


class Forgetful(InProcessHub):
    """A hub that has thrown away an upload (it lay there for too long) before the commit."""

    def __init__(self, inner: InProcessHub, times: int, on_forget: Callable[[], None] = lambda: None) -> None:
        super().__init__(inner.host, inner.caller, inner.faults)
        self.times = times
        self.on_forget = on_forget
        self.roots: list[bytes | None] = []
        self.lacking: set[ChunkId] | None = None

    def commit_version(self, envelope: bytes, root: bytes | None) -> Accepted:
        self.roots.append(root)
        if self.times and root is not None:
            self.times -= 1
            self.on_forget()
            raise Unavailable("chunks are missing", reason="MISSING_CHUNKS")
        return super().commit_version(envelope, root)

    def find_missing(self, ids: Any) -> Any:
        return [True for _ in ids] if self.roots else super().find_missing(ids)


def test_chunks_that_the_hub_lost_are_offered_again(agency: Agency) -> None:
    agency.write("a.bin", random.Random(1).randbytes(5_000))
    hub = Forgetful(agency.hub, 1)
    agency.clock.advance(60)
    outcome = agency.publisher(hub).run()
    assert outcome.state is PublishState.PUBLISHED
    assert len(agency.versions()) == 1


def test_lost_chunks_of_a_file_that_changed_are_recorded_without_bytes(agency: Agency) -> None:
    """The signed version stays evidence; nothing else is ever signed under its number."""
    agency.write("a.bin", random.Random(1).randbytes(5_000))
    hub = Forgetful(agency.hub, 1, lambda: agency.write("a.bin", "changed") and None)
    agency.clock.advance(60)
    outcome = agency.publisher(hub).run()
    assert outcome.state is PublishState.WITHHELD
    assert hub.roots[-1] is None
    outcome = agency.publish()
    assert (outcome.seq, outcome.state) == (2, PublishState.PUBLISHED)
    assert agency.detail().root is not None


def test_a_restored_node_is_fenced_and_says_so(agency: Agency, tmp_path: Any) -> None:
    import shutil

    agency.write("a.txt", "alpha")
    agency.publish()
    agency.state.close()
    shutil.copytree(agency.state_dir, tmp_path / "backup")
    agency.state = NodeState(agency.state_dir)
    agency.write("a.txt", "beta")
    agency.publish()
    agency.state.close()
    shutil.rmtree(agency.state_dir)
    shutil.copytree(tmp_path / "backup", agency.state_dir)
    agency.state = NodeState(agency.state_dir)
    agency.write("a.txt", "gamma")
    with pytest.raises(Conflict) as raised:
        agency.publish()
    assert raised.value.reason == "FENCED"
    status = dataset_status(agency.state, agency.dataset)
    assert status.state is PublishState.FENCED
    with pytest.raises(Conflict):
        agency.publish()
    assert len(agency.versions()) == 2
    assert "another" in approve(agency.state, agency.dataset)[0]
    outcome = agency.publish()
    assert (outcome.seq, outcome.state) == (3, PublishState.PUBLISHED)
    assert agency.listed() == {"a.txt": len("gamma")}


class TurnedBackHub:
    """A hub that was restored from a backup, or lies: it knows the first version alone."""

    def __init__(self, hub: Any) -> None:
        self._hub = hub

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hub, name)

    def list_versions(self, dataset: Any, first: int) -> Any:
        return iter(list(self._hub.list_versions(dataset, first))[:1])

    def commit_version(self, *_: Any, **__: Any) -> Any:
        raise Conflict("number 3 does not follow the hub's newest, number 1", reason="FENCED")


def test_a_hub_that_was_turned_back_never_makes_an_owner_sign_a_second_version_of_a_number(
    agency: Agency,
) -> None:
    """Approving would fork the chain: every reader of the lost version would refuse this owner for ever."""
    agency.write("a.txt", "alpha")
    agency.publish()
    agency.write("a.txt", "beta")
    agency.publish()
    agency.write("a.txt", "gamma")
    agency.clock.advance(60)
    for _ in range(2):
        with pytest.raises(Conflict) as raised:
            agency.publisher(TurnedBackHub(agency.hub)).run()
        assert raised.value.reason == "HUB_TURNED_BACK"
        assert "version 1" in raised.value.message and "accepted version 2" in raised.value.message
        with pytest.raises(InvalidInput):
            approve(agency.state, agency.dataset)
    outcome = agency.publish()  # the hub is as it was
    assert (outcome.seq, outcome.changed) == (3, True)


def test_a_doubled_node_with_an_empty_state_waits_for_a_person(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    agency.publish()
    agency.state.close()
    for path in agency.state_dir.glob("state.sqlite*"):
        path.unlink()
    agency.state = NodeState(agency.state_dir)
    outcome = agency.publish()
    assert outcome.state is PublishState.WAITING
    approve(agency.state, agency.dataset)
    outcome = agency.publish()
    assert (outcome.state, outcome.seq) == (PublishState.UP_TO_DATE, 1)


def test_a_damaged_database_is_moved_aside_and_the_chain_goes_on(agency: Agency) -> None:
    for number in range(10):
        agency.write(f"{number}.txt", f"file {number}")
    agency.publish()
    agency.state.close()
    path = agency.state_dir / "state.sqlite"
    for beside in agency.state_dir.glob("state.sqlite-*"):
        beside.unlink()
    path.write_bytes(path.read_bytes()[:100] + b"\0garbage" * 2000)
    with pytest.raises(Corrupt) as raised:
        NodeState(agency.state_dir)
    assert raised.value.remedy
    agency.state = rebuild(agency.state_dir, "2026-11-22T12:00:00Z")
    assert list(agency.state_dir.glob("state.sqlite.damaged-*"))
    (agency.folder / "3.txt").unlink()
    agency.write("new.txt", "new")
    outcome = agency.publish()
    assert (outcome.seq, outcome.files) == (2, 10)
    assert agency.detail().root is not None


def test_a_recovered_list_still_guards_against_removals(agency: Agency) -> None:
    for number in range(10):
        agency.write(f"{number}.txt", f"file {number}")
    agency.publish()
    agency.state.close()
    agency.state = rebuild(agency.state_dir, "2026-11-22T12:00:00Z")
    for number in range(9):
        (agency.folder / f"{number}.txt").unlink()
    assert agency.publish().state is PublishState.WAITING
    assert len(agency.versions()) == 1


def test_recovery_of_a_withheld_head_continues_the_chain(agency: Agency) -> None:
    agency.write("a.txt", "alpha")
    agency.publish(share=[])
    agency.state.close()
    agency.state = rebuild(agency.state_dir, "2026-11-22T12:00:00Z")
    outcome = agency.publish(share=READ)
    assert outcome.state is PublishState.PUBLISHED
    assert agency.detail().root is not None


def test_approving_nothing_is_refused(agency: Agency) -> None:
    with pytest.raises(InvalidInput):
        approve(agency.state, agency.dataset)


@pytest.mark.parametrize("seed", range(4))
def test_any_single_fault_leads_to_one_unbroken_chain(agency: Agency, seed: int) -> None:
    """converges: whatever breaks, once faults stop the hub holds what the folder holds."""
    agency.faults.random = random.Random(seed)
    chosen = random.Random(seed)
    for step in range(4):
        agency.write(f"{chosen.randrange(5)}.bin", chosen.randbytes(chosen.randrange(1, 4_000)))
        agency.write("always.txt", str(step))
        agency.faults.rate = 0.25
        for _ in range(3):
            try:
                agency.publish()
            except Unavailable:
                agency.reopen()
    agency.faults.stop()
    agency.publish()
    detail = agency.detail()
    assert detail.root is not None
    assert agency.listed() == {p.name: p.stat().st_size for p in agency.folder.iterdir()}
    assert agency.records.head().manifest_seq == len(agency.versions())  # type: ignore[union-attr]
