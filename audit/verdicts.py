"""The verdict on several things: as bad as the worst of them.

worst_of([Verdict.VERIFIED, Verdict.INCOMPLETE])       # Verdict.INCOMPLETE
"""

from collections.abc import Iterable

from audit.findings import Verdict


def worst_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Failed before incomplete before verified; nothing at all proves nothing."""
    found = set(verdicts)
    for each in (Verdict.FAILED, Verdict.INCOMPLETE):
        if each in found:
            return each
    return Verdict.VERIFIED if found else Verdict.INCOMPLETE
