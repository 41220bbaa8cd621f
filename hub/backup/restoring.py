"""A hub's directory made again from a snapshot: whole and checked, or not at all.

    snapshot read, its signature checked → every object opened and compared → files written beside the target
          → settings, database, packs and log checked as `fsck` does → one rename

Rules: nothing is overwritten. What is written stands under another name, `.<name>.restoring`, until all of it
is checked and flushed; what a killed run leaves there is removed by the next one. Unless nothing was lost,
the new directory says that it was restored (`marker`), and no hub runs on it before the log is continued.

    restored = restore(place, identity, Path("/var/lib/syncline-hub"), snapshot=None, nothing_lost=False, …)
"""

import fcntl
import os
import re
import shutil
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core import durable
from core.clock import Clock
from core.errors import Conflict, Corrupt, InvalidInput, SynclineError, Unavailable
from core.limits import LIMITS, Limits
from core.progress import Progress
from hub.backup import marker
from hub.backup.checking import open_object, read_snapshot
from hub.backup.disk import translated
from hub.backup.memory import remember
from hub.backup.pieces import chunks_of_file
from hub.backup.place import Place, Stored
from hub.backup.seal import Identity
from hub.backup.snapshot import Snapshot
from hub.config import HubSettings, load_settings
from hub.layout import Layout
from hub.services.hub import Hub
from sync.stores.packs import PackStore

_PRIVATE = 0o700
_DIRECTORY = re.compile(r"^[ \t]*directory[ \t]*=.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to restore, and where to. `snapshot` None: the newest."""

    place: Place
    identity: Identity | None
    directory: Path
    snapshot: str | None = None
    nothing_lost: bool = False
    accept_damage: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored. `findings`: what was damaged at the hub already when the backup was made."""

    snapshot: Snapshot
    settings: HubSettings
    moved: bool
    missing: tuple[Path, ...]
    findings: tuple[str, ...]


def restore(wanted: Wanted, progress: Progress, clock: Clock, limits: Limits = LIMITS) -> Restored:
    """Restore. Raises `Conflict` (NOT_EMPTY), `InvalidInput`, `Untrusted`, `Corrupt`, `Unavailable`."""
    with wanted.place.unchanging():
        return _restore(wanted, progress, clock, limits)


def _restore(wanted: Wanted, progress: Progress, clock: Clock, limits: Limits) -> Restored:
    place, target = wanted.place, wanted.directory
    stored = place.snapshot(wanted.snapshot)
    snapshot = read_snapshot(place, stored, wanted.identity)
    if wanted.nothing_lost and snapshot.running:
        raise InvalidInput(
            f"a hub ran while snapshot {snapshot.id} was made: it may have acknowledged more afterwards",
            remedy="restore without --nothing-lost, and continue the log (syncline-hub log continue)",
            reason="WAS_RUNNING",
        )
    if wanted.nothing_lost:
        _refuse_outrun(place, stored, snapshot, wanted.identity)
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise Conflict(
            f"{target} exists and is not an empty folder; nothing was changed",
            remedy="give a folder that does not exist: a hub is never overwritten",
            reason="NOT_EMPTY",
        )
    with _workplace(target) as work:
        _write_files(place, wanted.identity, snapshot, work, progress, limits)
        layout = Layout(work)
        chunks = [id_ for id_, _ in chunks_of_file(layout.database)]  # before a migration changes it
        settings, moved = _settings(work)
        findings = _check(work, settings, snapshot, clock, limits)
        if findings and not wanted.accept_damage:
            raise Corrupt(
                f"the hub was damaged when this backup was made: {findings[0]}"
                + (f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""),
                remedy="restore an earlier one with --snapshot, or this one as it is with --accept-damage",
                reason="WAS_DAMAGED",
            )
        remember(layout, place.header.id, snapshot, chunks, restored=True)
        if not wanted.nothing_lost:
            marker.leave(layout, snapshot)
        with translated(target):
            for folder, _, _ in os.walk(work, topdown=False):
                durable.fsync_dir(Path(folder))
            durable.sync_filesystem(work)
            durable.rename(work, target)
    return Restored(snapshot, settings, moved, _missing(settings), tuple(findings))


def _refuse_outrun(place: Place, stored: Stored, snapshot: Snapshot, identity: Identity | None) -> None:
    """Demand that no later snapshot of the same place shows that the hub has run since.

    Raises `InvalidInput` (HAS_RUN_SINCE), also where a later one cannot be read.
    """
    for later in place.snapshots():
        if later.name <= stored.name:
            continue
        try:
            if read_snapshot(place, later, identity).log.size <= snapshot.log.size:
                continue
        except SynclineError:
            pass
        raise InvalidInput(
            f"the later snapshot {later.name} shows that the hub has run since {snapshot.id}",
            remedy="restore the newest; or this one without --nothing-lost, and continue the log"
            " (syncline-hub log continue)",
            reason="HAS_RUN_SINCE",
        )


@contextmanager
def _workplace(target: Path) -> Generator[Path]:
    """A folder beside the target, on the same disk; gone when the block ends, unless it was renamed."""
    work = target.with_name(f".{target.name}.restoring")
    with translated(target.parent):
        if not target.parent.is_dir():
            raise InvalidInput(f"{target.parent} does not exist", remedy="create it first")
        work.mkdir(mode=_PRIVATE, exist_ok=True)
        descriptor = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"{target} is being restored", remedy="wait", reason="RESTORE_RUNS") from None
        with translated(work):
            _empty(work)
        try:
            yield work
        finally:
            if work.exists():  # else it was renamed
                _empty(work)
                work.rmdir()
    finally:
        os.close(descriptor)


def _empty(folder: Path) -> None:
    for each in folder.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each, ignore_errors=True)
        else:
            each.unlink(missing_ok=True)


def _write_files(
    place: Place,
    identity: Identity | None,
    snapshot: Snapshot,
    work: Path,
    progress: Progress,
    limits: Limits,
) -> None:
    """Open each object once, and put its pieces where they belong."""
    total = sum(file.bytes for file in snapshot.files)
    if shutil.disk_usage(work).free < total + limits.disk_reserve_bytes:
        raise Unavailable(
            f"{work.parent} has no room for {total:,} bytes", remedy="use a larger disk", reason="DISK_FULL"
        )
    uses: dict[int, list[tuple[Path, int, int, int]]] = {}
    with translated(work):
        for file in snapshot.files:
            path = work / file.path
            path.parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            at = 0
            for number, offset, count in file.pieces:
                uses.setdefault(number, []).append((path, at, offset, count))
                at += count
    known = place.objects()
    progress.begin("restore", total)
    for number, pieces in sorted(uses.items()):
        data = memoryview(open_object(place, known, snapshot.objects[number], identity))
        with translated(work):
            _write_pieces(data, pieces)
        progress.advance(sum(count for _, _, _, count in pieces))
    progress.end()


def _write_pieces(data: memoryview, pieces: list[tuple[Path, int, int, int]]) -> None:
    """Each at its place; `pieces` of one file stand together."""
    opened: tuple[Path, int] | None = None
    try:
        for path, at, offset, count in pieces:
            if opened is None or opened[0] != path:
                if opened is not None:
                    os.close(opened[1])
                opened = (path, os.open(path, os.O_WRONLY | os.O_CLOEXEC))
            done = 0
            while done < count:
                done += os.pwrite(opened[1], data[offset + done : offset + count], at + done)
    finally:
        if opened is not None:
            os.close(opened[1])


def _settings(work: Path) -> tuple[HubSettings, bool]:
    """The settings, which name the directory that they stand in; whether that was corrected."""
    path = Layout(work).settings
    text = path.read_text("utf-8")
    try:
        named = tomllib.loads(text)["hub"]["directory"]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise Corrupt(f"the settings in the backup cannot be read: {error}") from error
    moved = Path(str(named)) != Path()
    if moved:
        durable.write_file(path, _DIRECTORY.sub('directory = "."', text, count=1).encode(), mode=0o600)
    return load_settings(path), moved


def _check(work: Path, settings: HubSettings, snapshot: Snapshot, clock: Clock, limits: Limits) -> list[str]:
    """Make the indices anew and look at everything; what was damaged before it was backed up.

    Raises `Corrupt` when this is no hub, or not as far as the snapshot says; `Conflict` (NEWER_SCHEMA).
    """
    layout = Layout(work)
    problems: list[str] = []
    for owner in sorted(each.name for each in layout.store.iterdir()) if layout.store.is_dir() else ():
        store = PackStore(layout.store / owner, limits, rebuild=True, clock=clock)
        problems += [f"store of {owner}: {each}" for each in store.problems]
        store.close()
    with Hub.open(layout, federation=settings.federation, clock=clock, limits=limits) as hub:
        leaves = hub.log.status().leaves
        if leaves != snapshot.log.size:
            raise Corrupt(f"the database holds {leaves} leaves, the snapshot says {snapshot.log.size}")
        problems += [f"{each.where}: {each.problem}" for each in hub.fsck.check(files=False)]
    return problems


def _missing(settings: HubSettings) -> tuple[Path, ...]:
    """Files that the settings name elsewhere, and that are not there: the backup does not hold them."""
    alerts, web = settings.alerts, settings.web
    named = [
        None if alerts.email is None else alerts.email.password_file,
        None if alerts.webhook is None else alerts.webhook.secret_file,
        None if web.basemap is None else web.basemap.file,
        Path(settings.hub.admin_keys) if settings.hub.admin_keys else None,
    ]
    return tuple(path for path in named if path is not None and not path.exists())
