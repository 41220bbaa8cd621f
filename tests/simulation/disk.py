"""The disks of a simulated world: every durable step is seen, may kill its process, may find the disk full.

Steps are those of `core.durable.fault_hook` and the two sides of each SQLite commit ("commit" before it,
"committed" after it). A step belongs to whoever's folder it touches.

    with Disk({"hub": hub_dir, "la-dgm": home}) as disk:
        disk.kill("la-dgm", after=3)          # its 4th durable step from here raises Killed
        disk.full("th-dmr", after=0)          # its next one finds no space left
        image = disk.power_cut("hub", target) # a copy of its folder without what was not flushed
"""

import errno
import os
import shutil
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from core import durable
from hub.storage.database import Database
from node.state import NodeState


class Killed(BaseException):
    """The process of `who` ended at this step, as by kill -9. Not an `Exception`: nobody handles it."""

    def __init__(self, who: str, step: str, path: Path) -> None:
        super().__init__(f"{who} was killed at {step} of {path}")
        self.who = who
        self.step = step


class Disk:
    """The durable steps of everybody. Installed while it is entered."""

    def __init__(self, owners: Mapping[str, Path]) -> None:
        self.owners = {who: Path(os.path.realpath(path)) for who, path in owners.items()}
        self.steps: list[tuple[str, str, str]] = []  # who, step, the file's name
        self.happened: list[str] = []
        self.watchers: list[Callable[[str, str, Path], None]] = []
        self._kill: dict[str, int] = {}
        self._full: dict[str, int] = {}
        self._strike: tuple[int, Callable[[], None]] | None = None
        self._flushed: dict[Path, int] = {}
        self._names: dict[Path, set[str]] = {}
        self._lock = threading.RLock()
        self._undo: list[Callable[[], None]] = []

    # --- faults ------------------------------------------------------------------------------------

    def kill(self, who: str, after: int) -> None:
        """Kill `who` at its durable step number `after` (0: the next) from here."""
        self._kill[who] = after

    def full(self, who: str, after: int) -> None:
        """That step of `who` finds the disk full, once."""
        self._full[who] = after

    def strike_at(self, step: int, act: Callable[[], None]) -> None:
        """Call `act` at durable step number `step` from here, whoever's it is."""
        self._strike = (len(self.steps) + step, act)

    def stop(self) -> None:
        """No more faults."""
        self._strike = None
        self._kill.clear()
        self._full.clear()

    def owner(self, path: Path) -> str | None:
        """Whose folder `path` lies in; paths through a descriptor are followed."""
        text = os.fspath(path)
        if text.startswith("/proc/self/fd/"):
            number, _, rest = text.removeprefix("/proc/self/fd/").partition("/")
            text = str(Path(f"/proc/self/fd/{number}").readlink() / rest)
        for who, folder in self.owners.items():
            if text == str(folder) or text.startswith(f"{folder}/"):
                return who
        return None

    def __call__(self, step: str, path: Path) -> None:
        who = self.owner(path)
        if who is None:
            return
        with self._lock:
            self.steps.append((who, step, Path(path).name))
            if self._strike is not None and len(self.steps) > self._strike[0]:
                self._strike[1]()
            for watcher in self.watchers:
                watcher(who, step, path)
            if self._due(self._kill, who):
                self.happened.append(f"{who} killed at {step} {Path(path).name}")
                raise Killed(who, step, path)
            if step not in ("commit", "committed") and self._due(self._full, who):
                self.happened.append(f"{who} disk full at {step} {Path(path).name}")
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    def _due(self, plan: dict[str, int], who: str) -> bool:
        left = plan.get(who)
        if left is None:
            return False
        if left > 0:
            plan[who] = left - 1
            return False
        del plan[who]
        return True

    # --- what was flushed --------------------------------------------------------------------------

    def power_cut(self, who: str, target: Path) -> Path:
        """A copy of the folder of `who` at `target`, with only what was flushed: packs end where they were
        last flushed, and those whose folder was not flushed since they were made are gone.

        SQLite's files are copied as they stand: their own flushing cannot be seen from here (what they
        were asked for is tested by itself).
        """
        source = self.owners[who]
        with self._lock:
            shutil.copytree(source, target, symlinks=True)
            for pack in sorted(target.rglob("*.pack")):
                there = source / pack.relative_to(target)
                named = there.name in self._names.get(there.parent, set())
                if not named or there not in self._flushed:
                    pack.unlink()
                else:
                    os.truncate(pack, min(self._flushed[there], pack.stat().st_size))
            for memory in target.rglob("*.sqlite-shm"):
                memory.unlink()
        return target

    def moved(self, who: str, folder: Path) -> None:
        """From now on `who` works in `folder`, all of which is on the disk."""
        self.owners[who] = Path(os.path.realpath(folder))
        self.all_flushed(self.owners[who])

    def all_flushed(self, folder: Path) -> None:
        """What lies in `folder` now counts as flushed."""
        for pack in folder.rglob("*.pack"):
            self._flushed[pack] = pack.stat().st_size
            self._names.setdefault(pack.parent, set()).add(pack.name)

    # --- installing --------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        for folder in self.owners.values():
            self.all_flushed(folder)
        disk = self
        fsync, fsync_dir = durable.fsync, durable.fsync_dir
        state_writing, hub_write = NodeState.writing, Database.write

        def flushing(descriptor: int, path: Path) -> None:
            fsync(descriptor, path)
            disk._flushed[Path(path)] = os.fstat(descriptor).st_size

        def flushing_names(directory: Path) -> None:
            fsync_dir(directory)
            disk._names[Path(directory)] = set(os.listdir(directory))

        @contextmanager
        def writing(state: NodeState) -> Generator[Any, None, None]:
            inner = state.database.conn.in_transaction
            with state_writing(state) as database:
                yield database
                if not inner:
                    disk("commit", state.path)
            if not inner:
                disk("committed", state.path)

        @contextmanager
        def write(database: Database, *, visible: bool = True) -> Iterator[sa.Connection]:
            with hub_write(database, visible=visible) as connection:
                yield connection
                disk("commit", database._path)
            disk("committed", database._path)

        self._set(durable, "fault_hook", self)
        self._set(durable, "fsync", flushing)
        self._set(durable, "fsync_dir", flushing_names)
        self._set(NodeState, "writing", writing)
        self._set(Database, "write", write)
        return self

    def _set(self, where: Any, name: str, value: Any) -> None:
        before = getattr(where, name)
        setattr(where, name, value)
        self._undo.append(lambda: setattr(where, name, before))

    def __exit__(self, *_: object) -> None:
        while self._undo:
            self._undo.pop()()
