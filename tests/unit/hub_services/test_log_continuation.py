"""A hub that was restored from an older copy of its directory goes on under a new log that the administrators
sign."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import InvalidInput, SynclineError, Untrusted
from core.names import PartnerId
from hub.administrators import keep_registry, kept_registry
from security.keys import SigningKey
from security.keystore import save_signing_key
from security.registry import sign_registry, verify_next
from security.tlog.checkpoint import open_checkpoint
from security.tlog.cosignature import cosign
from security.tlog.note import Note
from security.tlog.position import continued, position
from tests.simulation.federation import TestFederation, build_version, make_federation, publish, share
from tests.unit.hub_services.conftest import SMALL


class Copied:
    """A federation, and a copy of the hub's directory that is put back later."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.federation = make_federation(directory, limits=SMALL)

    def copy(self) -> None:
        self.federation.hub.log.make_checkpoint(force=True)
        self.federation.close()
        shutil.copytree(self.directory / "hub", self.directory / "copy")
        self._open()

    def restore(self) -> None:
        self.federation.close()
        shutil.rmtree(self.directory / "hub")
        shutil.copytree(self.directory / "copy", self.directory / "hub")
        self._open()

    def _open(self) -> None:
        members = self.federation.members
        self.federation = make_federation(self.directory, clock=self.federation.clock, limits=SMALL)
        self.federation.members.update(members)


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Copied]:
    made = Copied(tmp_path)
    yield made
    made.federation.close()


def begin(federation: TestFederation, reason: str = "restored", size: int | None = None) -> None:
    federation.hub.log_continuation.begin([federation.administrator], reason, size)
    assert federation.hub.log.make_checkpoint(force=True)


def test_a_restored_hub_continues_under_a_new_log(copied: Copied) -> None:
    share(copied.federation, "la-dgm", "geology-1m", ["th-dmr"])
    copied.copy()
    held = copied.federation.hub.log.status().checkpoint_size
    old_key = copied.federation.registry.registry.logs[0].key
    publish(copied.federation, "la-dgm", "geology-1m", {"a.txt": b"lost"})
    copied.federation.hub.log.make_checkpoint(force=True)
    lost = copied.federation.hub.log.checkpoint().note

    copied.restore()
    federation = copied.federation
    begin(federation)
    logs = federation.registry.registry.logs
    assert [log.origin for log in logs] == ["test-geo/log", "test-geo/log/2"]
    base = continued(logs, 1)
    assert base is not None
    assert base[1].size == held
    new = open_checkpoint(federation.hub.log.checkpoint().note, "test-geo/log/2", logs[1].key)
    assert new.checkpoint.size > held
    federation.hub.log.consistency(held, new.checkpoint.size)
    # What the old key has signed stays what it was: it never signs again.
    assert open_checkpoint(lost, "test-geo/log", old_key).checkpoint.size > held
    assert logs[1].key != old_key
    assert position(logs, "test-geo/log", held) < position(logs, "test-geo/log/2", held)
    # And the work goes on.
    publish(federation, "la-dgm", "geology-1m", {"a.txt": b"again"})
    assert federation.hub.log.make_checkpoint(force=True)
    assert federation.hub.log.status().origin == "test-geo/log/2"


def test_it_happens_again(copied: Copied) -> None:
    copied.copy()
    copied.restore()
    begin(copied.federation)
    begin(copied.federation, "and once more")
    logs = copied.federation.registry.registry.logs
    assert [log.origin for log in logs] == ["test-geo/log", "test-geo/log/2", "test-geo/log/3"]
    assert position(logs, "test-geo/log/3", 0) == (0, 0)


def test_an_interrupted_command_is_repeated(copied: Copied) -> None:
    """The key is made before the registry names it: a second run takes it."""
    copied.copy()
    federation = copied.federation
    with pytest.raises(SynclineError) as caught:
        federation.hub.log_continuation.begin([SigningKey.generate()], "restored")
    assert caught.value.reason == "THRESHOLD"
    path = federation.host.layout.log_key_of(2)
    federation.hub.log_continuation._key(2)
    before = path.read_bytes()
    begin(federation)
    assert path.read_bytes() == before


def test_an_earlier_checkpoint_may_be_continued(copied: Copied) -> None:
    """For a hub that has signed checkpoints since it was restored: nobody else has seen those."""
    copied.copy()
    held = copied.federation.hub.log.status().checkpoint_size
    copied.restore()
    share(copied.federation, "la-dgm", "geology-1m", ["th-dmr"])
    copied.federation.hub.log.make_checkpoint(force=True)
    assert copied.federation.hub.log.status().checkpoint_size > held
    begin(copied.federation, size=held)
    base = continued(copied.federation.registry.registry.logs, 1)
    assert base is not None
    assert base[1].size == held
    with pytest.raises(InvalidInput):
        copied.federation.hub.log_continuation.begin([copied.federation.administrator], "x", 10**9)


def test_it_needs_a_reason(copied: Copied) -> None:
    copied.copy()
    with pytest.raises(InvalidInput):
        copied.federation.hub.log_continuation.begin([copied.federation.administrator], "  ")


def test_statements_that_a_copy_lacks_are_taken_in_from_a_node(copied: Copied) -> None:
    copied.copy()
    copied.federation.hub.registry.renew([copied.federation.administrator])
    copied.federation.hub.registry.revoke(PartnerId("vn-dgm"), [copied.federation.administrator])
    newest = copied.federation.registry
    statements = copied.federation.hub.registry.list_from(1)
    while len(statements) < newest.registry.seq:
        statements += copied.federation.hub.registry.list_from(len(statements) + 1)
    copied.restore()
    assert copied.federation.registry.registry.seq == newest.registry.seq - 2
    assert copied.federation.api("la-dgm").offer_registry(statements) == newest.registry.seq
    assert copied.federation.registry.id == newest.id
    assert not copied.federation.hub.registry.is_active(PartnerId("vn-dgm"))
    assert copied.federation.api("la-dgm").offer_registry(statements) == newest.registry.seq, "again"


def test_an_offer_that_does_not_follow_is_refused(copied: Copied) -> None:
    """Only what the administrators have signed, in its place: a member cannot push anything else."""
    federation = copied.federation
    current = federation.registry
    draft = current.successor(federation.clock.now())
    forged = sign_registry(draft, [SigningKey.generate()])
    for envelopes, reason in (([forged], "UNKNOWN_SIGNER"), ([], "MALFORMED")):
        with pytest.raises(SynclineError) as caught:
            federation.api("la-dgm").offer_registry(envelopes)
        assert caught.value.reason == reason
    assert federation.registry.id == current.id


def test_a_hub_that_made_another_statement_of_that_number_learns_of_the_fork(copied: Copied) -> None:
    copied.copy()
    copied.federation.hub.registry.renew([copied.federation.administrator])
    seq = copied.federation.registry.registry.seq
    theirs = copied.federation.hub.registry.list_from(seq)
    copied.restore()
    copied.federation.clock.advance(60)
    copied.federation.hub.registry.renew([copied.federation.administrator])
    with pytest.raises(Untrusted) as caught:
        copied.federation.api("la-dgm").offer_registry(theirs)
    assert caught.value.reason == "FORK"


def test_what_the_administrators_keep_is_taken_in(copied: Copied, tmp_path: Path) -> None:
    folder = tmp_path / "stick"
    folder.mkdir(mode=0o700)
    keep_registry(folder, copied.federation.hub.registry.list_from)
    assert kept_registry(folder) == [], "no keys, no copies"
    save_signing_key(folder / "administrator-1.key", copied.federation.administrator)
    copied.copy()
    copied.federation.hub.registry.renew([copied.federation.administrator])
    keep_registry(folder, copied.federation.hub.registry.list_from)
    newest = copied.federation.registry
    assert len(kept_registry(folder)) == newest.registry.seq
    copied.restore()
    assert copied.federation.hub.log_continuation.take_in(kept_registry(folder)) == 1
    assert copied.federation.registry.id == newest.id


def test_alarms_of_nodes_call_for_it_until_it_is_done(copied: Copied) -> None:
    federation = copied.federation
    federation.hub.log.make_checkpoint(force=True)
    assert federation.hub.log_continuation.alarms() == 0
    report = b'{"alarms":[{"id":"rolled-back-1","kind":"rolled-back","since":"2026-11-22T17:00:00Z"}]}'
    federation.hub.fleet.report_status(federation.caller("la-dgm"), report)
    assert federation.hub.log_continuation.alarms() == 1
    begin(federation)
    assert federation.hub.log_continuation.alarms() == 0


def test_a_log_is_never_dropped_from_the_registry(copied: Copied) -> None:
    copied.copy()
    begin(copied.federation)
    current = copied.federation.registry
    draft = current.successor(copied.federation.clock.now())
    for logs in (draft.logs[1:], draft.logs[::-1], draft.logs[:1]):
        changed = type(draft)(**{**{f: getattr(draft, f) for f in draft.__slots__}, "logs": logs})
        with pytest.raises(Untrusted) as caught:
            verify_next(current, sign_registry(changed, [copied.federation.administrator]))
        assert caught.value.reason == "LOG_DROPPED"


def test_versions_of_an_owner_come_in_again_in_their_order(copied: Copied) -> None:
    share(copied.federation, "la-dgm", "geology-1m", ["th-dmr"])
    copied.copy()
    one = publish(copied.federation, "la-dgm", "geology-1m", {"a.txt": b"one"})
    two = build_version(
        copied.federation, "la-dgm", "geology-1m", {"a.txt": b"2"}, seq=2, prev=one.manifest_id
    )
    copied.restore()
    begin(copied.federation)
    api = copied.federation.api("la-dgm")
    api.commit_version(one.envelope, None)
    api.commit_version(two.envelope, None)
    assert [len(list(api.list_versions(one.dataset, 1)))] == [2]


def test_it_continues_what_a_witness_stands_for(copied: Copied) -> None:
    """What a restored hub signs before somebody notices is no witness's: nobody else has that tree."""
    federation = copied.federation
    federation.hub.log.make_checkpoint(force=True)
    view = federation.hub.log.checkpoint()
    log = federation.registry.registry.logs[0]
    opened = open_checkpoint(view.note, log.origin, log.key)
    member = federation.members["th-dmr"]
    line = cosign(opened.note.text, "test-geo/th-dmr/main", member.witness, federation.clock.now())
    federation.hub.log.add_cosignature(member.caller, Note(opened.note.text, (line,)).to_bytes())
    share(federation, "la-dgm", "geology-1m", ["th-dmr"])
    federation.hub.log.make_checkpoint(force=True)
    assert federation.hub.log.status().checkpoint_size > opened.checkpoint.size
    begin(federation)
    base = continued(federation.registry.registry.logs, 1)
    assert base is not None
    assert base[1] == opened.checkpoint
