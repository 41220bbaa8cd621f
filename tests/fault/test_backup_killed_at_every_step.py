"""A backup, its pruning and a restore, killed at any durable step: earlier snapshots are whole, and the next
run goes on.

Real processes, real SIGKILL; the steps are counted, and every one of them is struck (each 7th in everyday
runs).
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(900)  # a machine may be busy; only a hang is an error
@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.soak)])
def test_earlier_snapshots_survive_a_kill_at_every_step(fast_path: Path, stride: int):
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "fault" / "backup_crashing.py"), str(fast_path), str(stride)],
        capture_output=True,
        text=True,
        timeout=880,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos' / 'gen'}"},
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    lives = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"step"')]
    assert lives[-1]["status"] == 0
    assert len(lives) * stride > 40, "so much happens at least"
    assert all(life["status"] == -signal.SIGKILL for life in lives[:-1])
