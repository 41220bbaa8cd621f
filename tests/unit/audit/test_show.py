"""`syncline-audit show`: the story in words, its verdict first; a claim is called a claim."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit import cli
from audit.findings import Verdict, failed, passed, unchecked
from audit.plain import beginning, ending, sentence, sentences
from audit.registry_changes import changes
from audit.show import lines
from audit.telling import tell
from audit.verdicts import worst_of
from core import commands
from security.keys import SigningKey, WitnessKey
from security.members import REVOKED, SUSPENDED, RegistryAuditor, RegistryLog
from security.policy import Rule
from tests.unit.audit.told import CHINESE, DATASET, OWNER, THAI, Told, read_rule

PROVEN = [passed("registry", "holds")]
FILES = {"a.txt": b"a", "b.txt": b"bb"}


@pytest.fixture
def told() -> Told:
    """One version, delivered to two, acknowledged by one."""
    made = Told()
    made.join(THAI)
    made.join(CHINESE)
    made.policy(read_rule("1", THAI), read_rule("2", CHINESE))
    made.later(hours=1)
    version = made.version(FILES)
    made.later(minutes=5)
    made.deliver(THAI, version)
    made.later(minutes=5)
    made.deliver(CHINESE, version, "2")
    made.later(minutes=5)
    made.acknowledge(THAI, version)
    return made


def text(told: Told, findings: list[Any] | None = None, **changes: Any) -> str:
    return "\n".join(lines(tell(told.dossier(**changes), PROVEN if findings is None else findings)))


def test_the_verdict_stands_first(told: Told) -> None:
    assert text(told).startswith("VERIFIED: what is told here was checked and holds.")


def test_a_claim_is_called_a_claim_before_it_is_told(told: Told) -> None:
    unproven = text(told, [*PROVEN, unchecked("anchor", "no trust file was given", "give one with --trust")])
    first, *rest = unproven.splitlines()
    assert first.startswith("NOT VERIFIED:")
    assert first.endswith("this is a claim.")
    assert rest[:2] == ["  not checked: anchor: no trust file was given", "    → give one with --trust"]


def test_what_is_false_is_named_first_and_nothing_is_to_be_relied_on(told: Told) -> None:
    first, second, *_ = text(told, [*PROVEN, failed("log", "the root does not fit")]).splitlines()
    assert first.startswith("FAILED:")
    assert first.endswith("do not rely on it.")
    assert second == "  false: log: the root does not fit"


def test_it_tells_who_owns_what_under_which_licence(told: Told) -> None:
    story = text(told)
    for expected in (
        "title (en)      Geological map",
        "title (lo)      ແຜນທີ່ທໍລະນີສາດ",
        "owner           la-dgm (Department of Geology and Mines · ກົມທໍລະນີສາດ)",
        "rights holder   Department of Geology and Mines",
        "licence         CC-BY-4.0",
        "attribution     © DGM Laos",
        "classification  unclassified",
    ):
        assert expected in story


def test_it_tells_the_versions_with_dates_sizes_and_files(told: Told) -> None:
    row = next(line for line in text(told).splitlines() if line.strip().startswith("1  "))
    assert "1 March 2026, 07:00 UTC" in row
    assert "3 B" in row
    assert told.versions[0].manifest.id[:16] in row


def test_it_tells_who_received_what_and_whether_it_was_acknowledged(told: Told) -> None:
    story = text(told)
    assert (
        "th-dmr: version 1, delivered on 1 March 2026, 07:05 UTC to node main under policy 1, rule 1;"
        " acknowledged by node main on 1 March 2026, 07:15 UTC."
    ) in story
    assert "cn-cgs: version 1, delivered on 1 March 2026, 07:10 UTC" in story
    assert "rule 2; no acknowledgement is logged." in story


def test_silence_is_told_only_where_the_lane_is_whole(told: Told) -> None:
    story = text(told, whole=False)
    assert "no acknowledgement is logged" not in story
    assert "whether it acknowledged is not part of this evidence" in story
    assert "There may be other deliveries in the log" in story


def test_a_version_that_is_not_at_hand_goes_by_its_id(told: Told) -> None:
    told.record("delivery", "hub", DATASET, "f" * 64, partner=THAI)
    assert "th-dmr: version ffffffff… (not part of this evidence), delivered on" in text(told)


def test_a_time_without_the_log_is_its_signers(told: Told) -> None:
    from dataclasses import replace

    told.versions[0] = replace(told.versions[0], record=None)
    assert "1 March 2026, 07:00 UTC (by its signer's clock)" in text(told)


def test_it_tells_members_and_keys_and_who_cosigned(told: Told) -> None:
    story = text(told)
    assert "the federation mekong begins; its registry is signed by its one administrator" in story
    assert "la-dgm joins, with node main, signing with " in story
    assert "1 of 2 witnesses cosigned the checkpoint; a quorum would be 2." in story
    assert "la-dgm, node main, on 1 March 2026, 07:15 UTC" in story


def test_acts_alarms_and_refusals_are_told(told: Told) -> None:
    told.record("act", "operator", THAI, act="suspend")
    told.record("alarm", THAI, "4f2a", node="main", kind="two-histories")
    told.record("refusals", "hub", "hour", lane=False, counts={"NOT_GRANTED": 3})
    told.record("refusals", "hub", "hour", lane=False, counts={"NOT_GRANTED": 4, "NOT_FOUND": 0})
    story = text(told)
    assert "suspend, about th-dmr, by operator" in story
    assert "ALARM two-histories, node main, about 4f2a, by th-dmr" in story
    assert "NOT_GRANTED: 7" in story


def test_without_a_checkpoint_nothing_is_said_to_be_logged(told: Told) -> None:
    assert "nothing here is proven to be in the hub's log" in text(told, checkpoint=None)


AT = datetime(2026, 3, 1, tzinfo=UTC)
RULES: dict[str, Rule] = {
    "th-dmr may read it": read_rule("1", "th-dmr"),
    "th-dmr may see that it exists, but not read it": Rule("1", "permission", "th-dmr", ("discover",)),
    "every member of the federation, future ones too, may read it": read_rule("1", "federation"),
    "th-dmr must not read it, whatever other rules say": Rule("1", "prohibition", "th-dmr", ("read",)),
    "th-dmr must neither see nor read it, whatever other rules say": Rule(
        "1", "prohibition", "th-dmr", ("discover",)
    ),
    "th-dmr may read it from 1 March 2026 (UTC) until the end of 31 March 2026 (UTC)": read_rule(
        "1", "th-dmr", not_before=AT, not_after=datetime(2026, 4, 1, tzinfo=UTC)
    ),
    "th-dmr may see that it exists, but not read it, from 1 March 2026 (UTC)": Rule(
        "1", "permission", "th-dmr", ("discover",), AT
    ),
    "th-dmr may read it from 1 March 2026, 06:30 UTC until 1 March 2026, 07:00:05 UTC": read_rule(
        "1",
        "th-dmr",
        not_before=AT + timedelta(hours=6, minutes=30),
        not_after=AT + timedelta(hours=7, seconds=5),
    ),
}


@pytest.mark.parametrize("words", RULES)
def test_a_rule_is_one_plain_sentence(words: str) -> None:
    assert sentence(RULES[words]) == words


def test_half_open_times_end_with_the_day_before() -> None:
    assert beginning(AT) == "from 1 March 2026 (UTC)"
    assert ending(AT) == "until the end of 28 February 2026 (UTC)"


def test_nobody_else_is_said_only_when_every_rule_is_at_hand() -> None:
    told = Told()
    whole = told.policy(read_rule("1", THAI))
    assert sentences(whole) == (
        "th-dmr may read it (rule 1).",
        "Nobody else may see or read it, except its owner, la-dgm.",
    )
    part = told.policy(read_rule("1", THAI), read_rule("2", CHINESE), hide=["2"])
    assert sentences(part) == (
        "th-dmr may read it (rule 1).",
        "One more rule is not disclosed here, so what others may do is not known.",
    )
    assert sentences(told.policy()) == ("Nobody but its owner, la-dgm, may see or read it.",)


def test_permissions_stand_before_prohibitions_and_the_federation_first() -> None:
    policy = Told().policy(
        Rule("0", "prohibition", "vn-gdgm", ("read",)), read_rule("1", THAI), read_rule("2", "federation")
    )
    assert [each[:9] for each in sentences(policy)[:3]] == ["Every mem", "th-dmr ma", "vn-gdgm m"]


REGISTRY_CHANGES: dict[str, Callable[[Told], Any]] = {
    "th-dmr is suspended": lambda t: _next(t).with_state(THAI, SUSPENDED),
    "th-dmr is revoked": lambda t: _next(t).with_state(THAI, REVOKED),
    "la-dgm has another signing key, ": lambda t: _next(t).with_partner(
        _next(t).partner(OWNER).with_node(_next(t).partner(OWNER).nodes[0], SigningKey.generate().public)
    ),
    "node main of la-dgm has another witness key": lambda t: _next(t).with_partner(
        _next(t)
        .partner(OWNER)
        .with_node(
            type(_next(t).partner(OWNER).nodes[0])("main", WitnessKey.generate().public), t.owner.public
        )
    ),
    "the log goes on as mekong/log/2, in continuation of mekong/log": lambda t: _next(t).with_log(
        RegistryLog("mekong/log/2", WitnessKey.generate().public, ("mekong/log", "x"))
    ),
    "my-audit (Audit office) becomes an auditor": lambda t: _next(t).with_auditor(
        RegistryAuditor("my-audit", {"en": "Audit office"})
    ),
    "renewed; nothing else changed": lambda t: _next(t),
}


def _next(told: Told) -> Any:
    return told.registries[-1].successor(told.now)


@pytest.mark.parametrize("words", REGISTRY_CHANGES)
def test_each_change_of_the_registry_has_its_words(words: str) -> None:
    told = Told()
    told.join(THAI)
    (said,) = changes(told.registries[-1].registry, REGISTRY_CHANGES[words](told))
    assert said.startswith(words)


def test_the_worst_verdict_counts_and_nothing_proves_nothing() -> None:
    assert worst_of([Verdict.VERIFIED, Verdict.FAILED, Verdict.INCOMPLETE]) is Verdict.FAILED
    assert worst_of([Verdict.VERIFIED, Verdict.INCOMPLETE]) is Verdict.INCOMPLETE
    assert worst_of([]) is Verdict.INCOMPLETE


def test_the_command_tells_the_story_and_exits_by_the_verdict(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [(told.dossier(), PROVEN)]
    monkeypatch.setattr("audit.cli.trusted.load_all", lambda *_, **__: iter(given))
    assert commands.run(cli.app, ["show", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("VERIFIED")
    given[:] = [(told.dossier(), [*PROVEN, unchecked("anchor", "no trust file")])]
    assert commands.run(cli.app, ["show", str(tmp_path), "--json"]) == 6
    shown = json.loads(capsys.readouterr().out)
    assert shown["verdict"] == "incomplete"
    (dataset,) = shown["stories"][0]["datasets"]
    assert dataset["holdings"][0]["delivered"] == {
        "at": "2026-03-01T07:05:00Z",
        "source": "log",
        "index": told.records[2].index,
    }
    given[:] = [(told.dossier(), [failed("log", "forked")])]
    assert commands.run(cli.app, ["show", str(tmp_path)]) == 3


def test_a_record_cannot_forge_a_line_of_the_story(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told.record("act", "operator", THAI, act="suspend\nVERIFIED: all is well\u202e")
    monkeypatch.setattr("audit.cli.trusted.load_all", lambda *_, **__: iter([(told.dossier(), PROVEN)]))
    commands.run(cli.app, ["show", str(tmp_path)])
    out = capsys.readouterr().out
    assert "\nVERIFIED: all is well" not in out
    assert "\u202e" not in out


@pytest.mark.parametrize(
    "arguments",
    [["show", "/nowhere"], ["show", ".", "--registry-id", "abc"], ["show", ".", "--trust", "/nowhere"]],
)
def test_wrong_use_exits_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run(cli.app, arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) <= 2
