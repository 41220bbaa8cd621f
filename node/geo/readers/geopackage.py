"""GeoPackage (OGC 12-128r19): the extents that `gpkg_contents` states, all layers united.

Rules: the database is a private snapshot, opened immutable and read-only; its own views and functions are
not trusted. A layer without extent or with an undefined reference system (srs_id -1, 0) adds nothing, and
the place says so.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import BinaryIO

from node.geo.place import Boxes, NotKnown, Place
from node.geo.readers.crs import parse_crs, to_wgs84

_LAYERS_MAX = 1_000
_LAYERS = (
    "SELECT c.data_type, c.min_x, c.min_y, c.max_x, c.max_y, c.srs_id, s.organization,"
    " s.organization_coordsys_id, s.definition FROM gpkg_contents c"
    " LEFT JOIN gpkg_spatial_ref_sys s ON s.srs_id = c.srs_id LIMIT ?"
)
_Row = tuple[object, ...]


def read(files: Sequence[BinaryIO]) -> Place:
    """Where its layers are. Raises `NotKnown`."""
    address = f"file:/proc/self/fd/{files[0].fileno()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA query_only = ON")
            rows: list[_Row] = database.execute(_LAYERS, (_LAYERS_MAX,)).fetchall()
    except sqlite3.Error as error:
        raise NotKnown("it is no sound GeoPackage") from error
    boxes, problem = Boxes(), ""
    for row in rows:
        if row[0] in ("features", "tiles", "2d-gridded-coverage"):
            try:
                boxes.add(to_wgs84(parse_crs(_reference(row)), _extent(row)))
            except NotKnown as error:
                problem = f"of a layer: {error}"
    return Place(bbox=boxes.union(), problem=problem)


def _extent(row: _Row) -> list[float]:
    extent = [float(each) for each in row[1:5] if isinstance(each, (int, float))]
    if len(extent) != 4:
        raise NotKnown("no extent is stated")
    return extent


def _reference(row: _Row) -> str:
    srs_id, organization, code, definition = row[5:9]
    if srs_id in (-1, 0) or organization is None:
        raise NotKnown("its coordinate reference system is undefined")
    if str(organization).upper() == "EPSG" and isinstance(code, int):
        return f"EPSG:{code}"
    if isinstance(definition, str) and definition.strip().lower() not in ("", "undefined"):
        return definition
    raise NotKnown("its coordinate reference system is undefined")
