"""Gathers findings about many things into few: what fails is named, what holds is counted.

gathered = Gathering()
gathered.add(finding, "la-dgm/geology-1m")
gathered.findings()                        # by check, in the order in which checks first came up
"""

from dataclasses import dataclass, field, replace

from audit.findings import Finding, Result, failed

_FAILED_COUNT_MAX = 20
_UNCHECKED_COUNT_MAX = 5


@dataclass(slots=True)
class _Check:
    passed: int = 0
    last: Finding | None = None
    failed: int = 0
    unchecked: int = 0
    kept: list[Finding] = field(default_factory=list[Finding])


class Gathering:
    """Findings by check; memory is bounded however many there are."""

    def __init__(self) -> None:
        self._checks: dict[str, _Check] = {}

    def add(self, finding: Finding, about: str = "") -> None:
        """One more. `about` says what it concerns, where its message does not."""
        check = self._checks.setdefault(finding.check, _Check())
        if about:
            finding = replace(finding, message=f"{about}: {finding.message}")
        if finding.result is Result.PASSED:
            check.passed += 1
            check.last = finding
        elif finding.result is Result.FAILED:
            check.failed += 1
            if check.failed <= _FAILED_COUNT_MAX:
                check.kept.append(finding)
        else:
            check.unchecked += 1
            if check.unchecked <= _UNCHECKED_COUNT_MAX:
                check.kept.append(finding)

    def failures(self) -> int:
        """How many failed so far."""
        return sum(each.failed for each in self._checks.values())

    def findings(self) -> list[Finding]:
        """All that came, summed up."""
        return [each for name, check in self._checks.items() for each in _summed(name, check)]


def _summed(name: str, check: _Check) -> list[Finding]:
    told: list[Finding] = []
    if check.last is not None:
        words = check.last.message if check.passed == 1 else f"{check.passed} hold; last {check.last.message}"
        told.append(replace(check.last, message=words))
    told += check.kept
    if (more := check.failed - _FAILED_COUNT_MAX) > 0:
        told.append(failed(name, f"and {more} more like these"))
    if (more := check.unchecked - _UNCHECKED_COUNT_MAX) > 0:
        told.append(Finding(name, Result.UNCHECKED, f"and {more} more like these"))
    return told
