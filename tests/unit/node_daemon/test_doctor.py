"""Each thing that may be wrong is found, and comes with what to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import NEEDS_ATTENTION, Unavailable
from core.limits import LIMITS
from core.settings import parse
from node import doctor
from node import identity as identities
from node.config import NodeSettings
from node.doctor import Finding, Patient, examine, exit_status
from node.state import DATABASE_NAME, NodeState
from sync.ports import HubInfo

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class FixedClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        return None


@pytest.fixture
def settings(tmp_path: Path) -> NodeSettings:
    for name in ("data", "mirror"):
        (tmp_path / name).mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    (tmp_path / "state").mkdir(mode=0o700)
    table = {
        "node": {"partner": "la-dgm", "name": "main", "state_dir": str(tmp_path / "state")},
        "hub": {"address": "hub.example.org:7443"},
        "publish": [
            {
                "dataset": "maps",
                "path": str(tmp_path / "data"),
                "title": {"en": "Maps"},
                "theme": "other",
                "license": "CC-BY-4.0",
                "rights_holder": "DGM",
                "share": [{"with": ["cn-cgs"], "allow": ["read"]}],
            }
        ],
        "subscribe": [{"dataset": "*/*", "path": str(tmp_path / "mirror")}],
    }
    return parse(table, NodeSettings, source="test")


def info(time: datetime = NOW) -> HubInfo:
    return HubInfo("test-geo", "0.1.0", time, 1, 1, 1, 1)


@pytest.fixture
def patient(settings: NodeSettings) -> Patient:
    def no_trust():
        raise Unavailable("not joined", remedy="join")

    return Patient(
        settings=settings,
        clock=FixedClock(),
        identity=lambda: identities.load_or_create(settings.node.state_dir),
        trust=no_trust,
        ask_hub=lambda identity, trust: info(),
    )


def only(findings: list[Finding], check: str) -> Finding:
    worst = [
        each
        for level in ("fail", "warn", "ok")
        for each in findings
        if (each.check, each.level) == (check, level)
    ]
    return worst[0]


def test_every_complaint_says_what_to_do(patient: Patient):
    findings = examine(patient)
    assert findings
    assert all(each.remedy for each in findings if each.level != "ok")


def test_a_missing_folder_is_found(patient: Patient, settings: NodeSettings):
    (settings.publish[0].path / "a.txt").unlink()
    assert only(examine(patient), "publish maps").level == "warn"
    settings.publish[0].path.rmdir()
    assert only(examine(patient), "publish maps").level == "fail"


def test_a_missing_mirror_folder_is_found(patient: Patient, settings: NodeSettings):
    settings.subscribe[0].path.rmdir()
    assert only(examine(patient), f"mirror {settings.subscribe[0].path}").level == "fail"


def test_an_open_state_folder_is_found(patient: Patient, settings: NodeSettings):
    settings.node.state_dir.chmod(0o755)
    finding = only(examine(patient), "state folder")
    assert (finding.level, "chmod 700" in finding.remedy) == ("warn", True)


def test_a_full_disk_is_found(patient: Patient):
    full = replace(patient, limits=replace(LIMITS, disk_reserve_bytes=2**62))
    assert only(examine(full), "state folder").level == "fail"


def test_a_key_that_others_may_read_is_found(patient: Patient, settings: NodeSettings):
    identity = patient.identity()
    key = next(path for path in identity.directory.iterdir() if path.suffix in (".pem", ".key"))
    key.chmod(0o644)
    # The keystore refuses to load such a key; the doctor must name it all the same.
    again = replace(patient, identity=lambda: identity)
    finding = only(examine(again), "keys")
    assert (finding.level, str(key) in finding.message) == ("fail", True)


def test_a_damaged_database_is_found(patient: Patient, settings: NodeSettings):
    state = NodeState(settings.node.state_dir)
    for number in range(200):
        state.set_meta(f"key-{number}", "x" * 100)
    state.close()
    assert only(examine(patient), "state database").level == "ok"
    path = settings.node.state_dir / DATABASE_NAME
    content = bytearray(path.read_bytes())
    content[4096 : len(content)] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    assert only(examine(patient), "state database").level == "fail"


def test_too_few_watches_are_found(patient: Patient, tmp_path: Path):
    limit = tmp_path / "max_user_watches"
    limit.write_text("1\n")
    finding = only(examine(replace(patient, inotify_limit=limit)), "watch limit")
    assert (finding.level, "sysctl" in finding.remedy) == ("warn", True)
    limit.write_text("1000\n")
    assert only(examine(replace(patient, inotify_limit=limit)), "watch limit").level == "ok"


@pytest.mark.parametrize(("offset_s", "level"), [(0, "ok"), (299, "ok"), (3600, "warn"), (-3600, "warn")])
def test_a_clock_that_is_off_is_found(patient: Patient, offset_s: int, level: str):
    asked = replace(
        patient,
        trust=lambda: None,  # type: ignore[arg-type,return-value]
        ask_hub=lambda identity, trust: info(NOW + timedelta(seconds=offset_s)),
    )
    assert only(list(doctor.check_hub(asked)), "clock").level == level


def test_the_exit_status_follows_the_worst_finding():
    well, warning, broken = (Finding("x", level, "") for level in ("ok", "warn", "fail"))
    assert exit_status([well]) == 0
    assert exit_status([well, warning]) == NEEDS_ATTENTION
    assert exit_status([well, broken, warning]) == Unavailable.exit_status


def test_what_may_not_be_read_is_told_in_words(patient: Patient):
    def denied():
        raise PermissionError(13, "Permission denied", "/var/lib/syncline/keys")

    found = {each.check: each for each in examine(replace(patient, identity=denied))}["keys"]
    assert found.message == "/var/lib/syncline/keys: Permission denied"
    assert "as the user that runs syncline-node" in found.remedy
