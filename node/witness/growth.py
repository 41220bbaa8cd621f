"""Whether the log grows: an honest hub writes a leaf at least every hour.

    growth = Growth(state)
    since = growth.frozen_since(checkpoint, now, limits)

Rules: the log counts as frozen when it has not grown for `log_frozen_s`, and the hub answered for the last
`refusals_every_s` of that: a hub that comes back after a weekend has an hour to write its first leaf, and a
node that looks once a day needs a third look to be sure.
"""

import json
from datetime import datetime, timedelta

from core.clock import format_instant, parse_instant
from core.limits import Limits
from node.state import NodeState
from security.tlog.checkpoint import Checkpoint

_META = "log_growth"


class Growth:
    """Remembers since when the log has its size, in the state database."""

    def __init__(self, state: NodeState) -> None:
        self._state = state

    def frozen_since(self, checkpoint: Checkpoint, now: datetime, limits: Limits) -> datetime | None:
        """Since when the log is frozen; None when it is not, or that is not certain yet."""
        known = json.loads(self._state.get_meta(_META) or "{}")
        if (known.get("origin"), known.get("size")) != (checkpoint.origin, checkpoint.size):
            self._keep(checkpoint, now, None)
            return None
        since = parse_instant(known["since"])
        first_doubt = timedelta(seconds=limits.log_frozen_s - limits.refusals_every_s)
        if now - since < first_doubt:
            return None
        if known["doubted"] is None:
            self._keep(checkpoint, since, now)
            return None
        doubted = parse_instant(known["doubted"])
        frozen = now - since >= timedelta(seconds=limits.log_frozen_s)
        return since if frozen and now - doubted >= timedelta(seconds=limits.refusals_every_s) else None

    def _keep(self, checkpoint: Checkpoint, since: datetime, doubted: datetime | None) -> None:
        value = {
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "since": format_instant(since),
            "doubted": None if doubted is None else format_instant(doubted),
        }
        self._state.set_meta(_META, json.dumps(value))
