"""Crash-safe writes, in one place, with the hook that the fault tests pull.

What a finished call leaves is there after a power cut; what an interrupted call leaves is either
the old state or the new one. The system calls of `write_file`:

    open(tmp, O_WRONLY|O_CREAT|O_EXCL, mode) · write · fsync(tmp) · close · rename(tmp, path) · fsync(dir)

`fault_hook` is called with the name of each step ("write", "fsync", "rename", "fsync_dir", "sync_tree")
and the path; a test raises from it, or kills the process, to stop the world there.
"""

import ctypes
import os
import secrets
from collections.abc import Callable
from pathlib import Path

FaultHook = Callable[[str, Path], None]


def _no_fault(step: str, path: Path) -> None:
    del step, path


fault_hook: FaultHook = _no_fault


def write_file(path: Path, data: bytes, *, mode: int = 0o644, exclusive: bool = False) -> None:
    """Replace (or, `exclusive`, create) `path` with `data`, durably and atomically.

    Raises `FileExistsError` when `exclusive` and the path exists, `OSError` as the system says it.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            fault_hook("write", path)
            with open(descriptor, "wb", closefd=False) as file:
                file.write(data)
            fsync(descriptor, path)
        finally:
            os.close(descriptor)
        if exclusive:
            fault_hook("rename", path)
            os.link(temporary, path)
            temporary.unlink()
        else:
            rename(temporary, path)
            return
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_dir(path.parent)


def fsync(descriptor: int, path: Path) -> None:
    """Flush an open file's data to the disk. `path` is for the fault hook and messages."""
    fault_hook("fsync", path)
    os.fsync(descriptor)


def rename(source: Path, target: Path) -> None:
    """Rename atomically over `target` and make the new name durable."""
    fault_hook("rename", target)
    source.replace(target)
    fsync_dir(target.parent)


def swap_symlink(link: Path, target: str) -> None:
    """Point `link` at `target` by one rename: a reader sees the old target or the new one."""
    temporary = link.with_name(f".{link.name}.{secrets.token_hex(4)}.tmp")
    os.symlink(target, temporary)
    try:
        rename(temporary, link)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def fsync_dir(directory: Path) -> None:
    """Make the names in `directory` durable."""
    fault_hook("fsync_dir", directory)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_filesystem(path: Path) -> None:
    """Flush the whole filesystem that holds `path` with one call (Linux `syncfs(2)`).

    For many small files at once: one call instead of an fsync a file. Where the C library has no
    `syncfs`, falls back to `os.sync()`. Raises `OSError` when the kernel reports a lost write.
    """
    fault_hook("sync_tree", path)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        flush_filesystem(descriptor)
    finally:
        os.close(descriptor)


def flush_filesystem(descriptor: int) -> None:
    """Flush the filesystem of an open file or folder; what `sync_filesystem` does with one call.

    Raises `OSError` when the kernel reports a lost write. Each lost write is reported once: whoever calls
    must not pass over it.
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
