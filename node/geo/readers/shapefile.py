"""Shapefile (Esri, 1998): the bounding box in its header, in the reference system of its `.prj`.

Rules: without `.prj` the place is not known; a file without shapes has none.
"""

from collections.abc import Sequence
from typing import BinaryIO

import shapefile

from node.geo.place import NotKnown, Place
from node.geo.readers.crs import parse_crs, to_wgs84

_PRJ_BYTES_MAX = 64 * 1024
_HEADER_BYTES = 100


def read(files: Sequence[BinaryIO]) -> Place:
    """Where its shapes are; `files`: the `.shp`, then the `.prj`, if there is one. Raises `NotKnown`."""
    if len(files) < 2:
        raise NotKnown("it has no .prj beside it")
    text = files[1].read(_PRJ_BYTES_MAX + 1)
    if len(text) > _PRJ_BYTES_MAX:
        raise NotKnown("its .prj is too large")
    crs = parse_crs(text.decode("utf-8-sig", "replace").strip())
    try:
        header = files[0].read(_HEADER_BYTES)
        shapes = shapefile.Reader(shp=files[0])
        bounds = [float(each) for each in shapes.bbox]
    except shapefile.ShapefileException as error:
        raise NotKnown("it is no sound shapefile") from error
    is_empty = 2 * int.from_bytes(header[24:28]) <= _HEADER_BYTES  # the file's length in 16-bit words
    if is_empty or shapes.shapeType == shapefile.NULL:
        return Place()
    return Place(bbox=to_wgs84(crs, bounds))
