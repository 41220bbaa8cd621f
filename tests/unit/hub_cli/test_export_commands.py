"""`auditor` and `export` on the real command line, beside a directory of its own."""

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from core.clock import SystemClock
from core.names import DatasetId, NodeName, PartnerId
from hub.layout import Layout
from hub.services.context import Caller
from hub.services.hub import Hub
from security import policy as policies
from security.envelope import parse
from security.keys import SigningKey
from sync.manifest import License, Manifest, build
from sync.ports import PolicyExtract
from tests.unit.hub_cli.test_commands import CommandLine
from tests.unit.hub_rpc.conftest import RawNode

GEO = DatasetId("la-dgm/geo")


@pytest.fixture
def line(tmp_path: Path, capsys: Any) -> CommandLine:
    """A hub with one member, whose dataset has a policy and a version without its bytes."""
    line = CommandLine(tmp_path / "hub", capsys)
    made = ("init", str(line.directory), "--name", "Mekong Geo", "--address", "127.0.0.1:7443")
    assert line(*made, config=False) == 0, line.err
    out = tmp_path / "la-dgm.join"
    assert line("invite", "la-dgm", "--name", "DGM", "--out", str(out)) == 0, line.err
    node = RawNode(None, "la-dgm", "main")  # type: ignore[arg-type]
    request = node.join_request(out.read_bytes())
    with Hub.open(Layout(line.directory), clock=SystemClock()) as hub:
        hub.enrolment.join(request.envelope, request.token, request.csr_der)
    [waiting] = line.json("partners")["enrolments"]
    assert line("approve", "la-dgm", "--fingerprint", waiting["fingerprint"]) == 0, line.err
    with Hub.open(Layout(line.directory), clock=SystemClock()) as hub:
        publish(hub, node.signing_key)
    return line


def publish(hub: Hub, key: SigningKey) -> None:
    caller, now = Caller(PartnerId("la-dgm"), NodeName("main")), SystemClock().now().replace(microsecond=0)
    envelope, disclosures = policies.build(GEO, 1, None, now, [], None, key)
    hub.catalogue.publish_policy(caller, PolicyExtract(envelope, disclosures))
    registry = hub.registry.current()
    manifest = Manifest(
        dataset=GEO,
        inventory_sha256="0" * 64,
        seq=1,
        prev=None,
        created=now,
        owner=PartnerId("la-dgm"),
        rights_holder="DGM",
        license=License(expression="CC-BY-4.0"),
        title={"en": "Geology"},
        theme="basic-geology",
        policy_seq=1,
        policy_sha256=parse(envelope).id,
        registry_seq=registry.registry.seq,
        registry_sha256=registry.id,
        files=1,
        bytes=1,
    )
    hub.catalogue.commit_version(caller, build(manifest, key), None)


def test_export_says_what_it_wrote_and_what_comes_next(line: CommandLine, tmp_path: Path) -> None:
    assert line("export", GEO, "--for", "owner", "--out", str(tmp_path / "evidence.zip")) == 0, line.err
    assert "evidence for la-dgm about 1 dataset(s), 1 version(s)" in line.out
    assert f"Next: syncline-audit verify {tmp_path / 'evidence.zip'} --trust FILE" in line.out
    with zipfile.ZipFile(tmp_path / "evidence.zip") as opened:
        assert {name.split("/")[0] for name in opened.namelist()} == {
            name for name in (opened.namelist()[0].split("/")[0],) if name.startswith("mekong-geo-")
        }


def test_export_for_programs(line: CommandLine, tmp_path: Path) -> None:
    out = tmp_path / "evidence"
    told = line.json("export", "la-dgm/*", "--for", "la-dgm", "--out", str(out), "--with-data")
    assert told["datasets"] == [GEO] and told["lanes"] == ["la-dgm"] and told["withheld_versions"] == 1
    assert told["files"] == sum(len(files) for _, _, files in os.walk(out / "data"))
    assert json.loads((out / "data/scope.json").read_bytes())["tree_size"] == told["tree_size"]


def test_withheld_bytes_are_said(line: CommandLine, tmp_path: Path) -> None:
    out = str(tmp_path / "evidence")
    assert line("export", GEO, "--for", "owner", "--out", out, "--with-data") == 0, line.err
    assert "The bytes of 1 version(s) are not at this hub: their owner withholds them." in line.out


def test_since_is_a_date_or_an_instant(line: CommandLine, tmp_path: Path) -> None:
    for number, since in enumerate(("2020-01-01", "2020-01-01T12:00:00Z")):
        out = str(tmp_path / str(number))
        assert line("export", GEO, "--for", "owner", "--out", out, "--since", since) == 0, line.err
    for wrong in ("yesterday", "2020-13-01", "2020-01-01T12:00:00"):
        assert line("export", GEO, "--for", "owner", "--out", str(tmp_path / "x"), "--since", wrong) == 2
        assert "is no date" in line.err and "--since 2026-11-22" in line.err


@pytest.mark.parametrize(
    ("who", "status", "said"),
    [
        ("kh-gdmr", 2, "neither a partner nor an auditor"),
        ("Somebody", 2, "neither a partner nor an auditor"),
        ("la-oag", 4, "was revoked"),
    ],
)
def test_who_may_not_have_it_is_told_by_status(
    line: CommandLine, tmp_path: Path, who: str, status: int, said: str
) -> None:
    assert line("auditor", "add", "la-oag", "--name", "Auditor") == 0, line.err
    assert line("auditor", "revoke", "la-oag") == 0, line.err
    assert line("export", GEO, "--for", who, "--out", str(tmp_path / "x")) == status
    assert said in line.err
    assert not (tmp_path / "x").exists()


def test_export_never_overwrites(line: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    assert line("export", GEO, "--for", "owner", "--out", str(tmp_path / "x")) == 5
    assert "never overwritten" in line.err


def test_auditors_are_enrolled_listed_and_revoked(line: CommandLine, tmp_path: Path) -> None:
    assert line("auditor", "list") == 0
    assert "No auditor yet" in line.out
    names = ("--name", "State Audit Organisation", "--name", "lo=ອົງການກວດສອບແຫ່ງລັດ")
    assert line("auditor", "add", "la-sao", *names) == 0, line.err
    assert "export DATASET --for la-sao" in line.out
    assert line("auditor", "list") == 0
    assert "la-sao" in line.out and "State Audit Organisation" in line.out and "active" in line.out
    assert line("export", GEO, "--for", "la-sao", "--out", str(tmp_path / "x")) == 0, line.err
    assert line("auditor", "revoke", "la-sao") == 0, line.err
    [told] = line.json("auditor", "list")["auditors"]
    assert (told["id"], told["state"], told["waits_for_signatures"]) == ("la-sao", "revoked", False)
    assert told["names"]["lo"] == "ອົງການກວດສອບແຫ່ງລັດ"
    assert line("auditor", "add", "la-sao", "--name", "again") == 5


def test_where_the_keys_are_elsewhere_an_auditor_waits(line: CommandLine, tmp_path: Path) -> None:
    keys = tmp_path / "safe"
    shutil.move(line.directory / "admin", keys)
    assert line("auditor", "add", "la-sao", "--name", "Auditor") == 8, line.err
    assert "registry sign --keys DIR" in line.out
    [told] = line.json("auditor", "list")["auditors"]
    assert (told["state"], told["waits_for_signatures"]) == ("active", True)
    assert line("export", GEO, "--for", "la-sao", "--out", str(tmp_path / "x")) == 2
    assert "enrol the auditor la-sao" in json.dumps(line.json("registry", "show"))
    assert line("registry", "sign", "--keys", str(keys)) == 0, line.err
    assert "Signed: enrol the auditor la-sao" in line.out
    assert line("export", GEO, "--for", "la-sao", "--out", str(tmp_path / "x")) == 0, line.err
    assert line("auditor", "revoke", "la-sao") == 8
    assert line("export", GEO, "--for", "la-sao", "--out", str(tmp_path / "y")) == 4
    assert line("auditor", "revoke", "la-sao", "--keys", str(keys)) == 0, line.err
    [told] = line.json("auditor", "list")["auditors"]
    assert (told["state"], told["waits_for_signatures"]) == ("revoked", False)


@pytest.mark.parametrize("wrong", ["owner", "LA-SAO", "la-dgm"])
def test_an_auditors_id_is_one_of_its_own(line: CommandLine, wrong: str) -> None:
    assert line("auditor", "add", wrong, "--name", "X") == (5 if wrong == "la-dgm" else 2)
    assert line.json("auditor", "list")["auditors"] == []
