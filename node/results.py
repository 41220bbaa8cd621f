"""What became of a pass: plain values for the exit status, the socket and `--json`."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from core.errors import (
    EXIT_BUG,
    EXIT_OK,
    NEEDS_ATTENTION,
    Conflict,
    Corrupt,
    Denied,
    InvalidInput,
    SynclineError,
    Unavailable,
    Untrusted,
)
from node.control import error_to_json

#: The daemon's task of all mirrors; every other task is the id of a published dataset.
MIRRORS = "mirrors"

#: The gravest first: what decides the exit status of a pass with several errors.
_GRAVITY: tuple[type[SynclineError], ...] = (Untrusted, Corrupt, Conflict, Denied, InvalidInput, Unavailable)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one dataset in a pass. `again_at`: a rule begins or ends; `retry`: look again soon."""

    kind: Literal["publish", "mirror"]
    dataset: str
    state: str
    changed: bool = False
    seq: int | None = None
    files: int | None = None
    bytes: int | None = None
    sent_bytes: int | None = None
    attention: tuple[str, ...] = ()
    error: SynclineError | None = None
    again_at: datetime | None = None
    retry: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain values, for the socket and `--json`."""
        return {
            "kind": self.kind,
            "dataset": self.dataset,
            "state": self.state,
            "changed": self.changed,
            "seq": self.seq,
            "files": self.files,
            "bytes": self.bytes,
            "sent_bytes": self.sent_bytes,
            "attention": list(self.attention),
            "error": None if self.error is None else error_to_json(self.error),
        }


@dataclass(frozen=True, slots=True)
class PassOutcome:
    """What became of a pass. `errors` concern the whole node, by what was being done.

    `attention`: what is wrong with the whole node and stopped nothing.
    """

    results: tuple[Result, ...] = ()
    errors: dict[str, SynclineError] = field(default_factory=dict[str, SynclineError])
    attention: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """0, 8 when a person must look, else the gravest error's."""
        errors = [*self.errors.values(), *(each.error for each in self.results if each.error is not None)]
        for branch in _GRAVITY:
            if any(isinstance(error, branch) for error in errors):
                return branch.exit_status
        if errors:
            return EXIT_BUG
        must_look = self.attention or any(each.attention for each in self.results)
        return NEEDS_ATTENTION if must_look else EXIT_OK

    def as_json(self) -> dict[str, Any]:
        """Plain values, for the socket and `--json`."""
        return {
            "results": [each.as_json() for each in self.results],
            "errors": {what: error_to_json(error) for what, error in self.errors.items()},
            "attention": list(self.attention),
            "exit_status": self.exit_status,
        }
