"""The hub was restored from an older copy: nodes tell it from an attack by the administrators' word alone,
and give back what is theirs."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from core.errors import Denied, Untrusted
from node import enrol, rotate
from node.alarms import Alarms
from node.engine import Engine
from node.publish.receipts import ReceiptStore
from node.results import PassOutcome
from tests.simulation.federation import TestFederation
from tests.unit.node_daemon.conftest import Member
from tests.unit.node_daemon.test_rotation import ask, own_key, sign


@pytest.fixture
def owner(members: dict[str, Member]) -> Member:
    member = members["la-dgm"]
    member.configure(publish={"maps": ["th-dmr"]})
    write(member, "rock")
    return member


@pytest.fixture
def reader(members: dict[str, Member]) -> Member:
    member = members["th-dmr"]
    member.configure(subscribe=True)
    return member


def write(member: Member, text: str) -> None:
    (member.folder("maps") / "a.txt").write_text(text)


def one_pass(member: Member) -> PassOutcome:
    with member.session() as session:
        return Engine(session).run_pass()


def passes(*members: Member) -> None:
    for member in members:
        assert one_pass(member).exit_status == 0


def copy(federation: TestFederation, directory: Path) -> None:
    federation.hub.log.make_checkpoint(force=True)
    federation.hub.close()
    shutil.copytree(federation.host.layout.directory, directory)
    federation.host.hub = federation.host._open()


def restore(federation: TestFederation, directory: Path) -> None:
    federation.hub.close()
    shutil.rmtree(federation.host.layout.directory)
    shutil.copytree(directory, federation.host.layout.directory)
    federation.host.hub = federation.host._open()


def go_on(federation: TestFederation) -> None:
    """`syncline-hub log continue`."""
    federation.hub.log_continuation.begin([federation.administrator], "restored from a backup")
    federation.hub.log.make_checkpoint(force=True)


def published(federation: TestFederation, member: str) -> list[bytes]:
    return list(federation.api(member).list_versions("la-dgm/maps", 1))  # type: ignore[arg-type]


def lose_versions(federation: TestFederation, owner: Member, reader: Member, where: Path) -> list[bytes]:
    """Version 1 is in the copy; 2 and 3 are lost."""
    passes(owner, reader, owner)
    copy(federation, where)
    for text in ("sand", "clay"):
        write(owner, text)
        passes(owner, reader, owner)
    before = published(federation, "la-dgm")
    assert len(before) == 3
    restore(federation, where)
    return before


def test_owners_send_again_what_a_restored_hub_lacks(
    federation: TestFederation, owner: Member, reader: Member, tmp_path: Path
) -> None:
    before = lose_versions(federation, owner, reader, tmp_path / "copy")
    go_on(federation)
    outcome = one_pass(owner)
    assert outcome.exit_status == 0
    assert published(federation, "la-dgm") == before, "byte for byte, in their order"
    # The newest one with its bytes: a new reader gets it whole.
    shutil.rmtree(reader.mirror)
    (reader.mirror / "la-dgm" / "maps").mkdir(parents=True)
    one_pass(reader)
    assert reader.content("la-dgm/maps") == {"a.txt": b"clay"}
    write(owner, "loam")
    assert one_pass(owner).results[0].seq == 4
    assert one_pass(reader).exit_status == 0
    assert reader.content("la-dgm/maps") == {"a.txt": b"loam"}
    for member in (owner, reader):
        assert one_pass(member).exit_status == 0
        assert Alarms(member.state_dir).open() == []


def test_without_the_administrators_word_it_stays_an_alarm(
    federation: TestFederation, owner: Member, reader: Member, tmp_path: Path
) -> None:
    lose_versions(federation, owner, reader, tmp_path / "copy")
    for member in (owner, reader):
        assert one_pass(member).exit_status == 3
        assert Alarms(member.state_dir).open()
    assert len(published(federation, "la-dgm")) == 1, "nothing is given to who may be an attacker"
    write(owner, "loam")
    assert one_pass(owner).exit_status == 3
    assert len(published(federation, "la-dgm")) == 1


def test_the_word_may_come_after_the_alarm(
    federation: TestFederation, owner: Member, reader: Member, tmp_path: Path
) -> None:
    """The hub ran before anybody knew. It continues what a witness stands for: whoever was
    shown another tree by the old key keeps the alarm, for a person, and the others go on."""
    before = lose_versions(federation, owner, reader, tmp_path / "copy")
    for member in (owner, reader):
        assert one_pass(member).exit_status == 3
    go_on(federation)
    one_pass(owner)
    assert one_pass(owner).exit_status == 0
    assert published(federation, "la-dgm") == before
    assert one_pass(reader).exit_status == 3
    (alarm,) = Alarms(reader.state_dir).open()
    Alarms(reader.state_dir).decide(alarm.id, "the operator told us", "somchai", federation.clock.now())
    one_pass(reader)
    assert one_pass(reader).exit_status == 0


def test_policies_come_before_the_versions_that_pin_them(
    federation: TestFederation, owner: Member, reader: Member, tmp_path: Path
) -> None:
    passes(owner, reader)
    copy(federation, tmp_path / "copy")
    owner.configure(publish={"maps": []})
    passes(owner)
    owner.configure(publish={"maps": ["th-dmr"]})
    write(owner, "sand")
    passes(owner, reader)
    restore(federation, tmp_path / "copy")
    go_on(federation)
    assert one_pass(owner).exit_status == 0
    assert len(list(federation.api("la-dgm").list_policies("la-dgm/maps", 1))) == 3  # type: ignore[arg-type]
    assert len(published(federation, "la-dgm")) == 2


def test_a_dataset_that_the_copy_has_never_heard_of_comes_again(
    federation: TestFederation, owner: Member, reader: Member, tmp_path: Path
) -> None:
    copy(federation, tmp_path / "copy")
    passes(owner, reader)
    restore(federation, tmp_path / "copy")
    go_on(federation)
    assert one_pass(owner).exit_status == 0
    assert len(published(federation, "la-dgm")) == 1
    assert one_pass(reader).exit_status == 0


def test_what_the_owner_has_not_kept_either_stays_an_alarm(
    federation: TestFederation, owner: Member, reader: Member, tmp_path: Path
) -> None:
    before = lose_versions(federation, owner, reader, tmp_path / "copy")
    assert len(before) == 3
    shutil.rmtree(ReceiptStore(owner.state_dir)._root)
    go_on(federation)
    with owner.session() as session:
        outcome = Engine(session).run_pass()
        assert session.board.report.publish[0].error is not None
        assert session.board.report.publish[0].error.reason == "HUB_TURNED_BACK"
    assert outcome.exit_status != 0
    assert len(published(federation, "la-dgm")) == 1


def test_an_interrupted_giving_back_is_finished(
    federation: TestFederation, owner: Member, reader: Member, tmp_path: Path
) -> None:
    before = lose_versions(federation, owner, reader, tmp_path / "copy")
    go_on(federation)
    federation.api("la-dgm").commit_version(before[1], None)  # all that the interrupted run had sent
    assert one_pass(owner).exit_status == 0
    assert published(federation, "la-dgm") == before


def test_registry_statements_that_it_lacks_are_offered(
    federation: TestFederation, owner: Member, reader: Member, tmp_path: Path
) -> None:
    passes(owner, reader)
    copy(federation, tmp_path / "copy")
    federation.hub.registry.renew([federation.administrator])
    passes(owner, reader)
    newest = federation.registry
    restore(federation, tmp_path / "copy")
    assert federation.registry.id != newest.id
    one_pass(reader)
    assert federation.registry.id == newest.id
    go_on(federation)
    passes(owner, reader)


def test_keys_that_changed_since_the_copy_are_told_again(
    federation: TestFederation, owner: Member, reader: Member, tmp_path: Path
) -> None:
    passes(owner, reader)
    copy(federation, tmp_path / "copy")
    write(owner, "sand")
    passes(owner, reader)
    ask(owner)
    passes(owner)
    sign(federation)
    write(owner, "clay")
    passes(owner, reader)
    key = own_key(owner)
    before = published(federation, "la-dgm")
    assert len(before) == 3
    restore(federation, tmp_path / "copy")
    one_pass(reader)  # offers the registry that lists the new key
    assert federation.hub.registry.signing_key(federation.caller("la-dgm")) != key
    go_on(federation)
    one_pass(owner)
    assert federation.hub.registry.signing_key(federation.caller("la-dgm")) == key
    assert len(rotate.done(owner.state_dir)) == 1
    assert published(federation, "la-dgm") == before, "also what the old key has signed"
    write(owner, "loam")
    assert one_pass(owner).results[0].seq == 4


def test_a_certificate_that_a_restored_hub_has_forgotten_is_given_again(
    owner: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proven by the signing key. A node that was really replaced has no such key: refused as before."""
    passes(owner)
    forgotten = [Denied("the certificate was replaced", reason="REPLACED")]

    class Forgetful:
        def __init__(self, hub: Any) -> None:
            self._hub = hub

        def __getattr__(self, name: str) -> Any:
            return getattr(self._hub, name)

        def get_hub_info(self) -> Any:
            if forgotten:
                raise forgotten[0]
            return self._hub.get_hub_info()

    owner.wrap = Forgetful
    monkeypatch.setattr(enrol, "renew", lambda **_: forgotten.clear())
    passes(owner)

    def refused(**_: object) -> None:
        raise Untrusted("the signing key is another", reason="UNKNOWN_SIGNER")

    forgotten.append(Denied("the certificate was replaced", reason="REPLACED"))
    monkeypatch.setattr(enrol, "renew", refused)
    assert one_pass(owner).exit_status == Denied.exit_status
