"""Progress that also reaches the status report: how many bytes of a dataset are left."""

from typing import Literal

from core.progress import Progress
from node.status import StatusBoard


class BoardProgress:
    """Passes progress on, and notes `bytes_left` of the dataset that the task's words name.

    A task that names none of `datasets` counts for the only one, if there is but one.
    """

    def __init__(
        self,
        board: StatusBoard,
        kind: Literal["publish", "mirrors"],
        datasets: tuple[str, ...],
        shown: Progress,
    ) -> None:
        self._board = board
        self._kind: Literal["publish", "mirrors"] = kind
        self._datasets = datasets
        self._shown = shown
        self._dataset: str | None = None
        self._left: int | None = None

    def begin(self, task: str, total_bytes: int | None) -> None:
        named = set(task.split()).intersection(self._datasets)
        self._dataset = min(named) if named else self._datasets[0] if len(self._datasets) == 1 else None
        self._left = total_bytes
        self._note()
        self._shown.begin(task, total_bytes)

    def advance(self, bytes_count: int) -> None:
        if self._left is not None:
            self._left = max(0, self._left - bytes_count)
        self._note()
        self._shown.advance(bytes_count)

    def end(self) -> None:
        self._dataset = None
        self._shown.end()

    def _note(self) -> None:
        if self._dataset is not None and self._left is not None:
            self._board.progress(self._kind, self._dataset, bytes_left=self._left)
