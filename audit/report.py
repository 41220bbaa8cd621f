"""Shows what was found: to a person line by line, to a program as JSON.

say(as_text(report))
emit_json(as_json(reports))
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from audit.findings import Finding, Result, Verdict
from audit.verify import Report
from core.logs import printable
from core.terminal import pad

_MARKS = {Result.PASSED: "ok", Result.FAILED: "FAILED", Result.UNCHECKED: "not checked"}
_NAME_COLUMNS = 20
_INDENT = 2 + 11 + 2 + _NAME_COLUMNS + 2
_WORDS = {
    Verdict.VERIFIED: "VERIFIED: everything that can be checked offline holds.",
    Verdict.FAILED: "FAILED: do not rely on this data.",
    Verdict.INCOMPLETE: "INCOMPLETE: nothing is wrong, but not everything could be checked.",
}


def as_text(report: Report) -> str:
    """Each check by name with its result, then one verdict."""
    title = (
        report.path if report.dataset is None else f"{report.dataset} version {report.seq} in {report.path}"
    )
    lines = [printable(str(title))]
    for finding in report.findings:
        lines += _lines(finding)
    return "\n".join([*lines, _WORDS[report.verdict]])


def _lines(finding: Finding) -> list[str]:
    mark, check = pad(_MARKS[finding.result], 11), pad(finding.check, _NAME_COLUMNS)
    lines = [f"  {mark}  {check}  {printable(finding.message)}"]
    lines += [f"{'':{_INDENT}}  {detail}" for detail in finding.details]
    if finding.remedy:
        lines.append(f"{'':{_INDENT}}→ {printable(finding.remedy)}")
    return lines


def in_all(reports: Sequence[Report]) -> str:
    """How many parts there were, and the verdict on all of them; who reads the last line reads this."""
    counts = Counter(report.verdict for report in reports)
    words = ", ".join(f"{counts[each]} {each.name.lower()}" for each in Verdict if counts[each])
    return f"In all {len(reports)} parts: {words}\n{_WORDS[worst(reports)]}"


def as_json(reports: Sequence[Report]) -> dict[str, Any]:
    """All reports with the worst verdict; the keys are in docs/formats/checks.md."""
    return {
        "verdict": worst(reports).name.lower(),
        "reports": [
            {
                "path": str(report.path),
                "dataset": report.dataset,
                "seq": report.seq,
                "manifest_sha256": report.manifest_id,
                "verdict": report.verdict.name.lower(),
                "findings": [
                    {
                        "check": finding.check,
                        "result": finding.result.value,
                        "message": finding.message,
                        "remedy": finding.remedy,
                        "details": list(finding.details),
                    }
                    for finding in report.findings
                ],
            }
            for report in reports
        ],
    }


def worst(reports: Sequence[Report]) -> Verdict:
    """Failed before incomplete before verified."""
    verdicts = {report.verdict for report in reports}
    for each in (Verdict.FAILED, Verdict.INCOMPLETE):
        if each in verdicts:
            return each
    return Verdict.VERIFIED
