"""A backup, its pruning and a restore, killed at any durable step: earlier snapshots are whole, and the next
run goes on.

Real processes, real SIGKILL; the steps are counted, and every one of them is struck (each 7th in everyday
runs).
"""

from pathlib import Path

import pytest

from tests.fault.strikes import killed_at_every_step


@pytest.mark.timeout(900)  # a machine may be busy; only a hang is an error
@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.soak)])
def test_earlier_snapshots_survive_a_kill_at_every_step(fast_path: Path, stride: int):
    lives = killed_at_every_step("backup_crashing.py", fast_path, stride)
    assert len(lives) * stride > 40, "so much happens at least"
