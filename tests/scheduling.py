"""Which tests go to one worker: those that share what is costly to make.

By their names, for pytest-xdist 3.8 loses its own groups (the marker `xdist_group`) with pytest 9.2, which
makes node ids anew.
"""

import re

from xdist.scheduler import LoadScopeScheduling

_SEED = re.compile(r"tests/simulation/.*\[(\d+)\]")


class Grouped(LoadScopeScheduling):
    """A group is one worker's; every other test is a group of its own. Large groups begin first."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """One fleet for the browser, one wheel, one life a seed (`tests.simulation.seeded`)."""
    if nodeid.startswith("tests/browser/"):
        return "browser"
    if nodeid.startswith("tests/unit/test_wheel.py"):
        return "wheel"
    seed = _SEED.match(nodeid)
    return f"life-{seed[1]}" if seed else nodeid
