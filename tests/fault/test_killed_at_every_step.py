"""durable_ack, never_a_mix, materialisable, converges: when all processes are killed at any durable step.

Real processes, real SIGKILL; the steps are counted, and every one of them is struck (each fourth in everyday
runs).
"""

from pathlib import Path

import pytest

from tests.fault.strikes import killed_at_every_step


@pytest.mark.timeout(900)  # a machine may be busy; only a hang is an error
@pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.soak)])
def test_durable_ack_and_converges_killed_at_every_durable_step(fast_path: Path, stride: int):
    lives = killed_at_every_step("crashing.py", fast_path, stride)
    assert len(lives) * stride > 40, "an exchange has that many durable steps"
