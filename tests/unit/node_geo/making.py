"""Real files of each format, as programs write them, with geometry that can be worked out by hand."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import shapefile
import tifffile
from pymseed import MS3Record
from pyproj import CRS

AREA, POINT = 1, 2


def geotiff(
    path: Path,
    *,
    keys: Mapping[int, int],
    scale: tuple[float, float] | None = None,
    tie: Sequence[float] = (),
    matrix: Sequence[float] = (),
    size: tuple[int, int] = (10, 20),
    big: bool = False,
) -> Path:
    """`size` is width and height. `tie`: column, row, x, y, or several of them."""
    directory = [1, 1, 0, len(keys), *(word for key in sorted(keys) for word in (key, 0, 1, keys[key]))]
    tags: list[tuple[int, str, int, Sequence[float], bool]] = []
    if scale is not None:
        tags.append((33550, "d", 3, (*scale, 0.0), True))
    if tie:
        points = [value for at in range(0, len(tie), 4) for value in _point(*tie[at : at + 4])]
        tags.append((33922, "d", len(points), tuple(points), True))
    if matrix:
        tags.append((34264, "d", 16, tuple(matrix), True))
    if keys:
        tags.append((34735, "H", len(directory), tuple(directory), True))
    width, height = size
    tifffile.imwrite(path, np.zeros((height, width), np.uint8), extratags=tags, bigtiff=big)
    return path


def _point(column: float, row: float, x: float, y: float) -> tuple[float, ...]:
    return column, row, 0.0, x, y, 0.0


def geographic(code: int = 4326, raster: int = AREA) -> dict[int, int]:
    return {1024: 2, 1025: raster, 2048: code}


def projected(code: int, raster: int = AREA) -> dict[int, int]:
    return {1024: 1, 1025: raster, 3072: code}


Layer = tuple[str, tuple[float, float, float, float] | None, int]


def geopackage(path: Path, layers: Sequence[Layer], *, definitions: Mapping[int, str] | None = None) -> Path:
    """`layers`: name, extent, srs_id."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "PRAGMA application_id = 1196444487;"
            "CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY,"
            " organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL,"
            " definition TEXT NOT NULL, description TEXT);"
            "CREATE TABLE gpkg_contents (table_name TEXT PRIMARY KEY, data_type TEXT NOT NULL,"
            " identifier TEXT, description TEXT, last_change DATETIME, min_x DOUBLE, min_y DOUBLE,"
            " max_x DOUBLE, max_y DOUBLE, srs_id INTEGER)"
        )
        systems = {-1: ("NONE", "undefined"), 0: ("NONE", "undefined"), 4326: ("EPSG", "")}
        systems |= {each[2]: ("EPSG", "") for each in layers if each[2] > 0}
        systems |= {srs: ("own", text) for srs, text in (definitions or {}).items()}
        for srs, (organization, text) in systems.items():
            database.execute(
                "INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)",
                (f"srs {srs}", srs, organization, srs, text),
            )
        for name, extent, srs in layers:
            database.execute(
                "INSERT INTO gpkg_contents VALUES (?, 'features', ?, '', '', ?, ?, ?, ?, ?)",
                (name, name, *(extent or (None,) * 4), srs),
            )
        database.commit()
    return path


def shapefile_of(path: Path, points: Sequence[tuple[float, float]], crs: int | str | None) -> Path:
    """`.shp`, `.shx`, `.dbf`, and with `crs` a `.prj`."""
    with shapefile.Writer(str(path), shapeType=shapefile.POINT) as writer:
        writer.field("name", "C")
        for x, y in points:
            writer.point(x, y)
            writer.record("a")
    if crs is not None:
        text = CRS.from_user_input(crs).to_wkt("WKT1_ESRI")
        path.with_suffix(".prj").write_text(text, encoding="utf-8")
    return path


def miniseed(path: Path, starts: Sequence[int], *, samples: int = 100) -> Path:
    """One record a start, in nanoseconds since 1970, a sample a second."""
    written = b""
    for start in starts:
        record = MS3Record()
        record.sourceid = "FDSN:TH_CHTO_00_B_H_Z"
        record.starttime = start
        record.samprate = 1.0
        written += b"".join(record.generate(list(range(samples)), "i"))
    path.write_bytes(written)
    return path
