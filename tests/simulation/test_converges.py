"""converges: after faults stop, each subscriber holds exactly what the policy grants of the newest version."""

import pytest

from tests.simulation.seeded import run, seeds


@pytest.mark.parametrize("seed", seeds())
def test_converges(seed: int):
    run(seed).check("converges")
