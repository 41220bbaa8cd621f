"""Evidence that is damaged, incomplete or in the way, as an auditor and an operator meet it."""

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import running, temporary_folder
from tests.end_to_end.world import Agency, World, run


class Case:
    """A federation at rest: two datasets of la-dgm, one for each reader; evidence in `root`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.owner = _agency(world, "la-dgm")
        self.reader = _agency(world, "cn-cgs")
        tables = self.owner.publishes("maps", to=["cn-cgs"]) + self.owner.publishes("gold", to=["th-dmr"])
        self.owner.configure(tables + self.owner.publishes("wells", to=["cn-cgs"]))
        self.reader.configure(self.reader.subscribes())
        self.trust = world.root / "platform.trust"

    def fill(self) -> None:
        """Versions, deliveries, and the trust file."""
        for name in ("maps", "gold", "wells"):
            (self.owner.data / name / "ແຜນທີ່.txt").write_text(f"{name} of la-dgm")
        self.owner.node("sync")
        other = _agency(self.world, "th-dmr")
        other.configure(other.subscribes())
        for each in (self.reader, other, self.owner):
            each.node("sync")
        self.world.hub("registry", "trust", "--out", str(self.trust))

    def audit(self, *words: str, expect: int) -> str:
        """What the auditor's command says, on both streams."""
        said = run("syncline-audit", *words, "--trust", str(self.trust), expect=expect)
        return said.out + said.err

    def mirror(self, tmp_path: Path) -> Path:
        """A copy of the reader's mirror that may be changed."""
        copy = tmp_path / "mirror"
        shutil.copytree(self.reader.mirror, copy, symlinks=True)
        for folder in [copy, *(path for path in copy.rglob("*") if path.is_dir() and not path.is_symlink())]:
            folder.chmod(0o755)
        return copy

    def bundle(self, tmp_path: Path, *options: str, dataset: str = "la-dgm/maps", to: str = "owner") -> Path:
        """A bundle for `to`."""
        path = tmp_path / f"{to}.zip"
        self.world.hub("export", dataset, "--for", to, "--out", str(path), *options)
        return path


def _agency(world: World, partner: str) -> Agency:
    agency = world.agency(partner)
    agency.configure()
    return agency


@pytest.fixture(scope="module")
def case(enrolled: World) -> Iterator[Case]:
    with temporary_folder() as root, running(root, enrolled) as world:
        made = Case(world)
        made.fill()
        yield made


def last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2]


def test_the_last_line_is_the_verdict_on_all_that_was_given(case: Case, tmp_path: Path):
    """Also where the last of several datasets holds, and all are consistent with each other."""
    mirror = case.mirror(tmp_path)
    altered = mirror / "la-dgm/maps/current/ແຜນທີ່.txt"
    altered.chmod(0o644)
    altered.write_text("altered")
    said = case.audit("verify", str(mirror), expect=3)
    assert last_line(said).startswith("FAILED"), said


def test_a_dataset_of_a_mirror_that_shows_no_version_is_not_passed_over(case: Case, tmp_path: Path):
    mirror = case.mirror(tmp_path)
    (mirror / "la-dgm/maps/current").unlink()
    said = case.audit("verify", str(mirror), expect=6)
    assert "la-dgm/maps: no version is shown" in said
    assert last_line(said).startswith("INCOMPLETE")


def test_a_report_is_never_written_over_evidence_or_among_it(case: Case, tmp_path: Path):
    bundle = case.bundle(tmp_path)
    before = bundle.read_bytes()
    case.audit("report", str(bundle), "--html", str(bundle), expect=5)
    case.audit("report", str(bundle), "--html", str(case.trust), expect=5)
    assert bundle.read_bytes() == before
    mirror = case.mirror(tmp_path)
    inside = mirror / "la-dgm/maps/current/report.html"
    case.audit("report", str(mirror), "--html", str(inside), expect=2)
    case.audit("report", str(bundle), "--html", str(tmp_path), expect=2)
    case.audit("report", str(bundle), "--html", str(tmp_path / "none" / "page.html"), expect=2)
    page = tmp_path / "page.html"
    for _ in range(2):  # a page of before is replaced
        case.audit("report", str(bundle), "--html", str(page), expect=0)
    assert not inside.exists()


def test_what_is_no_trust_file_is_said_so(case: Case, tmp_path: Path):
    bundle = case.bundle(tmp_path)
    junk = tmp_path / "junk.trust"
    junk.write_text("no trust at all")
    for path, status in ((junk, 3), (tmp_path, 2), (tmp_path / "none", 2)):
        said = run("syncline-audit", "verify", str(bundle), "--trust", str(path), expect=status)
        assert path.name in said.err
        assert "→" in said.err


def test_a_zip_that_was_cut_short_is_said_so(case: Case, tmp_path: Path):
    bundle = case.bundle(tmp_path)
    whole = bundle.read_bytes()
    bundle.write_bytes(whole[: len(whole) // 2])
    assert "cut short" in case.audit("verify", str(bundle), expect=2)


def test_one_dataset_of_an_owner_with_several_is_proven_by_itself(case: Case, tmp_path: Path):
    """A lane that is opened whole has the other datasets' deliveries, too; their policies are not here."""
    said = case.audit("verify", str(case.bundle(tmp_path)), expect=0)
    assert "deliveries of other datasets are not judged here" in said


def test_a_period_that_has_not_come_is_an_empty_bundle(case: Case, tmp_path: Path):
    case.audit("verify", str(case.bundle(tmp_path, "--since", "2126-01-01")), expect=0)


def test_a_partners_bundle_has_nothing_of_what_it_may_not_know(case: Case, tmp_path: Path):
    bundle = case.bundle(tmp_path, "--with-data", to="cn-cgs")
    with zipfile.ZipFile(bundle) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            assert b"gold" not in data and "gold" not in name, name
            if "/policies/" in name or "/records/" in name:
                assert b"th-dmr-may" not in data, name
    case.world.hub("export", "la-dgm/gold", "--for", "cn-cgs", "--out", str(tmp_path / "no.zip"), expect=4)
    assert not (tmp_path / "no.zip").exists()
