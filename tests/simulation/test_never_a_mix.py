"""never_a_mix: who resolves a mirror's `current` once sees one version, whole, never files of two."""

import pytest

from tests.simulation.seeded import run, seeds


@pytest.mark.parametrize("seed", seeds())
def test_never_a_mix(seed: int):
    run(seed).check("never_a_mix")
