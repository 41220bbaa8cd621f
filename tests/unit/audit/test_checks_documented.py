"""docs/formats/checks.md names every check that the auditor's code can report, and no other."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_every_check_is_in_the_table_and_every_row_is_a_check() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "audit").rglob("*.py")))
    made = set(re.findall(r"\b(?:passed|failed|unchecked)\(\s*\"([a-z ]+)\"", sources))
    made |= set(re.findall(r"^_CHECK = \"([a-z ]+)\"", sources, re.MULTILINE))
    made |= {"version leaf", "policy leaf", "delivery leaf", "acknowledgement leaf", "deliveries"}
    table = (ROOT / "docs/formats/checks.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[a-z ]+`(?:, `[a-z ]+`)*) \|", table, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z ]+)`", row)}
    assert made == named - {"verified", "failed", "incomplete"}
