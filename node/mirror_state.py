"""What the node remembers of its mirrors, in its state database: heads that never go back, and what is where.

    mirrors = MirrorTable(state)
    row = mirrors.get(key) or MirrorRow(key=key, dataset=dataset, path=str(path))
    mirrors.put(replace(row, head_seq=4, head_id=id))

Rules: a row is written in one transaction; heads (`head_*`, `policy_*`) only ever grow, whoever calls. Rows
of files are not here: they stand in flat records beside the database (`node.subscribe.records`), one a
version.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from node.state import NodeState

_SCHEMA = """
CREATE TABLE IF NOT EXISTS mirrors (
    key TEXT PRIMARY KEY, dataset TEXT NOT NULL, path TEXT NOT NULL,
    head_seq INTEGER NOT NULL, head_id TEXT, policy_seq INTEGER NOT NULL, policy_id TEXT,
    applied_seq INTEGER NOT NULL, applied_id TEXT, folder TEXT,
    acknowledgement BLOB, acknowledged INTEGER NOT NULL,
    state TEXT NOT NULL, wanted_seq INTEGER, bytes_left INTEGER NOT NULL, attention TEXT NOT NULL,
    last_success TEXT, last_error TEXT, last_error_remedy TEXT, last_error_reason TEXT, last_error_time TEXT);
CREATE TABLE IF NOT EXISTS mirror_versions (
    key TEXT NOT NULL, folder TEXT NOT NULL, seq INTEGER NOT NULL, manifest_id TEXT NOT NULL,
    applied TEXT NOT NULL, superseded TEXT, edited INTEGER NOT NULL, PRIMARY KEY (key, folder)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorRow:
    """One mirror. Instants are RFC 3339 text; `attention` holds lines; `folder` is what `current` names."""

    key: str
    dataset: str
    path: str
    head_seq: int = 0
    head_id: str | None = None
    policy_seq: int = 0
    policy_id: str | None = None
    applied_seq: int = 0
    applied_id: str | None = None
    folder: str | None = None
    acknowledgement: bytes | None = None
    acknowledged: bool = True
    state: str = ""
    wanted_seq: int | None = None
    bytes_left: int = 0
    attention: str = ""
    last_success: str | None = None
    last_error: str | None = None
    last_error_remedy: str | None = None
    last_error_reason: str | None = None
    last_error_time: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version folder that this node made.

    `superseded` is when `current` left it; `edited` by somebody since.
    """

    key: str
    folder: str
    seq: int
    manifest_id: str
    applied: str
    superseded: str | None = None
    edited: bool = False


class MirrorTable:
    """The mirrors of a state database. With a read-only state it only reads."""

    def __init__(self, state: NodeState) -> None:
        self._state = state
        if not state.read_only:
            with state.writing() as database:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    database.conn.execute(statement)

    def acknowledged_in(self, key: str) -> str | None:
        """The continued log to whose hub the mirror's acknowledgement was sent again."""
        return self._state.get_meta(f"acknowledged_in:{key}")

    def set_acknowledged_in(self, key: str, origin: str) -> None:
        """It was."""
        self._state.set_meta(f"acknowledged_in:{key}", origin)

    def all(self) -> list[MirrorRow]:
        """Every mirror, by dataset and path."""
        return [_mirror(row) for row in self._rows("mirrors", "1 ORDER BY dataset, path", [])]

    def get(self, key: str) -> MirrorRow | None:
        """One mirror."""
        return next((_mirror(row) for row in self._rows("mirrors", "key = ?", [key])), None)

    def put(self, row: MirrorRow) -> None:
        """Write one mirror, unless nothing changed. Heads below those that are stored are a bug."""
        before = self.get(row.key)
        if before == row:
            return
        assert before is None or (before.head_seq <= row.head_seq and before.policy_seq <= row.policy_seq)
        with self._state.writing() as database:
            database.table("mirrors").insert(_values(row), replace=True)

    def versions(self, key: str) -> list[VersionRow]:
        """The versions of a mirror that stand on its disk, oldest first."""
        return [_version(row) for row in self._rows("mirror_versions", "key = ? ORDER BY seq, folder", [key])]

    def put_version(self, row: VersionRow) -> None:
        """Remember a version folder, or what became of it."""
        with self._state.writing() as database:
            database.table("mirror_versions").insert(_values(row), replace=True)

    def forget_version(self, key: str, folder: str) -> None:
        """The folder is gone."""
        with self._state.writing() as database:
            database.conn.execute("DELETE FROM mirror_versions WHERE key = ? AND folder = ?", (key, folder))

    def apply(self, row: MirrorRow, version: VersionRow) -> None:
        """`current` now names `version`: the one before is superseded, all in one transaction."""
        with self._state.writing() as database:
            database.conn.execute(
                "UPDATE mirror_versions SET superseded = ? "
                "WHERE key = ? AND superseded IS NULL AND folder <> ?",
                (version.applied, row.key, version.folder),
            )
            self.put_version(version)
            self.put(row)

    def _rows(self, table: str, where: str, arguments: list[str]) -> Iterator[Mapping[str, Any]]:
        with self._state.reading() as database:
            if not database.table(table).exists():
                return iter(())
            return iter(list(database.table(table).rows_where(where, arguments)))


def _values(row: MirrorRow | VersionRow) -> dict[str, Any]:
    return {each.name: getattr(row, each.name) for each in fields(row)}


def _mirror(row: Mapping[str, Any]) -> MirrorRow:
    values: dict[str, Any] = {**row, "acknowledged": bool(row["acknowledged"])}
    return MirrorRow(**values)


def _version(row: Mapping[str, Any]) -> VersionRow:
    values: dict[str, Any] = {**row, "edited": bool(row["edited"])}
    return VersionRow(**values)
