"""Files that are one thing: which parts belong together, and whether all that must be there are.

Rules: a shapefile is `.shp`, `.shx` and `.dbf` of one name, with whatever index, projection and encoding
files stand beside; without one of the three it is incomplete, and all its parts keep their last published
state. A raster and its sidecars (`.tfw`, `.ovr`, `.aux.xml` …), and everything in an Esri `.gdb` folder,
only move together. The journals of an SQLite file are never files of their own.

    unit_of("maps/faults.dbf", "faults.dbf", names)      # "maps/faults.shp"
    dict(incomplete({"faults.shp", "faults.shx"}))       # both: "the shapefile lacks faults.dbf"
"""

import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator

SHAPEFILE_REQUIRED = (".shp", ".shx", ".dbf")
SHAPEFILE_PARTS = frozenset(
    f".{each}"
    for each in (
        *("shp", "shx", "dbf", "prj", "cpg", "sbn", "sbx", "qix", "qpj", "fbn", "fbx"),
        *("ain", "aih", "ixs", "mxs", "atx", "shp.xml", "idm", "ind"),
    )
)
RASTER_MAINS = (".tif", ".tiff", ".img", ".jp2", ".png", ".jpg", ".asc", ".grd", ".bil")
#: Sidecars named after the stem, and those named after the whole file.
_STEM_SIDECARS = (".tfw", ".jgw", ".pgw", ".j2w", ".wld", ".tab", ".ovr", ".rrd", ".hdr", ".prj", ".blw")
_NAME_SIDECARS = (".aux.xml", ".ovr", ".msk", ".aux")

SQLITE_SUFFIXES = (
    ".gpkg",
    ".mbtiles",
    ".sqlite",
    ".sqlite3",
    ".db",
    ".db3",
    ".gpkx",
    ".geodatabase",
    ".spatialite",
)
SQLITE_SIDECARS = ("-wal", "-shm", "-journal")


_SPECIAL = frozenset(
    each[each.rfind(".") :]
    for each in (*SHAPEFILE_PARTS, *RASTER_MAINS, *_STEM_SIDECARS, *_NAME_SIDECARS, *SQLITE_SUFFIXES)
)


def any_special(names: Iterable[str]) -> bool:
    """Whether any of a folder's names may be a part of a unit or a database; quick, for the many that have
    none."""
    endings = {name[name.rfind(".") :].lower() for name in names}
    if not endings.isdisjoint(_SPECIAL):
        return True
    together = "\n".join(names)
    return any(suffix in together for suffix in SQLITE_SIDECARS)


def is_sqlite_name(name: str) -> bool:
    """Whether a name says that the file is an SQLite database (its first bytes have the last word)."""
    return name.lower().endswith(SQLITE_SUFFIXES)


def sidecar_base(name: str) -> str | None:
    """The database that `name` would be a journal of, or None."""
    for suffix in SQLITE_SIDECARS:
        if name.endswith(suffix) and len(name) > len(suffix):
            return name.removesuffix(suffix)
    return None


def _split(name: str) -> tuple[str, str]:
    lower = name.lower()
    if lower.endswith(".shp.xml"):
        return name[:-8], ".shp.xml"
    stem, extension = posixpath.splitext(name)
    return stem, extension.lower()


def unit_of(path: str, name: str, names: Collection[str]) -> str:
    """The path that stands for the unit of `path`; "" where the file stands alone.

    `names` are those in the same folder, `name` the last part of `path`.
    """
    geodatabase = path.lower().find(".gdb/")
    if geodatabase >= 0:
        return path[: geodatabase + 4]
    folder = path[: len(path) - len(name)]
    stem, extension = _split(name)
    if extension in SHAPEFILE_PARTS:
        for main in (stem + ".shp", stem + ".SHP"):
            if main in names:
                return folder + main
    for sidecar in _NAME_SIDECARS:
        base = name.removesuffix(sidecar)
        if base != name and base in names:
            return folder + base
    if extension in _STEM_SIDECARS:
        for raster in RASTER_MAINS:
            if stem + raster in names:
                return folder + stem + raster
    return folder + name if extension in RASTER_MAINS else ""


def _never(_name: str) -> bool:
    return False


def incomplete(
    names: Collection[str], was_published: Callable[[str], bool] = _never
) -> Iterator[tuple[str, str]]:
    """Every part of a shapefile in one folder that lacks a required part, also the missing ones, with the
    reason.

    A lone `.dbf` is a table of its own, unless it was published as part of a shapefile.
    """
    stems: dict[str, dict[str, str]] = {}
    for name in names:
        stem, extension = _split(name)
        if extension in SHAPEFILE_PARTS:
            stems.setdefault(stem, {})[extension] = name
    for stem, parts in stems.items():
        present = [each for each in SHAPEFILE_REQUIRED if each in parts]
        if not present or len(present) == len(SHAPEFILE_REQUIRED):
            continue
        if present == [".dbf"] and not (was_published(stem + ".shp") or was_published(stem + ".SHP")):
            continue
        upper = parts[present[0]].endswith(present[0].upper())
        missing = [
            stem + (each.upper() if upper else each) for each in SHAPEFILE_REQUIRED if each not in parts
        ]
        reason = f"the shapefile {stem!r} is incomplete: {' and '.join(missing)} missing"
        for name in (*parts.values(), *missing):
            yield name, reason
