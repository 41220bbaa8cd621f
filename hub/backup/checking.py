"""Whether a backup is still what it was: every file read again, and, with the identity, decrypted.

    for finding in check(place, identity): ...       # a line for each thing that is wrong

Without the identity of an encrypted backup the files are compared with the digests in their names, and each
snapshot's list of objects is looked up; with it every object is opened, and compared with what the
hub had read.
"""

from collections.abc import Iterator, Sequence

from core.errors import SynclineError
from core.progress import Progress
from hub.backup import snapshot as snapshots
from hub.backup.header import damaged_header
from hub.backup.place import Place, Stored, lost_snapshot
from hub.backup.seal import Identity
from hub.backup.snapshot import SavedObject, Snapshot
from security.digests import sha256_hex


def damaged_objects(place: Place, objects: Sequence[Stored], progress: Progress) -> list[Stored]:
    """Those whose files do not have their digest, read from the disk."""
    progress.begin("read back", sum(each.bytes for each in objects))
    bad: list[Stored] = []
    for each in objects:
        if not place.is_whole(each):
            bad.append(each)
        progress.advance(each.bytes)
    progress.end()
    return bad


def check(place: Place, identity: Identity | None, progress: Progress) -> Iterator[str]:
    """Look at every snapshot and every object; a line for each problem."""
    known = place.objects()
    bad = {each.name for each in damaged_objects(place, list(known.values()), progress)}
    yield from (f"{known[name].path}: damaged" for name in sorted(bad))
    yield from (lost_snapshot(place.path, each) for each in place.without_snapshot())
    wanted: dict[str, SavedObject] = {}
    for stored in place.snapshots():
        try:
            names = place.named_by(stored.name)
            if identity is not None or place.header.recipient is None:
                read = read_snapshot(place, stored, identity)
                wanted.update({each.name: each for each in read.objects})
                names = [*names, *(each.name for each in read.objects)]
            elif not place.is_whole(stored):
                yield f"{stored.path}: damaged"
        except SynclineError as error:
            yield f"snapshot {stored.name}: {error.message}"
            continue
        missing = sum(name not in known for name in set(names))
        broken = sum(name in bad for name in set(names))
        if missing or broken:
            yield f"snapshot {stored.name} cannot be restored: {missing} objects missing, {broken} damaged"
    whole = [each for each in wanted.values() if each.name in known and each.name not in bad]
    progress.begin("decrypt", sum(each.bytes for each in whole))
    for each in whole:
        try:
            open_object(place, known, each, identity)
        except SynclineError as error:
            yield error.message
        progress.advance(each.bytes)
    progress.end()


def read_snapshot(place: Place, stored: Stored, identity: Identity | None) -> Snapshot:
    """A snapshot, decrypted and understood. Raises `InvalidInput`, `Untrusted`, `Corrupt`."""
    data = place.read(stored)
    if place.header.recipient is not None and identity is not None:
        data = identity.open(data, f"snapshot {stored.name}")
    found = snapshots.read(data, None if identity is None else identity.signer)
    if found.id != stored.name:
        raise _changed(stored)
    if (
        found.federation != place.header.federation
    ):  # the snapshot is signed, or read whole; the header is not
        raise damaged_header(place.path / "backup.json")
    return found


def open_object(
    place: Place, known: dict[str, Stored], wanted: SavedObject, identity: Identity | None
) -> bytes:
    """The plain bytes of an object, as the hub had read them. Raises `Corrupt`."""
    stored = known.get(wanted.name)
    if stored is None:
        raise snapshots.lost_object(place.path, wanted.name)
    data = place.read(stored)
    if place.header.recipient is not None and identity is not None:
        data = identity.open(data, str(stored.path))
    if len(data) != wanted.bytes or sha256_hex(data) != wanted.sha256:
        raise _changed(stored)
    return data


def _changed(stored: Stored) -> SynclineError:
    return snapshots.changed(stored.path)
