"""A lock for each of many names, which exist only while somebody holds or awaits them.

Who waits for the same name gets it in no particular order.

    with locks.of("id"):            # nobody else works on the same now
        ...
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager


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
