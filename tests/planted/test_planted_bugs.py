"""The tests of the promises find the bugs that they are for.

Each bug of `bugs.py` is planted in a copy of the source, and the test of its promise is run there by itself: it must
fail. Without bugs, the same tests in the same kind of copy must pass. That the copy is what runs is proven in the child.
"""

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.planted.bugs import BUGS, Bug

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("audit", "core", "hub", "node", "security", "sync", "protos/gen", "tests")
PROMISES = {
    "never_a_mix",
    "materialisable",
    "durable_ack",
    "converges",
    "resumes",
    "no_silent_delete",
    "default_deny",
    "no_escape",
}


def copy_source(target: Path) -> Path:
    """The source as it stands, compiled files included: they save most of a child's start."""
    for name in COPIED:
        shutil.copytree(ROOT / name, target / name)
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


def run(copy: Path, *tests: str) -> tuple[int, dict[str, int], str]:
    """The child's exit status, its counts, and what it said."""
    report = copy / "report.xml"
    environment = {
        **os.environ,
        "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'protos' / 'gen'}",
        "SYNCLINE_SEED": "",
    }
    child = subprocess.run(
        [sys.executable, str(copy / "tests" / "planted" / "child.py"), str(copy), str(report), *tests],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    said = child.stdout[-4000:] + child.stderr[-4000:]
    assert report.exists(), said
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    counts = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    return child.returncode, counts, said


def cases() -> list[object]:
    return [
        pytest.param(bug, id=f"{bug.promise}-{bug.name}", marks=[pytest.mark.soak] if bug.soak else [])
        for bug in BUGS
    ]


def test_every_promise_has_a_planted_bug():
    assert {bug.promise for bug in BUGS if not bug.soak} == PROMISES
    assert all(f"test_{bug.promise}" in bug.test for bug in BUGS)


@pytest.mark.parametrize("bug", cases())
def test_planted_bug_is_found(tmp_path: Path, bug: Bug):
    copy = copy_source(tmp_path / "copy")
    source = copy / bug.file
    text = source.read_text("utf-8")
    assert text.count(bug.right) == 1, f"{bug.file} has changed: bring bugs.py up to date"
    source.write_text(text.replace(bug.right, bug.wrong), "utf-8")
    status, counts, said = run(copy, bug.test)
    assert (status, counts["failures"], counts["errors"]) == (1, 1, 0), f"not found: {bug.name}\n{said}"


def test_without_a_bug_the_same_tests_pass(tmp_path: Path):
    copy = copy_source(tmp_path / "copy")
    tests = list(dict.fromkeys(bug.test for bug in BUGS if not bug.soak))
    status, counts, said = run(copy, *tests)
    assert (status, counts) == (0, {"tests": len(tests), "failures": 0, "errors": 0, "skipped": 0}), said
