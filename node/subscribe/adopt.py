"""A version whose record is lost or damaged: hashed file by file, then believed again."""

import hashlib
import os
import shutil
import struct

from core import durable
from core.errors import SynclineError
from node.materialise import Walker, open_file
from node.subscribe.records import DAMAGED, STAT, FileStat, Record


def adopt(record: Record, folder: int) -> bool:
    """Write `record`'s `stat` from the version in `folder` (a descriptor), if every file is right."""
    pending = record.folder / "stat.part"
    with Walker(folder) as walker, pending.open("wb", buffering=1 << 18) as stats:
        for file in record.files():
            try:
                parent, name = walker.parent(file.path)
            except FileNotFoundError:
                return False
            descriptor = open_file(parent, name)
            if descriptor is None:
                return False
            with os.fdopen(descriptor, "rb", buffering=0) as content:
                if hashlib.file_digest(content, "sha256").hexdigest() != file.sha256:
                    return False
                stats.write(STAT.pack(*FileStat.of(os.fstat(descriptor))))
        stats.flush()
        durable.fsync(stats.fileno(), pending)
    durable.rename(pending, record.folder / "stat")
    return True


def readopt(record: Record, folder: int) -> bool:
    """Make a record that was set aside again from its streams, if it is not they that are damaged."""
    shutil.copytree(record.folder.with_name(f"{record.name}{DAMAGED}"), record.folder)
    (record.folder / "stat").unlink(missing_ok=True)
    try:
        if adopt(record, folder):
            return True
    except (SynclineError, ValueError, struct.error):
        pass  # the version stays where it is; what follows it is fetched whole
    record.remove()
    return False
