"""Names: what may travel, what may not, and what no disk may be asked to hold."""

import os
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.limits import Limits
from core.names import (
    case_key,
    check_dataset,
    check_dataset_name,
    check_node,
    check_partner,
    check_path,
    owner_of,
    path_problem,
    portability_problem,
)


@pytest.mark.parametrize("text", ["la-dgm", "cn-cgs", "kh-gdmr", "vn-dgm-north", "th-dmr"])
def test_partner_ids(text: str) -> None:
    assert check_partner(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "la",
        "LA-dgm",
        "l-dgm",
        "la_dgm",
        "la-",
        "-dgm",
        "la--dgm",
        "la-dgm\n",
        "../x",
        "ລາວ-dgm",
        "la-" + "x" * 70,
    ],
)
def test_what_is_no_partner_id(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_partner(text)
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["main", "mirror-2", "a.b"])
def test_node_names(text: str) -> None:
    assert check_node(text) == text


@pytest.mark.parametrize("text", ["", "Main", "..", "a..b", ".a", "a/b", "a b", "x" * 64])
def test_what_is_no_node_or_dataset_name(text: str) -> None:
    with pytest.raises(InvalidInput):
        check_node(text)
    with pytest.raises(InvalidInput):
        check_dataset_name(text)


def test_dataset_ids() -> None:
    assert owner_of(check_dataset("la-dgm/geology-1m")) == "la-dgm"
    for text in ("geology-1m", "la-dgm/", "/x", "la-dgm/a/b", "la-dgm/..", "la-dgm/A"):
        with pytest.raises(InvalidInput):
            check_dataset(text)


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "a/b.geojson",
        "ໄຟລ໌/ແຜນທີ່.tif",
        "แผนที่.shp",
        "ផែនទី/ក.gpkg",
        "地质图.tif",
        "a b",
        "...",
        ".hidden",
        "a/.syncline",
        "-rf",
        "a:b",
        "*",
    ],
)
def test_paths_that_travel(path: str) -> None:
    assert check_path(path) == path


ESCAPES = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../x",
    "a/../../x",
    "a/..",
    ".",
    "./a",
    "a/./b",
    "a//b",
    "a/",
    "\\",
    "a\\b",
    "..\\x",
    "a\nb",
    "a\rb",
    "a\0b",
    "a\x7fb",
    "a\u0085b",
    "a\u2028b",
    "a\u2029b",
    "\udcb5\udcd8.shp",
    "e\u0301",
    ".syncline",
    ".syncline/manifest.json",
    ".SyncLine/manifest.json",
]


@pytest.mark.parametrize("path", ESCAPES)
def test_no_escape_by_names(path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_path(path)
    assert caught.value.reason == "ILLEGAL_PATH"


def test_lengths_and_depth_are_bounded() -> None:
    small = Limits(path_bytes_max=20, path_component_bytes_max=10, path_depth_max=3)
    assert path_problem("1234567890/123456789", small) is None
    assert path_problem("12345678901", small) is not None
    assert path_problem("ໄໄໄໄ", small) is not None, "bytes count, not characters"
    assert path_problem("1234567890/1234567890", small) is not None
    assert path_problem("a/b/c", small) is None
    assert path_problem("a/b/c/d", small) is not None


@given(st.text(max_size=40))
def test_a_legal_path_stays_inside_whatever_it_is_joined_to(path: str) -> None:
    if path_problem(path) is None:
        joined = os.path.normpath(f"/mirror/{path}")
        assert joined == "/mirror/" + path
        assert ".." not in PurePosixPath(path).parts


@pytest.mark.parametrize(
    "path",
    ["CON", "con.txt", "a/NUL.tif", "COM1", "lpt¹.x", "a.", "a ", "a:b", "a?b", 'a"b', "x|y", "<", "*"],
)
def test_names_that_windows_cannot_hold(path: str) -> None:
    assert portability_problem(path) is not None


@pytest.mark.parametrize("path", ["console", "con1", "a.b", "ໄຟລ໌", "com10", "a/b"])
def test_names_that_windows_can_hold(path: str) -> None:
    assert portability_problem(path) is None


def test_names_that_a_case_blind_disk_confuses() -> None:
    assert case_key("A/Map.TIF") == case_key("a/map.tif")
    assert case_key("Straße") == case_key("STRASSE")
    assert case_key("ກ") != case_key("ຂ")
