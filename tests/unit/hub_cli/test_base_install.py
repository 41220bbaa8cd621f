"""A base install has no hub's parts: the command says so in two lines, not with a traceback."""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hub import cli

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("lacking", cli.PARTS)
def test_a_base_install_says_how_to_get_the_hub(
    lacking: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == lacking else real(name))
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 2
    assert capsys.readouterr().err == (
        "error: the hub's parts are not installed\n  → in a checkout of Syncline: pip install '.[hub]'\n"
    )


def test_every_package_of_the_extra_is_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extra = project["project"]["optional-dependencies"]["hub"]
    assert len(extra) == len(cli.PARTS)


def test_asking_needs_none_of_the_parts() -> None:
    """Else the question would fail before it is asked."""
    program = f"import sys, hub.cli; sys.exit(any(part in sys.modules for part in {cli.PARTS!r}))"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
