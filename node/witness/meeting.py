"""Where witnesses meet: a quorum needs cosignatures under one and the same checkpoint.

    joined = meeting(view, newest, registry, first, now, limits)      # the view to look at instead, or None

A busy log has a new checkpoint every second, and witnesses that each take the newest never meet. So one
stands for the largest checkpoint that somebody has cosigned within the last turn and a half; the newest is
proven to continue it, kept as seen, and read. Nothing is believed here that the look does not check.
"""

from datetime import datetime, timedelta

from core.errors import Untrusted
from core.limits import Limits
from node.witness.peers import read_view
from security.registry import Registry
from security.tlog.checkpoint import Checkpoint
from sync.ports import CheckpointView

_TURNS = 1.5  # each looks once a turn, and a little late


def meeting(
    view: CheckpointView, newest: Checkpoint, registry: Registry, first: int, now: datetime, limits: Limits
) -> CheckpointView | None:
    """The view with the checkpoint to meet on in the newest's place; None to begin with the newest.

    `first`: the smallest size that this witness may still stand for.
    """
    lately = now - _TURNS * timedelta(seconds=limits.report_every_s)
    try:
        shown = list(read_view(view, registry, limits))
    except Untrusted:
        return None  # the look itself says what is wrong with it
    open_ = {
        each.checkpoint.size: each.note
        for each in shown
        if each.checkpoint.origin == newest.origin
        and first <= each.checkpoint.size < newest.size
        and any(one.at > lately for one in each.cosigned)
    }
    if not open_:
        return None
    note = open_[max(open_)]
    return CheckpointView(note, tuple(each for each in (view.note, *view.cosigned) if each != note))
