"""GeoTIFF (OGC 19-008r4): the extent of the first image, to the outer edges of its pixels.

Rules: GTRasterType tells what a raster coordinate means: in PixelIsArea the corner of a pixel, in
PixelIsPoint its centre, so that the image reaches half a pixel further. One tiepoint with a scale, or a
transformation (rotated too); several tiepoints, a user-defined or missing reference system: not known. Only
the first image file directory is read, whatever follows it.
"""

import math
from collections.abc import Sequence
from typing import Any, BinaryIO

import tifffile
from pyproj import CRS

from node.geo.place import NotKnown, Place
from node.geo.readers.crs import parse_crs, to_wgs84

_MODEL_SCALE = 33550
_MODEL_TIEPOINT = 33922
_MODEL_TRANSFORMATION = 34264
_GEO_KEYS = 34735

_MODEL_TYPE = 1024
_RASTER_TYPE = 1025
_GEOGRAPHIC = 2048
_PROJECTED = 3072
_IS_POINT = 2
_EPSG = range(1024, 32767)

_KEYS_MAX = 4 * 256
_TIEPOINTS_MAX = 6 * 4_096


def read(files: Sequence[BinaryIO]) -> Place:
    """Where the image is. Raises `NotKnown`."""
    try:
        with tifffile.TiffFile(files[0], name="raster.tif") as tiff:
            page = tiff.pages[0]
            tags: Any = page.tags  # pyright: ignore[reportAttributeAccessIssue]
            keys = _keys(_numbers(tags, _GEO_KEYS, _KEYS_MAX))
            crs = _crs(keys)
            half = 0.5 if keys.get(_RASTER_TYPE) == _IS_POINT else 0.0
            return Place(bbox=to_wgs84(crs, _bounds(tags, _size(tags, 256), _size(tags, 257), half)))
    except tifffile.TiffFileError as error:
        raise NotKnown("it is no sound TIFF file") from error


def _numbers(tags: Any, code: int, count_max: int) -> list[float]:
    """The values of a tag; none where it is missing. What is larger than it may be is not even loaded."""
    tag = tags.get(code)
    if tag is None:
        return []
    if tag.count > count_max:
        raise NotKnown("its tags are too large")
    value = tag.value
    values = list(value) if isinstance(value, (tuple, list)) else [value]
    if not all(isinstance(each, (int, float)) for each in values):
        raise NotKnown("its tags are not numbers")
    return [float(each) for each in values]


def _size(tags: Any, code: int) -> float:
    values = _numbers(tags, code, 1)
    if not values or values[0] < 1:
        raise NotKnown("it has no image")
    return values[0]


def _keys(directory: list[float]) -> dict[int, int]:
    """The keys whose values stand in the directory itself."""
    if len(directory) < 4:
        raise NotKnown("it has no coordinate reference system")
    words = [int(each) for each in directory]
    keys: dict[int, int] = {}
    for at in range(4, min(len(words), 4 + 4 * words[3]) - 3, 4):
        key, location, _, value = words[at : at + 4]
        if location == 0:
            keys[key] = value
    return keys


def _crs(keys: dict[int, int]) -> CRS:
    model = keys.get(_MODEL_TYPE)
    code = keys.get(_PROJECTED) if model == 1 else keys.get(_GEOGRAPHIC) if model == 2 else None
    if code is None or code not in _EPSG:
        raise NotKnown("its coordinate reference system is missing, or none of EPSG's")
    return parse_crs(code)


def _bounds(tags: Any, width: float, height: float, half: float) -> tuple[float, float, float, float]:
    """Left, bottom, right, top of the outer edges, in the file's own system."""
    a, b, c, d, e, f = _affine(tags)
    corners = [
        (a * i + b * j + c, d * i + e * j + f) for i in (-half, width - half) for j in (-half, height - half)
    ]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    if not all(math.isfinite(each) for each in (*xs, *ys)) or a * e - b * d == 0:
        raise NotKnown("its transformation is none")
    return min(xs), min(ys), max(xs), max(ys)


def _affine(tags: Any) -> tuple[float, float, float, float, float, float]:
    """The six of x = a·i + b·j + c, y = d·i + e·j + f, of raster coordinates i (column), j (row)."""
    matrix = _numbers(tags, _MODEL_TRANSFORMATION, 16)
    if len(matrix) == 16:
        return matrix[0], matrix[1], matrix[3], matrix[4], matrix[5], matrix[7]
    scale, tie = _numbers(tags, _MODEL_SCALE, 3), _numbers(tags, _MODEL_TIEPOINT, _TIEPOINTS_MAX)
    if len(scale) < 2 or len(tie) != 6:
        raise NotKnown("it is not georeferenced by one tiepoint and a scale, nor by a transformation")
    i, j, _, x, y, _ = tie
    return scale[0], 0.0, x - i * scale[0], 0.0, -scale[1], y + j * scale[1]
