"""The shared entry of the three commands: one way to fail, `--config` in either place."""

import enum
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from core import commands
from core.commands import ConfigOption, config_path, emit_json, new_app, new_group, say
from core.errors import BRANCHES, NEEDS_ATTENTION, SynclineError

DEFAULT = Path("/etc/syncline/test.toml")


def _app() -> typer.Typer:
    app = new_app("syncline-test", "A test.", config_default=DEFAULT, config_variable="SYNCLINE_TEST_CONFIG")
    group = new_group("A group.")
    errors = {branch.__name__: branch for branch in BRANCHES}

    @app.command()
    def where(ctx: typer.Context, config: ConfigOption = None) -> None:
        """Say which settings file; [[publish]] stays as it is."""
        say(str(config_path(ctx, config)))

    @group.command()
    def deep(ctx: typer.Context, config: ConfigOption = None) -> None:
        say(str(config_path(ctx, config)))

    @app.command()
    def fail(kind: str) -> None:
        if kind in errors:
            raise errors[kind]("la-dgm: \x1b[2J is wrong", remedy="correct it")
        if kind == "interrupt":
            raise KeyboardInterrupt
        if kind == "full":
            raise OSError(28, "No space left on device", "/var/lib/syncline")
        if kind == "attention":
            raise typer.Exit(NEEDS_ATTENTION)
        raise ZeroDivisionError

    app.add_typer(group, name="group")
    return app


APP = _app()


@pytest.mark.parametrize(
    ("arguments", "variable", "wanted"),
    [
        (["where"], None, str(DEFAULT)),
        (["where"], "/v.toml", "/v.toml"),
        (["--config", "/b.toml", "where"], "/v.toml", "/b.toml"),
        (["where", "--config", "/a.toml"], "/v.toml", "/a.toml"),
        (["--config=/b.toml", "where", "--config=/a.toml"], None, "/a.toml"),
        (["--config", "/b.toml", "group", "deep"], None, "/b.toml"),
        (["group", "deep", "--config", "/a.toml"], None, "/a.toml"),
        (["group", "--config", "/c.toml", "deep"], None, "/c.toml"),
        (["--config", "/b.toml", "group", "--config", "/c.toml", "deep"], "/e.toml", "/c.toml"),
        (["group", "--config", "/c.toml", "deep", "--config", "/a.toml"], None, "/a.toml"),
    ],
)
def test_config_is_accepted_before_and_after(
    arguments: list[str],
    variable: str | None,
    wanted: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SYNCLINE_TEST_CONFIG", raising=False)
    if variable is not None:
        monkeypatch.setenv("SYNCLINE_TEST_CONFIG", variable)
    assert commands.run(APP, arguments) == 0
    assert capsys.readouterr().out.strip() == wanted


@pytest.mark.parametrize("branch", BRANCHES)
def test_each_error_is_two_lines_and_its_status(
    branch: type[SynclineError], capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.run(APP, ["fail", branch.__name__]) == branch.exit_status
    out, err = capsys.readouterr()
    assert err == "error: la-dgm: \\x1b[2J is wrong\n  → correct it\n"
    assert out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["nope"],
        ["fail"],
        ["where", "--nope"],
        ["where", "too", "many"],
        ["--config"],
        ["group", "nope"],
    ],
)
def test_wrong_use_is_two_lines_and_status_two(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.run(APP, arguments) == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: ")
    assert len(err.splitlines()) <= 2
    assert out == ""


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run(APP, []) == 2
    assert "Usage: syncline-test" in capsys.readouterr().err
    assert commands.run(APP, ["where", "--help"]) == 0
    assert "[[publish]] stays" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run(APP, ["--version"]) == 0
    assert capsys.readouterr().out.startswith("syncline-test 0.")


def test_ctrl_c_and_attention_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run(APP, ["fail", "interrupt"]) == 130
    assert commands.run(APP, ["fail", "attention"]) == NEEDS_ATTENTION
    assert capsys.readouterr() == ("", "")


def test_a_full_disk_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run(APP, ["fail", "full"]) == 6
    assert "/var/lib/syncline" in capsys.readouterr().err


def test_a_bug_shows_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run(APP, ["fail", "bug"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "ZeroDivisionError" in err


def test_a_closed_pipe_is_quiet() -> None:
    """`syncline-audit … | head -1` must not end in a traceback, nor in status 0."""
    program = (
        "from core.commands import *; app = new_app('x', 'x')\n"
        "@app.command()\ndef y():\n    for _ in range(100_000): say('line')\nmain(app, ['y'])"
    )
    reading, writing = os.pipe()
    with subprocess.Popen([sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        os.read(reading, 5)
        os.close(reading)
        _, err = process.communicate(timeout=60)
    assert err == b""
    assert process.returncode == 141


class Colour(enum.Enum):
    RED = 1


@dataclass
class Thing:
    path: Path
    at: datetime
    colour: Colour
    raw: bytes


def test_json_takes_our_nouns_and_keeps_every_script(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json([Thing(Path("/ແຜນທີ່"), datetime(2026, 1, 1, tzinfo=UTC), Colour.RED, b"\x01"), {"b", "a"}])
    out = capsys.readouterr().out
    assert "ແຜນທີ່" in out
    assert json.loads(out) == [
        {"path": "/ແຜນທີ່", "at": "2026-01-01T00:00:00Z", "colour": "red", "raw": "01"},
        ["a", "b"],
    ]
    with pytest.raises(TypeError):
        emit_json(object())


def test_names_that_are_not_utf8_can_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    emit_json({"path": "\udcb5.shp"})
    assert json.loads(capsys.readouterr().out) == {"path": "\udcb5.shp"}


def test_a_terminal_that_lacks_a_script_does_not_end_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="gbk"))
    app = new_app("x", "x")

    @app.command()
    def y() -> None:
        say("ແຜນທີ່ 地质图")

    assert commands.run(app, ["y"]) == 0
    sys.stdout.flush()
    assert "地质图" in raw.getvalue().decode("gbk")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_stream_that_the_shell_has_closed_is_no_bug(closed: str) -> None:
    program = "from audit.cli import main; main()"
    words = ["sh", "-c", f'"$0" -c "$1" verify /nowhere {closed}', sys.executable, program]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
