"""Real processes: each test has a federation of its own, below a short temporary folder."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.world import World


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.processes)
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A running hub. Its folder is kept, and its logs are shown, when the test fails."""
    root = Path(tempfile.mkdtemp(prefix="syncline-e2e-"))
    made = World(root)
    try:
        made.start_hub()
        yield made
    finally:
        made.close()
        for log in sorted(root.rglob("*.log")):
            text = log.read_text("utf-8", "replace")
            sys.stderr.write(f"--- {log.relative_to(root)}\n{text[-6000:]}\n")
        shutil.rmtree(root, ignore_errors=True)
