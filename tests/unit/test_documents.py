"""The documents are true where a machine can tell: links lead somewhere, commands and statuses exist."""

import re
from pathlib import Path

import pytest

from core.errors import BRANCHES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT) for pattern in ("*.md", "docs/**/*.md") for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_link_leads_somewhere(document: Path) -> None:
    base = (ROOT / document).parent
    broken = [t for t in LINK.findall((ROOT / document).read_text("utf-8")) if not (base / t).exists()]
    assert not broken


def test_every_decision_is_in_the_list_of_decisions() -> None:
    listed = (ROOT / "docs/adr/README.md").read_text("utf-8")
    assert not [p.name for p in (ROOT / "docs/adr").glob("0*.md") if p.name not in listed]


def test_every_format_is_in_the_list_of_formats() -> None:
    listed = (ROOT / "docs/formats/README.md").read_text("utf-8")
    missing = [p.name for p in (ROOT / "docs/formats").iterdir() if p.name not in listed]
    assert missing == ["README.md"] or not missing


def test_the_readme_names_every_exit_status() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert not [branch.exit_status for branch in BRANCHES if f"· {branch.exit_status} " not in text]


def test_every_make_target_of_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    used = {
        target
        for document in DOCUMENTS
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", (ROOT / document).read_text("utf-8"), re.MULTILINE)
    }
    assert used <= targets
    assert {"demo", "test", "check"} <= used
