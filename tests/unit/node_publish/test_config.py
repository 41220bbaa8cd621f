"""Settings: what is wrong is refused with file, key and remedy; the example explains every key."""

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.errors import InvalidInput
from core.limits import LIMITS
from core.settings import parse
from node.config import NodeSettings, known_keys, load_settings

SHARE = '[[publish.share]]\nwith = ["cn-cgs"]\nallow = ["read"]\n'
EXAMPLE = Path(__file__).parents[3] / "node.example.toml"


def write(tmp_path: Path, publish: str = "", rest: str = "", name: str = "geology") -> Path:
    (tmp_path / "data").mkdir(exist_ok=True)
    file = tmp_path / "node.toml"
    file.write_text(
        f"""
[node]
partner = "la-dgm"
name = "main"
state_dir = "{tmp_path}/state"
[[publish]]
dataset = "{name}"
path = "{tmp_path}/data"
title = {{ en = "Geology" }}
theme = "basic-geology"
license = "CC-BY-4.0"
rights_holder = "DGM"
{publish}
{rest}
""",
        encoding="utf-8",
    )
    return file


def refused(file: Path) -> str:
    with pytest.raises(InvalidInput) as raised:
        load_settings(file)
    text = str(raised.value)
    assert str(file) in text
    return text


def test_the_example_has_every_key_explained() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for table, keys in known_keys().items():
        header = f"[[{table}]]" if "." in table or table in ("publish", "subscribe") else f"[{table}]"
        part = text[text.index(header) + len(header) :]
        end = r"^\[\[subscribe" if table.startswith("publish") else r"^\["
        part = part[: m.start()] if (m := re.search(end, part, re.MULTILINE)) else part
        for key in keys - {"share"}:  # a table of its own
            line = re.search(rf"^\s*(# )?{key} = ", part, re.MULTILINE)
            assert line, f"{table}.{key} is missing"
            above = part[: line.start()].rstrip().splitlines()[-1]
            assert above.strip().startswith("#"), f"{table}.{key} is not explained"


def test_the_example_loads() -> None:
    settings = load_settings(EXAMPLE, folders=False)
    assert settings.publish[0].share[0].not_before == datetime(2026, 1, 1, tzinfo=UTC)
    uncommented = re.sub(
        r"^(\s*)# (\w+ = )", r"\1\2", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    parse(tomllib.loads(uncommented), NodeSettings, source="example")


def test_a_minimal_file_without_a_hub_address_loads(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path))
    assert settings.hub.address is None
    assert settings.publish[0].id(settings.partner) == "la-dgm/geology"
    assert settings.publish[0].settle_s == 2.0


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('them = "hazard"', "did you mean 'theme'"),
        ('scan_evry_s = 3.0', "did you mean 'scan_every_s'"),
        ("settle_s = true", "settle_s"),
        ("settle_s = -1", "settle_s"),
        ('remove_guard = "20 %"', "remove_guard"),
        ("remove_guard = 1.5", "remove_guard"),
        ('names = "windows"', "names"),
        ('classification = "secret"', "must not be published"),
        ('classification = "topSecret"', "must not be published"),
        ('classification = "restrictd"', "did you mean 'restricted'"),
        ('license_file = "/nowhere/text"', "does not exist"),
        ('[[publish.share]]\nwith = ["cn-cgs"]', "either allow"),
        ('[[publish.share]]\nwith = ["cn-cgs"]\nallow = ["raed"]', "did you mean 'read'"),
        ('[[publish.share]]\nwith = []\nallow = ["read"]', "with"),
        ('[[publish.share]]\nwith = ["Cn_CGS"]\nallow = ["read"]', "not a partner id"),
        (SHARE.replace("cn-cgs", "group:neighbors") + '[groups]\nneighbours = []', "group:neighbours"),
        (SHARE + 'not_before = "2027-01-01"', "without quotes"),
        (SHARE + 'not_before = 2027-01-01T00:00:00', "no time zone"),
        (SHARE + 'not_before = 2027-01-02\nnot_after = 2027-01-01', "later than"),
        ("[[subscribe]]\ndataset = \"cn-cgs\"\npath = \"/srv/m\"", "cn-cgs/*"),
        ("[hub]\naddress = \"hub.example.org\"", "host:port"),
        ('update_frequency = "montly"', "did you mean 'monthly'"),
        ('update_frequency = "monthly"\nnext_update = 2027-01-01', "beside update_frequency"),
        ('next_update = 2027-01-01', "beside update_frequency"),
        ('bbox = [100.0, 14.0, 190.0, 20.0]', "east is 190.0"),
        ('bbox = [100.0, -91.0, 107.0, 20.0]', "south is -91.0"),
        ('bbox = [100.0, nan, 107.0, 20.0]', "south is nan"),
        ('bbox = [100.0, 20.0, 107.0, 14.0]', "south is north of north"),
        ('bbox = [100.0, 20.0, 107.0]', "bbox"),
        ('bbox = ["100E", "14N", "107E", "20N"]', "bbox"),
        ('period = ["2020", "2001"]', "begins after it ends"),
        ('period = ["2001-02-30", "2020"]', "neither a date nor a year"),
        ('period = ["then", "now"]', "neither a date nor a year"),
        ('period = ["2001"]', "period"),
        ('[metrics]\nlisten = "0.0.0.0:9465"', "other machines"),
        ('[metrics]\nlisten = "hub.example.org:9465"', "other machines"),
        ('[metrics]\nlisten = "9465"', "127.0.0.1:9465"),
        ('[geo]\nextract = "no"', "true or false"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_remedy(tmp_path: Path, line: str, expected: str) -> None:
    assert expected in refused(write(tmp_path, line))


def test_where_and_when_and_how_often_are_declared(tmp_path: Path) -> None:
    lines = 'update_frequency = "asNeeded"\nnext_update = 2027-06-30\nbbox = [177, -20.5, -178.0, -12]\n'
    lines += 'period = ["2001", 2001-06-30]\n[metrics]\nlisten = "[::1]:9465"\n[geo]\nextract = false'
    settings = load_settings(write(tmp_path, lines))
    section = settings.publish[0]
    assert section.next_update == datetime(2027, 6, 30, tzinfo=UTC)
    assert section.bbox == (177.0, -20.5, -178.0, -12.0)  # across 180°: from Fiji's west to its east
    assert section.period == ("2001", "2001-06-30")
    assert (settings.metrics.address, settings.geo.extract) == (("::1", 9465), False)


def test_nothing_is_declared_and_no_port_is_open_by_default(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path))
    section = settings.publish[0]
    assert (section.update_frequency, section.next_update, section.bbox, section.period) == (None,) * 4
    assert (settings.metrics.address, settings.geo.extract) == (None, True)


def test_an_unknown_theme_and_licence_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path)
    text = file.read_text()
    file.write_text(text.replace("basic-geology", "basic-gology"))
    assert "did you mean 'basic-geology'" in refused(file)
    file.write_text(text.replace("CC-BY-4.0", "CC-BY-4"))
    assert "publish[1].license" in refused(file)
    file.write_text(text.replace("CC-BY-4.0", "LicenseRef-LA-Open"))
    assert "license_file" in refused(file)


def second(tmp_path: Path, path: str, dataset: str = "other") -> str:
    return f"""
[[publish]]
dataset = "{dataset}"
path = "{path}"
title = {{ en = "Other" }}
theme = "hazard"
license = "CC-BY-4.0"
rights_holder = "DGM"
"""


def test_overlapping_and_doubled_datasets_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data" / "inner").mkdir(parents=True)
    assert "overlaps" in refused(write(tmp_path, second(tmp_path, f"{tmp_path}/data/inner")))
    (tmp_path / "link").symlink_to(tmp_path / "data")
    assert "overlaps" in refused(write(tmp_path, second(tmp_path, f"{tmp_path}/link/inner")))
    (tmp_path / "free").mkdir()
    assert "already" in refused(write(tmp_path, second(tmp_path, f"{tmp_path}/free", "geology")))


@pytest.mark.parametrize("where", ["data", "data/inner", "", "link"])
def test_a_folder_is_never_published_and_mirrored_into(tmp_path: Path, where: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    mirror = f'[[subscribe]]\ndataset = "cn-cgs/*"\npath = "{tmp_path}/{where}"'
    assert "mirror" in refused(write(tmp_path, mirror))


def test_the_nodes_state_is_never_published(tmp_path: Path) -> None:
    file = write(tmp_path)
    file.write_text(file.read_text().replace(f"{tmp_path}/state", f"{tmp_path}/data/state"))
    assert "state_dir" in refused(file)


def test_missing_folders_are_named_unless_the_caller_holds_them(tmp_path: Path) -> None:
    file = write(tmp_path)
    (tmp_path / "data").rmdir()
    assert "publish[1].path" in refused(file)
    assert load_settings(file, folders=False).publish


def test_relative_paths_and_dataset_names_with_a_partner_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path, name="la-dgm/geology")
    assert "write the name alone" in refused(file)
    file.write_text(write(tmp_path).read_text().replace(f"{tmp_path}/data", "data"))
    assert "relative" in refused(file)


@pytest.mark.parametrize(
    ("right", "wrong", "key"),
    [
        ('partner = "la-dgm"', 'partner = "LA DGM"', "node.partner"),
        ('name = "main"', 'name = "Main 1"', "node.name"),
        ('dataset = "geology"', 'dataset = "Geology 1"', "publish[1].dataset"),
    ],
)
def test_a_name_that_is_not_legal_is_told_with_its_key(
    tmp_path: Path, right: str, wrong: str, key: str
) -> None:
    text = write(tmp_path).read_text("utf-8")
    assert right in text
    path = tmp_path / "node.toml"
    path.write_text(text.replace(right, wrong), "utf-8")
    with pytest.raises(InvalidInput) as caught:
        load_settings(path)
    assert f"node.toml: {key}: " in caught.value.message
    assert "use lower-case" in caught.value.message


def test_asking_for_an_unpublished_dataset_suggests_one(tmp_path: Path) -> None:
    settings: Any = load_settings(write(tmp_path))
    assert settings.published("geology") is settings.published("la-dgm/geology")
    with pytest.raises(InvalidInput) as raised:
        settings.published("gelogy")
    assert "la-dgm/geology" in raised.value.remedy


def test_more_rules_than_a_policy_may_have_are_refused_at_once(tmp_path: Path) -> None:
    members = ", ".join(f'"cn-x{n}"' for n in range(LIMITS.rules_count_max + 1))
    share = '[[publish.share]]\nwith = ["group:many"]\nallow = ["read"]\n'
    assert "more than 5000" in refused(write(tmp_path, share, f"[groups]\nmany = [{members}]\n"))
