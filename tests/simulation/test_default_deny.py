"""default_deny: no byte and no record leaves without a rule that the owner signed."""

import pytest

from tests.simulation.seeded import run, seeds


@pytest.mark.parametrize("seed", seeds())
def test_default_deny(seed: int):
    run(seed).check("default_deny")
