"""The commands as a person meets them: what they print, how they end, what they say to do next."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from core import commands
from core.errors import NEEDS_ATTENTION, Denied, Unavailable, Untrusted
from node.cli import COMMANDS, app
from node.cli.opening import read_passphrase
from node.cli.status_cmd import render as render_status
from node.cli.sync_cmd import failures
from node.cli.sync_cmd import render as render_sync
from node.results import PassOutcome, Result
from node.status import Fault, MirrorStatus, PublishedStatus, StatusReport


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """The commands set up the log on this test's captured standard error, which is gone afterwards."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    path = tmp_path / "node.toml"
    path.write_text(
        f"""
[node]
partner = "la-dgm"
name = "main"
state_dir = "{tmp_path / "state"}"
[[publish]]
dataset = "maps"
path = "{folder}"
title = {{ en = "Maps" }}
theme = "other"
license = "CC-BY-4.0"
rights_holder = "DGM"
  [[publish.share]]
  with = ["cn-cgs"]
  allow = ["read"]
""",
        "utf-8",
    )
    return path


def run(*arguments: object) -> int:
    return commands.run(app, [str(each) for each in arguments])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]):
    assert run(command, "--help") == 0
    assert command in capsys.readouterr().out


def test_config_is_accepted_before_and_after_the_command(config: Path, capsys: pytest.CaptureFixture[str]):
    assert run("--config", config, "status", "--json") == NEEDS_ATTENTION
    before = json.loads(capsys.readouterr().out)
    assert run("status", "--json", "--config", config) == NEEDS_ATTENTION
    after = json.loads(capsys.readouterr().out)
    assert [each["publish"] for each in (before, after)] == [before["publish"]] * 2


def test_status_before_anything_has_happened(config: Path, capsys: pytest.CaptureFixture[str]):
    assert run("status", "--config", config) == NEEDS_ATTENTION
    shown = capsys.readouterr().out
    assert "syncline-node join FILE" in shown
    assert "la-dgm/maps" in shown
    assert "not published yet" in shown
    assert "daemon not running" in shown


@pytest.mark.parametrize("command", ["sync", "run"])
def test_what_needs_a_membership_says_how_to_get_one(
    config: Path, command: str, capsys: pytest.CaptureFixture[str]
):
    assert run(command, "--config", config) == Unavailable.exit_status
    assert "syncline-node join FILE" in capsys.readouterr().err


def test_doctor_before_joining_fails_with_a_remedy(config: Path, capsys: pytest.CaptureFixture[str]):
    assert run("doctor", "--json", "--config", config) == Unavailable.exit_status
    findings = json.loads(capsys.readouterr().out)["findings"]
    keys = next(each for each in findings if each["check"] == "keys")
    assert (keys["level"], "join" in keys["remedy"]) == ("fail", True)


def test_explain_reads_the_own_policy_offline(config: Path, capsys: pytest.CaptureFixture[str]):
    assert run("explain", "maps", "cn-cgs", "read", "--json", "--config", config) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["allowed"], answer["policy_seq"], answer["source"]) == (False, 0, "own policy")
    assert run("explain", "maps", "la-dgm", "read", "--config", config) == 0
    assert "la-dgm may read la-dgm/maps" in capsys.readouterr().out


def test_wrong_arguments_are_explained_in_a_line_or_two(config: Path, capsys: pytest.CaptureFixture[str]):
    for arguments in (
        ("explain", "maps", "cn-cgs", "write"),
        ("explain", "maps", "Peking", "read"),
        ("explain", "mpas", "cn-cgs", "read"),
        ("approve", "mpas"),
        ("status", "--josn"),
    ):
        assert run(*arguments, "--config", config) == 2
        assert 1 <= len(capsys.readouterr().err.splitlines()) <= 2


def test_approve_suggests_the_name_that_was_meant(config: Path, capsys: pytest.CaptureFixture[str]):
    assert run("approve", "mpas", "--config", config) == 2
    assert "did you mean la-dgm/maps?" in capsys.readouterr().err


def test_approve_tells_programs_what_was_approved(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("node.cli.approve_cmd.approve_dataset", lambda _state, _name: ("3 of 10 files",))
    assert run("approve", "maps", "--json", "--config", config) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"dataset": "la-dgm/maps", "approved": ["3 of 10 files"]}


def test_approve_when_nothing_waits(config: Path, capsys: pytest.CaptureFixture[str]):
    assert run("approve", "maps", "--config", config) == 2
    assert "nothing of la-dgm/maps waits" in capsys.readouterr().err


def test_a_join_file_that_is_none_is_refused(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "x.join"
    path.write_text("{}")
    assert run("join", path, "--config", config) in (2, 3)
    assert run("join", tmp_path / "missing.join", "--config", config) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_the_passphrase_comes_from_a_credential_or_a_file(tmp_path: Path):
    assert read_passphrase({}) is None
    (tmp_path / "file").write_bytes(b"from file\n")
    assert read_passphrase({"SYNCLINE_PASSPHRASE_FILE": str(tmp_path / "file")}) == b"from file"
    (tmp_path / "syncline-passphrase").write_bytes(b"credential")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path), "SYNCLINE_PASSPHRASE_FILE": str(tmp_path / "file")}
    assert read_passphrase(environment) == b"credential"
    with pytest.raises(Unavailable, match="cannot be read"):
        read_passphrase({"SYNCLINE_PASSPHRASE_FILE": str(tmp_path / "missing")})


def test_the_report_for_people_shows_every_fault_with_its_remedy():
    fault = Fault(
        branch="Unavailable", reason="DISK_FULL", message="the disk is full", remedy="free some", since="t"
    )
    report = StatusReport(
        partner="la-dgm",
        node="main",
        version="1",
        time="t",
        publish=(PublishedStatus(dataset="la-dgm/maps", state="failed", bytes_left=2_000_000, error=fault),),
        mirrors=(MirrorStatus(dataset="cn-cgs/x", state="grant ended", attention=("somebody edited it",)),),
        faults={"hub": fault},
    )
    shown = render_status(report)
    for text in ("the disk is full", "→ free some", "2.0 MB", "grant ended", "cn-cgs/x: somebody edited it"):
        assert text in shown


def test_the_pass_for_people_shows_what_moved():
    outcome = PassOutcome(
        (
            Result("publish", "la-dgm/maps", "published", True, 3, 1200, 5_000_000, 70_000),
            Result("mirror", "cn-cgs/x", "failed", error=Untrusted("forged", remedy="telephone")),
        )
    )
    shown = render_sync(outcome.as_json())
    assert "→ la-dgm/maps: published, version 3, 1 200 files, 5.0 MB, 70.0 kB sent" in shown
    assert "← cn-cgs/x: failed" in shown
    assert failures(outcome.as_json()) == ["error: cn-cgs/x: forged", "  → telephone"]


def test_the_gravest_error_decides_the_exit_status():
    hub_away, forged = Unavailable("away"), Untrusted("forged")
    mirror = Result("mirror", "cn-cgs/x", "failed", error=forged)
    held = Result("publish", "la-dgm/maps", "held", attention=("a file is held",))
    fine = Result("publish", "la-dgm/maps", "up to date")
    assert PassOutcome((fine,)).exit_status == 0
    assert PassOutcome((fine, held)).exit_status == 8
    assert PassOutcome((held,), {"hub": hub_away}).exit_status == 6
    assert PassOutcome((mirror,), {"hub": hub_away}).exit_status == 3


def test_a_status_file_that_holds_no_report_is_told_in_words(
    config: Path, capsys: pytest.CaptureFixture[str]
):
    state = config.parent / "state"
    state.mkdir(mode=0o700)
    (state / "status.json").write_text("garbage")
    assert run("status", "--config", config) == NEEDS_ATTENTION
    said = capsys.readouterr()
    assert "is damaged: it holds no report" in said.out and "writes it anew" in said.out
    assert not said.err


def test_a_status_file_of_another_user_is_one_error_and_no_log_line(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    class Denying(type(config)):
        def read_bytes(self) -> bytes:
            raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("node.status.file.report_path", lambda state_dir: Denying(state_dir / "status.json"))
        assert run("status", "--config", config) == Denied.exit_status
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("error: ") and "may not be read" in said[0]
    assert "as the user that runs syncline-node" in said[1] and len(said) == 2


def test_a_cause_is_listed_once(config: Path, capsys: pytest.CaptureFixture[str]):
    state = config.parent / "state"
    state.mkdir(mode=0o700)
    fault = Fault(branch="Unavailable", reason="NOT_ENROLLED", message="no certificate", remedy="", since="x")
    left = StatusReport(partner="la-dgm", node="main", version="0", time="x", faults={"hub": fault})
    (state / "status.json").write_text(left.model_dump_json())
    assert run("status", "--json", "--config", config) == NEEDS_ATTENTION
    assert list(json.loads(capsys.readouterr().out)["faults"]) == ["membership"]
