"""The log has no gaps, one history and one checkpoint a size, when the hub is killed at any database step
while an operator's command writes beside it.

Real processes, real SIGKILL; the steps are counted, and every one of them is struck (each 29th in everyday
runs).
"""

from pathlib import Path

import pytest

from tests.fault.strikes import killed_at_every_step


@pytest.mark.timeout(900)  # a machine may be busy; only a hang is an error
@pytest.mark.parametrize("stride", [29, pytest.param(1, marks=pytest.mark.soak)])
def test_no_gap_and_no_second_history_killed_at_every_database_step(fast_path: Path, stride: int):
    lives = killed_at_every_step("log_crashing.py", fast_path, stride)
    assert len(lives) * stride > 150, "so much happens at least"
