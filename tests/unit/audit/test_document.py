"""docs/operations/audit.md: every command of the walk is run, and prints what the document says it prints."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from audit import cli
from core import commands
from tests.unit.audit.walk_through import walk_through

GUIDE = Path(__file__).parents[3] / "docs" / "operations" / "audit.md"
STATUS = re.compile(r"(.*?)\s+# exit status (\d+)")


class Step(NamedTuple):
    """A command, its exit status, and the lines that it must print, in this order."""

    command: str
    status: int
    printed: list[str]


def steps() -> list[Step]:
    found: list[Step] = []
    for block in re.findall(r"^```console\n(.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                said = STATUS.fullmatch(line[2:])
                command, status = (said[1], int(said[2])) if said else (line[2:], 0)
                found.append(Step(command, status, []))
            else:
                found[-1].printed.append(line)
    return found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    walk_through(folder)
    return folder


def test_every_step_of_the_walk_prints_what_the_document_says(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(desk)
    walked = steps()
    assert len(walked) >= 12
    for step in walked:
        if not step.command.startswith("syncline-audit "):
            subprocess.run(step.command, shell=True, check=True)
            continue
        status = commands.run(cli.app, shlex.split(step.command)[1:])
        out = capsys.readouterr().out
        assert status == step.status, (step.command, out)
        _check(step, out.splitlines())


def _check(step: Step, out: list[str]) -> None:
    """Every line, one after the other; `…` stands for whatever comes between."""
    place, anywhere = 0, False
    for line in step.printed:
        if line.strip() == "…":
            anywhere = True
            continue
        pattern = re.compile(".*".join(map(re.escape, line.rstrip().split("…"))))
        rest = range(place, len(out) if anywhere else min(place + 1, len(out)))
        found = next((number for number in rest if pattern.fullmatch(out[number].rstrip())), None)
        assert found is not None, (step.command, line, out[place:])
        place, anywhere = found + 1, False
    assert anywhere or place == len(out) or not step.printed, (step.command, out[place:])


def test_the_walk_uses_every_command() -> None:
    root = typer.main.get_command(cli.app)
    used = {shlex.split(step.command)[1] for step in steps() if step.command.startswith("syncline-audit ")}
    assert used == set(root.list_commands(typer.Context(root)))
