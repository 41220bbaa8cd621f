"""materialisable: every version that the hub lists to you can be fetched whole and verified."""

import pytest

from tests.simulation.seeded import run, seeds


@pytest.mark.parametrize("seed", seeds())
def test_materialisable(seed: int):
    run(seed).check("materialisable")
