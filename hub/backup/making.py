"""One backup, from beginning to end, beside a running hub or without one.

    locks → database copied and checked → keys, settings, packs → objects stored → all of them read back
          → snapshot → remembered, recorded, pruned

Rules: nothing that stands in the place changes before the snapshot is there, but objects are added. Objects
that are found damaged are put aside and written anew from the hub, once. Killed at any step, earlier
snapshots stay as they were, and the next run goes on with what was written.

    made = make_backup(Task(layout, settings, place, seal, signer, software, keep=14), progress, clock)
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.clock import Clock, format_instant
from core.errors import Conflict, Corrupt
from core.limits import LIMITS, Limits
from core.progress import Progress
from hub.backup import pieces, snapshot, source
from hub.backup.checking import damaged_objects
from hub.backup.memory import Remembered, recall, remember
from hub.backup.pieces import OBJECT_BYTES, ObjectWriter
from hub.backup.place import Place, Stored
from hub.backup.seal import Seal
from hub.backup.snapshot import SavedFile, Snapshot
from hub.layout import Layout
from hub.lock import backing_up, is_running
from security.keys import Signer


@dataclass(frozen=True, slots=True)
class Task:
    """What to back up, and where to."""

    layout: Layout
    settings: Path
    place: Place
    seal: Seal
    signer: Signer
    software: str
    keep: int | None = None
    quick: bool = False
    object_bytes: int = OBJECT_BYTES


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made and verified. Bytes as they are stored; `healed`: objects written anew."""

    snapshot: Snapshot
    bytes_added: int
    bytes_total: int
    objects: int
    healed: int
    pruned: int
    bytes_freed: int


def make_backup(task: Task, progress: Progress, clock: Clock, limits: Limits = LIMITS) -> Made:
    """Make one. Raises `Conflict` (BACKUP_RUNS, OTHER_HUB), `Unavailable` (DISK_FULL, …), `Corrupt`."""
    place = task.place
    with place.locked(), backing_up(task.layout):
        place.clean()
        running = is_running(task.layout)
        with source.staged_database(task.layout, limits) as staged:
            if staged.federation != place.header.federation:
                raise Conflict(
                    f"{place.path} holds backups of {place.header.federation}, not of {staged.federation}",
                    remedy="give another folder",
                    reason="OTHER_HUB",
                )
            earlier = recall(task.layout, place.header.id, staged.snapshots)
            known = place.objects()
            healed = added = 0
            while True:
                writer = ObjectWriter(place, task.seal, known, progress, object_bytes=task.object_bytes)
                try:
                    files, chunks = _store(task, writer, staged.file, earlier)
                    writer.finish()
                finally:
                    writer.close()
                added += writer.bytes_added
                bad = _read_back(task, writer, known, progress)
                if not bad:
                    break
                if healed:
                    raise Corrupt(
                        f"{place.path} does not keep what is written: {bad[0].path.name}",
                        remedy="use another disk; earlier snapshots are as they were",
                        reason="CORRUPT_BACKUP",
                    )
                healed = len(bad)
                for stored in bad:
                    if stored.path.exists():
                        place.put_aside(stored)
                    del known[stored.name]
        moment = clock.now()
        saved = Snapshot(
            id=f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
            created=format_instant(moment),
            federation=staged.federation,
            software=task.software,
            running=running or is_running(task.layout),
            log=staged.log,
            objects=tuple(writer.objects),
            files=tuple(files),
        )
        added += _commit(task, saved)
        remember(task.layout, place.header.id, saved, chunks)
        pruned, freed = _prune(task, saved)
        total = sum(known[each.name].bytes for each in saved.objects)
        return Made(saved, added, total, len(saved.objects), healed, pruned, freed)


def _store(
    task: Task, writer: ObjectWriter, database: Path, earlier: Remembered | None
) -> tuple[list[SavedFile], list[str]]:
    """Everything that is not there yet; the files, and the ids of the database's pieces."""
    before = None if earlier is None else earlier.snapshot
    known = () if earlier is None else earlier.chunks
    first, chunks = pieces.add_database(writer, source.DATABASE, database, before, known)
    files = [first, *pieces.add_small(writer, source.small_files(task.layout, task.settings))]
    for owner in source.owners(task.layout):
        for pack in source.packs(task.layout, owner):
            saved = pieces.add_pack(writer, pack, before)
            if saved is not None:
                files.append(saved)
    return files, chunks


def _read_back(
    task: Task, writer: ObjectWriter, known: Mapping[str, Stored], progress: Progress
) -> list[Stored]:
    """Those of the objects that are not what their names say."""
    names = writer.written if task.quick else [each.name for each in writer.objects]
    return damaged_objects(task.place, [known[name] for name in names], progress)


def _commit(task: Task, saved: Snapshot) -> int:
    """Make the snapshot, and read it back; its bytes."""
    names = dict.fromkeys(each.name for each in saved.objects)
    stored = task.place.commit(saved.id, names, task.seal.close(snapshot.write(saved, task.signer)))
    if not task.place.is_whole(stored):
        task.place.put_aside(stored)
        raise Corrupt(
            f"{task.place.path} does not keep what is written",
            remedy="use another disk; earlier snapshots are as they were",
            reason="CORRUPT_BACKUP",
        )
    return stored.bytes


def _prune(task: Task, saved: Snapshot) -> tuple[int, int]:
    """Keep the newest snapshots, this one among them; how many went, and their bytes."""
    if task.keep is None:
        return 0, 0
    others = [each for each in task.place.snapshots() if each.name != saved.id]
    gone = others[: max(0, len(others) - (task.keep - 1))]
    for each in gone:
        task.place.remove_snapshot(each)
    return len(gone), task.place.remove_unneeded()
