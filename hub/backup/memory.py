"""What the last backup at a place was made of, kept at the hub: it cannot read its own encrypted snapshots.

It may be lost at any time: then everything is read again, and what the place has is not written again. It is
believed only where the database knows that backup, or this directory was restored from it: a hub that was
turned back to an older state by other means has other packs, under the same names.

    remember(layout, place_id, snapshot, chunks, restored=False)
    recall(layout, place_id, made)                   # Remembered, or None
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core import durable
from core.errors import SynclineError
from hub.backup.snapshot import Snapshot, from_json, to_json
from hub.layout import Layout


@dataclass(frozen=True, slots=True)
class Remembered:
    """The snapshot, and the ids of the chunks that the pieces of the database's file are."""

    snapshot: Snapshot
    chunks: tuple[str, ...]


def remember(
    layout: Layout, place_id: str, snapshot: Snapshot, chunks: Sequence[str], *, restored: bool = False
) -> None:
    """Keep it for the next backup."""
    layout.backup.mkdir(mode=0o700, exist_ok=True)
    value = {"restored": restored, "chunks": list(chunks), "snapshot": to_json(snapshot)}
    durable.write_file(_path(layout, place_id), json.dumps(value).encode(), mode=0o600)


def recall(layout: Layout, place_id: str, made: frozenset[str]) -> Remembered | None:
    """What is remembered of a place. `made`: the snapshots that the database knows."""
    try:
        value = json.loads(_path(layout, place_id).read_bytes())
        snapshot = from_json(value["snapshot"])
        known = value["restored"] is True or snapshot.id in made
        return Remembered(snapshot, tuple(map(str, value["chunks"]))) if known else None
    except (OSError, ValueError, KeyError, TypeError, SynclineError):
        return None


def _path(layout: Layout, place_id: str) -> Path:
    return layout.backup / f"{place_id}.json"
