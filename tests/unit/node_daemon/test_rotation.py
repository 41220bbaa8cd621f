"""A node changes its signing key: it asks, the administrators sign, it switches; whatever crashes between."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core import durable
from core.errors import Unavailable
from core.names import NodeName, PartnerId
from node import identity as identities
from node import rotate
from node.alarms import Alarms
from node.engine import Engine
from node.publish.records import PublishRecords
from node.results import PassOutcome
from security import envelope as dsse
from security.certificates import make_csr
from security.digests import sha256_hex
from security.join import Renewal, build_renewal
from security.keys import PublicKey, SigningKey
from security.registry import sign_registry
from tests.simulation.federation import FEDERATION, TestFederation
from tests.unit.node_daemon.conftest import Member


@pytest.fixture
def owner(members: dict[str, Member]) -> Member:
    member = members["la-dgm"]
    member.configure(publish={"maps": ["th-dmr"]})
    (member.folder("maps") / "a.txt").write_text("rock")
    return member


@pytest.fixture
def reader(members: dict[str, Member]) -> Member:
    member = members["th-dmr"]
    member.configure(subscribe=True)
    return member


def ask(member: Member) -> PublicKey:
    """What `rotate-keys` does before it tells the hub."""
    return rotate.request(
        member.state_dir,
        identities.load(member.state_dir),
        FEDERATION,
        PartnerId(member.partner),
        NodeName("main"),
        member.federation.clock.now(),
    )


def one_pass(member: Member) -> PassOutcome:
    with member.session() as session:
        outcome = Engine(session).run_pass()
        assert "registry" not in session.board.report.faults, "no alarm about this node's own entry"
        assert "keys" not in session.board.report.faults
        return outcome


def own_key(member: Member) -> PublicKey:
    return identities.load(member.state_dir).signing.public


def sign(federation: TestFederation) -> None:
    assert federation.hub.registry.sign_pending([federation.administrator]) is not None


def test_the_whole_way(federation: TestFederation, owner: Member, reader: Member) -> None:
    assert one_pass(owner).exit_status == 0
    old, new = own_key(owner), ask(owner)
    assert ask(owner) == new, "asking again asks for the same key"
    (owner.folder("maps") / "a.txt").write_text("sand")
    assert one_pass(owner).results[0].seq == 2, "the old key goes on until the registry lists the new one"
    assert own_key(owner) == old
    assert [act.kind for act in federation.hub.registry.pending()] == ["rotate"]
    sign(federation)
    (owner.folder("maps") / "a.txt").write_text("clay")
    outcome = one_pass(owner)
    assert (outcome.exit_status, outcome.results[0].seq) == (0, 3)
    assert own_key(owner) == new
    assert sorted(path.name for path in (owner.state_dir / "keys").glob("signing*")) == ["signing.pem"]
    assert rotate.waiting(owner.state_dir) is None
    # Whoever reads follows the chain over the change, and acknowledges.
    outcome = one_pass(reader)
    assert outcome.exit_status == 0
    assert reader.content("la-dgm/maps") == {"a.txt": b"clay"}
    # The owner's own witness does not take its new key for a stranger's, nor the old one.
    for member in (owner, reader):
        assert one_pass(member).exit_status == 0
        assert Alarms(member.state_dir).open() == []


def test_who_repeats_the_command_until_it_is_done_changes_the_key_once(
    federation: TestFederation, owner: Member
) -> None:
    """The daemon changes it between two runs: the second tells that, and asks for no third key."""
    now = federation.clock.now()
    one_pass(owner)
    old, new = own_key(owner), ask(owner)
    assert rotate.untold(owner.state_dir, old, now) is None
    one_pass(owner)
    sign(federation)
    one_pass(owner)
    told = rotate.untold(owner.state_dir, own_key(owner), now)
    assert told is not None
    assert (told.old, told.new) == (old, new)
    assert rotate.untold(owner.state_dir, new, now + timedelta(days=365)) is None, "that is another occasion"
    rotate.tell(owner.state_dir)
    assert rotate.untold(owner.state_dir, new, now) is None
    assert ask(owner) != new


def test_a_reader_that_was_away_verifies_old_and_new(
    federation: TestFederation, owner: Member, reader: Member
):
    one_pass(owner)
    one_pass(reader)
    ask(owner)
    one_pass(owner)
    sign(federation)
    for text in ("sand", "clay"):
        (owner.folder("maps") / "a.txt").write_text(text)
        assert one_pass(owner).exit_status == 0
    assert one_pass(reader).exit_status == 0
    assert reader.content("la-dgm/maps") == {"a.txt": b"clay"}


def test_both_sides_change(federation: TestFederation, owner: Member, reader: Member) -> None:
    one_pass(owner)
    for member in (owner, reader):
        ask(member)
        one_pass(member)
    sign(federation)
    assert one_pass(reader).exit_status == 0
    (owner.folder("maps") / "a.txt").write_text("sand")
    assert one_pass(owner).exit_status == 0
    assert one_pass(reader).exit_status == 0
    acknowledged = [leaf for leaf in federation.hub.translog.leaves() if leaf.type == "acknowledgement"]
    assert len(acknowledged) == 2


def test_a_second_change_follows_the_first(federation: TestFederation, owner: Member) -> None:
    one_pass(owner)
    keys = [own_key(owner)]
    for _ in range(2):
        keys.append(ask(owner))
        one_pass(owner)
        sign(federation)
        assert one_pass(owner).exit_status == 0
        assert own_key(owner) == keys[-1]
    assert len(rotate.done(owner.state_dir)) == 2
    (owner.folder("maps") / "a.txt").write_text("sand")
    assert one_pass(owner).results[0].seq == 2


class Crash(BaseException):
    pass


@pytest.mark.parametrize("step", range(6))
def test_a_crash_at_any_step_leaves_a_node_that_works(
    federation: TestFederation, owner: Member, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Each durable step of asking and of switching, killed before it and repeated."""
    one_pass(owner)
    happened = 0
    originals = {name: getattr(durable, name) for name in ("write_file", "rename")}

    def crashing(name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal happened
            path = Path(arguments[0])
            if "keys" in path.parts or "rotations" in path.parts:
                happened += 1
                if happened == step + 1:
                    raise Crash
            return originals[name](*arguments, **options)

        return call

    for name in originals:
        monkeypatch.setattr(durable, name, crashing(name))
    try:
        ask(owner)
    except Crash:
        ask(owner)
    new = rotate.next_key(identities.load(owner.state_dir))
    assert new is not None
    one_pass(owner)
    sign(federation)
    try:
        one_pass(owner)
    except Crash:
        one_pass(owner)
    assert happened > step, "fewer steps than this test knows"
    assert own_key(owner) == new.public
    assert len(rotate.done(owner.state_dir)) == 1
    (owner.folder("maps") / "a.txt").write_text("sand")
    assert one_pass(owner).exit_status == 0


def test_what_was_signed_before_and_never_accepted_is_signed_anew(
    federation: TestFederation, owner: Member
) -> None:
    """The journal holds a version by the old key when the registry changes: it would be refused for ever."""
    one_pass(owner)
    ask(owner)
    one_pass(owner)
    (owner.folder("maps") / "a.txt").write_text("sand")

    class Deaf:
        def __init__(self, hub: Any) -> None:
            self._hub = hub

        def __getattr__(self, name: str) -> Any:
            return getattr(self._hub, name)

        def commit_version(self, envelope: bytes, root: bytes | None) -> Any:
            raise Unavailable("the request was lost")

    owner.wrap = Deaf
    with owner.session() as session:
        Engine(session).run_pass()
        journalled = PublishRecords(session.state, "la-dgm/maps").journalled("version")  # type: ignore[arg-type]
        assert journalled is not None
    owner.wrap = lambda hub: hub
    sign(federation)
    outcome = one_pass(owner)
    assert outcome.exit_status == 0
    with owner.session() as session:
        head = PublishRecords(session.state, "la-dgm/maps").head()  # type: ignore[arg-type]
        assert head is not None
        assert head.manifest_seq == 2
        assert head.manifest_envelope is not None
        assert own_key(owner).keyids[0] in dsse.parse(head.manifest_envelope).signatures


def test_a_hub_that_refuses_stops_nothing(
    federation: TestFederation, owner: Member, members: dict[str, Member]
):
    one_pass(owner)
    # The same state directory was copied, and the copy has changed its key meanwhile.
    ask(owner)
    stolen = (owner.state_dir / "keys" / "rotation.json").read_bytes()
    federation.hub.rotation.request(federation.caller("la-dgm"), stolen)
    sign(federation)
    for name in ("signing-next.pem", "rotation.json"):
        (owner.state_dir / "keys" / name).unlink()
    ask(owner)  # another new key, from the key that is no longer this node's
    with owner.session() as session:
        outcome = Engine(session).run_pass()
        assert session.board.report.faults["keys"].reason == "OTHER_KEY"
        assert session.board.report.faults["registry"].reason == "OWN_ENTRY"
    assert outcome.exit_status != 0


def test_the_new_key_alone_gives_a_certificate_when_the_old_one_no_longer_counts(
    federation: TestFederation, owner: Member
) -> None:
    """A node whose certificate ran out while its keys changed must not be locked out."""
    one_pass(owner)
    ask(owner)
    one_pass(owner)
    sign(federation)
    identity = identities.load(owner.state_dir)
    following = rotate.next_key(identity)
    assert following is not None
    csr = make_csr(identity.new_tls_key(), "la-dgm main")
    renewal = Renewal(
        federation=FEDERATION,
        partner=PartnerId("la-dgm"),
        node=NodeName("main"),
        csr_sha256=sha256_hex(csr),
        created=federation.clock.now(),
    )
    assert b"CERTIFICATE" in federation.hub.enrolment.renew(build_renewal(renewal, following), csr)


def test_a_registry_that_lists_neither_key_is_still_an_alarm(
    federation: TestFederation, owner: Member
) -> None:
    one_pass(owner)
    ask(owner)
    one_pass(owner)
    current = federation.registry
    entry = current.registry.partner("la-dgm")
    assert entry is not None
    foreign = replace(entry, signing_keys=(SigningKey.generate().public,))
    draft = current.successor(federation.clock.now()).with_partner(foreign)
    federation.hub.registry.publish(sign_registry(draft, [federation.administrator]))
    with owner.session() as session:
        Engine(session).run_pass()
        assert session.board.report.faults["registry"].reason == "OWN_ENTRY"
