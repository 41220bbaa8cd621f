"""What a walk finds: order, names that cannot travel, links, databases, units, exclusions."""

import os
import sqlite3
from pathlib import Path

import pytest

from node.scan import Found, Obstacle, ScanRules, compile_exclude, stat_of, walk


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def found(root: Path, rules: ScanRules | None = None) -> list[str]:
    return [item.path for item in walk(root, rules or ScanRules()) if isinstance(item, Found)]


def obstacles(root: Path, rules: ScanRules | None = None) -> dict[str, str]:
    items = walk(root, rules or ScanRules())
    return {item.path: item.reason for item in items if isinstance(item, Obstacle) and item.kind}


def test_paths_come_in_the_inventorys_order(tmp_path: Path) -> None:
    touch(tmp_path, "a/z", "a.b", "a-b", "a/b/c", "ab", "ໄຟລ໌.txt", "zz", "a0", "é", "𝛼", "\uffee")
    paths = found(tmp_path)
    assert paths == sorted(paths, key=lambda path: path.encode())
    assert len(paths) == 11


def test_names_that_are_not_utf8_or_have_control_characters_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "good.txt")
    (tmp_path / os.fsdecode(b"\xc4\xd6.shp")).touch()
    touch(tmp_path, "bad\x07name", "back\\slash", "line\nbreak")
    assert found(tmp_path) == ["good.txt"]
    assert len(obstacles(tmp_path)) == 4


def test_decomposed_names_are_published_normalised(tmp_path: Path) -> None:
    touch(tmp_path, "cafe\u0301/re\u0301sume\u0301.txt")
    (item,) = walk(tmp_path, ScanRules())
    assert isinstance(item, Found)
    assert item.path == "caf\u00e9/r\u00e9sum\u00e9.txt"
    assert item.disk is not None
    assert (tmp_path / item.disk).exists()


def test_colliding_folders_hold_everything_below_both(tmp_path: Path) -> None:
    touch(tmp_path, "cafe\u0301/a", "caf\u00e9/b", "caff/c")
    items = list(walk(tmp_path, ScanRules()))
    assert [i.path for i in items if isinstance(i, Found)] == ["caff/c"]
    assert any(isinstance(i, Obstacle) and i.below and i.path == "caf\u00e9" for i in items)


def test_links_and_special_files_are_skipped_and_said(tmp_path: Path) -> None:
    touch(tmp_path, "good.txt", "folder/x")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert found(tmp_path) == ["folder/x", "good.txt"]
    assert obstacles(tmp_path) == {
        "link": "is a link",
        "loop": "is a link",
        "pipe": "is a device, a socket or another special file",
    }


def test_the_evidence_folder_of_a_mirror_is_never_published(tmp_path: Path) -> None:
    touch(tmp_path, ".syncline/manifest.json", "a")
    assert found(tmp_path) == ["a"]


def test_a_databases_journals_are_never_files_of_their_own(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "map.gpkg")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE t (x)")
    database.commit()
    odd = sqlite3.connect(tmp_path / "oddly-named")
    odd.execute("PRAGMA journal_mode = WAL")
    odd.execute("CREATE TABLE t (x)")
    odd.commit()
    touch(tmp_path, "readme-wal")
    items = [item for item in walk(tmp_path, ScanRules()) if isinstance(item, Found)]
    assert [item.path for item in items] == ["map.gpkg", "oddly-named", "readme-wal"]
    assert all(item.stat.wal for item in items[:2])
    before = items[0].stat
    database.execute("INSERT INTO t VALUES (1)")
    database.commit()
    assert stat_of(str(tmp_path / "map.gpkg")) != before
    database.close()
    odd.close()


def test_exclude_globs(tmp_path: Path) -> None:
    touch(
        tmp_path, "a.tmp", "b/c.tmp", "b/c.txt", "drafts/x/y.txt", "b/drafts/z.txt", "~$word.docx", "k[1].txt"
    )
    assert found(tmp_path, ScanRules(exclude=("*.tmp", "~$*", "/drafts/**", "k[[]1].txt"))) == [
        "b/c.txt",
        "b/drafts/z.txt",
    ]
    assert found(tmp_path, ScanRules(exclude=("drafts", "*.tmp", "~$*", "k?1?.txt"))) == ["b/c.txt"]


@pytest.mark.parametrize("pattern", ["[", "[]", "a[", "***", "(", "a|b", "\\"])
def test_no_exclude_pattern_is_an_error_of_ours(pattern: str) -> None:
    compile_exclude((pattern,))


def test_portable_names_hold_what_windows_cannot(tmp_path: Path) -> None:
    touch(tmp_path, "CON.txt", "a:b", "Same.txt", "same.txt", "fine.txt", "ends.")
    rules = ScanRules(portable=True)
    assert found(tmp_path, rules) == ["fine.txt"]
    assert len(obstacles(tmp_path, rules)) == 5
    assert len(found(tmp_path)) == 6


@pytest.mark.parametrize("missing", ["shp", "shx", "dbf"])
def test_an_incomplete_shapefile_names_its_missing_part(tmp_path: Path, missing: str) -> None:
    touch(tmp_path, "x.shp", "x.shx", "x.dbf", "x.prj", "x.shp.xml", "other.txt")
    (tmp_path / f"x.{missing}").unlink()
    rules = ScanRules(was_published=lambda path: path.startswith("x."))
    assert found(tmp_path, rules) == ["other.txt"]
    assert f"x.{missing}" in obstacles(tmp_path, rules)["x.prj"]


def test_upper_case_shapefiles_and_lone_tables(tmp_path: Path) -> None:
    touch(tmp_path, "A.SHP", "A.SHX", "A.DBF", "table.dbf", "b.prj")
    assert found(tmp_path) == ["A.DBF", "A.SHP", "A.SHX", "b.prj", "table.dbf"]
    units = {i.path: i.unit for i in walk(tmp_path, ScanRules()) if isinstance(i, Found)}
    assert units["A.DBF"] == units["A.SHX"] == units["A.SHP"] == "A.SHP"


def test_a_raster_and_its_sidecars_are_one_unit(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "d/dem.tif",
        "d/dem.tfw",
        "d/dem.tif.aux.xml",
        "d/dem.tif.ovr",
        "d/else.txt",
        "x.gdb/a1",
        "x.gdb/a2",
    )
    units = {i.path: i.unit for i in walk(tmp_path, ScanRules()) if isinstance(i, Found)}
    assert {units[p] for p in units if "dem" in p} == {"d/dem.tif"}
    assert units["d/else.txt"] == ""
    assert units["x.gdb/a1"] == units["x.gdb/a2"] == "x.gdb"
