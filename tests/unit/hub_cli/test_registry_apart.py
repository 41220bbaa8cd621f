"""Administrators who sign one after the other, each with the key on a machine of its own."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.unit.hub_cli.test_commands import CommandLine, joined


@pytest.fixture
def line(tmp_path: Path, capsys: Any) -> CommandLine:
    """A hub with three administrators, two of whom must sign, and no key left at the hub."""
    line = CommandLine(tmp_path / "hub", capsys)
    many = ("--administrators", "3", "--threshold", "2")
    line("init", str(line.directory), "--name", "X", "--address", "h:7443", *many, config=False)
    assert line("registry", "sign", "--keys", str(line.directory / "admin")) == 0  # leaves the copies there
    for number in (1, 2, 3):
        home = tmp_path / f"home-{number}"
        shutil.copytree(line.directory / "admin", home)
        for key in home.glob("*.key"):
            if key.stem != f"administrator-{number}":
                key.unlink()
    shutil.rmtree(line.directory / "admin")
    return line


def drafted(line: CommandLine, tmp_path: Path) -> Path:
    fingerprint = joined(line, tmp_path)
    assert line("approve", "la-dgm", "--fingerprint", fingerprint) == 8
    draft = tmp_path / "next.registry"
    assert line("registry", "draft", "--out", str(draft)) == 0, line.err
    assert "enrol node main of la-dgm" in line.out
    return draft


def test_two_of_three_sign_one_after_the_other(line: CommandLine, tmp_path: Path) -> None:
    draft = drafted(line, tmp_path)
    assert line("registry", "publish", str(draft)) == 3, "nobody has signed"
    assert line("registry", "cosign", str(draft), "--keys", str(tmp_path / "home-1"), config=False) == 0
    assert "la-dgm joins" in line.out and "1 more must sign" in line.out
    assert line("registry", "publish", str(draft)) == 3, "one is not enough"
    assert line("registry", "cosign", str(draft), "--keys", str(tmp_path / "home-1"), config=False) == 0
    assert "1 more must sign" in line.out, "signing twice is signing once"
    assert line("registry", "cosign", str(draft), "--keys", str(tmp_path / "home-3"), config=False) == 0
    assert "publish it" in line.out
    assert line("registry", "publish", str(draft)) == 0, line.err
    shown = line.json("registry", "show")
    assert (shown["seq"], shown["pending"]) == (3, [])
    assert [partner["partner"] for partner in shown["partners"]] == ["la-dgm"]
    assert line("registry", "publish", str(draft)) == 0, "the same statement again is the same answer"


def test_a_draft_of_another_history_is_not_signed(line: CommandLine, tmp_path: Path) -> None:
    draft = drafted(line, tmp_path)
    before = draft.read_bytes()
    newest = tmp_path / "home-2" / "registry" / "00000002.json"
    newest.write_bytes((tmp_path / "home-2" / "registry" / "00000001.json").read_bytes())
    assert line("registry", "cosign", str(draft), "--keys", str(tmp_path / "home-2"), config=False) == 5
    assert "does not follow" in line.err
    assert draft.read_bytes() == before


def test_what_is_no_draft_is_refused_in_words(line: CommandLine, tmp_path: Path) -> None:
    draft = drafted(line, tmp_path)
    assert line("registry", "draft", "--out", str(draft)) == 5, "nothing is overwritten"
    keys = str(tmp_path / "home-1")
    assert line("registry", "cosign", str(tmp_path / "none"), "--keys", keys, config=False) == 2
    (tmp_path / "text").write_text("no envelope")
    assert line("registry", "cosign", str(tmp_path / "text"), "--keys", keys, config=False) == 3
    assert line("registry", "cosign", str(draft), "--keys", str(tmp_path), config=False) == 6
    assert line("registry", "publish", str(tmp_path / "none")) == 2
    assert "Traceback" not in line.err
