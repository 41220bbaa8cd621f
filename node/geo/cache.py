"""What was found out of contents, remembered by their digests: the same bytes are never read twice.

    cache = PlaceCache(state)
    cache.get(candidate.key); cache.put(candidate.key, place)

A table of the node's state that is made when it is first needed: releases before know nothing of it, and
losing it costs only reading.
"""

from node.geo.place import NotKnown, Place
from node.state import NodeState, translated

_TABLE = "CREATE TABLE IF NOT EXISTS places (key BLOB PRIMARY KEY, place TEXT NOT NULL) WITHOUT ROWID"
_KEPT_MAX = 200_000


class PlaceCache:
    """See the module."""

    def __init__(self, state: NodeState) -> None:
        self._state = state
        with state.writing() as database:
            database.conn.execute(_TABLE)

    def get(self, key: bytes) -> Place | None:
        """What is remembered; None: nothing."""
        with translated(self._state.path):
            row = self._state.database.conn.execute(
                "SELECT place FROM places WHERE key = ?", (key,)
            ).fetchone()
        try:
            return None if row is None else Place.from_json(row[0])
        except NotKnown:
            return None

    def put(self, key: bytes, place: Place) -> None:
        """Remember, durably; beyond a bound everything older is forgotten."""
        with self._state.writing() as database:
            (count,) = database.conn.execute("SELECT count(*) FROM places").fetchone()
            if count >= _KEPT_MAX:
                database.conn.execute("DELETE FROM places")
            database.conn.execute(
                "INSERT OR REPLACE INTO places VALUES (?, ?)", (key, place.to_json().decode())
            )
