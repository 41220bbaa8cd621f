"""The demonstration: `python -m deploy.demo [--keep]`, or `make demo`.

Three agencies and a hub, as processes on loopback with mTLS. Exit status 0 when every act went as
told, 1 when one did not. Everything it makes is in one folder, which is removed at the end.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from types import FrameType

from core.errors import SynclineError
from deploy.demo.acts import Play
from deploy.demo.data import fetch
from deploy.demo.federation import Federation
from deploy.demo.narrator import Narrator
from deploy.demo.operator import pages

_WHEELS = Path(__file__).resolve().parents[2] / ".data"


def main() -> None:
    """Play every act; with `--keep`, leave everything running until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    parser.add_argument("--picture", type=Path, help="also draw what the terminal shows as an SVG")
    arguments = parser.parse_args()
    keep: bool = arguments.keep
    signal.signal(signal.SIGTERM, _exit_on_signal)
    signal.signal(signal.SIGHUP, _exit_on_signal)  # the terminal was closed
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts with it ignored
    folder = Path(tempfile.mkdtemp(prefix="syncline-demo-"))
    narrator = Narrator(folder, picture=arguments.picture)
    start = time.monotonic()
    try:
        with Federation(folder) as federation:
            play = Play(federation, fetch(_WHEELS), narrator)
            play.run()
            narrator.say(f"That was the whole path, in {time.monotonic() - start:.0f} seconds.")
            with pages(federation) if keep else nullcontext() as opened:
                play.what_to_try_next(opened)
                if keep:
                    signal.pause()
    except KeyboardInterrupt:
        narrator.say("Stopped; nothing is left behind.")
        sys.exit(130 if not keep else 0)
    except SynclineError as error:
        narrator.fail(str(error))
        sys.exit(1)
    finally:
        _remove(folder)


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _remove(folder: Path) -> None:
    """Delete the demo's folder; a mirror's folders may be read-only."""
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
