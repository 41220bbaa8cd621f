"""Fixtures of the simulations."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.federation import TestFederation, make_federation


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[TestFederation]:
    """Hub and three partners: la-dgm, th-dmr, vn-dgm."""
    made = make_federation(tmp_path)
    yield made
    made.close()


@pytest.fixture
def fast_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, if there is any: what a simulation shows does not depend on a disk's speed."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="syncline-sim-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
