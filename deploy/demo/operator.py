"""The operator's act, and the way to the pages that `KEEP=1` leaves open.

operator_looks(federation, narrator)          # who is in sync, a backup, and back from it
with pages(federation) as opened:             # a hub of its own, with a fleet worth looking at
    opened.url, opened.user, opened.password
"""

import json
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from core import logs
from core.clock import SystemClock
from deploy.demo.federation import Federation, free_ports
from deploy.demo.fleet import seed
from deploy.demo.fleet.alive import keep_alive
from deploy.demo.narrator import Narrator
from hub.services.hub import Hub

_USER = "operator"


@dataclass(frozen=True, slots=True)
class OpenedPages:
    """Where to look, and as whom."""

    url: str
    user: str
    password: str


def operator_looks(federation: Federation, narrator: Narrator) -> None:
    """The fleet at a glance; the hub is saved, and comes back on an empty machine."""
    narrator.act("The operator sees who is in sync, and saves the hub")
    narrator.show(federation.hub("top", "--once"), expect=None)
    fleet = json.loads(federation.hub("status", "--json").output)
    states = sorted({line["state"] for line in fleet["partners"]})
    narrator.figure(
        f"{len(fleet['partners'])} agencies, {fleet['counts']['datasets']} datasets: {', '.join(states)}."
    )

    place, empty = federation.root / "usb" / "backup", federation.root / "another-machine"
    place.parent.mkdir()
    narrator.show(federation.hub("backup", str(place)))
    identity = federation.hub_folder / "admin" / "backup-identity.txt"
    narrator.say("Encrypted: without the identity among the administrators' keys, nobody reads it. With it:")
    narrator.show(federation.hub("restore", str(place), str(empty), "--identity", str(identity)), lines=20)
    narrator.figure("Restored on an empty machine; it was checked, byte by byte, before it was put in place.")


@contextmanager
def pages(federation: Federation) -> Generator[OpenedPages]:
    """A seeded fleet behind a real hub, whose healthy nodes go on reporting."""
    (port,) = free_ports(1)
    logs.configure(json=False, level="critical")  # an alarm is part of the fleet, not of this terminal
    fleet = seed(federation.root / "fleet", web_listen=f"127.0.0.1:{port}")
    password = secrets.token_urlsafe(12)
    with Hub.open(fleet.layout, clock=SystemClock()) as hub:
        hub.users.add(_USER, password, ("operator", "approver"))
    federation.start("fleet", ["syncline-hub", "--config", str(fleet.settings), "run"], port)
    with keep_alive(fleet):
        yield OpenedPages(f"http://127.0.0.1:{port}/", _USER, password)
