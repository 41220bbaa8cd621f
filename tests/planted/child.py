"""Runs tests in copies of the source, each in a process of its own, and proves that it is the copy that runs.

    python child.py  <  a line for each run: {"copy": …, "report": …, "tests": […]}   >  its exit status

Libraries are loaded once and inherited by a fork for each run; Syncline's own packages are loaded by the
fork alone, from the copy, which stands first in its path.
"""

import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

PACKAGES = ("audit", "core", "hub", "node", "security", "sync", "syncline")
#: None that brings a plugin of pytest's (hypothesis, anyio): pytest must be the first to load those.
LIBRARIES = (
    "alembic.command",
    "argon2",
    "babel.messages.pofile",
    "cryptography.hazmat.primitives.asymmetric.mldsa",
    "cryptography.x509",
    "google.protobuf.message",
    "jinja2",
    "pydantic",
    "pytest",
    "sqlalchemy",
    "sqlite_utils",
    "structlog",
    "uvicorn",
)


def run(order: dict[str, Any]) -> int:
    """Run the tests of one order. Returns pytest's exit status."""
    root = Path(order["copy"]).resolve()
    sys.path[:0] = [str(root), str(root / "protos" / "gen")]
    os.chdir(root)
    for name in PACKAGES:
        assert name not in sys.modules, f"{name} was loaded before the copy"
        found = importlib.import_module(name)
        place = Path(found.__file__ or next(iter(found.__path__))).resolve()
        assert place.is_relative_to(root), f"{name} was imported from {place}, not from the copy"
    import pytest

    return pytest.main(["-q", "-p", "no:cacheprovider", f"--junitxml={order['report']}", *order["tests"]])


def fork(order: dict[str, Any]) -> int:
    """The exit status of `run` in a process of its own; 99 when that could not be run."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            said = os.open(Path(order["copy"]) / "said.txt", os.O_WRONLY | os.O_CREAT, 0o600)
            os.dup2(said, 1)
            os.dup2(said, 2)
            status = run(order)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    """Serve orders until there are no more."""
    here = Path(__file__).resolve().parent
    sys.path[:] = [each for each in sys.path if Path(each or ".").resolve() != here]
    for name in LIBRARIES:
        importlib.import_module(name)
    for line in sys.stdin:
        print(fork(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
