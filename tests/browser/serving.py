"""A seeded hub that is a process of its own, for a browser to look at.

with served(partners=11, datasets=200) as site:
    site.url, site.fleet, site.reporter.turn()
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.clock import SystemClock
from deploy.demo.fleet import SeededFleet, seed
from deploy.demo.fleet.alive import Reporter, keep_alive
from hub.services.hub import Hub
from tests.end_to_end.world import Process, wait_until

PASSWORD = "basalt and granite 7"
USERS = {
    "ຄຳ": ("operator",),
    "李梅": ("approver",),
    "both": ("operator", "approver"),
    "auditor": ("auditor",),
}
#: Nobody reports by itself: what moves in a test, the test has moved.
_NEVER_S = 86_400.0
_LINES_TOLD = 20


@dataclass
class Site:
    """A served hub. `reporter.turn()` lets every lively node report once; `cookies`: of who has signed in."""

    fleet: SeededFleet
    reporter: Reporter
    url: str
    directory: Path
    cookies: dict[str, Any] = field(default_factory=dict[str, Any])

    @contextmanager
    def hub(self) -> Generator[Hub]:
        """Its services beside the running hub, as the operator's commands have them."""
        with Hub.open(self.fleet.layout, clock=SystemClock()) as hub:
            yield hub


@contextmanager
def served(partners: int, datasets: int, replace: Mapping[str, str] | None = None) -> Generator[Site]:
    """A fleet and the `USERS`, served until the block ends; `replace`: text of its hub.toml, by what it was.

    Fails where the hub has logged a bug.
    """
    root = Path(tempfile.mkdtemp(prefix="syncline-"))
    try:
        fleet = seed(root / "hub", partners=partners, datasets=datasets)
        text = fleet.settings.read_text("utf-8")
        for before, after in (replace or {}).items():
            assert before in text
            text = text.replace(before, after)
        fleet.settings.write_text(text, "utf-8")
        with Hub.open(fleet.layout, clock=SystemClock()) as hub:
            for name, roles in USERS.items():
                hub.users.add(name, PASSWORD, roles)
        process = Process(root / "hub.log", "syncline-hub", "--config", str(fleet.settings), "run")
        try:
            address = wait_until(lambda: _pages_of(process), "the hub")
            with keep_alive(fleet, every_s=_NEVER_S) as reporter:
                yield Site(fleet, reporter, f"http://{address}", root / "hub")
            process.stop()
        finally:
            if process.is_running:
                process.kill()
            lines = process.log().splitlines()
            sys.stderr.write("\n".join(line[:400] for line in lines[-_LINES_TOLD:]))
        bugs = [line for line in lines if '"event": "bug' in line or "Traceback" in line]
        assert not bugs, bugs[0]
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _pages_of(process: Process) -> str | None:
    """Where the pages are, once the hub says so."""
    assert process.is_running, f"the hub ended: {process.log()}"
    for line in process.log().splitlines():
        if '"the hub serves"' in line:
            return str(json.loads(line)["pages"])
    return None
