"""An exchange that is killed by SIGKILL at each durable step in turn: `python crashing.py FOLDER STRIDE`.

One process forks another for each step. The child opens the world as the last one left it, demands that all
is in order, lets the exchange come to its end, edits the owner's folder, and exchanges again until its own
step kills it: the publisher, the hub and the subscriber, all at once. What the hub acknowledged stands in a
file beside the world. Prints a line for each step.
"""

import json
import os
import random
import signal
import sys
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.names import DatasetId
from sync.frames import unpack
from tests.simulation import oracle
from tests.simulation.federation import found_once
from tests.simulation.world import SMALL, World

PARTNERS = ("la-dgm", "th-dmr")
DATASET = DatasetId("la-dgm/geology")
SHARE = [{"with": ["th-dmr"], "allow": ["read"]}]
STARTED = datetime.now(UTC).replace(microsecond=0)


class Witness:
    """Writes down what was acknowledged, and checks it later."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, who: str, call: str, arguments: tuple[Any, ...], answer: Any) -> None:
        match call:
            case "durable":
                told = [["chunk", bytes(c.id).hex()] for frame in answer for c in unpack(frame, SMALL)]
            case "commit_version":
                told = [["version", oracle.statement_id(arguments[0])]]
            case _:
                return
        with self._path.open("a") as file:
            file.writelines(json.dumps(each) + "\n" for each in told)

    def check(self, world: World) -> None:
        told = [json.loads(line) for line in self._path.read_text().splitlines()]
        api = world.federation.api("la-dgm")
        ids = sorted({bytes.fromhex(each) for kind, each in told if kind == "chunk"})
        for at in range(0, len(ids), SMALL.find_missing_count_max):
            assert not any(api.find_missing(ids[at : at + SMALL.find_missing_count_max])), "chunks are gone"
        versions = {each for kind, each in told if kind == "version"}
        if versions:
            assert versions <= {oracle.statement_id(each) for each in api.list_versions(DATASET, 1)}, "gone"


def exchange(folder: Path, step: int) -> None:
    """One life: look, finish, edit, exchange, die at `step`."""
    witness = Witness(folder / "acknowledged")
    now = STARTED + timedelta(hours=step)
    with World(folder / "world", PARTNERS, clock_at=now, watchers=[witness]) as world:
        owner, reader = world.nodes["la-dgm"], world.nodes["th-dmr"]
        owner.publishes("geology", SHARE)
        if step == 0:
            owner.write("geology", "read-me.txt", b"the first version")
            world.clock.advance(60)
        in_order(world, witness)
        for node in (owner, reader):
            result = node.sync_pass()
            assert result.errors == [], result.errors
        assert reader.files(DATASET) == owner.listed("geology")
        in_order(world, witness)
        chance = random.Random(step)
        owner.write("geology", "large.bin", chance.randbytes(7_000))
        owner.write("geology", f"{step}.txt", b"new")
        (owner.folder("geology") / f"{step - 1}.txt").unlink(missing_ok=True)
        world.clock.advance(60)
        world.disk.strike_at(step, lambda: os.kill(os.getpid(), signal.SIGKILL))
        for node in (owner, reader):
            node.sync_pass()


def in_order(world: World, witness: Witness) -> None:
    """What holds whenever somebody looks."""
    witness.check(world)
    version = oracle.resolve(world.nodes["th-dmr"].mirror(DATASET))
    if version is not None:
        oracle.check_mirrored_version(version)
    api = world.federation.api("th-dmr")
    listing = api.list_datasets(None)
    assert listing is not None
    for entry in listing.entries:
        if entry.may_read and entry.has_content:
            oracle.fetch_whole(api, entry.dataset, entry.manifest_id or "", SMALL)


def main() -> int:
    """Fork for each step until a life ends by itself."""
    folder, stride = Path(sys.argv[1]), int(sys.argv[2])
    found_once(PARTNERS, SMALL)
    (folder / "acknowledged").touch()
    step = 0
    while True:
        child = os.fork()
        if child == 0:
            try:
                exchange(folder, step)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps({"step": step, "status": status}), flush=True)
        if status != -signal.SIGKILL:
            return status
        step += stride


if __name__ == "__main__":
    sys.exit(main())
