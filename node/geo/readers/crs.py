"""From a reference system to degrees of WGS 84, edges densified, or not at all.

Rules: a system that is not on the Earth (a local one, an unknown code) gives nothing; what does not come back
to itself when it is transformed forth and back lies outside of what the system describes, and is refused.
"""

import math
from collections.abc import Sequence

from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError
from pyproj.network import set_network_enabled  # pyright: ignore[reportPrivateImportUsage]

from node.geo.place import Box, NotKnown, check_box

set_network_enabled(active=False)

#: Longitude and latitude on WGS 84, in this order.
WGS84 = "OGC:CRS84"

_EDGE_POINTS = 21
_INSIDE = 1e-7  # of the extent: 180° itself may come back from the other side
_SAME = 1e-6


def parse_crs(text: str | int) -> CRS:
    """An EPSG code, a name or WKT. Raises `NotKnown`."""
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise NotKnown("its coordinate reference system is not known") from error


def to_wgs84(crs: CRS, bounds: Sequence[float]) -> Box:
    """Left, bottom, right, top in `crs` as a box. Raises `NotKnown`."""
    if len(bounds) != 4 or not all(math.isfinite(each) for each in bounds):
        raise NotKnown("its extent is not four numbers")
    left, bottom, right, top = bounds
    if left > right or bottom > top:
        raise NotKnown("its extent is empty")
    horizontal = _horizontal(crs)
    if horizontal.is_geographic and not _is_in_other_units(horizontal):
        check_box(bounds)
    try:
        transformer = Transformer.from_crs(horizontal, WGS84, always_xy=True)
        _check_inside(transformer, left, bottom, right, top)
        box = transformer.transform_bounds(left, bottom, right, top, densify_pts=_EDGE_POINTS, errcheck=True)
    except ProjError as error:
        raise NotKnown("its extent is outside of its coordinate reference system") from error
    return check_box(box)


def _horizontal(crs: CRS) -> CRS:
    for part in (crs, *crs.sub_crs_list):
        if not part.is_compound and (part.is_geographic or part.is_projected):
            return part
        if part.is_bound and part.source_crs is not None:
            return _horizontal(part.source_crs)
    raise NotKnown("its coordinate reference system is a local one")


def _is_in_other_units(crs: CRS) -> bool:
    return any(axis.unit_name != "degree" for axis in crs.axis_info[:2])


def _check_inside(transformer: Transformer, left: float, bottom: float, right: float, top: float) -> None:
    inset_x, inset_y = (right - left) * _INSIDE, (top - bottom) * _INSIDE
    xs = [left + inset_x, right - inset_x, left + inset_x, right - inset_x]
    ys = [bottom + inset_y, bottom + inset_y, top - inset_y, top - inset_y]
    lons, lats = transformer.transform(xs, ys, errcheck=True)
    back_x, back_y = transformer.transform(lons, lats, direction="INVERSE", errcheck=True)
    for there, back in zip([*xs, *ys], [*back_x, *back_y], strict=True):
        if not math.isclose(there, back, rel_tol=_SAME, abs_tol=_SAME * max(1.0, right - left, top - bottom)):
            raise NotKnown("its extent is outside of its coordinate reference system")
