"""`python -m deploy.demo.fleet DIR [--web HOST:PORT]`: seed a fleet, serve it, and keep it reporting.

A `DIR` that does not exist or is empty is seeded; one that holds a made-up fleet already is made anew, since
its two months end now. Anything else is refused. Runs until Ctrl-C; what it made stays.
"""

import argparse
import asyncio
import contextlib
import secrets
import shutil
import sys
from pathlib import Path

from core import logs
from core.clock import SystemClock
from core.commands import say
from core.errors import SynclineError
from deploy.demo.fleet.alive import keep_alive
from deploy.demo.fleet.looking import WORTH_LOOKING_AT
from deploy.demo.fleet.seeding import refuse_others, seed
from hub.administrators import keys_at_hand
from hub.config import load_settings
from hub.layout import Layout
from hub.server import Started, serve
from hub.services.hub import Hub

USER = "operator"


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
    logs.configure(level="critical")  # an alarm is part of the fleet, not of this terminal
    try:
        _run(arguments)
    except SynclineError as error:
        say(f"{error.message}\n→ {error.remedy}")
        sys.exit(error.exit_status)


def _run(arguments: argparse.Namespace) -> None:
    directory: Path = arguments.directory.absolute()
    if refuse_others(Layout(directory)):
        say(f"{directory} holds a made-up fleet: it is made anew.")
        shutil.rmtree(directory)
    fleet = seed(
        directory,
        partners=arguments.partners,
        datasets=arguments.datasets,
        versions=arguments.versions,
        web_listen=arguments.web,
    )
    password = secrets.token_urlsafe(12)
    with Hub.open(fleet.layout, clock=SystemClock()) as hub:
        hub.users.add(USER, password, ("operator", "approver"))
    say(f"The hub stands in {directory}; {fleet.newcomer} waits with {fleet.newcomer_fingerprint}")
    say(f"Sign in as {USER} with the password {password}")
    if arguments.seed_only:
        return
    settings = load_settings(fleet.settings)
    host = settings.web.listen.rpartition(":")[0]

    def started(ports: Started) -> None:
        say("Worth looking at:")
        for path, why in WORTH_LOOKING_AT.items():
            say(f"  {f'http://{host}:{ports.web_port}/{path}':<40} {why}")
        say("Until Ctrl-C.")

    with keep_alive(fleet, every_s=arguments.every), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            serve(settings, lambda: keys_at_hand(settings.admin_keys), SystemClock(), on_started=started)
        )


if __name__ == "__main__":
    main()
