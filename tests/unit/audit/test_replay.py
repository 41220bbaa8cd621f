"""`syncline-audit replay`: the decision of its time, and what was not delivered; doubt is no certainty."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from audit import cli
from audit.findings import failed, passed, unchecked
from audit.period import deliveries
from audit.replay import Replayed, replay
from core import commands
from core.names import DatasetId, PartnerId
from security.members import REVOKED, SUSPENDED
from security.policy import Rule
from tests.unit.audit.told import CHINESE, DATASET, NOW, OWNER, THAI, Told, read_rule

HOUR = timedelta(hours=1)
FILES = {"a.txt": b"a"}


@pytest.fixture
def told() -> Told:
    """By hours: 1 th-dmr may read, 3 cn-cgs instead, 4 a version, 5 delivered to cn-cgs, 9 acknowledged."""
    made = Told()
    made.join(THAI)
    made.join(CHINESE)
    made.later(hours=1)
    made.policy(read_rule("a", THAI))
    made.later(hours=2)
    made.policy(read_rule("b", CHINESE), Rule("c", "permission", THAI, ("discover",)))
    made.later(hours=1)
    version = made.version(FILES)
    made.later(hours=1)
    made.deliver(CHINESE, version, "b")
    made.later(hours=4)
    made.acknowledge(CHINESE, version)
    return made


def ask(told: Told, hours: float, partner: str = THAI, action: str = "read", **changes: Any) -> Replayed:
    dossier = told.dossier(**changes)
    return replay(dossier, dossier.datasets[0], PartnerId(partner), action, NOW + hours * HOUR)


def test_the_policy_of_that_time_decides_not_the_newest(told: Told) -> None:
    then, now = ask(told, 2), ask(told, 4)
    assert (then.allowed, then.rule, then.policy_seq, then.certain) == (True, "a", 1, True)
    assert then.policy_id == told.policies[0].id
    assert then.policy_since == NOW + HOUR
    assert (now.allowed, now.rule, now.policy_seq, now.certain) == (False, None, 2, True)
    assert ask(told, 4, action="discover").rule == "c"


def test_a_policy_decides_from_the_second_in_which_it_was_accepted(told: Told) -> None:
    assert ask(told, 3 - 1 / 3600).policy_seq == 1
    assert ask(told, 3).policy_seq == 2


def test_a_clock_that_went_back_leaves_doubt_which_policy_was_in_force() -> None:
    told = Told()
    told.join(THAI)
    told.policy(read_rule("a", THAI))
    told.later(hours=24)  # the hub's clock is a day ahead for a while
    told.policy()
    told.later(hours=-22)
    told.version(FILES)
    assert ask(told, 1).certain
    asked = ask(told, 3)
    assert (asked.policy_seq, asked.certain) == (1, False)
    assert "clock went back" in asked.doubts[0]


def test_a_rule_decides_in_its_time_only() -> None:
    told = Told()
    told.join(THAI)
    told.policy(read_rule("a", THAI, not_before=NOW + HOUR, not_after=NOW + 2 * HOUR))
    told.later(hours=5)
    told.policy()
    assert [ask(told, hours).allowed for hours in (0.5, 1, 1.5, 2)] == [False, True, True, False]


def test_before_the_first_policy_nothing_was_shared(told: Told) -> None:
    """Policy 1 has no predecessor, so nothing can have been in force before it."""
    before = ask(told, 0.5)
    assert (before.allowed, before.policy_seq, before.certain) == (False, None, True)
    assert before.reason == "the owner has shared nothing yet"


def test_the_owner_was_always_allowed(told: Told) -> None:
    assert ask(told, 2, OWNER).allowed
    assert ask(told, 2, OWNER).certain


def test_after_the_last_record_nothing_is_certain(told: Told) -> None:
    late = ask(told, 10, CHINESE)
    assert late.allowed
    assert not late.certain
    assert late.doubts == (
        "a policy that was accepted later, yet by then, may be missing from this evidence",
    )


def test_the_policy_that_follows_proves_that_none_came_between(told: Told) -> None:
    """No lane is needed where statement n + 1 names statement n."""
    told.records = [replace(record, lane=None, position=(0, 2 * record.index)) for record in told.records]
    assert ask(told, 2).certain
    assert not ask(told, 4).certain


def test_a_missing_policy_is_not_passed_over(told: Told) -> None:
    """Policy 2 was logged but is not at hand: policy 1 must not be taken for the one in force."""
    told.policies.pop()
    missing = ask(told, 4)
    assert missing.allowed is None
    assert missing.reason == "the policy then in force is not part of this evidence"


def test_a_policy_whose_record_was_left_out_leaves_doubt(told: Told) -> None:
    """Somebody who wants policy 1 to have been in force at hour 4 leaves the second one out of the bundle."""
    policy = told.policies.pop()
    told.records = [record for record in told.records if record.statement_sha256 != policy.id]
    assert not ask(told, 4).certain


def test_without_any_record_nothing_is_said(told: Told) -> None:
    told.records.clear()
    nothing = ask(told, 4)
    assert nothing.allowed is None
    assert "no policy that was accepted by then is part of this evidence" in nothing.doubts


def test_a_hidden_rule_may_be_a_prohibition() -> None:
    told = Told()
    told.join(THAI)
    told.policy(read_rule("a", THAI), Rule("b", "prohibition", THAI, ("read",)), hide=["b"])
    told.later(hours=5)
    told.policy()
    half = ask(told, 1)
    assert (half.allowed, half.certain) == (True, False)
    assert half.doubts == ("1 of the 2 rules of policy 1 are not disclosed here",)


def test_a_prohibition_that_is_shown_decides_whatever_is_hidden() -> None:
    told = Told()
    told.join(THAI)
    told.policy(read_rule("a", THAI), Rule("b", "prohibition", THAI, ("read",)), hide=["a"])
    told.later(hours=5)
    told.policy()
    assert (ask(told, 1).allowed, ask(told, 1).certain) == (False, True)


def test_who_was_no_member_was_refused(told: Told) -> None:
    stranger = ask(told, 2, "vn-gdgm")
    assert (stranger.allowed, stranger.certain) == (False, True)
    assert stranger.reason == "vn-gdgm was no member of the federation"


@pytest.mark.parametrize("state", [SUSPENDED, REVOKED])
def test_membership_is_that_of_the_registry_of_that_time(state: str) -> None:
    told = Told()
    told.join(THAI)
    told.policy(read_rule("a", THAI))
    told.later(hours=2)
    told.registry(told.registries[-1].successor(told.now).with_state(THAI, state))
    told.policy(read_rule("a", THAI))
    told.later(hours=2)
    told.policy()
    assert ask(told, 1).allowed
    after = ask(told, 3)
    assert (after.allowed, after.reason, after.rule) == (False, f"th-dmr was {state} in the registry", None)
    assert (ask(told, 1).registry_seq, after.registry_seq) == (3, 4)
    assert ask(told, 3, OWNER).allowed


def test_a_registry_that_is_not_surely_in_force_leaves_doubt() -> None:
    """It was signed before, but where the log has it is not known."""
    told = Told()
    told.join(THAI)
    told.policy(read_rule("a", THAI))
    told.later(hours=2)
    told.registry(told.registries[-1].successor(told.now).with_state(THAI, REVOKED))
    told.positions.pop(4)
    told.later(hours=2)
    told.policy()
    assert ask(told, 3).doubts == ("whether registry statement 4 was in force by then is not clear",)
    assert ask(told, 1).certain


def test_an_operators_suspension_counts_until_it_is_lifted() -> None:
    told = Told()
    told.join(THAI)
    told.policy(read_rule("a", THAI))
    for act in ("suspend", "resume"):
        told.later(hours=2)
        told.record("act", "operator", THAI, act=act)
    told.later(hours=2)
    told.policy()
    assert [ask(told, hours).allowed for hours in (1, 3, 5)] == [True, False, True]
    assert ask(told, 3).reason == "the operator suspended th-dmr on 1 March 2026, 08:00 UTC"


def test_an_expired_registry_says_that_its_successor_is_missing() -> None:
    told = Told()
    told.join(THAI)
    told.policy(read_rule("a", THAI))
    told.later(days=200)
    told.policy()
    assert ask(told, 150 * 24).doubts == (
        "registry statement 3 had expired by then, and its successor is missing",
    )


def period(told: Told, begin: float, end: float, partner: str = THAI, **changes: Any) -> Any:
    return deliveries(
        told.dossier(**changes), DATASET, PartnerId(partner), NOW + begin * HOUR, NOW + end * HOUR
    )


def test_no_delivery_is_said_exactly_so_where_the_lane_covers_the_period(told: Told) -> None:
    none = period(told, 4, 9)
    assert none.known
    assert none.words() == (
        "No delivery of la-dgm/geology-1m to th-dmr was logged between 1 March 2026, 10:00 UTC and"
        " 1 March 2026, 15:00 UTC."
    )
    assert none.by_words().startswith("The lane of la-dgm is opened here without a gap from its record 1 ")


def test_a_delivery_in_the_period_is_found_and_its_ends_are_half_open(told: Told) -> None:
    assert [len(period(told, *ends, CHINESE).deliveries) for ends in ((4, 9), (5, 6), (4, 5), (6, 9))] == [
        1,
        1,
        0,
        0,
    ]
    assert (
        period(told, 4, 9, CHINESE).words().startswith("1 delivery of la-dgm/geology-1m to cn-cgs was logged")
    )


def test_after_the_last_record_of_the_lane_nothing_is_said(told: Told) -> None:
    beyond = period(told, 4, 9.5)
    assert not beyond.known
    assert beyond.words().startswith("It cannot be said from this evidence whether a delivery")
    assert beyond.missing.endswith("which does not cover it")


def test_before_a_lane_that_does_not_begin_with_its_first_record_nothing_is_said(told: Told) -> None:
    told.records = told.records[1:]
    assert not period(told, 2, 9).known
    # Another record of the very second in which the stretch begins may stand before it.
    assert not period(told, 3, 9).known
    assert period(told, 4, 9).known


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_a_gap_in_the_lane_breaks_the_proof(told: Told, gone: int) -> None:
    """A delivery to th-dmr could stand exactly there."""
    del told.records[gone]
    assert not period(told, 0.5, 9).known


def test_a_record_that_does_not_follow_the_one_before_breaks_the_proof(told: Told) -> None:
    """Numbers alone prove nothing: each record names the commitment before it."""
    told.positions.clear()
    lane = told.records[2].lane
    assert lane is not None
    told.records[2] = replace(told.records[2], lane=replace(lane, prev="f" * 64))
    assert not period(told, 0.5, 9).known


def test_an_opened_log_covers_what_the_lane_does_not(told: Told) -> None:
    told.records = [replace(record, lane=None) for record in told.records]
    whole = period(told, 4, 9)
    assert whole.known
    assert whole.by_words().startswith("The log is opened here without a gap from leaf 4 ")
    told.positions.pop(3)
    assert period(told, 4, 9).known, "what comes before the first record is not asked about"
    told.records.pop(2)
    assert not period(told, 4, 9).known


def test_registry_leaves_are_no_gap_in_the_log() -> None:
    told = Told()
    told.policy(read_rule("a", THAI))
    told.later(hours=1)
    told.registry(told.registries[-1].successor(told.now))
    told.registry(told.registries[-1].successor(told.now))
    told.later(hours=1)
    told.policy()
    told.records = [replace(record, lane=None) for record in told.records]
    assert period(told, 0, 2).known
    told.positions.pop(3)
    assert not period(told, 0.5, 2).known


def test_a_foreign_lane_proves_nothing_about_this_one(told: Told) -> None:
    told.positions.clear()
    told.records = [
        replace(record, lane=replace(record.lane, owner=CHINESE), position=(0, 2 * record.index))
        for record in told.records
        if record.lane is not None
    ]
    nothing = period(told, 4, 9)
    assert not nothing.known
    assert nothing.missing == "the lane of la-dgm is not opened in it"


def test_what_was_found_is_told_even_where_more_may_be_missing(told: Told) -> None:
    part = period(told, 4, 20, CHINESE)
    assert len(part.deliveries) == 1
    assert "whether any other delivery" in part.words()


def test_the_owners_own_reading_is_no_delivery(told: Told) -> None:
    assert "an owner's own reading is not logged" in period(told, 4, 9, OWNER).words()


def test_deliveries_of_other_datasets_are_not_counted(told: Told) -> None:
    other = deliveries(told.dossier(), DatasetId("la-dgm/other"), CHINESE, NOW, NOW + 9 * HOUR)
    assert other.known
    assert not other.deliveries


def test_a_clock_that_went_back_is_said(told: Told) -> None:
    told.records[2] = replace(told.records[2], time=NOW + 2 * HOUR)
    assert "clock went back" in period(told, 4, 9).by_words()


@pytest.fixture
def run(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    found = [passed("registry", "holds")]
    monkeypatch.setattr("audit.cli.trusted.load_all", lambda *_, **__: iter([(told.dossier(), found)]))

    def command(*arguments: str, findings: list[Any] | None = None) -> int:
        found[:] = findings or found
        return commands.run(cli.app, ["replay", str(tmp_path), "--partner", THAI, *arguments])

    return command


def test_the_command_answers_with_rule_and_policy(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], told: Told
) -> None:
    assert run("--at", "2026-03-01T08:00:00Z", "--action", "read") == 0
    out = capsys.readouterr().out
    assert out.startswith("th-dmr was allowed to read la-dgm/geology-1m at 1 March 2026, 08:00 UTC.\n")
    assert "  rule a: th-dmr may read it\n" in out
    assert f"  policy 1, in force from 1 March 2026, 07:00 UTC, id {told.policies[0].id}\n" in out


def test_a_denial_is_an_answer_too(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--at", "2026-03-01T10:00:00Z") == 0
    assert capsys.readouterr().out.startswith("th-dmr was not allowed to read")


def test_what_cannot_be_said_exits_with_six(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--at", "2026-04-01") == 6
    assert "it is not certain" in capsys.readouterr().out
    assert run("--from", "2026-03-01", "--to", "2026-04-01") == 6
    assert capsys.readouterr().out.startswith("It cannot be said from this evidence whether")


def test_a_period_without_delivery_exits_with_zero_and_says_what_cannot_be_proven(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--from", "2026-03-01T10:00:00Z", "--to", "2026-03-01T15:00:00Z") == 0
    out = capsys.readouterr().out
    assert out.startswith("No delivery of la-dgm/geology-1m to th-dmr was logged between")
    assert "A copy that was never logged" in out


def test_false_or_unproven_evidence_is_said_first(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--at", "2026-03-01T08:00:00Z", findings=[failed("lane", "record 3 is missing")]) == 3
    assert capsys.readouterr().out.startswith("FAILED: something in this evidence is false")
    assert run("--at", "2026-03-01T08:00:00Z", findings=[unchecked("anchor", "no trust file")]) == 6
    assert capsys.readouterr().out.startswith("NOT VERIFIED")


def test_json_holds_the_decision_and_the_deliveries(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(
            "--at",
            "2026-03-01T08:00:00Z",
            "--from",
            "2026-03-01T10:00:00Z",
            "--to",
            "2026-03-01T15:00:00Z",
            "--json",
        )
        == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "verified"
    assert (told["decision"]["allowed"], told["decision"]["rule"], told["decision"]["policy_seq"]) == (
        True,
        "a",
        1,
    )
    assert (told["deliveries"]["known"], told["deliveries"]["deliveries"]) == (True, [])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--at", "yesterday"],
        ["--at", "2026-03-01T08:00:00"],
        ["--at", "2026-03-01", "--action", "write"],
        ["--from", "2026-03-01"],
        ["--from", "2026-03-02", "--to", "2026-03-01"],
        ["--at", "2026-03-01", "--dataset", "la-dgm/other"],
    ],
)
def test_wrong_use_exits_with_two(
    run: Callable[..., int], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) <= 2
