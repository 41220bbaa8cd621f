"""Runs a program of this folder that is killed at one durable step after another, and reads its lives.

Real processes, real SIGKILL; the steps are counted, and every `stride`-th of them is struck.

    assert len(killed_at_every_step("crashing.py", tmp_path, stride=4)) * 4 > 40
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def killed_at_every_step(program: str, folder: Path, stride: int) -> list[dict[str, Any]]:
    """Every life of the program: all were killed but the last, which ended well."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "fault" / program), str(folder), str(stride)],
        capture_output=True,
        text=True,
        timeout=880,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos' / 'gen'}"},
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    lives = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"step"')]
    assert lives[-1]["status"] == 0
    assert all(life["status"] == -signal.SIGKILL for life in lives[:-1])
    return lives
