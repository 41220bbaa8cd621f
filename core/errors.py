"""The one exception tree, branched by what the caller does next.

    SynclineError
    ├── InvalidInput   2  correct what was asked: usage, configuration, a name, a bound
    ├── Untrusted      3  stop: a signature, chain, certificate or identity does not hold
    ├── Denied         4  ask the owner or the operator: policy or registry says no
    ├── Conflict       5  stop and look: somebody else moved on (fenced, already exists)
    ├── Unavailable    6  try again later, or fetch what is missing
    └── Corrupt        7  restore or re-fetch: stored bytes are not what they must be

The numbers are the exit statuses of all three commands. 0 is success, 1 a bug (a traceback), and
8 means done, but a person must look (`NEEDS_ATTENTION`).

    raise InvalidInput("node.toml: [[publish]] path /srv/x does not exist",
                       remedy="create the folder or correct the path")

`reason` is a stable upper-case word that programs branch on; it travels in `google.rpc.ErrorInfo`.
"""

from typing import ClassVar

EXIT_OK = 0
EXIT_BUG = 1
NEEDS_ATTENTION = 8


class SynclineError(Exception):
    """Something went wrong that a person or a program can act on.

    Args:
        message: what is wrong, and where, in a line.
        remedy: what to do next, in a line; empty where the message says it.
        reason: stable machine-readable word; defaults to the class's own.
    """

    exit_status: ClassVar[int] = EXIT_BUG
    default_reason: ClassVar[str] = "ERROR"

    def __init__(self, message: str, *, remedy: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.reason = reason or self.default_reason

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.remedy}" if self.remedy else self.message


class InvalidInput(SynclineError):
    """What was asked cannot be done as asked; the caller corrects it."""

    exit_status = 2
    default_reason = "INVALID_INPUT"


class Untrusted(SynclineError):
    """Evidence does not hold: signature, chain, certificate, identity."""

    exit_status = 3
    default_reason = "UNTRUSTED"


class Denied(SynclineError):
    """Policy or registry forbids it, or it does not exist as far as the caller may know."""

    exit_status = 4
    default_reason = "DENIED"


class Conflict(SynclineError):
    """The state has moved on: a fenced node, a lost compare-and-swap, a thing that exists."""

    exit_status = 5
    default_reason = "CONFLICT"


class Unavailable(SynclineError):
    """Not now: no connection, no space, not yet approved, not enough at hand to check."""

    exit_status = 6
    default_reason = "UNAVAILABLE"


class Corrupt(SynclineError):
    """Stored or received bytes are not what their digest says."""

    exit_status = 7
    default_reason = "CORRUPT"


#: Every branch, for tables that map errors to other worlds (gRPC status, exit status).
BRANCHES: tuple[type[SynclineError], ...] = (
    InvalidInput,
    Untrusted,
    Denied,
    Conflict,
    Unavailable,
    Corrupt,
)
