"""The house stands as drawn: our names are ours, floors import downwards only, and nothing is too large."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["core", "security", "sync", "audit", "node", "hub"]


@pytest.mark.parametrize("name", NAMES)
def test_each_top_level_name_resolves_to_this_project(name: str) -> None:
    """The names are common words: another distribution that brings `core` must not take its place."""
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve() == ROOT / name / "__init__.py"


def test_generated_code_resolves_to_this_project() -> None:
    module = importlib.import_module("syncline.v1.hub_pb2")
    assert module.__file__ is not None
    assert Path(module.__file__).resolve().is_relative_to(ROOT / "protos/gen")


def _imports(file: Path) -> set[str]:
    found = re.findall(r"^\s*(?:from|import)\s+([\w.]+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    return set(found)


BELOW = {
    "core": set[str](),
    "security": {"core"},
    "sync": {"core", "security"},
    "audit": {"core", "security", "sync"},
    "node": {"core", "security", "sync", "audit"},
    "hub": {"core", "security", "sync", "audit"},
}


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_imports_only_what_stands_below_it(name: str) -> None:
    for file in (ROOT / name).rglob("*.py"):
        above = {each.partition(".")[0] for each in _imports(file)} & set(NAMES) - BELOW[name] - {name}
        assert not above, f"{file.relative_to(ROOT)} imports {sorted(above)}"


def test_grpc_and_generated_code_stay_in_their_rooms() -> None:
    rooms = [ROOT / "sync/wire", ROOT / "node/hub_client", ROOT / "hub/rpc"]
    for name in NAMES:
        for file in (ROOT / name).rglob("*.py"):
            if any(file.is_relative_to(room) for room in rooms):
                continue
            found = {
                each
                for each in _imports(file)
                if each.partition(".")[0] in ("grpc", "grpc_status", "syncline")
            }
            assert not found, f"{file.relative_to(ROOT)} imports {sorted(found)}"


def test_the_auditor_needs_no_network_and_no_database() -> None:
    forbidden = {
        "socket",
        "ssl",
        "http",
        "urllib",
        "grpc",
        "sqlite3",
        "sqlalchemy",
        "sqlite_utils",
        "syncline",
    }
    for file in (ROOT / "audit").rglob("*.py"):
        found = {each.partition(".")[0] for each in _imports(file)} & forbidden
        assert not found, f"{file.relative_to(ROOT)} imports {sorted(found)}"


def test_only_the_command_lines_read_the_environment() -> None:
    for name in NAMES:
        for file in (ROOT / name).rglob("*.py"):
            if "cli" in file.relative_to(ROOT / name).parts or file == ROOT / "core/commands.py":
                continue
            text = file.read_text(encoding="utf-8")
            assert not re.search(r"os\.environ(\[|\.get)|getenv\(", text), file.relative_to(ROOT)


@pytest.mark.parametrize("name", NAMES)
def test_every_module_says_its_role(name: str) -> None:
    for file in (ROOT / name).rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not text.strip() or text.startswith('"""'), file.relative_to(ROOT)


def test_each_command_is_an_entry_point_that_can_be_imported() -> None:
    for module in ("audit.cli", "hub.cli", "node.cli"):
        assert callable(importlib.import_module(module).main)


def test_no_vague_names() -> None:
    for name in NAMES:
        for file in (ROOT / name).rglob("*.py"):
            assert file.stem not in ("utils", "util", "helpers", "helper", "misc", "common"), file
