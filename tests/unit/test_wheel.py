"""What is installed is whole: the wheel has every file of the packages, and its pages come from it alone."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hub import cli

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("audit", "core", "hub", "node", "security", "sync")
_BUILD = "import sys, setuptools.build_meta as backend; backend.build_wheel(sys.argv[1])"
_PAGES = """
import pathlib, sys, hub
from hub.storage.upgrade import _SCRIPTS
from hub.web.i18n import languages
from hub.web.render import environment
from hub.web.static_files import address_of
assert pathlib.Path(hub.__file__).is_relative_to(sys.argv[1]), hub.__file__
assert sorted(languages()) == ["en", "zh"]
assert environment("zh").get_template("login.html") and address_of("style.css") and address_of("live.js")
assert (_SCRIPTS / "script.py.mako").exists() and len([*(_SCRIPTS / "versions").glob("0*.py")]) >= 3
"""
#: What only an extra brings is not there: a node and an auditor must do without.
_BASE = """
import pathlib, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[2:]:
            raise ImportError(name)
sys.meta_path.insert(0, Missing())
import node, node.cli, audit.cli, node.daemon
assert pathlib.Path(node.__file__).is_relative_to(sys.argv[1]), node.__file__
for command in (node.cli.main, audit.cli.main):
    sys.argv[1:] = ["--help"]
    try:
        command()
    except SystemExit as done:
        assert done.code == 0
"""
_EXTRAS = (*cli.PARTS, "numpy", "pymseed", "pyproj", "shapefile", "tifffile", "pytest", "playwright", "yaml")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy, as `pip install .` builds it."""
    copy, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in (*PACKAGES, "protos/gen"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy)
    said = subprocess.run(
        [sys.executable, "-c", _BUILD, str(made)], cwd=copy, capture_output=True, text=True, timeout=100
    )
    assert said.returncode == 0, said.stderr
    [file] = made.glob("*.whl")
    return zipfile.ZipFile(file)


def files_of(folder: Path) -> set[str]:
    return {
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file() and file.suffix != ".pyc" and not file.name.startswith(".")
    }


def test_every_file_of_the_packages_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    wanted = {f"{name}/{file}" for name in PACKAGES for file in files_of(ROOT / name)}
    wanted |= files_of(ROOT / "protos" / "gen")
    kinds = {Path(name).suffix for name in wanted}
    assert {".html", ".css", ".js", ".po", ".mako"} <= kinds
    assert wanted - set(wheel.namelist()) == set()


def test_nothing_else_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    """Names such as `tests`, `deploy` or `benchmarks` would stand in everybody's way."""
    assert {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" not in name} == {
        *PACKAGES,
        "syncline",
    }


@pytest.mark.parametrize(("program", "missing"), [(_PAGES, ()), (_BASE, _EXTRAS)], ids=["pages", "base"])
def test_it_works_without_a_checkout(
    wheel: zipfile.ZipFile, tmp_path: Path, program: str, missing: tuple[str, ...]
) -> None:
    wheel.extractall(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    said = subprocess.run(
        [sys.executable, "-P", "-c", program, str(tmp_path), *missing],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
