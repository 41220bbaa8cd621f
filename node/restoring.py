"""A restoring that is under way: a mark in the state directory, from `restore` to whoever finishes it.

Rules: the mark is there before anything else is; while it is, `restore` may be repeated. Whoever works with
the state takes it over: it knows then that it stands for a lost one, so that what was published is learnt
from the hub without asking a person. Somebody who joins as a new node instead has given it up.

    begin(state_dir)                # `restore`
    take_over(state, moment)        # the daemon, or `sync`, where `restore` did not come to its end
    end(state_dir)                  # `restore` has come to its end, or is given up
"""

from pathlib import Path

from core import durable
from node.materialise import system_errors
from node.state import NodeState

_MARK = "restoring"


def is_under_way(state_dir: Path) -> bool:
    """Whether `restore` has begun here and nobody has finished it."""
    return (state_dir / _MARK).exists()


def begin(state_dir: Path) -> None:
    """Note durably that the state is lost."""
    with system_errors(f"writing in {state_dir}"):
        durable.write_file(state_dir / _MARK, b"")


def end(state_dir: Path) -> None:
    """Nothing is to be restored any more."""
    with system_errors(f"writing in {state_dir}"):
        (state_dir / _MARK).unlink(missing_ok=True)


def take_over(state: NodeState, moment: str) -> None:
    """Finish what `restore` began. The caller holds the state's lock; `moment` as `core.clock` writes it."""
    if is_under_way(state.state_dir):
        state.mark_lost(moment)
        end(state.state_dir)
