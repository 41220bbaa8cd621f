"""What the newest manifest says beside its sizes: theme, licence, holder of rights. Parsed once, kept by id.

The hub verified each manifest when it came; here it is only read again. Only the newest version's is kept.

    abouts.of(state.heads.values())["la-dgm/geology-1m"].theme
"""

import base64
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub.overview import claims
from hub.overview.shelves import Head
from hub.services.context import Context
from hub.storage import schema

_BATCH_COUNT = 200
_TEXT_LENGTH_MAX = 2_000


@dataclass(frozen=True, slots=True)
class About:
    """One manifest's words."""

    theme: str = ""
    license: str = ""
    rights_holder: str = ""
    attribution: str | None = None
    classification: str | None = None
    supersedes: str | None = None


NOTHING = About()


class Abouts:
    """Reads manifests. Thread-safe."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, About]] = {}  # by dataset: the version's id, and what it says

    def of(self, heads: Iterable[Head]) -> dict[str, About]:
        """By dataset; `NOTHING` before a first version."""
        wanted = {head.dataset: head.version_id for head in heads if head.version_id is not None}
        with self._lock:
            known = self._known
            missing = [id_ for name, id_ in wanted.items() if known.get(name, ("",))[0] != id_]
            for start in range(0, len(missing), _BATCH_COUNT):
                self._read(missing[start : start + _BATCH_COUNT])
            return {name: known[name][1] for name in wanted if name in known}

    def _read(self, ids: list[str]) -> None:
        table = schema.versions
        query = sa.select(table.c.dataset, table.c.id, table.c.envelope).where(table.c.id.in_(ids))
        with self._database.read() as connection:
            for row in connection.execute(query):
                self._known[row.dataset] = row.id, about(row.envelope)


def about(envelope: bytes) -> About:
    """What a stored manifest says. What cannot be read says nothing: `fsck` is who tells of damage."""
    try:
        payload = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
        predicate: Any = payload["predicate"]
        license_ = claims.table(predicate.get("license"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return NOTHING
    return About(
        theme=claims.text(predicate.get("theme"), _TEXT_LENGTH_MAX),
        license=claims.text(license_.get("expression"), _TEXT_LENGTH_MAX),
        rights_holder=claims.text(predicate.get("rights_holder"), _TEXT_LENGTH_MAX),
        attribution=claims.word(license_.get("attribution"), _TEXT_LENGTH_MAX),
        classification=claims.word(predicate.get("classification")),
        supersedes=claims.dataset(predicate.get("supersedes")),
    )
