"""Garbage collection in a process that keeps a large state and answers within milliseconds.

    settle()                  # when what is kept for long has been read

Python's collector looks through everything that is alive, again and again, and everybody waits: 100 ms and
more for what is known of a thousand nodes. What is alive at the call is never looked through again, and the
rest less often; reference counts free nearly everything without the collector.
"""

import gc

_YOUNG = 10_000  # objects made before the youngest are looked through
_MIDDLE_EVERY = 20
_ALL_EVERY = 50


def settle() -> None:
    """Collect once, then look through new objects alone, and seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE_EVERY, _ALL_EVERY)
