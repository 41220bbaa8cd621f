"""no_silent_delete: only a file seen to be absent, in a folder that is the same and whole, is a removal."""

import os
import shutil

import pytest

from core.errors import Unavailable
from node.publish import PublishState, approve, dataset_status
from tests.unit.node_publish.conftest import Agency


def fill(agency: Agency, count: int = 10) -> None:
    for number in range(count):
        agency.write(f"f{number}.txt", f"file {number}")


def test_one_removed_file_is_removed_by_a_signed_version(agency: Agency) -> None:
    fill(agency)
    agency.publish()
    (agency.folder / "f3.txt").unlink()
    outcome = agency.publish()
    assert (outcome.seq, outcome.files) == (2, 9)
    assert "f3.txt" not in agency.listed()


def test_removals_above_the_guard_wait_for_a_person(agency: Agency) -> None:
    fill(agency)
    agency.publish()
    for number in range(3):
        (agency.folder / f"f{number}.txt").unlink()
    outcome = agency.publish()
    assert outcome.state is PublishState.WAITING
    assert outcome.needs_attention
    assert len(agency.versions()) == 1
    assert dataset_status(agency.state, agency.dataset).waiting
    assert agency.publish().state is PublishState.WAITING  # until somebody looks
    lines = approve(agency.state, agency.dataset)
    assert "3 of 10 files" in lines[0]
    outcome = agency.publish()
    assert (outcome.state, outcome.files) == (PublishState.PUBLISHED, 7)


def test_one_removed_file_that_holds_most_bytes_waits_for_a_person(agency: Agency) -> None:
    """The guard is of files or bytes: a folder's one big raster is worth a hundred small files."""
    fill(agency)
    agency.write("raster.tif", "x" * 10_000)
    agency.publish()
    (agency.folder / "raster.tif").unlink()
    outcome = agency.publish()
    assert outcome.state is PublishState.WAITING
    assert "1 of 11 files (10000 of 10060 bytes)" in outcome.attention[0]
    assert outcome.attention[-1].endswith(f"syncline-node approve {agency.dataset}")
    assert len(agency.versions()) == 1


def test_an_approval_covers_nothing_worse_than_what_was_shown(agency: Agency) -> None:
    fill(agency)
    agency.publish()
    for number in range(3):
        (agency.folder / f"f{number}.txt").unlink()
    agency.publish()
    approve(agency.state, agency.dataset)
    (agency.folder / "f4.txt").unlink()
    assert agency.publish().state is PublishState.WAITING
    assert len(agency.versions()) == 1


def test_an_approval_is_used_once(agency: Agency) -> None:
    fill(agency)
    agency.publish()
    for number in range(3):
        (agency.folder / f"f{number}.txt").unlink()
    agency.publish()
    approve(agency.state, agency.dataset)
    agency.publish()
    for number in range(5, 8):
        (agency.folder / f"f{number}.txt").unlink()
    assert agency.publish().state is PublishState.WAITING


def test_a_vanished_folder_holds_everything(agency: Agency) -> None:
    fill(agency)
    agency.publish()
    agency.folder.rename(agency.folder.with_name("elsewhere"))
    with pytest.raises(Unavailable) as raised:
        agency.publish()
    assert raised.value.reason == "FOLDER_MISSING"
    status = dataset_status(agency.state, agency.dataset)
    assert (status.state, status.files) == (PublishState.HELD, 10)
    assert status.last_error_remedy
    agency.folder.with_name("elsewhere").rename(agency.folder)
    assert agency.publish().state is PublishState.UP_TO_DATE
    assert len(agency.versions()) == 1


def test_an_empty_folder_in_its_place_waits(agency: Agency) -> None:
    """As when a disk is not mounted: the mount point is there, and empty."""
    fill(agency)
    agency.publish()
    agency.folder.rename(agency.folder.with_name("elsewhere"))
    agency.folder.mkdir()
    outcome = agency.publish()
    assert outcome.state is PublishState.WAITING
    assert any("not the one" in line for line in outcome.attention)
    assert len(agency.versions()) == 1


def test_another_folder_with_all_the_files_waits_and_goes_on_when_approved(agency: Agency) -> None:
    fill(agency)
    agency.publish()
    shutil.copytree(agency.folder, agency.folder.with_name("copy"))
    agency.folder.rename(agency.folder.with_name("elsewhere"))
    agency.folder.with_name("copy").rename(agency.folder)
    assert agency.publish().state is PublishState.WAITING
    approve(agency.state, agency.dataset)
    assert agency.publish().state is PublishState.UP_TO_DATE  # the same bytes
    assert agency.publish().state is PublishState.UP_TO_DATE
    assert len(agency.versions()) == 1


def test_all_files_gone_never_makes_an_empty_version(agency: Agency) -> None:
    fill(agency, 3)
    agency.publish()
    for path in agency.folder.iterdir():
        path.unlink()
    assert agency.publish().state is PublishState.WAITING
    approve(agency.state, agency.dataset)
    outcome = agency.publish()
    assert outcome.state is PublishState.HELD
    assert outcome.needs_attention
    assert len(agency.versions()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="NOT TESTED: root reads everything")
def test_an_unreadable_file_holds_its_last_state(agency: Agency) -> None:
    fill(agency)
    agency.publish()
    target = agency.write("f1.txt", "changed")
    target.chmod(0)
    outcome = agency.publish()
    assert outcome.held == 1
    assert agency.listed()["f1.txt"] == len("file 1")


def test_a_sub_folder_that_cannot_be_listed_holds_what_is_below(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        agency.write(f"f{number}.txt", f"file {number}")
    agency.write("sub/a.txt", "a")
    agency.write("sub/deeper/b.txt", "b")
    agency.write("sub.txt", "c")
    agency.write("subway/d.txt", "d")
    agency.publish()
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("/sub"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr("os.scandir", scandir)
    agency.write("f1.txt", "changed")
    (agency.folder / "f2.txt").unlink()
    outcome = agency.publish()
    assert outcome.state is PublishState.PUBLISHED
    assert outcome.held == 3  # the folder, and two files
    assert {"sub/a.txt", "sub/deeper/b.txt", "sub.txt", "subway/d.txt"} <= agency.listed().keys()
    assert "f2.txt" not in agency.listed()


def test_a_file_replaced_by_a_link_holds_its_last_state(agency: Agency) -> None:
    fill(agency)
    agency.publish()
    (agency.folder / "f1.txt").unlink()
    (agency.folder / "f1.txt").symlink_to("/etc/hostname")
    outcome = agency.publish()
    assert outcome.held == 1
    assert agency.listed()["f1.txt"] == len("file 1")
    assert len(agency.versions()) == 1


def test_colliding_names_hold_both_and_the_rest_goes_on(agency: Agency) -> None:
    fill(agency)
    agency.write("caf\u00e9.txt", "composed")
    agency.publish()
    agency.write("cafe\u0301.txt", "decomposed")
    agency.write("new.txt", "new")
    outcome = agency.publish()
    assert outcome.held == 1
    assert agency.listed()["caf\u00e9.txt"] == len("composed")
    assert "new.txt" in agency.listed()


def test_an_incomplete_shapefile_is_held_with_the_missing_part_named(agency: Agency) -> None:
    fill(agency)
    for extension in ("shp", "shx", "dbf", "prj"):
        agency.write(f"faults.{extension}", f"first {extension}")
    agency.publish()
    agency.write("faults.shp", "second, longer shp")
    (agency.folder / "faults.dbf").unlink()
    outcome = agency.publish()
    assert outcome.state is PublishState.UP_TO_DATE
    assert any("faults.dbf" in line and "missing" in line for line in outcome.attention)
    assert agency.listed()["faults.dbf"] == len("first dbf")
    agency.write("faults.dbf", "second dbf")
    outcome = agency.publish()
    assert (outcome.seq, outcome.held) == (2, 0)


def test_a_file_that_comes_back_while_settling_is_no_removal(agency: Agency) -> None:
    fill(agency)
    agency.publish()
    target = agency.folder / "f1.txt"
    target.unlink()
    clock_sleep = agency.clock.sleep

    def sleep(seconds: float) -> None:
        target.write_text("back again")
        clock_sleep(seconds)

    agency.clock.sleep = sleep  # type: ignore[method-assign]
    outcome = agency.publish(settle_s=2.0)
    assert outcome.unsettled
    assert len(agency.versions()) == 1
    assert agency.publish().seq == 2


def test_an_unmounted_disk_below_the_folder_is_no_removal(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(agency, 20)
    agency.write("disk/a.txt", "on another disk")
    here = os.path.realpath(agency.folder)
    monkeypatch.setattr("node.folder.mount_points", lambda: [("/", "ext4"), (f"{here}/disk", "ext4")])
    agency.publish()
    monkeypatch.setattr("node.folder.mount_points", lambda: [("/", "ext4")])
    (agency.folder / "disk" / "a.txt").unlink()
    agency.write("f0.txt", "changed")
    outcome = agency.publish()
    assert outcome.held >= 1
    assert "disk/a.txt" in agency.listed()
    agency.write("f1.txt", "changed")
    assert agency.publish().held >= 1  # still, after a version was signed without it
    shutil.rmtree(agency.folder / "disk")
    agency.publish()
    assert "disk/a.txt" in agency.listed()
    assert "not mounted" in approve(agency.state, agency.dataset)[0]
    agency.publish()
    assert "disk/a.txt" not in agency.listed()


def test_a_file_that_changes_while_it_is_read_keeps_its_last_state(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    agency.write("steady.txt", "steady")
    agency.write("busy.bin", b"a" * 5000)
    agency.publish()
    before = agency.detail().root
    busy = agency.write("busy.bin", b"b" * 6000)
    from sync.chunking import FileHasher

    real = FileHasher.digest

    def digest(self: FileHasher, file: object, sink: object) -> object:
        result = real(self, file, sink)  # type: ignore[arg-type]
        if result.bytes == 6000:
            busy.write_bytes(b"c" * 7000)
        return result

    monkeypatch.setattr(FileHasher, "digest", digest)
    agency.write("steady.txt", "steady, edited")
    outcome = agency.publish()
    assert outcome.held == 1
    assert agency.listed() == {"busy.bin": 5000, "steady.txt": 14}
    assert agency.detail().root != before


def test_a_file_that_changes_while_read_is_left_out_of_a_first_version(agency: Agency) -> None:
    agency.write("steady.txt", "steady")
    busy = agency.write("busy.txt", "one")
    clock_sleep = agency.clock.sleep

    def sleep(seconds: float) -> None:
        busy.write_text("another length")
        clock_sleep(seconds)

    agency.clock.sleep = sleep  # type: ignore[method-assign]
    outcome = agency.publish(settle_s=2.0)
    assert outcome.unsettled
    assert outcome.held == 1
    assert agency.listed() == {"steady.txt": 6}


@pytest.mark.parametrize("what", ["link", "pipe"])
def test_a_folder_replaced_by_something_else_holds_what_was_below(agency: Agency, what: str) -> None:
    fill(agency, 20)
    agency.write("sub/a.txt", "a")
    agency.publish()
    (agency.folder / "sub").rename(agency.folder.with_name("moved"))
    if what == "link":
        (agency.folder / "sub").symlink_to(agency.folder.with_name("moved"))
    else:
        os.mkfifo(agency.folder / "sub")
    outcome = agency.publish()
    assert outcome.held == 1
    assert "sub/a.txt" in agency.listed()
    assert len(agency.versions()) == 1


def test_a_file_that_vanishes_while_it_is_read_holds_its_last_state(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(agency)
    agency.publish()
    agency.write("f1.txt", "changed")
    real = os.open

    def vanishing(path: object, *arguments: object, **options: object) -> int:
        if str(path).endswith("/f1.txt"):
            raise FileNotFoundError(2, "No such file or directory", path)
        return real(path, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("os.open", vanishing)
    outcome = agency.publish()
    assert outcome.held == 1
    assert agency.listed()["f1.txt"] == len("file 1")


def test_a_full_disk_of_the_node_is_said_and_loses_nothing(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(agency)
    agency.publish()
    agency.write("f1.txt", "changed")

    def full(*_: object, **__: object) -> object:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("node.publish.versions.tempfile.TemporaryFile", full)
        with pytest.raises(Unavailable) as raised:
            agency.publish()
    assert raised.value.reason == "DISK_FULL"
    assert raised.value.remedy
    assert len(agency.versions()) == 1
    assert agency.publish().seq == 2


def test_a_renamed_file_is_no_removal_for_the_guard(agency: Agency) -> None:
    fill(agency, 3)
    agency.publish()
    (agency.folder / "f1.txt").rename(agency.folder / "renamed.txt")
    outcome = agency.publish()
    assert (outcome.state, outcome.files) == (PublishState.PUBLISHED, 3)
    assert sorted(agency.listed()) == ["f0.txt", "f2.txt", "renamed.txt"]


def test_a_file_of_the_same_size_and_time_in_another_place_is_no_new_name(agency: Agency) -> None:
    fill(agency, 3)
    agency.publish()
    gone = agency.folder / "f1.txt"
    times = gone.stat()
    agency.write("other.txt", "anything")  # made before the other is gone: another inode
    (agency.folder / "other.txt").write_text("file X")
    os.utime(agency.folder / "other.txt", ns=(times.st_atime_ns, times.st_mtime_ns))
    gone.unlink()
    assert agency.publish().state is PublishState.WAITING


def test_a_new_name_with_other_content_stands_for_nothing(agency: Agency) -> None:
    """Rewritten in place with the old size and time, then renamed: what was published is nowhere any more."""
    fill(agency, 3)
    agency.publish()
    file = agency.folder / "f1.txt"
    times = file.stat()
    file.write_text("file X")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    file.rename(agency.folder / "other.txt")
    assert agency.publish().state is PublishState.WAITING
    assert len(agency.versions()) == 1


def test_one_new_name_stands_for_one_old_one(agency: Agency) -> None:
    fill(agency, 3)
    os.link(agency.folder / "f0.txt", agency.folder / "g0.txt")
    os.link(agency.folder / "f0.txt", agency.folder / "h0.txt")
    agency.publish()
    (agency.folder / "f0.txt").rename(agency.folder / "new.txt")
    (agency.folder / "g0.txt").unlink()
    (agency.folder / "h0.txt").unlink()
    outcome = agency.publish()
    assert outcome.state is PublishState.WAITING
    assert "2 of 5 files" in outcome.attention[0]
