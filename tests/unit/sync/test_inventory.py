"""An inventory is what `sha256sum` prints, and nothing else is one."""

import hashlib
import io
import shutil
import subprocess
from pathlib import Path

import pytest

from core.errors import InvalidInput, Untrusted
from core.limits import Limits
from sync.inventory import Entry, read, write

HASH = "0" * 64


def of(*lines: str) -> io.BytesIO:
    return io.BytesIO("".join(lines).encode())


def test_it_is_byte_for_byte_what_sha256sum_prints_and_checks(tmp_path: Path):
    tool = shutil.which("sha256sum")
    if tool is None:
        pytest.skip("NOT TESTED: sha256sum is missing here (package coreutils)")
    names = ["a b.txt", "ແຜນທີ່.geojson", "deep/er/x*y", "--option", "\u4e2d\u56fd.tif", "*star"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    names.sort(key=str.encode)
    file = io.BytesIO()
    summary = write((Entry(n, hashlib.sha256(n.encode()).hexdigest()) for n in names), file)
    printed = subprocess.run([tool, "--", *names], cwd=tmp_path, capture_output=True, check=True).stdout
    assert printed == file.getvalue()
    assert summary.sha256 == hashlib.sha256(printed).hexdigest()
    subprocess.run([tool, "-c", "--strict"], cwd=tmp_path, input=printed, capture_output=True, check=True)


@pytest.mark.parametrize(
    "inventory",
    [
        of(),
        of(f"{HASH}  a"),
        of(f"{HASH} *a\n"),
        of(f"{HASH} a\n"),
        of(f"{'A' * 64}  a\n"),
        of(f"{HASH[1:]}  a\n"),
        of(f"\\{HASH}  a\\\\b\n"),
        of(f"{HASH}  \n"),
        of(f"{HASH}  a\r\n"),
        of(f"{HASH}  ../a\n"),
        of(f"{HASH}  /a\n"),
        of(f"{HASH}  a//b\n"),
        of(f"{HASH}  a/./b\n"),
        of(f"{HASH}  .syncline/x\n"),
        of(f"{HASH}  e\u0301\n"),
        of(f"{HASH}  b\n", f"{HASH}  a\n"),
        of(f"{HASH}  a\n", f"{HASH}  a\n"),
        of(f"{HASH}  a\n", "\n"),
        of(f"{HASH}  {'x' * 2000}\n"),
        of(f"{HASH}  {'d/' * 70}x\n"),
        io.BytesIO(f"{HASH}  ".encode() + b"\xd6\xd0\n"),
        io.BytesIO(b"\xff" * 64 + b"  a\n"),
    ],
)
def test_no_escape_and_no_second_reading_of_a_malformed_inventory(inventory: io.BytesIO):
    with pytest.raises(Untrusted) as caught:
        list(read(inventory))
    assert caught.value.reason == "MALFORMED_INVENTORY"


def test_a_line_without_end_is_not_read_to_its_end():
    class Endless(io.BytesIO):
        asked = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            assert size is not None and 0 < size < 5000
            return b"0" * size

    with pytest.raises(Untrusted):
        list(read(Endless()))


def test_too_many_files_are_refused_on_the_way_out_and_in():
    two = Limits(files_count_max=2)
    entries = [Entry(name, HASH) for name in "abc"]
    with pytest.raises(InvalidInput) as caught:
        write(entries, io.BytesIO(), two)
    assert caught.value.reason == "TOO_MANY_FILES"
    file = io.BytesIO()
    write(entries, file)
    file.seek(0)
    with pytest.raises(Untrusted):
        list(read(file, two))


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([], "EMPTY_DATASET"),
        ([Entry("b", HASH), Entry("a", HASH)], "UNSORTED"),
        ([Entry("a", HASH), Entry("a", HASH)], "UNSORTED"),
        ([Entry("../a", HASH)], "ILLEGAL_PATH"),
        ([Entry("a", "0" * 63 + "G")], "ILLEGAL_HASH"),
    ],
)
def test_the_writer_writes_nothing_that_a_reader_would_refuse(entries: list[Entry], reason: str):
    with pytest.raises(InvalidInput) as caught:
        write(entries, io.BytesIO())
    assert caught.value.reason == reason


def test_order_is_by_bytes_not_by_letters():
    names = ["Z", "a", "a b", "a-b", "a/b", "b", "é", "ກ", "\U00020000"]
    names.sort(key=str.encode)
    file = io.BytesIO()
    write((Entry(name, HASH) for name in names), file)
    file.seek(0)
    assert [entry.path for entry in read(file)] == names
