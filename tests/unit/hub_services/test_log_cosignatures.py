"""Cosignatures: only of the caller, only of what the hub has signed, and only while the witness counts."""

from datetime import timedelta
from typing import Any

import pytest

from core.errors import Denied, InvalidInput, Untrusted
from core.names import PartnerId
from hub.services.translog import Record
from security.keys import WitnessKey
from security.tlog.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from security.tlog.cosignature import Witness, cosign, cosigners
from security.tlog.note import Note, parse_note
from tests.simulation.federation import Member, TestFederation


def cosigned(federation: TestFederation, who: str, note: bytes | None = None, **changes: Any) -> bytes:
    """What a witness hands over for a checkpoint (the newest); `changes` for attacks."""
    member = federation.members[who]
    text = parse_note(note or federation.hub.log.checkpoint_note()).text
    name = changes.get("name", f"test-geo/{member.partner}/{member.node}")
    line = cosign(text, name, changes.get("key", member.witness), changes.get("at", federation.clock.now()))
    return Note(text, (line,)).to_bytes()


def add(federation: TestFederation, who: str, data: bytes | None = None) -> None:
    federation.hub.log.add_cosignature(federation.caller(who), data or cosigned(federation, who))


def advance(federation: TestFederation) -> int:
    """One more leaf, one more checkpoint; its size."""
    hub = federation.hub
    with hub._context.database.write(visible=False) as connection:
        hub.translog.append(connection, Record(type="act", actor="hub", object="x", owner=None))
    hub.log.make_checkpoint(force=True)
    return hub.log.checkpoint_size()


def witnesses(federation: TestFederation, *more: Member) -> list[Witness]:
    return [
        Witness(f"test-geo/{each.partner}/{each.node}", each.witness.public)
        for each in [*federation.members.values(), *more]
    ]


def seen(federation: TestFederation, note: bytes, *more: Member) -> dict[str, int]:
    """Who cosigned a note, all signatures verified, and its size."""
    parsed = parse_note(note)
    size = parse_checkpoint(parsed.text).size
    return {each.witness.name: size for each in cosigners(parsed, witnesses(federation, *more))}


def test_cosignatures_stand_under_the_checkpoint_that_they_sign(federation: TestFederation):
    size = federation.hub.log.checkpoint_size()
    for who in ("la-dgm", "th-dmr"):
        add(federation, who)
    view = federation.hub.log.checkpoint()
    assert seen(federation, view.note) == {"test-geo/la-dgm/main": size, "test-geo/th-dmr/main": size}
    assert view.cosigned == ()


def test_who_has_cosigned_nothing_later_is_shown_with_an_earlier_checkpoint(federation: TestFederation):
    first = federation.hub.log.checkpoint_size()
    for who in ("la-dgm", "th-dmr", "vn-dgm"):
        add(federation, who)
    second = advance(federation)
    add(federation, "th-dmr")
    third = advance(federation)
    add(federation, "vn-dgm")
    view = federation.hub.log.checkpoint()
    assert seen(federation, view.note) == {"test-geo/vn-dgm/main": third}
    assert [seen(federation, each) for each in view.cosigned] == [
        {"test-geo/th-dmr/main": second},
        {"test-geo/la-dgm/main": first},
    ]


def test_the_same_cosignature_again_changes_nothing(federation: TestFederation):
    data = cosigned(federation, "la-dgm")
    add(federation, "la-dgm", data)
    before = federation.hub.log.checkpoint(), federation.hub._context.database.revisions()
    add(federation, "la-dgm", data)
    assert (federation.hub.log.checkpoint(), federation.hub._context.database.revisions()) == before


def test_an_earlier_checkpoints_cosignature_does_not_hide_a_later_one(federation: TestFederation):
    """A witness's answers may arrive in any order."""
    old = federation.hub.log.checkpoint_note()
    size = advance(federation)
    add(federation, "la-dgm")
    add(federation, "la-dgm", cosigned(federation, "la-dgm", old))
    assert seen(federation, federation.hub.log.checkpoint().note) == {"test-geo/la-dgm/main": size}
    assert federation.hub.log.checkpoint().cosigned == ()


def test_forked_log_a_checkpoint_that_the_hub_has_not_signed_is_refused(federation: TestFederation):
    """Two histories: a witness brings one that this hub does not know, of a known size or a larger one."""
    size = federation.hub.log.checkpoint_size()
    advance(federation)
    for forged in (size, size + 1, size + 99):
        text = Checkpoint("test-geo/log", forged, b"\x07" * 32)
        note = sign_checkpoint(text, WitnessKey.generate())
        with pytest.raises(Untrusted) as refused:
            add(federation, "la-dgm", cosigned(federation, "la-dgm", note))
        assert refused.value.reason == "WRONG_CHECKPOINT"
    assert federation.hub.log.checkpoint().cosigned == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "test-geo/th-dmr/main"}, "WRONG_SIGNER"),
        ({"name": "test-geo/la-dgm/other"}, "WRONG_SIGNER"),
        ({"key": WitnessKey.generate()}, "BAD_COSIGNATURE"),
    ],
)
def test_a_cosignature_by_another_is_refused(
    federation: TestFederation, changes: dict[str, Any], reason: str
):
    with pytest.raises(Untrusted) as refused:
        add(federation, "la-dgm", cosigned(federation, "la-dgm", **changes))
    assert refused.value.reason == reason


def test_a_note_with_none_or_two_signatures_is_refused(federation: TestFederation):
    one, two = (parse_note(cosigned(federation, who)) for who in ("la-dgm", "th-dmr"))
    both = Note(one.text, (*one.signatures, *two.signatures)).to_bytes()
    for data in (both, one.text + b"\n", b"", b"x" * 1024**2):
        with pytest.raises(Untrusted) as refused:
            federation.hub.log.add_cosignature(federation.caller("la-dgm"), data)
        assert refused.value.reason == "MALFORMED_NOTE"


def test_a_cosignature_from_the_future_is_refused(federation: TestFederation):
    """It would count as fresh for ever."""
    at = federation.clock.now() + timedelta(hours=1)
    with pytest.raises(InvalidInput) as refused:
        add(federation, "la-dgm", cosigned(federation, "la-dgm", at=at))
    assert refused.value.reason == "CLOCK_OFFSET"


def test_cosignature_by_a_revoked_witness_is_refused_and_counts_only_for_before(federation: TestFederation):
    before = federation.hub.log.checkpoint_size()
    add(federation, "th-dmr")
    federation.clock.advance(1)
    federation.hub.registry.revoke(PartnerId("th-dmr"), [federation.administrator])
    with pytest.raises(Denied):
        add(federation, "th-dmr")
    advance(federation)
    add(federation, "la-dgm")
    view = federation.hub.log.checkpoint()
    assert set(seen(federation, view.note)) == {"test-geo/la-dgm/main"}
    assert [seen(federation, each) for each in view.cosigned] == [{"test-geo/th-dmr/main": before}]


def test_what_a_witness_cosigned_after_its_revocations_leaf_is_not_served(federation: TestFederation):
    """It came between the leaf and the answer: accepted or not, it is shown to nobody."""
    federation.hub.log.make_checkpoint(force=True)
    add(federation, "th-dmr")
    federation.hub.registry.revoke(PartnerId("th-dmr"), [federation.administrator])
    federation.hub.log.make_checkpoint(force=True)
    size = federation.hub.log.checkpoint_size()
    _smuggle(federation, "th-dmr", size)
    view = federation.hub.log.checkpoint()
    assert seen(federation, view.note) == {}
    assert federation.hub.log.best_checkpoint(size) == view.note


def _smuggle(federation: TestFederation, who: str, size: int) -> None:
    """A cosignature straight into the database."""
    from hub.storage import schema

    member = federation.members[who]
    (line,) = parse_note(cosigned(federation, who)).signatures
    with federation.hub._context.database.write() as connection:
        connection.execute(schema.log_cosignatures.update().values(last=False))
        connection.execute(
            schema.log_cosignatures.insert().values(
                origin="test-geo/log",
                size=size,
                partner=member.partner,
                node=member.node,
                key=member.witness.public,
                key_id=line.key_id,
                signature=line.signature,
                time="2026-11-22T12:00:00Z",
                last=True,
            )
        )


def test_a_suspended_witness_counts_for_before_only_and_again_after_its_return(federation: TestFederation):
    before = federation.hub.log.checkpoint_size()
    add(federation, "th-dmr")
    federation.clock.advance(60)
    federation.hub.registry.suspend(PartnerId("th-dmr"))
    with pytest.raises(Denied):
        add(federation, "th-dmr")
    after = advance(federation)
    _smuggle(federation, "th-dmr", after)
    assert seen(federation, federation.hub.log.checkpoint().note) == {}
    federation.hub.registry.resume(PartnerId("th-dmr"))
    assert seen(federation, federation.hub.log.checkpoint().note) == {"test-geo/th-dmr/main": after}
    assert before < after


def test_a_replaced_nodes_old_key_counts_for_before_only(federation: TestFederation):
    before = federation.hub.log.checkpoint_size()
    add(federation, "th-dmr")
    old = federation.members["th-dmr"]
    federation.enrol("th-dmr", replace=True)
    federation.hub.log.make_checkpoint(force=True)
    with pytest.raises(Untrusted) as refused:
        add(federation, "th-dmr", cosigned(federation, "th-dmr", key=old.witness))
    assert refused.value.reason == "BAD_COSIGNATURE"
    (earlier,) = federation.hub.log.checkpoint().cosigned
    assert seen(federation, earlier, old) == {"test-geo/th-dmr/main": before}
    add(federation, "th-dmr")
    assert federation.hub.log.checkpoint().cosigned == ()


def test_an_export_takes_the_checkpoint_that_most_witnesses_have_cosigned(federation: TestFederation):
    log = federation.hub.log
    well = log.checkpoint_size()
    for who in ("la-dgm", "th-dmr", "vn-dgm"):
        add(federation, who)
    newest = advance(federation)
    add(federation, "la-dgm")
    assert set(seen(federation, log.best_checkpoint(well)).values()) == {well}
    assert seen(federation, log.best_checkpoint(well + 1)) == {"test-geo/la-dgm/main": newest}
    federation.clock.advance(25 * 3600)
    assert parse_checkpoint(parse_note(log.best_checkpoint(well)).text).size == newest


def test_quorum_is_of_those_seen_lately_and_fresh_for_a_day(federation: TestFederation):
    log = federation.hub.log
    for who in ("la-dgm", "th-dmr", "vn-dgm"):
        add(federation, who)
    quorum = log.status().quorum
    assert (quorum.fresh, quorum.seen, quorum.needed) == (3, 3, 3)
    federation.clock.advance(25 * 3600)
    advance(federation)
    add(federation, "la-dgm")
    quorum = log.status().quorum
    assert (quorum.fresh, quorum.seen, quorum.needed) == (1, 3, 3)
    federation.clock.advance(30 * 24 * 3600)
    quorum = log.status().quorum
    assert (quorum.fresh, quorum.seen, quorum.needed) == (0, 0, 0)


def test_old_cosignatures_go_and_each_witnesss_last_one_stays(federation: TestFederation):
    for _ in range(5):
        for who in ("la-dgm", "th-dmr"):
            add(federation, who)
        federation.clock.advance(3600)
        advance(federation)
    add(federation, "la-dgm")
    from hub.storage import schema

    with federation.hub._context.database.read() as connection:
        rows = connection.execute(schema.log_cosignatures.select()).all()
    kept = {who: [row.size for row in rows if row.partner == who] for who in ("la-dgm", "th-dmr")}
    assert len(kept["la-dgm"]) == 3
    assert len(kept["th-dmr"]) in (1, 2, 3)
    assert max(kept["la-dgm"]) == federation.hub.log.checkpoint_size()
