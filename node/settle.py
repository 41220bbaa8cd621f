"""Has a file come to rest? Pure decisions over samples of its stat.

Rules: a file counts once two samples of size, mtime, ctime and inode (and an SQLite file's journals) agree
over the quiet period; the same must hold again after it was hashed. A file whose times lie within 2 s of
its hashing may have changed within the clock's grain: it is *racy*, and hashed again at the next scan. A
quiet period of 0 skips the waiting, never the comparison.

    judge(first, second) is Verdict.SETTLED
    is_racy(stat, hashed_at_ns)
"""

from enum import Enum

from node.scan import Stat

RACY_NS = 2_000_000_000


class Verdict(Enum):
    """What two samples tell."""

    SETTLED = "settled"
    CHANGING = "still changing"
    GONE = "gone or replaced by something else"


def judge(first: Stat, second: Stat | None) -> Verdict:
    """Compare two samples; the caller has let the quiet period pass between them."""
    if second is None:
        return Verdict.GONE
    return Verdict.SETTLED if first == second else Verdict.CHANGING


def is_racy(stat: Stat, hashed_at_ns: int) -> bool:
    """Whether a change right after the hashing, which began at `hashed_at_ns`, could leave `stat` as it is.

    A ctime in the future (another machine's clock) is racy always; a future mtime, which any program can
    set, is not.
    """
    return stat.ctime_ns > hashed_at_ns - RACY_NS or abs(stat.mtime_ns - hashed_at_ns) < RACY_NS
