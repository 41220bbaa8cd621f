"""What a check found. Checks return findings and decide nothing; the verdict is drawn from all of them.

findings = [passed("manifest", "signed by la-dgm"), failed("files", "2 files differ")]
verdict(findings)                      # Verdict.FAILED
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from core.errors import EXIT_OK, Unavailable, Untrusted


class Result(Enum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, how it ended, and why in words. `details` name single files, a line each."""

    check: str
    result: Result
    message: str
    remedy: str = ""
    details: tuple[str, ...] = ()


class Verdict(Enum):
    """All findings in a word; the value is the exit status."""

    VERIFIED = EXIT_OK
    FAILED = Untrusted.exit_status
    INCOMPLETE = Unavailable.exit_status


def verdict(findings: Sequence[Finding]) -> Verdict:
    """One failure fails all; else what could not be checked leaves the whole open. Nothing proves nothing."""
    results = {finding.result for finding in findings}
    if Result.FAILED in results:
        return Verdict.FAILED
    return Verdict.VERIFIED if results == {Result.PASSED} else Verdict.INCOMPLETE


def passed(check: str, message: str) -> Finding:
    """The check holds."""
    return Finding(check, Result.PASSED, message)


def failed(check: str, message: str, remedy: str = "", details: tuple[str, ...] = ()) -> Finding:
    """The check does not hold."""
    return Finding(check, Result.FAILED, message, remedy, details)


def unchecked(check: str, message: str, remedy: str = "") -> Finding:
    """There is not enough at hand to check."""
    return Finding(check, Result.UNCHECKED, message, remedy)
