"""The doorbell: rings when what a caller may see, or the registry, has changed, and for nothing else.

`tick` looks at the database's revision (the operator's commands run in other processes) and at the next
instant at which a rule begins or ends. `start` does it by itself, at once after each commit of this process
and else every half second.

    watcher = changes.watch(caller, ring=lambda: loop.call_soon_threadsafe(event.set))
    watcher.wait(timeout_s)
    watcher.close()
"""

import contextlib
import threading
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self

from core.errors import SynclineError
from core.logs import get_logger
from core.names import PartnerId
from hub.services.context import Caller, Context
from hub.services.registry import RegistryService
from hub.services.sharing import SharingService

_INTERVAL_S = 0.5

_log = get_logger("hub.changes")

Seen = tuple[int, str]
"""What a caller has been rung for: the registry's number and the etag of its view."""


class Watcher:
    """One caller's doorbell; rung once at the start. Also a context manager."""

    def __init__(
        self, caller: Caller, seen: Seen, ring: Callable[[], None] | None, forget: "Callable[[Watcher], None]"
    ) -> None:
        self.caller = caller
        self._seen = seen
        self._ring = ring
        self._forget = forget
        self._rung = threading.Event()
        self._denied: SynclineError | None = None
        self._sound()

    def wait(self, timeout_s: float | None = None) -> bool:
        """True when it has rung since the last wait. Raises `Denied` when the caller may no longer call."""
        rung = self._rung.wait(timeout_s)
        if self._denied is not None:
            raise self._denied
        if rung:
            self._rung.clear()
        return rung

    def check(self) -> bool:
        """`wait` without waiting."""
        return self.wait(0)

    def close(self) -> None:
        """Stop ringing."""
        self._forget(self)

    def offer(self, seen: Seen) -> None:
        """Ring if this is news."""
        if seen != self._seen:
            self._seen = seen
            self._sound()

    def refuse(self, error: SynclineError) -> None:
        """The caller may no longer call; its next wait says so."""
        if self._denied is None:
            self._denied = error
            self._sound()

    def _sound(self) -> None:
        self._rung.set()
        if self._ring is not None:
            self._ring()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ChangesService:
    """All doorbells."""

    def __init__(self, context: Context, registry: RegistryService, sharing: SharingService) -> None:
        self._database = context.database
        self._clock = context.clock
        self._registry = registry
        self._sharing = sharing
        self._lock = threading.Lock()
        self._ticking = threading.Lock()
        self._watchers: set[Watcher] = set()
        self._looked: tuple[int, datetime | None] | None = None
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        context.database.listen(self._committed)

    def watch(self, caller: Caller, ring: Callable[[], None] | None = None) -> Watcher:
        """A doorbell for the caller. `ring` is called from any thread at each ring; it must be quick and
        not raise.

        Raises `Denied` as `RegistryService.require_active` does.
        """
        self._registry.require_active(caller)
        watcher = Watcher(caller, self._seen_by(caller.partner), ring, self._forget)
        with self._lock:
            self._watchers.add(watcher)
            self._looked = None  # a change between the look and here must not be lost
        return watcher

    def tick(self) -> None:
        """Look for changes and ring whom they concern. Cheap when nothing has changed."""
        with self._ticking:
            revision = self._database.revisions()[1]
            with self._lock:
                looked = self._looked
                if not self._watchers:
                    return
            if looked is not None and looked[0] == revision:
                due = looked[1]
                if due is None or self._clock.now() < due:
                    return
            due = self._sharing.next_change()
            with self._lock:
                self._looked = (revision, due)
                watchers = list(self._watchers)  # with it: who comes later makes it None again
            self._ring(watchers)

    def start(self, interval_s: float = _INTERVAL_S) -> None:
        """Tick in a thread of its own until `stop`."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, args=(interval_s,), name="doorbell", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, if there is one."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, interval_s: float) -> None:
        while not self._stopped.is_set():
            self._wake.wait(interval_s)
            self._wake.clear()
            try:
                self.tick()
            except SynclineError as error:
                _log.error("the doorbell cannot look for changes", problem=error.message, remedy=error.remedy)

    def _ring(self, watchers: list[Watcher]) -> None:
        seen: dict[PartnerId, Seen] = {}
        for watcher in watchers:
            partner = watcher.caller.partner
            try:
                self._registry.require_active(watcher.caller)
            except SynclineError as error:
                watcher.refuse(error)
                continue
            if partner not in seen:
                seen[partner] = self._seen_by(partner)
            watcher.offer(seen[partner])

    def _seen_by(self, partner: PartnerId) -> Seen:
        return self._registry.current().registry.seq, self._sharing.view(partner).etag

    def _committed(self, visible: bool) -> None:
        if visible:
            self._wake.set()

    def _forget(self, watcher: Watcher) -> None:
        with self._lock, contextlib.suppress(KeyError):
            self._watchers.remove(watcher)
