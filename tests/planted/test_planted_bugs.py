"""The tests of the promises find the bugs that they are for.

Each bug of `bugs.py`, `evidence_bugs.py` and `operator_bugs.py` is planted in a copy of the source, and its
test is run there by itself: it must fail. Without bugs, the same tests in the same kind of copy must pass.
That the copy is what runs is proven in the child.
"""

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.planted.bugs import BUGS, Bug
from tests.planted.evidence_bugs import EVIDENCE_BUGS
from tests.planted.operator_bugs import OPERATOR_BUGS

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
    "provable",
}
PROMISED = (*BUGS, *EVIDENCE_BUGS)
pytestmark = pytest.mark.timeout(600)  # a machine may be busy; only a hang is an error
ALL = (*PROMISED, *OPERATOR_BUGS)


def copy_source(target: Path) -> Path:
    """The source as it stands, compiled files included: they save most of a child's start."""
    for name in COPIED:
        shutil.copytree(ROOT / name, target / name)
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


class Runner:
    """The process that runs the tests of copies; see `child.py`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(ROOT / "tests" / "planted" / "child.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            env={
                key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "SYNCLINE"))
            },
        )

    def run(self, copy: Path, *tests: str) -> tuple[int, dict[str, int], str]:
        """The exit status, the counts, and what was said."""
        report = copy / "report.xml"
        assert self._process.stdin is not None and self._process.stdout is not None
        print(
            json.dumps({"copy": str(copy), "report": str(report), "tests": tests}),
            file=self._process.stdin,
            flush=True,
        )
        status = int(self._process.stdout.readline())
        said = (copy / "said.txt").read_text("utf-8", "replace")[-6000:]
        assert report.exists(), said
        suite = ElementTree.parse(report).getroot().find("testsuite")
        assert suite is not None
        counts = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
        return status, counts, said

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    made = Runner()
    yield made
    made.close()


def cases() -> list[object]:
    return [
        pytest.param(bug, id=f"{bug.promise}-{bug.name}", marks=[pytest.mark.soak] if bug.soak else [])
        for bug in ALL
    ]


def test_every_promise_has_a_planted_bug():
    assert {bug.promise for bug in PROMISED if not bug.soak} == PROMISES
    assert {bug.promise for bug in PROMISED if not bug.soak and f"test_{bug.promise}" in bug.test} == PROMISES
    assert all(f"test_{bug.promise}" in bug.test for bug in BUGS)


@pytest.mark.parametrize("bug", cases())
def test_planted_bug_is_found(tmp_path: Path, runner: Runner, bug: Bug):
    copy = copy_source(tmp_path / "copy")
    for file, right, wrong in bug.edits:
        source = copy / file
        text = source.read_text("utf-8")
        assert text.count(right) == 1, f"{file} has changed: bring bugs.py up to date"
        source.write_text(text.replace(right, wrong), "utf-8")
    status, counts, said = runner.run(copy, bug.test)
    assert (status, counts["failures"], counts["errors"]) == (1, 1, 0), f"not found: {bug.name}\n{said}"


def test_without_a_bug_the_same_tests_pass(tmp_path: Path, runner: Runner):
    copy = copy_source(tmp_path / "copy")
    tests = list(dict.fromkeys(bug.test for bug in ALL if not bug.soak))
    status, counts, said = runner.run(copy, *tests)
    assert (status, counts) == (0, {"tests": len(tests), "failures": 0, "errors": 0, "skipped": 0}), said
