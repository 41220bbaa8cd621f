"""How long work tells about itself: a protocol that engines call, whatever shows it.

    progress.begin("upload la-dgm/geology-1m", total_bytes=1_200_000)
    progress.advance(65_536)
    progress.end()

One task at a time; `begin` ends the one before. `core.terminal.progress` shows a bar on a terminal
and writes log lines elsewhere.
"""

from typing import Protocol


class Progress(Protocol):
    """Somebody who wants to know how far work is. Called from one thread at a time."""

    def begin(self, task: str, total_bytes: int | None) -> None:
        """Work on `task` starts; `total_bytes` None when nobody knows yet."""
        ...

    def advance(self, bytes_count: int) -> None:
        """`bytes_count` more bytes are done."""
        ...

    def end(self) -> None:
        """The task is over, whether it succeeded or not."""
        ...


class NullProgress:
    """Nobody wants to know."""

    def begin(self, task: str, total_bytes: int | None) -> None:
        del task, total_bytes

    def advance(self, bytes_count: int) -> None:
        del bytes_count

    def end(self) -> None:
        pass
