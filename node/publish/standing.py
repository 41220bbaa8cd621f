"""How a published dataset is: what `status` shows, what waits for a person, and what a person has approved.

standing = Standing(state, dataset)
standing.note(PublishState.PUBLISHED, success=now)
dataset_status(state, dataset).waiting           # in any process
approve(state, dataset)                          # lets exactly that go on
"""

import json
from collections.abc import Sequence
from typing import Any

from core.errors import InvalidInput, SynclineError
from core.names import DatasetId
from node.publish.outcome import DatasetStatus, Issue, PublishState
from node.publish.records import Head, PublishRecords
from node.state import NodeState

ISSUES_KEPT_MAX = 1_000


class Standing:
    """The status rows of one dataset."""

    def __init__(self, state: NodeState, dataset: DatasetId) -> None:
        self._state = state
        self.dataset = dataset

    def approval(self) -> dict[str, Any]:
        """What a person has approved; empty for nothing."""
        query = "SELECT facts FROM approvals WHERE dataset = ?"
        row = self._state.database.conn.execute(query, (self.dataset,)).fetchone()
        return {} if row is None else json.loads(row[0])

    def note(
        self,
        state: PublishState,
        *,
        detail: str = "",
        waiting: dict[str, Any] | None = None,
        success: str | None = None,
        issues: Sequence[Issue] | None = None,
        held: int = 0,
        skipped: int = 0,
    ) -> None:
        """Write how the dataset is; `success` is the time of a pass that ended well."""
        with self._state.writing() as database:
            connection = database.conn
            self._ensure_status(connection)
            connection.execute(
                "UPDATE publish_status SET state = ?, detail = ?, waiting = ?, bytes_left = 0 WHERE"
                " dataset = ?",
                (state.value, detail, json.dumps(waiting) if waiting else "", self.dataset),
            )
            if success is not None:
                connection.execute(
                    "UPDATE publish_status SET last_success = ?, last_error = NULL, last_error_remedy = NULL,"
                    " last_error_reason = NULL, last_error_time = NULL WHERE dataset = ?",
                    (success, self.dataset),
                )
            if issues is not None:
                connection.execute(
                    "UPDATE publish_status SET held = ?, skipped = ? WHERE dataset = ?",
                    (held, skipped, self.dataset),
                )
                connection.execute("DELETE FROM issues WHERE dataset = ?", (self.dataset,))
                connection.executemany(
                    "INSERT OR IGNORE INTO issues VALUES (?,?,?,?)",
                    ((self.dataset, each.path, each.kind, each.reason) for each in issues[:ISSUES_KEPT_MAX]),
                )

    def note_error(self, error: SynclineError, state: PublishState, moment: str) -> None:
        """Write that a pass failed, and how to go on."""
        with self._state.writing() as database:
            self._ensure_status(database.conn)
            database.conn.execute(
                "UPDATE publish_status SET state = ?, last_error = ?, last_error_remedy = ?,"
                " last_error_reason = ?,"
                " last_error_time = ? WHERE dataset = ?",
                (state.value, error.message, error.remedy, error.reason, moment, self.dataset),
            )

    def issues(self) -> list[Issue]:
        """What the last pass held or skipped (the first thousand)."""
        rows = self._state.database.conn.execute(
            "SELECT path, kind, reason FROM issues WHERE dataset = ? ORDER BY kind, path", (self.dataset,)
        )
        return [Issue(*row) for row in rows]

    def _ensure_status(self, connection: Any) -> None:
        connection.execute(
            "INSERT OR IGNORE INTO publish_status (dataset, state) VALUES (?, ?)",
            (self.dataset, PublishState.NEW.value),
        )


def dataset_status(state: NodeState, dataset: DatasetId) -> DatasetStatus:
    """What is known about a dataset, at one moment; works on a read-only state beside a running daemon."""
    with state.reading() as database:
        records = PublishRecords(state, dataset)
        head = records.head() or Head()
        row = database.conn.execute(
            "SELECT state, detail, last_success, last_error, last_error_remedy, last_error_time,"
            " bytes_left, held,"
            " skipped, waiting FROM publish_status WHERE dataset = ?",
            (dataset,),
        ).fetchone()
    if row is None:
        row = (PublishState.NEW.value, "", None, None, None, None, 0, 0, 0, "")
    waiting = json.loads(row[9]) if row[9] else {}
    return DatasetStatus(
        dataset=dataset,
        state=PublishState(row[0]),
        detail=row[1],
        seq=head.manifest_seq or None,
        manifest_id=head.manifest_id,
        policy_seq=head.policy_seq or None,
        files=head.files,
        bytes=head.bytes,
        has_content=head.has_content,
        bytes_left=row[6],
        held=row[7],
        skipped=row[8],
        last_success=row[2],
        last_error=row[3],
        last_error_remedy=row[4],
        last_error_time=row[5],
        waiting=tuple(str(line) for line in waiting.get("lines", ())),
    )


def approve(state: NodeState, dataset: DatasetId) -> tuple[str, ...]:
    """Let exactly what waits for a person go on with the next pass; the lines that say what it was.

    Raises `InvalidInput` (NOTHING_WAITS) when nothing does. What is worse than what was shown (more removals,
    yet another folder) waits again.
    """
    with state.writing() as database:
        row = database.conn.execute(
            "SELECT waiting FROM publish_status WHERE dataset = ?", (dataset,)
        ).fetchone()
        if row is None or not row[0]:
            raise InvalidInput(
                f"nothing of {dataset} waits for approval",
                remedy="see syncline-node plan",
                reason="NOTHING_WAITS",
            )
        database.conn.execute("INSERT OR REPLACE INTO approvals VALUES (?, ?)", (dataset, row[0]))
        return tuple(str(line) for line in json.loads(row[0])["lines"])
