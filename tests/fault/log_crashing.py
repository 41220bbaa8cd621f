"""A hub whose log two processes write, one of which is killed by SIGKILL at each of its database steps in
turn: `python log_crashing.py FOLDER STRIDE`.

For each step a fresh copy of a hub, and two processes. One commits a version and acts, logs refusals, makes
checkpoints, has one cosigned, and dies at its step, before or after a statement or at a commit. The
other does an operator's work beside it, to its end. Then a third opens the hub, demands that all is in order,
and does the same work to the end. Every checkpoint that one of them has seen stands in a file beside the hub.
Prints a line for each step.
"""

import json
import os
import shutil
import signal
import sys
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event

from core.names import PartnerId
from hub.services.hub import Hub
from security.tlog.checkpoint import open_checkpoint
from security.tlog.cosignature import cosign
from security.tlog.merkle import verify_consistency
from security.tlog.note import Note, parse_note
from tests.simulation.clock import ManualClock
from tests.simulation.federation import TestFederation, found_once, make_federation, publish
from tests.unit.hub_services.conftest import SMALL

PARTNERS = ("la-dgm", "th-dmr")
STARTED = datetime.now(UTC).replace(microsecond=0)


class Seen:
    """The checkpoints that somebody was shown."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def look(self, hub: Hub) -> None:
        note = hub.log.checkpoint_note()
        with self._path.open("a") as file:
            file.write(json.dumps(note.decode()) + "\n")

    def check(self, federation: TestFederation) -> None:
        """All of them belong to one history, of which the newest is the end."""
        log = federation.registry.registry.logs[-1]
        lines = self._path.read_text().splitlines()
        seen = [open_checkpoint(json.loads(line).encode(), log.origin, log.key).checkpoint for line in lines]
        roots = {each.size: each.root for each in seen}
        assert all(roots[each.size] == each.root for each in seen), "two checkpoints of one size"
        note = federation.hub.log.checkpoint_note()
        newest = open_checkpoint(note, log.origin, log.key).checkpoint
        for each in seen:
            assert each.size <= newest.size, "the log has shrunk"
            proof = federation.hub.log.consistency(each.size, newest.size)
            verify_consistency(each.size, newest.size, proof, each.root, newest.root)


def in_order(federation: TestFederation, seen: Seen) -> None:
    """What holds whenever somebody looks."""
    seen.check(federation)
    findings = list(federation.hub.fsck.check(files=False))
    assert findings == [], findings
    leaves = list(federation.hub.translog.leaves())
    assert [each.index for each in leaves] == list(range(len(leaves)))


def work(federation: TestFederation, seen: Seen) -> None:
    """All that writes to the log."""
    hub = federation.hub
    publish(federation, "la-dgm", "geo", {"a": b"next"}, read=["th-dmr"])
    hub.registry.suspend(PartnerId("th-dmr"))
    hub.registry.resume(PartnerId("th-dmr"))
    hub.log.refused(None, "NOT_FOUND")
    hub.log.perform()
    hub.log.make_checkpoint(force=True)
    seen.look(hub)
    member = federation.members["la-dgm"]
    text = parse_note(hub.log.checkpoint_note()).text
    line = cosign(text, "test-geo/la-dgm/main", member.witness, federation.clock.now())
    hub.log.add_cosignature(member.caller, Note(text, (line,)).to_bytes())
    hub.log.make_checkpoint(force=True)
    seen.look(hub)


def work_beside(federation: TestFederation, seen: Seen) -> None:
    """An operator's commands, while the hub lives and dies."""
    for _ in range(2):
        federation.hub.registry.suspend(PartnerId("th-dmr"))
        federation.hub.log.make_checkpoint(force=True)
        seen.look(federation.hub)


def die_at(step: int, federation: TestFederation) -> None:
    """SIGKILL at the step of that number: before and after each statement, before each commit."""
    engine = federation.hub._context.database._engine
    left = step

    def count(*_: Any) -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
        event.listen(engine, name, count)


def life(folder: Path, part: str, step: int) -> None:
    seen = Seen(folder / "seen")
    clock = ManualClock(STARTED + timedelta(hours=1))
    federation = make_federation(folder, PARTNERS, limits=SMALL, clock=clock)
    match part:
        case "killed":
            die_at(step, federation)
            work(federation, seen)
        case "beside":
            work_beside(federation, seen)
        case _:
            in_order(federation, seen)
            federation.hub.registry.resume(PartnerId("th-dmr"))
            work(federation, seen)
            in_order(federation, seen)
    federation.close()


def forked(folder: Path, part: str, step: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        life(folder, part, step)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def ended(*children: int) -> list[int]:
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def prepared(folder: Path) -> Path:
    """A hub with a version, a checkpoint, and an hour that waits to be logged."""
    federation = make_federation(folder, PARTNERS, limits=SMALL, clock=ManualClock(STARTED))
    publish(federation, "la-dgm", "geo", {"a": b"first"}, read=["th-dmr"])
    federation.hub.log.perform()
    seen = Seen(folder / "seen")
    seen.look(federation.hub)
    federation.close()
    return folder


def main() -> int:
    """Copy and fork for each step, until a life ends by itself."""
    folder, stride = Path(sys.argv[1]), int(sys.argv[2])
    found_once(PARTNERS, SMALL)
    base = prepared(folder / "base")
    step = 0
    while True:
        here = folder / str(step)
        shutil.copytree(base, here)
        beside, killed = ended(forked(here, "beside", step), forked(here, "killed", step))
        (after,) = ended(forked(here, "after", step))
        print(json.dumps({"step": step, "status": killed}), flush=True)
        if beside or after or killed != -signal.SIGKILL:
            return beside or after or killed
        shutil.rmtree(here)
        step += stride


if __name__ == "__main__":
    sys.exit(main())
