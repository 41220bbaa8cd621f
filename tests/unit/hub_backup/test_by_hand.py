"""A backup is opened without Syncline: by a short script and `age`, as the format's description promises."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from hub.cli import app
from tests.simulation.federation import publish
from tests.unit.hub_backup.backing import Backed, database, packs, tree

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "docs/formats/restore-backup.py"
_STAND_IN = """\
#!{python}
import sys, pyrage
text = open(sys.argv[sys.argv.index("--identity") + 1]).read()
[line] = [line for line in text.splitlines() if line.startswith("AGE-SECRET-KEY-1")]
sys.stdout.buffer.write(pyrage.decrypt(sys.stdin.buffer.read(), [pyrage.x25519.Identity.from_str(line)]))
"""


def by_hand(backed: Backed, out: Path, path: str, *more: str) -> None:
    command = [
        sys.executable,
        str(SCRIPT),
        str(backed.place.path),
        str(backed.root / "identity.txt"),
        str(out),
        *more,
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PATH": path}, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def stand_in(tmp_path: Path) -> str:
    """A folder with what takes the place of `age`, for machines without it: the same library as the hub's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "age").write_text(_STAND_IN.format(python=sys.executable))
    (folder / "age").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_the_script_restores_what_restore_does(backed: Backed, stand_in: str):
    first = backed.backup()
    held, rows = packs(backed.layout.directory), database(backed.layout.database)
    publish(backed.federation, "la-dgm", "later", {"b": os.urandom(9000)})
    backed.backup()
    by_hand(backed, backed.root / "first", stand_in, first.snapshot.id)
    assert packs(backed.root / "first") == held
    assert set(rows) - set(database(backed.root / "first" / "hub.sqlite")) == set()
    by_hand(backed, backed.root / "newest", stand_in)
    assert packs(backed.root / "newest") == packs(backed.layout.directory)
    assert tree(backed.root / "newest" / "keys") == tree(backed.layout.keys)


@pytest.mark.skipif(shutil.which("age") is None, reason="NOT TESTED: age is missing here (package age)")
def test_age_itself_opens_a_backup(backed: Backed):
    backed.backup()
    by_hand(backed, backed.root / "newest", os.environ["PATH"])
    assert packs(backed.root / "newest") == packs(backed.layout.directory)


def test_the_script_tells_damage(backed: Backed, stand_in: str):
    made = backed.backup()
    stored = backed.place.objects()[made.snapshot.objects[0].name]
    stored.path.write_bytes(b"x")
    with pytest.raises(AssertionError, match="is damaged"):
        by_hand(backed, backed.root / "newest", stand_in)


def test_the_guide_names_options_that_exist():
    root = typer.main.get_command(app)
    guide = (ROOT / "docs/operations/backup.md").read_text()
    for name, text in re.findall(r"syncline-hub (backup|restore|log continue)([^\n#`]*)", guide):
        command = root
        for word in name.split():
            command = command.commands[word]  # type: ignore[attr-defined]
        options = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", text)) <= options, text
