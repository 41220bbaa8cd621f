"""Old versions of a mirror: removed when they are old enough, and only as this node made them.

Rules: at least `keep` versions stay, and every one that `current` named within a day; a version that
somebody has edited stays until they remove it, and is told of; nothing is removed that was not made here.
"""

import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from core.clock import parse_instant
from core.errors import Corrupt
from core.limits import Limits
from core.logs import get_logger
from node.mirror_state import MirrorRow, MirrorTable, VersionRow
from node.subscribe.edits import inspect
from node.subscribe.mirror import Mirror
from node.subscribe.records import DAMAGED, Record

log = get_logger("node.subscribe")


def prune(
    mirrors: MirrorTable,
    mirror: Mirror,
    row: MirrorRow,
    records: Path,
    *,
    keep: int,
    now: datetime,
    limits: Limits,
) -> tuple[str, ...]:
    """Remove what is due, with its records. Returns lines for a person about edits that are kept."""
    for version in mirrors.versions(row.key):
        if not _stands(mirror, version):
            mirrors.forget_version(row.key, version.folder)
    versions = mirrors.versions(row.key)
    before = now - timedelta(seconds=limits.mirror_keep_s)
    for version in versions[:-keep]:
        due = version.superseded is not None and parse_instant(version.superseded) <= before
        if due and version.folder != row.folder:
            _remove(mirrors, mirror, version, Record(records / version.folder, limits))
    standing = mirrors.versions(row.key)
    names = {version.folder for version in standing}
    for folder in records.iterdir() if records.exists() else ():
        if folder.is_dir() and folder.name.removesuffix(DAMAGED) not in names:
            Record(folder).remove()
    return tuple(
        f"versions/{version.folder} holds local edits and is kept: save them, then remove the folder"
        for version in standing
        if version.edited and version.folder != row.folder
    )


def _stands(mirror: Mirror, version: VersionRow) -> bool:
    descriptor = mirror.version(version.folder)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def _remove(mirrors: MirrorTable, mirror: Mirror, version: VersionRow, record: Record) -> None:
    descriptor = mirror.version(version.folder)
    assert descriptor is not None
    try:
        edited = not record.is_complete or inspect(record, descriptor).edits > 0
    except Corrupt as error:  # nobody can tell any more whether it was edited
        log.warning(error.message, version=version.folder, kept=str(record.set_aside()))
        edited = True
    finally:
        os.close(descriptor)
    if edited:
        mirrors.put_version(replace(version, edited=True))
        return
    mirror.remove_version(version.folder)
    mirrors.forget_version(version.key, version.folder)
