"""Real processes: each test has a federation of its own, below a short temporary folder.

Founding and enrolling takes a dozen processes, so it is done once, and copied for each test.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.world import Agency, World

MEMBERS = ("la-dgm", "cn-cgs", "th-dmr")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.processes)
            item.add_marker(pytest.mark.timeout(300))


@contextmanager
def temporary_folder() -> Iterator[Path]:
    # Not pytest's own: a Unix socket's path has 107 bytes at the most.
    root = Path(tempfile.mkdtemp(prefix="syncline-"))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def running(root: Path, template: World | None) -> Iterator[World]:
    """A federation whose hub runs; the logs are shown when the test fails."""
    made = World(root, template)
    try:
        made.start_hub()
        yield made
    finally:
        made.close()
        for log in sorted(root.rglob("*.log")):
            sys.stderr.write(f"--- {log.relative_to(root)}\n{log.read_text('utf-8', 'replace')[-6000:]}\n")


@pytest.fixture(scope="session")
def founded() -> Iterator[World]:
    """A hub without members, as `init` leaves it."""
    with temporary_folder() as root:
        yield World(root)


@pytest.fixture(scope="session")
def enrolled(founded: World) -> Iterator[World]:
    """A federation with its members, at rest."""
    with temporary_folder() as root:
        with running(root, founded) as made:
            for partner in MEMBERS:
                made.agency(partner).join_quickly()
            assert made.hub_process is not None
            made.hub_process.stop()
        yield made


@pytest.fixture
def world(enrolled: World) -> Iterator[World]:
    """A running hub; `world.agency(...)` of `MEMBERS` are members."""
    with temporary_folder() as root, running(root, enrolled) as made:
        yield made


@pytest.fixture
def new_world(founded: World) -> Iterator[World]:
    """A running hub without members."""
    with temporary_folder() as root, running(root, founded) as made:
        yield made


@pytest.fixture
def owner(world: World) -> Agency:
    """la-dgm publishes `maps` to cn-cgs."""
    agency = world.agency("la-dgm")
    agency.configure(agency.publishes("maps", to=["cn-cgs"]))
    return agency


@pytest.fixture
def reader(world: World) -> Agency:
    """cn-cgs subscribes to all that it may read."""
    agency = world.agency("cn-cgs")
    agency.configure(agency.subscribes())
    return agency
