"""The systemd units: understood by systemd where it is here, hardened, and in step with the documents."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parents[3] / "deploy" / "systemd").glob("*.service"))
HARDENED = {
    "ProtectSystem": "strict",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "RestrictSUIDSGID": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectControlGroups": "yes",
}


def read(unit: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string(unit.read_text("utf-8"))
    return parser


def test_both_units_are_there():
    assert [unit.name for unit in UNITS] == ["syncline-hub.service", "syncline-node.service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_hardened(unit: Path):
    service = read(unit)["Service"]
    assert {key: service[key] for key in HARDENED} == HARDENED
    assert service["StateDirectoryMode"] == "0700"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_the_command_with_its_settings(unit: Path):
    command = read(unit)["Service"]["ExecStart"]
    name = unit.stem
    settings = name.removeprefix("syncline-")
    assert command == f"/opt/syncline/bin/{name} --config /etc/syncline/{settings}.toml run"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_understands_a_unit(unit: Path, tmp_path: Path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("UNITS NOT VERIFIED: systemd-analyze is missing here (package systemd)")
    # Where nothing is installed, the only complaint may be the missing program: put another in its place.
    text = re.sub(r"/opt/syncline/bin/[a-z-]+", "/bin/true", unit.read_text("utf-8"))
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE), "utf-8")
    verified = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
