"""A dataset's place: of what was published and nothing else, once for each content, touching nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from core.errors import Unavailable
from node.geo.candidates import kind_of
from node.geo.place import Place
from node.geo.places import Places
from node.geo.reader import Reader, ReaderLimits
from node.room import DiskUsage, Room
from tests.unit.node_geo.conftest import Published
from tests.unit.node_geo.making import geographic, geopackage, geotiff, miniseed, shapefile_of

IMPATIENT = ReaderLimits(wall_s=1e-9)


def image(folder: Path, name: str = "a.tif", west: float = 100.0) -> Path:
    return geotiff(folder / name, keys=geographic(), scale=(0.5, 0.5), tie=(0, 0, west, 20.0))


def listing(folder: Path) -> list[tuple[str, int, int, int]]:
    """All that writing would change, of the folder and in it."""
    found = [folder, *sorted(folder.rglob("*"))]
    return [
        (str(each), each.stat().st_size, each.stat().st_mtime_ns, each.stat().st_ctime_ns) for each in found
    ]


def test_every_file_of_every_format_adds_to_the_place_and_none_is_touched(published: Published):
    folder = published.folder
    image(folder)
    geopackage(folder / "b.gpkg", [("a", (110.0, 0.0, 111.0, 1.0), 4326)])
    (folder / "deep").mkdir()
    shapefile_of(folder / "deep/c.shp", [(90.0, 5.0)], "EPSG:4326")
    (folder / "d.geojson").write_text('{"type": "Point", "coordinates": [95, 25]}')
    miniseed(folder / "e.mseed", [0])
    (folder / "f.txt").write_text("no place")
    published.publish()
    before = listing(folder)
    look = published.places().of(published.dataset, folder)
    assert look.place == Place((90.0, 0.0, 111.0, 25.0), "1970-01-01", "1970-01-01")
    assert look.is_complete
    assert listing(folder) == before


def test_a_geopackage_that_a_program_has_open_gets_nothing_beside_it(published: Published):
    path = geopackage(published.folder / "a.gpkg", [("a", (100.0, 0.0, 101.0, 1.0), 4326)])
    with closing(sqlite3.connect(path)) as program:
        program.execute("PRAGMA journal_mode = WAL")
        program.execute("UPDATE gpkg_contents SET max_x = 102.0")
        program.commit()
        published.publish()
        before = listing(published.folder)
        place = published.places().of(published.dataset, published.folder).place
        assert place.bbox == (100.0, 0.0, 102.0, 1.0)
        assert listing(published.folder) == before


def test_what_was_read_once_is_not_read_again(published: Published):
    path = image(published.folder)
    published.publish()
    first = published.places().of(published.dataset, published.folder)
    path.unlink()
    assert published.places(IMPATIENT).of(published.dataset, published.folder) == first


def test_a_file_that_has_changed_since_is_not_read(published: Published):
    image(published.folder)
    published.publish()
    image(published.folder, west=50.0)
    look = published.places().of(published.dataset, published.folder)
    assert look.place == Place()
    assert not look.is_complete


def test_a_file_that_changes_while_it_is_read_is_not_known(
    published: Published, monkeypatch: pytest.MonkeyPatch
):
    path = image(published.folder)
    published.publish()
    places = published.places()
    true_read = Reader.read

    def read(self: object, kind: object, descriptors: object) -> Place:
        place = true_read(self, kind, descriptors)  # type: ignore[arg-type]
        path.write_bytes(path.read_bytes() + b"x")
        return place

    monkeypatch.setattr(Reader, "read", read)
    assert places.of(published.dataset, published.folder).place == Place()


def test_a_file_whose_stat_is_not_sure_is_left_for_later(published: Published):
    image(published.folder)
    published.publish(racy=True)
    look = published.places().of(published.dataset, published.folder)
    assert (look.place, look.is_complete) == (Place(), False)


def test_a_link_in_the_place_of_a_file_is_not_followed(published: Published, tmp_path: Path):
    path = image(published.folder)
    published.publish()
    path.rename(tmp_path / "elsewhere.tif")
    path.symlink_to(tmp_path / "elsewhere.tif")
    look = published.places().of(published.dataset, published.folder)
    assert (look.place, look.is_complete) == (Place(), False)


def test_without_room_for_a_snapshot_it_is_left_for_later(published: Published):
    geopackage(published.folder / "a.gpkg", [("a", (100.0, 0.0, 101.0, 1.0), 4326)])
    published.publish()
    places = Places(published.state, Room(usage=lambda _: DiskUsage(10**9, 0, 1)))
    look = places.of(published.dataset, published.folder)
    assert (look.place, look.is_complete) == (Place(), False)


def test_of_a_large_dataset_the_first_files_by_path(published: Published):
    for number, west in enumerate((100.0, 110.0, 120.0)):
        image(published.folder, f"{number}.tif", west)
    published.publish()
    places = published.places(files_max=2)
    with capture_logs() as logs:
        assert places.of(published.dataset, published.folder).place.bbox == (100.0, 10.0, 115.0, 20.0)
        places.of(published.dataset, published.folder)
    assert [each["files"] for each in logs] == [2]


def test_the_log_says_once_why_a_place_is_not_known(published: Published):
    (published.folder / "a.tif").write_bytes(b"II*\0 and no more")
    published.publish()
    with capture_logs() as logs:
        for _ in range(2):
            assert published.places().of(published.dataset, published.folder).place == Place()
    assert [(each["path"], each["log_level"]) for each in logs] == [("a.tif", "info")]


def test_a_reader_that_was_killed_is_not_tried_again_before_a_restart(published: Published):
    image(published.folder)
    published.publish()
    places = published.places(IMPATIENT)
    with capture_logs() as logs:
        for _ in range(2):
            assert places.of(published.dataset, published.folder).place == Place()
    assert len(logs) == 1
    again = published.places().of(published.dataset, published.folder)
    assert again.place.bbox == (100.0, 10.0, 105.0, 20.0)


def test_one_hostile_file_costs_no_other_its_place(published: Published):
    image(published.folder, "b.tif")
    (published.folder / "a.geojson").write_text("[" * 1_000_000)
    published.publish()
    place = published.places().of(published.dataset, published.folder).place
    assert place.bbox == (100.0, 10.0, 105.0, 20.0)


def test_a_shapefiles_system_is_part_of_what_it_says(published: Published):
    path = shapefile_of(published.folder / "a.shp", [(105.0, 10.0)], None)
    published.publish()
    assert published.places().of(published.dataset, published.folder).place == Place()
    shapefile_of(path, [(105.0, 10.0)], "EPSG:4326")
    published.publish()
    place = published.places().of(published.dataset, published.folder).place
    assert place.bbox == (105.0, 10.0, 105.0, 10.0)


def test_when_the_node_stops_nothing_more_is_read(published: Published):
    image(published.folder)
    published.publish()
    places = published.places()
    places.give_up()
    look = places.of(published.dataset, published.folder)
    assert (look.place, look.is_complete) == (Place(), False)


def test_a_state_that_cannot_be_used_is_our_error(published: Published):
    published.state.close()
    published.state.path.unlink()
    published.state.path.mkdir()
    with pytest.raises(Unavailable):
        published.places().of(published.dataset, published.folder)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("ທໍລະນີ/A.TIF", "geotiff"),
        ("a.gpkg", "geopackage"),
        ("x/a.shp", "shapefile"),
        ("a.json", "geojson"),
        ("a.mseed", "miniseed"),
        ("2024/TH/CHTO/BHZ.D/TH.CHTO.00.BHZ.D.2024.001", "miniseed"),
        ("a.dbf", None),
        ("tif", None),
        ("a.tif/readme", None),
    ],
)
def test_kinds_are_told_by_names(path: str, kind: str | None):
    assert kind_of(path) == kind
