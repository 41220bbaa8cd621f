"""Backups, prunes and restores, killed by SIGKILL at each durable step in turn: `python backup_crashing.py
FOLDER STRIDE`.

For each step a process that dies there; then, in another, every earlier snapshot must be whole and restore
byte for byte, and the next backup goes on. Prints a line for each step.
"""

import json
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path

from core import durable
from core.progress import NullProgress
from hub.backup.checking import check
from tests.fault.backup_world import again, prepared, same_packs
from tests.simulation.federation import publish


def die_at(step: int) -> None:
    left = step

    def hook(_step: str, _path: Path) -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    durable.fault_hook = hook


def life(folder: Path, part: str, step: int) -> None:
    backed = again(folder)
    if part == "killed":
        publish(backed.federation, "la-dgm", "later", {"b": bytes(range(256)) * 99})
        die_at(step)
        backed.backup(keep=1)
        backed.restore()
    else:
        left = backed.place.snapshots()
        assert left, "the earlier snapshot is gone"
        assert list(check(backed.place, backed.identity, NullProgress())) == []
        if (folder / "restored" / "hub").exists():
            same_packs(backed, "restored")
        for number, each in enumerate(left):
            backed.restore(f"left-{number}", each.name)
            same_packs(backed, f"left-{number}")
        backed.backup(keep=1)
        assert len(backed.place.snapshots()) == 1
        assert not list(backed.place.path.rglob("*.tmp"))
        assert list(check(backed.place, backed.identity, NullProgress())) == []
        if not (folder / "restored" / "hub").exists():
            backed.restore()
        same_packs(backed, "restored")
    durable.fault_hook = lambda _step, _path: None
    backed.close()


def forked(folder: Path, part: str, step: int) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        life(folder, part, step)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main() -> int:
    """Copy and fork for each step, until a life ends by itself."""
    folder, stride = Path(sys.argv[1]), int(sys.argv[2])
    base = prepared(folder / "base")
    step = 0
    while True:
        here = folder / str(step)
        shutil.copytree(base, here)
        killed = forked(here, "killed", step)
        after = forked(here, "after", step)
        print(json.dumps({"step": step, "status": killed}), flush=True)
        if after or killed != -signal.SIGKILL:
            return after or killed
        shutil.rmtree(here)
        step += stride


if __name__ == "__main__":
    sys.exit(main())
