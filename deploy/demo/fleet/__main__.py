"""`python -m deploy.demo.fleet DIR [--web HOST:PORT]`: seed a fleet, serve it, and keep it reporting.

A `DIR` that does not exist or is empty is seeded. Runs until Ctrl-C; what it made stays.
"""

import argparse
import asyncio
import contextlib
from pathlib import Path

from core.clock import SystemClock
from core.commands import say
from deploy.demo.fleet.alive import keep_alive
from deploy.demo.fleet.seeding import seed
from hub.administrators import keys_at_hand
from hub.config import load_settings
from hub.server import Started, serve


def main() -> None:
    """Seed, serve, report."""
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.fleet", description=__doc__)
    parser.add_argument("directory", type=Path, metavar="DIR", help="a new or empty folder for the hub")
    parser.add_argument("--partners", type=int, default=11)
    parser.add_argument("--datasets", type=int, default=200)
    parser.add_argument("--versions", type=int, default=2, help="versions of most datasets, at the most")
    parser.add_argument(
        "--web", default="127.0.0.1:0", metavar="HOST:PORT", help="where the pages are served"
    )
    parser.add_argument("--every", type=float, default=5.0, metavar="S", help="seconds between two reports")
    parser.add_argument("--seed-only", action="store_true", help="make the directory and stop")
    arguments = parser.parse_args()
    directory: Path = arguments.directory
    fleet = seed(
        directory,
        partners=arguments.partners,
        datasets=arguments.datasets,
        versions=arguments.versions,
        web_listen=arguments.web,
    )
    say(f"The hub stands in {directory}; {fleet.newcomer} waits with {fleet.newcomer_fingerprint}")
    if arguments.seed_only:
        return
    settings = load_settings(fleet.settings)

    def started(ports: Started) -> None:
        say(f"serving: {ports}")

    with keep_alive(fleet, every_s=arguments.every), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            serve(settings, lambda: keys_at_hand(settings.admin_keys), SystemClock(), on_started=started)
        )


if __name__ == "__main__":
    main()
