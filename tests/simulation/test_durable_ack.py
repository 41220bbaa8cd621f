"""durable_ack: what the hub has acknowledged survives a power cut."""

import pytest

from tests.simulation.seeded import run, seeds


@pytest.mark.parametrize("seed", seeds())
def test_durable_ack(seed: int):
    run(seed).check("durable_ack")
