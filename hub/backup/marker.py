"""What keeps a restored hub from signing a second history: a file in its directory.

A hub restored from an older state lacks leaves that others have seen. It must not sign anything under its old
log's key before the administrators have begun a new log. `run` looks here first, and so does whoever signs a
checkpoint; `log continue` removes it.

    refuse_unsettled(layout)             # Conflict (RESTORED)
    settle(layout)
"""

import json
from typing import TYPE_CHECKING

from core import durable
from core.errors import Conflict
from hub.layout import Layout

if TYPE_CHECKING:  # services look here, and need not know what a snapshot is
    from hub.backup.snapshot import Snapshot


def leave(layout: Layout, snapshot: "Snapshot") -> None:
    """Mark a directory that was restored from `snapshot`."""
    value = {
        "snapshot": snapshot.id,
        "created": snapshot.created,
        "log_size": snapshot.log.size,
        "checkpoint_size": snapshot.log.checkpoint_size,
    }
    durable.write_file(layout.restored, (json.dumps(value, indent=1) + "\n").encode(), mode=0o600)


def refuse_unsettled(layout: Layout) -> None:
    """Raises `Conflict` (RESTORED) as long as it is not settled how the log goes on."""
    if not layout.restored.exists():
        return
    try:
        value = json.loads(layout.restored.read_bytes())
        what = f"snapshot {value['snapshot']}, {value['log_size']} leaves"
    except (OSError, ValueError, KeyError, TypeError):
        what = "a backup"
    raise Conflict(
        f"this hub was restored ({what}), and others may have seen a longer log",
        remedy="with the administrators' keys: syncline-hub log continue --keys DIR --reason TEXT",
        reason="RESTORED",
    )


def settle(layout: Layout) -> str | None:
    """The log has been continued: the hub may run. The snapshot it was restored from, if any."""
    if not layout.restored.exists():
        return None
    try:
        snapshot = str(json.loads(layout.restored.read_bytes())["snapshot"])
    except (OSError, ValueError, KeyError, TypeError):
        snapshot = "a backup"
    layout.restored.unlink()
    durable.fsync_dir(layout.directory)
    return snapshot
