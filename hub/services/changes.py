"""The doorbell: rings when what a caller may see, or the registry, has changed, and for nothing else.

The server calls `tick` every half second: it looks at the database's revision (the operator's commands run in other
processes) and at the next instant at which a rule begins or ends. Commits in this process ring without waiting for it.

    watcher = changes.watch(caller, ring=lambda: loop.call_soon_threadsafe(event.set))
    watcher.wait(timeout_s)
    watcher.close()
"""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from hub.services.context import Caller, Context
from hub.services.registry import RegistryService
from hub.services.sharing import SharingService


class Watcher:
    """One caller's doorbell; rung once at the start. Also a context manager."""

    def wait(self, timeout_s: float | None = None) -> bool:
        """True when it has rung since the last wait. Raises `Denied` when the caller may no longer call."""
        raise NotImplementedError

    def check(self) -> bool:
        """`wait` without waiting."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop ringing."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ChangesService:
    """All doorbells."""

    def __init__(self, context: Context, registry: RegistryService, sharing: SharingService) -> None:
        raise NotImplementedError

    def watch(self, caller: Caller, ring: Callable[[], None] | None = None) -> Watcher:
        """A doorbell for the caller. `ring` is called from any thread at each ring; it must be quick and not raise."""
        raise NotImplementedError

    def tick(self) -> None:
        """Look for changes and ring whom they concern. Cheap when nothing has changed."""
        raise NotImplementedError
