"""Let the quiet period pass, then look again at everything that differs: only what rests counts.

Rules: a file that changed between the two samples keeps its last published state (in a first version it is
left out); a removal counts when the file is still gone; a unit with one restless part waits as a whole.

The second sample of a file that stands alone is the one that opening it takes (`node.publish.prepare`).

    unsettled = await_rest(scratch, root, section, clock)
"""

import os
from itertools import chain
from pathlib import Path

from core.clock import Clock
from node.config import PublishSection
from node.publish.offer import locate
from node.publish.scratch import ABSENT, KNOWN, NEW, Scratch
from node.scan import compile_exclude, stat_of
from node.settle import Verdict, judge


def await_rest(scratch: Scratch, section: PublishSection, clock: Clock) -> bool:
    """Take the second sample of every difference; whether some file was still changing."""
    if section.settle_s > 0:
        clock.sleep(section.settle_s)
    root = section.path
    restless = False
    for item in chain(scratch.items(KNOWN), scratch.items(NEW, units=True)):
        path = os.fspath(root / (item.disk or item.path))
        verdict = judge(item.stat, stat_of(path, journals=bool(item.stat.wal)))
        if verdict is not Verdict.SETTLED:
            scratch.hold(item.path, verdict.value)
            restless = True
    excluded = compile_exclude(tuple(section.exclude))
    for item in scratch.items(ABSENT):
        if (excluded is None or not excluded.fullmatch(item.path)) and _is_back(root, item.path):
            scratch.hold(item.path, "was gone and is back")
            restless = True
    scratch.hold_broken_units()
    return restless


def _is_back(root: Path, path: str) -> bool:
    found = locate(root, path)
    return found is not None and stat_of(os.fspath(found)) is not None
