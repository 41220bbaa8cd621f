"""The bag: valid for other people's tools, the same bytes for the same content, whole or not there."""

import errno
import io
import os
import stat
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import bagit
import pytest

from audit.bundle import zip_writer
from audit.bundle.writer import new_bag
from audit.bundle.zip_writer import ZipWriter
from core import durable
from core.errors import Conflict, Corrupt, InvalidInput, Unavailable
from core.limits import LIMITS, Limits

FILES = {
    "data/datasets/la-dgm/ແຜນທີ່/50% done.txt": b"half",
    "data/log/checkpoint": b"asean/log\n17\n",
    "data/scope.json": b"{}",
}
INFO = {"Source-Organization": "asean\n  federation"}


def write(out: Path, files: dict[str, bytes] = FILES, limits: Limits = LIMITS) -> Path:
    with new_bag(out, "asean-17", limits) as bag:
        for path, data in files.items():
            bag.add(path, data)
        bag.seal("Read me.\n", INFO)
    return out


def unpacked(archive: Path, into: Path) -> Path:
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        opened.extractall(into)
    [base] = into.iterdir()
    return base


@pytest.fixture(params=["folder", "zip"])
def bag(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "folder":
        return write(tmp_path / "evidence")
    return unpacked(write(tmp_path / "evidence.zip"), tmp_path / "unpacked")


def test_the_independent_bagit_package_finds_it_valid(bag: Path) -> None:
    opened = bagit.Bag(str(bag))
    opened.validate(processes=1)
    assert opened.info["Source-Organization"] == "asean federation"
    assert opened.info["Payload-Oxum"] == f"{sum(map(len, FILES.values()))}.3"
    assert opened.version_info == (1, 0)


def test_sha256sum_checks_every_file_of_it(bag: Path) -> None:
    for manifest in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        subprocess.run(["sha256sum", "--strict", "-c", manifest], cwd=bag, check=True, capture_output=True)
    listed = {line[66:] for name in ("manifest", "tagmanifest") for line in lines(bag / f"{name}-sha256.txt")}
    there = {str(path.relative_to(bag)) for path in bag.rglob("*") if path.is_file()}
    assert there - listed == {"tagmanifest-sha256.txt"}


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_a_changed_byte_is_found(bag: Path) -> None:
    (bag / "data/scope.json").write_bytes(b"[]")
    with pytest.raises(bagit.BagError):
        bagit.Bag(str(bag)).validate(processes=1)


def test_the_same_content_is_the_same_bytes_whenever_and_wherever_it_is_written(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.zip"), write(tmp_path / "later.zip")
    assert first.read_bytes() == second.read_bytes()
    folders = [write(tmp_path / name) for name in ("a", "b")]
    seen = [
        {
            str(path.relative_to(folder)): (path.stat().st_mtime, stat.S_IMODE(path.stat().st_mode))
            for path in [folder, *folder.rglob("*")]
        }
        for folder in folders
    ]
    assert seen[0] == seen[1]
    assert {mtime for mtime, _ in seen[0].values()} == {315_532_800}


def test_a_folder_and_a_zip_file_hold_the_same_files(tmp_path: Path) -> None:
    folder, other = write(tmp_path / "a"), unpacked(write(tmp_path / "a.zip"), tmp_path / "unpacked")
    assert contents(folder) == contents(other)
    assert other.name == "asean-17"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_only_its_maker_may_look_into_it(tmp_path: Path) -> None:
    assert stat.S_IMODE(write(tmp_path / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE(write(tmp_path / "a.zip").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["a", "a.zip"])
def test_what_exists_is_never_overwritten(tmp_path: Path, name: str) -> None:
    before = write(tmp_path / name)
    kept = before.stat().st_mtime_ns, before.stat().st_ino
    with pytest.raises(Conflict, match="exists"):
        write(tmp_path / name)
    assert (before.stat().st_mtime_ns, before.stat().st_ino) == kept
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", ["a", "a.zip"])
def test_what_came_to_exist_meanwhile_is_not_overwritten_either(tmp_path: Path, name: str) -> None:
    with pytest.raises(Conflict), new_bag(tmp_path / name, "base") as bag:
        bag.add("data/scope.json", b"{}")
        (tmp_path / name).symlink_to("nowhere")
        bag.seal("", {})
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize(
    ("name", "step"), [("a", "sync_tree"), ("a", "rename"), ("a.zip", "fsync"), ("a.zip", "rename")]
)
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, name: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(at: str, path: Path) -> None:
        if at == step:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(durable, "fault_hook", full)
    with pytest.raises(Unavailable, match="full") as caught:
        write(tmp_path / name)
    assert caught.value.reason == "DISK_FULL"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a", "a.zip"])
def test_an_error_halfway_leaves_nothing(tmp_path: Path, name: str) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"one"
        raise RuntimeError

    with pytest.raises(RuntimeError), new_bag(tmp_path / name, "base") as bag:
        bag.add("data/a", b"")
        bag.stream("data/b", 100, pieces())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a", "a.zip"])
@pytest.mark.parametrize("given", [b"", b"1234", b"123456"])
def test_content_of_another_size_than_was_said_is_refused(tmp_path: Path, name: str, given: bytes) -> None:
    with pytest.raises(Corrupt), new_bag(tmp_path / name, "base") as bag:
        bag.stream("data/a", 5, [given])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "path", ["data/a", "data/Z", "bagit.txt", "data/../x", "data//y", "data/z\n", "data/z\\", "/data/z"]
)
def test_paths_are_sorted_legal_and_stay_inside(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidInput), new_bag(tmp_path / "a", "base") as bag:
        bag.add("data/a", b"")
        bag.add(path, b"")


def test_more_files_than_a_bundle_holds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="at most 2 files"):
        write(tmp_path / "a.zip", limits=Limits(bundle_files_count_max=2))
    assert os.listdir(tmp_path) == []


def test_a_place_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not a folder"):
        write(tmp_path / "missing/a")


def test_a_name_that_the_filesystem_refuses_leads_to_a_zip_file(tmp_path: Path) -> None:
    with (
        pytest.raises(Unavailable, match="cannot hold the name") as caught,
        new_bag(tmp_path / "a", "base", Limits(path_component_bytes_max=300)) as bag,
    ):
        bag.add(f"data/{'n' * 299}", b"")
    assert "a.zip" in caught.value.remedy


def test_members_beyond_65534_are_all_listed() -> None:
    file = io.BytesIO()
    archive = ZipWriter(file, io.BytesIO())
    for number in range(70_000):
        archive.write(f"{number:05}", 1, [b"x"])
    archive.finish()
    with zipfile.ZipFile(file) as opened:
        names = opened.namelist()
        assert len(names) == 70_000
        assert opened.read("69999") == b"x"


def test_sizes_and_places_beyond_four_gigabytes_are_zip64(monkeypatch: pytest.MonkeyPatch) -> None:
    # Lowered: readers take the wide fields wherever they stand.
    monkeypatch.setattr(zip_writer, "_LARGE_FROM", 100)
    file = io.BytesIO()
    archive = ZipWriter(file, io.BytesIO())
    archive.write("small", 1, [b"x"])
    archive.write("large", 150, [b"l" * 75, b"L" * 75])
    archive.write("behind", 1, [b"y"])
    archive.finish()
    assert b"PK\x06\x06" in file.getvalue() and b"PK\x06\x07" in file.getvalue()
    with zipfile.ZipFile(file) as opened:
        assert opened.testzip() is None
        assert [opened.getinfo(name).extract_version for name in ("small", "large", "behind")] == [20, 45, 45]
        assert opened.read("large") == b"l" * 75 + b"L" * 75
        assert opened.read("behind") == b"y"
