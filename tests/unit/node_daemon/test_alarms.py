"""Alarms in the node's work: what stops, what goes on, who is told, and how it ends."""

import json
from dataclasses import replace
from typing import Any

import pytest

from core import commands
from core.errors import InvalidInput, Untrusted
from node.alarms import ALARM, LANE_GAP, ROLLED_BACK, SHOWN_TWO_HISTORIES, Alarm, Alarms
from node.cli import app
from node.control import ask, socket_path
from node.doctor import examine, exit_status
from node.engine import Engine
from node.identity import NodeIdentity
from node.session import patient_of
from node.trust import TrustStore
from node.witness import Histories
from sync.ports import CheckpointView, HubInfo
from tests.simulation.federation import TestFederation
from tests.unit.node_daemon.conftest import Member
from tests.unit.node_daemon.test_daemon import DEADLINE_S, running, wait_until


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


def sound(member: Member, kind: str = LANE_GAP, key: str = "1") -> Alarm:
    now = member.federation.clock.now()
    alarm = Alarm.of(kind, key, "a record is missing", "ask the hub's operator", now)
    assert Alarms(member.state_dir).sound(alarm, {"checkpoint": b"note"})
    return alarm


def checkpoint(federation: TestFederation) -> None:
    federation.hub.log.make_checkpoint(force=True)


def test_every_pass_witnesses_the_log(owner: Member, reader: Member, federation: TestFederation) -> None:
    for member in (owner, reader, owner, reader):
        with member.session() as session:
            outcome = Engine(session).run_pass()
            assert outcome.exit_status == 0, outcome
        checkpoint(federation)
    for member in (owner, reader):
        with member.session() as session:
            Engine(session).run_pass()
            seen = session.board.report.witness
            assert seen is not None
            assert seen.size == seen.read == seen.cosigned == federation.hub.translog.size()
            assert not session.board.report.alarms
    assert seen.count == seen.of == 2 and seen.needed == 2


def test_an_open_alarm_stops_new_versions_and_publishing_goes_on(owner: Member, reader: Member) -> None:
    alarm = sound(reader)
    with owner.session() as session:
        assert Engine(session).run_pass().exit_status == 0
    sound(owner)
    (owner.folder("maps") / "a.txt").write_text("another rock")
    with owner.session() as session:
        outcome = Engine(session).run_pass()
        assert outcome.results[0].changed  # its word is signed, and safe wherever it goes
        assert outcome.exit_status == Untrusted.exit_status
    with reader.session() as session:
        engine = Engine(session)
        with pytest.raises(Untrusted) as raised:
            engine.subscribe()
        assert raised.value.reason == ALARM
        outcome = engine.run_pass()
        assert outcome.exit_status == Untrusted.exit_status
        assert outcome.errors["alarm"].reason == ALARM
        assert [each.id for each in session.board.report.alarms] == [alarm.id]
    assert reader.content("la-dgm/maps") == {}


def test_after_the_operators_decision_new_versions_come(owner: Member, reader: Member) -> None:
    with owner.session() as session:
        Engine(session).run_pass()
    alarm = sound(reader)
    with reader.session() as session:
        engine = Engine(session)
        assert engine.run_pass().exit_status == Untrusted.exit_status
        engine.decide(alarm.id, "the operator explained it", "somchai")
        assert engine.run_pass().exit_status == 0
        assert not session.board.report.alarms
    assert reader.content("la-dgm/maps") == {"a.txt": b"rock"}


def test_the_decision_on_the_last_of_two_histories_begins_another(owner: Member) -> None:
    with owner.session() as session:
        engine = Engine(session)
        engine.run_pass()
        first, second = sound(owner, ROLLED_BACK, "1"), sound(owner, ROLLED_BACK, "2")
        engine.decide(first.id, "looked", "somchai")
        assert Histories(owner.state_dir).number == 1
        engine.decide(second.id, "looked", "somchai")
        assert Histories(owner.state_dir).number == 2
        with pytest.raises(InvalidInput):
            engine.decide(second.id, "again", "somchai")
        assert Histories(owner.state_dir).number == 2
        assert engine.run_pass().exit_status == 0


def test_the_hub_is_told_of_open_alarms(owner: Member, federation: TestFederation) -> None:
    alarm = sound(owner)
    sent: list[dict[str, Any]] = []

    def listen(hub: Any) -> Any:
        report = hub.report_status

        def report_status(data: bytes) -> Any:
            sent.append(json.loads(data))
            return report(data)

        hub.report_status = report_status
        return hub

    owner.wrap = listen
    with owner.session() as session:
        Engine(session).run_pass()
    assert sent[-1]["alarms"] == [{"id": alarm.id, "kind": "lane-gap", "since": alarm.since}]


def test_a_hub_that_does_not_answer_about_its_log_stops_nothing(owner: Member, reader: Member) -> None:
    def breaking(hub: Any) -> Any:
        def get_checkpoint(min_size: int = 0) -> CheckpointView:
            raise Untrusted("no log of ours", reason="BAD_CHECKPOINT_SIGNATURE")

        hub.get_checkpoint = get_checkpoint
        return hub

    owner.wrap = breaking
    with owner.session() as session:
        outcome = Engine(session).run_pass()
        assert outcome.results[0].changed
        assert "witness" in session.board.report.faults
        assert outcome.exit_status == Untrusted.exit_status  # but it is told
    owner.wrap = lambda hub: hub
    with owner.session() as session:
        assert Engine(session).run_pass().exit_status == 0
        assert "witness" not in session.board.report.faults


def test_doctor_puts_alarms_first(owner: Member) -> None:
    sound(owner)
    hub = owner.federation.api("la-dgm")

    def ask_hub(_identity: NodeIdentity, _trust: TrustStore) -> HubInfo:
        return hub.get_hub_info()

    findings = examine(replace(patient_of(owner.settings(), None), ask_hub=ask_hub))
    assert (findings[0].check, findings[0].level) == ("alarms", "fail")
    assert exit_status(findings) == Untrusted.exit_status


def test_the_daemon_tells_alarms_at_its_start_and_takes_a_decision(
    owner: Member, reader: Member, capsys: pytest.CaptureFixture[str]
) -> None:
    with owner.session() as session:
        Engine(session).run_pass()
    alarm = sound(reader)
    capsys.readouterr()
    path = socket_path(reader.state_dir)
    with running(reader):
        wait_until(lambda: ask(path, "status")["alarms"], "the alarm in the status")
        assert alarm.id in capsys.readouterr().err
        assert reader.content("la-dgm/maps") == {}
        answer = ask(path, "decide-alarm", {"name": alarm.id, "reason": "looked", "who": "somchai"})
        assert answer["decision"]["who"] == "somchai"
        outcome = ask(path, "sync", timeout_s=DEADLINE_S)
        assert outcome["exit_status"] == 0
    assert reader.content("la-dgm/maps") == {"a.txt": b"rock"}


def run(member: Member, *arguments: object) -> int:
    return commands.run(app, [*(str(each) for each in arguments), "--config", str(member.config)])


def test_status_shows_alarms_above_everything(owner: Member, capsys: pytest.CaptureFixture[str]) -> None:
    alarm = sound(owner, ROLLED_BACK)
    assert run(owner, "status") == Untrusted.exit_status
    first, remedy, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"ALARM {alarm.id}: {SHOWN_TWO_HISTORIES}")
    assert f"syncline-node alarms decide {alarm.id}" in remedy
    assert run(owner, "status", "--json") == Untrusted.exit_status
    assert json.loads(capsys.readouterr().out)["alarms"][0]["id"] == alarm.id


def test_status_tells_how_well_the_log_is_witnessed(
    owner: Member, capsys: pytest.CaptureFixture[str]
) -> None:
    with owner.session() as session:
        Engine(session).run_pass()
    assert run(owner, "status") == 0
    assert "cosigned by 1 of 1 witnesses (1 needed)" in capsys.readouterr().out


def test_alarms_are_listed_shown_and_decided(owner: Member, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(owner, "alarms") == 0
    assert "No alarm" in capsys.readouterr().out
    alarm = sound(owner)
    assert run(owner, "alarms") == Untrusted.exit_status
    assert alarm.id in capsys.readouterr().out
    assert run(owner, "alarms", "show", alarm.id) == 0
    shown = capsys.readouterr().out
    assert str(Alarms(owner.state_dir).folder / alarm.id) in shown
    assert "checkpoint" in shown
    assert run(owner, "alarms", "decide", alarm.id) == InvalidInput.exit_status  # without a reason
    assert run(owner, "alarms", "decide", "nonsense", "--reason", "x") == InvalidInput.exit_status
    capsys.readouterr()
    assert run(owner, "alarms", "decide", alarm.id, "--reason", "asked by telephone") == 0
    assert "decided" in capsys.readouterr().out
    assert run(owner, "alarms", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)["alarms"]
    assert told["decision"]["reason"] == "asked by telephone"


def test_receipts_tell_the_owner_who_holds_what(
    owner: Member, reader: Member, federation: TestFederation, capsys: pytest.CaptureFixture[str]
) -> None:
    for member in (owner, reader):
        with member.session() as session:
            Engine(session).run_pass()
    checkpoint(federation)
    with owner.session() as session:
        Engine(session).run_pass()
    capsys.readouterr()
    assert run(owner, "receipts", "maps", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["receipts"]
    assert (row["version"], row["partner"], row["node"], row["policy_seq"]) == (1, "th-dmr", "main", 1)
    assert row["delivered"] and row["acknowledged"] and row["signed"]
    assert run(owner, "receipts", "maps") == 0
    assert "th-dmr" in capsys.readouterr().out
    assert run(reader, "receipts", "la-dgm/maps") == InvalidInput.exit_status


def test_an_open_alarm_counts_also_while_the_hub_does_not_answer(owner: Member) -> None:
    sound(owner)
    owner.is_hub_away = True
    with owner.session() as session:
        outcome = Engine(session).run_pass()
    assert set(outcome.errors) == {"hub", "alarm"}
    assert outcome.exit_status == Untrusted.exit_status
