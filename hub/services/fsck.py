"""Every stored byte, re-read and checked."""

from collections.abc import Iterator
from dataclasses import dataclass

from hub.services.context import Context


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what to do about it."""

    where: str
    problem: str
    remedy: str


class FsckService:
    """Checks of a whole hub directory; also beside a running hub."""

    def __init__(self, context: Context) -> None:
        raise NotImplementedError

    def check(self) -> Iterator[Finding]:
        """Packs, listed versions' chunks and files, statements, log leaves; one finding for each thing that is wrong."""
        raise NotImplementedError

    def rebuild_index(self) -> Iterator[str]:
        """Make the chunk indices anew from the packs (the hub must not run); a line for each owner."""
        raise NotImplementedError
