"""Fixtures of the simulations."""

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
