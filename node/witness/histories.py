"""The histories of one node: the one that it follows, and those before it, all kept.

    histories = Histories(state_dir)
    histories.current()                         # None before the first contact
    histories.follow(about, prefix, size)       # the log is continued, or the operator has decided

    <state_dir>/witness/history-1, history-2, …  the highest number is the one that is followed

Rules: a history is begun whole or not at all; none is ever removed or changed once another follows it. What
this node has promised under an origin binds it in every later history of that origin.
"""

from collections.abc import Iterator
from pathlib import Path

from core.limits import LIMITS, Limits
from node.witness.history import About, History
from security.tlog.checkpoint import Checkpoint, parse_checkpoint
from security.tlog.note import parse_note

_PREFIX = "history-"


class Histories:
    """The folders of a state directory. Whoever writes holds the state's lock."""

    def __init__(self, state_dir: Path, limits: Limits = LIMITS) -> None:
        self.folder = state_dir / "witness"
        self._limits = limits
        self._opened: dict[int, History] = {}

    @property
    def number(self) -> int:
        """The number of the one that is followed; 0 before the first."""
        return max(self._numbers(), default=0)

    def current(self) -> History | None:
        """The one that is followed."""
        return self._open(self.number) if self.number else None

    def follow(self, about: About, prefix: History | None = None, size: int = 0) -> History:
        """Begin the next one, with the first `size` leaves of `prefix`."""
        number = self.number + 1
        made = History.begin(self.folder / f"{_PREFIX}{number}", about, prefix, size)
        self._opened = {number: made}
        return made

    def of(self, origin: str) -> Iterator[History]:
        """All of that origin, the newest first."""
        for number in sorted(self._numbers(), reverse=True):
            history = self._open(number)
            if history.origin == origin:
                yield history

    def promised(self, origin: str) -> list[Checkpoint]:
        """What this node has cosigned last in each history of that origin."""
        notes = (each.cosigned() for each in self.of(origin))
        return [parse_checkpoint(parse_note(note, self._limits).text) for note in notes if note is not None]

    def _open(self, number: int) -> History:
        if number not in self._opened:
            self._opened[number] = History(self.folder / f"{_PREFIX}{number}")
        return self._opened[number]

    def _numbers(self) -> list[int]:
        if not self.folder.is_dir():
            return []
        texts = (each.name.removeprefix(_PREFIX) for each in self.folder.iterdir())
        return [int(text) for text in texts if text.isascii() and text.isdigit()]
