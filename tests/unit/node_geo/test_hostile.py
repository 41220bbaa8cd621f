"""Files made to hurt whoever reads them cost their own place, and nothing else."""

import os
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from core.limits import MIB
from node.geo.place import Place
from node.geo.reader import MODULES, Gone, Kind, Reader, ReaderLimits
from tests.unit.node_geo.conftest import Read
from tests.unit.node_geo.making import geographic, geotiff


def read_with(limits: ReaderLimits, kind: Kind, path: Path) -> Place:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with Reader(limits) as reader:
            return reader.read(kind, [descriptor])
    finally:
        os.close(descriptor)


def image(tmp_path: Path) -> Path:
    return geotiff(tmp_path / "a.tif", keys=geographic(), scale=(0.5, 0.5), tie=(0, 0, 100.0, 20.0))


def directory_of(data: bytes) -> tuple[int, int]:
    """Where a TIFF's first image file directory starts, and its entries."""
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    return at, count


def patched(path: Path, tag: int, count: int) -> Path:
    data = bytearray(path.read_bytes())
    at, entries = directory_of(data)
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            struct.pack_into("<I", data, entry + 4, count)
    path.write_bytes(data)
    return path


def test_directories_that_follow_each_other_in_a_circle(read: Read, tmp_path: Path):
    path = image(tmp_path)
    data = bytearray(path.read_bytes())
    at, entries = directory_of(data)
    struct.pack_into("<I", data, at + 2 + 12 * entries, at)
    path.write_bytes(data)
    assert read("geotiff", path).bbox == (100.0, 10.0, 105.0, 20.0)


@pytest.mark.parametrize("tag", [33550, 33922, 34735, 256, 273])
def test_a_tag_that_claims_four_billion_values(read: Read, tmp_path: Path, tag: int):
    place = read("geotiff", patched(image(tmp_path), tag, 0xFFFF_FFF0))
    assert place.bbox is None or tag == 273  # where the pixels lie is never asked
    assert place.problem or tag == 273


@pytest.mark.parametrize("length", [0, 1, 7, 8, 60, 150])
def test_a_cut_off_image(read: Read, tmp_path: Path, length: int):
    path = image(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    assert read("geotiff", path).bbox is None


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"Point","coordinates":' + "[" * 1_000_000,
        '{"type":"FeatureCollection","features":[' + '{"a":' * 1_000_000,
        '{"type":"Point","coordinates":[1e999, 0]}',
        '{"type":"Point","coordinates":[' + "9" * 10_000 + ", 0]}",
        '{"type":"Point","coordinates":[1, 2',
    ],
)
def test_json_nested_or_numbered_without_end(read: Read, tmp_path: Path, text: str):
    path = tmp_path / "a.geojson"
    path.write_text(text)
    place = read("geojson", path)
    assert place.bbox is None
    assert place.problem


def test_a_geopackage_whose_contents_are_an_endless_query(tmp_path: Path):
    path = tmp_path / "a.gpkg"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE VIEW gpkg_contents AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
            " SELECT 'features' data_type, x min_x, 0 min_y, 0 max_x, 0 max_y, 1 srs_id FROM n WHERE x < 0;"
            "CREATE TABLE gpkg_spatial_ref_sys (srs_id, organization, organization_coordsys_id, definition);"
        )
    with pytest.raises(Gone, match="processor"):
        read_with(ReaderLimits(cpu_s=0.0), "geopackage", path)


def test_what_takes_too_long_is_killed(tmp_path: Path):
    with pytest.raises(Gone, match="longer than"):
        read_with(ReaderLimits(wall_s=1e-9), "geotiff", image(tmp_path))


def test_what_takes_too_much_memory_is_not_read(tmp_path: Path):
    path = tmp_path / "a.geojson"
    path.write_bytes(b'{"type": "Point", "x": "' + b"x" * (50 * MIB) + b'", "coordinates": [1, 2]}')
    assert "memory" in read_with(ReaderLimits(memory_bytes=64 * MIB), "geojson", path).problem


def test_a_reader_that_died_takes_the_next_file_anew(tmp_path: Path):
    path = image(tmp_path)
    descriptor = os.open(path, os.O_RDONLY)
    with Reader() as reader:
        assert reader.read("geotiff", [descriptor]).bbox is not None
        reader.kill()
        with pytest.raises(Gone, match="signal 9"):
            reader.read("geotiff", [descriptor])
        assert reader.read("geotiff", [descriptor]).bbox is not None
    os.close(descriptor)


def test_a_reader_cannot_write(tmp_path: Path):
    """Whatever a file makes a library do: no byte lands on a disk."""
    code = (
        "import sys; from node.geo.child import confine;"
        "confine({'memory_bytes': 2**30});"
        f"open({str(tmp_path / 'x')!r}, 'wb', buffering=0).write(b'x')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr
    assert (tmp_path / "x").stat().st_size == 0


def test_the_daemon_does_not_load_what_reads_hostile_files():
    code = f"import sys, node.daemon; print([m for m in {MODULES!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
