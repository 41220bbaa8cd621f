"""no_silent_delete: nothing is deleted anywhere without a version signed by its owner, and a removal seen to be one."""

import pytest

from tests.simulation.seeded import run, seeds


@pytest.mark.parametrize("seed", seeds())
def test_no_silent_delete(seed: int):
    run(seed).check("no_silent_delete")
