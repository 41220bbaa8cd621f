"""A lock for each of many names, which exist only while somebody holds or awaits them.

Who waits for the same name gets it in no particular order.

    with locks.of("id"):            # nobody else works on the same now
        ...
"""

import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from core.errors import Unavailable


class KeyedLocks:
    """Locks by name. Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def of(self, name: str) -> Generator[None]:
        """Hold the lock of `name`."""
        with self._guard:
            lock, waiting = self._locks.get(name, (threading.Lock(), 0))
            self._locks[name] = lock, waiting + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, waiting = self._locks.pop(name)
                if waiting > 1:
                    self._locks[name] = lock, waiting - 1


class SharedLocks:
    """Locks by name that many may share, or one may have alone. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._sharing: Counter[str] = Counter()
        self._alone: set[str] = set()

    @contextmanager
    def shared(self, name: str) -> Generator[None]:
        """Hold it together with others that share it. Waits for who has it alone."""
        with self._changed:
            while name in self._alone:
                self._changed.wait()
            self._sharing[name] += 1
        try:
            yield
        finally:
            with self._changed:
                self._sharing[name] -= 1
                if not self._sharing[name]:
                    del self._sharing[name]
                self._changed.notify_all()

    @contextmanager
    def alone(self, name: str, patience_s: float) -> Generator[None]:
        """Hold it alone. Nobody waits for one that itself only waits. Raises `Unavailable` (BUSY)."""
        with self._changed:
            free = self._changed.wait_for(
                lambda: name not in self._alone and not self._sharing[name], patience_s
            )
            if not free:
                raise Unavailable(f"{name} is in use", remedy="it is tried again", reason="BUSY")
            self._alone.add(name)
        try:
            yield
        finally:
            with self._changed:
                self._alone.discard(name)
                self._changed.notify_all()
