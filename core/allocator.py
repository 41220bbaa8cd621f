"""Tell glibc to keep large buffers instead of returning each to the kernel.

A hub and a node move frames of 1 MiB; with glibc's defaults each is mapped and unmapped, which costs up
to a third of the throughput. Each arena keeps its own, and by
default there is one for nearly every thread: a few are enough. Elsewhere than glibc this does nothing.

    keep_large_buffers()
"""

import ctypes

_M_TRIM_THRESHOLD = -1  # mallopt(3)
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_MMAP_THRESHOLD_BYTES = 16 * 1024 * 1024
_TRIM_THRESHOLD_BYTES = 64 * 1024 * 1024
_ARENAS = 2


def keep_large_buffers() -> bool:
    """Raise the thresholds; whether the C library took them."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    taken = (
        mallopt(_M_ARENA_MAX, _ARENAS),
        mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES),
        mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD_BYTES),
    )
    return all(result == 1 for result in taken)
