"""The operator's commands, each through the real command line, beside a directory of its own."""

import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from blake3 import blake3

from core import commands
from core.clock import SystemClock
from core.names import NodeName, PartnerId
from hub.cli import app
from hub.config import load_settings
from hub.layout import Layout
from hub.services.catalogue import CatalogueService
from hub.services.context import Caller
from hub.services.hub import Hub
from sync.frames import pack_frame
from sync.ports import StoredChunk
from tests.unit.hub_rpc.conftest import RawNode


class CommandLine:
    """Runs commands; `out` and `err` hold what the last one said."""

    def __init__(self, directory: Path, capsys: Any) -> None:
        self.directory = directory
        self._capsys = capsys

    def __call__(self, *arguments: str, config: bool = True) -> int:
        given: Sequence[str] = (
            ["--config", str(self.directory / "hub.toml"), *arguments] if config else arguments
        )
        status = commands.run(app, given)
        self.out, self.err = self._capsys.readouterr()
        return status

    def json(self, *arguments: str) -> Any:
        self(*arguments, "--json")
        return json.loads(self.out)


@pytest.fixture
def line(tmp_path: Path, capsys: Any) -> CommandLine:
    line = CommandLine(tmp_path / "hub", capsys)
    made = line(
        "init", str(line.directory), "--name", "Mekong Geo", "--address", "127.0.0.1:7443", config=False
    )
    assert made == 0, line.err
    return line


def invited(line: CommandLine, tmp_path: Path, partner: str = "la-dgm") -> bytes:
    out = tmp_path / f"{partner}.join"
    assert line("invite", partner, "--name", "Department of Geology", "--out", str(out)) == 0, line.err
    return out.read_bytes()


def joined(line: CommandLine, tmp_path: Path, partner: str = "la-dgm") -> str:
    request = RawNode(None, partner, "main").join_request(invited(line, tmp_path, partner))  # type: ignore[arg-type]
    with Hub.open(Layout(line.directory), clock=SystemClock()) as hub:
        hub.enrolment.join(request.envelope, request.token, request.csr_der)
    [waiting] = [e for e in line.json("partners")["enrolments"] if e["partner"] == partner]
    return waiting["fingerprint"]


def member(line: CommandLine, tmp_path: Path, partner: str = "la-dgm") -> None:
    fingerprint = joined(line, tmp_path, partner)
    assert line("approve", partner, "--fingerprint", fingerprint) == 0, line.err


# ── init ─────────────────────────────────────────────────────────────────────────────────────────


def test_init_makes_a_hub_that_says_what_to_do_next(line: CommandLine) -> None:
    settings = load_settings(line.directory / "hub.toml")
    assert settings.hub.federation == "mekong-geo"
    assert settings.hub.enrol_address == "127.0.0.1:7444"
    assert line("status") == 8
    assert "! the hub does not run" in line.out
    assert "still on this machine" in line.out


@pytest.mark.parametrize(
    ("options", "listen"),
    [
        ((), "127.0.0.1:7444"),
        (("--enrol-address", "h:9000"), "127.0.0.1:9001"),
        (("--log-listen", "0.0.0.0:80"), "0.0.0.0:80"),
        (("--log-listen", ""), ""),
    ],
)
def test_init_says_where_the_log_can_be_read(
    tmp_path: Path, capsys: Any, options: tuple[str, ...], listen: str
) -> None:
    line = CommandLine(tmp_path / "hub", capsys)
    arguments = ("init", str(line.directory), "--name", "X", "--address", "h:7442", *options)
    assert line(*arguments, config=False) == 0, line.err
    assert load_settings(line.directory / "hub.toml").transparency.listen == listen


@pytest.mark.parametrize("options", [("--log-listen", "7445"), ("--enrol-address", "h:65535")])
def test_init_refuses_a_log_port_that_is_none(tmp_path: Path, capsys: Any, options: tuple[str, ...]) -> None:
    line = CommandLine(tmp_path / "hub", capsys)
    arguments = ("init", str(line.directory), "--name", "X", "--address", "h:7442", *options)
    assert line(*arguments, config=False) == 2
    assert not line.directory.exists()


def attention(line: CommandLine) -> list[str]:
    """What `status` wants a person to look at, by its last answer."""
    return [text[2:] for text in line.out.splitlines() if text.startswith("! ")]


def test_init_from_a_name_without_a_latin_letter_says_what_to_give(tmp_path: Path, capsys: Any) -> None:
    arguments = ["init", str(tmp_path / "hub"), "--name", "中国", "--address", "h:7443"]
    assert commands.run(app, arguments) == 2
    said = capsys.readouterr().err
    assert "the name '中国' gives no federation id" in said and "--federation" in said and "''" not in said


def test_datasets_shortens_no_id_where_a_program_reads(line: CommandLine, monkeypatch: Any) -> None:
    name = "la-dgm/" + "n" * 60
    summary = SimpleNamespace(
        dataset=name,
        title={"en": "t" * 90},
        version_seq=1,
        files=1,
        bytes=1,
        has_content=True,
        accepted=SystemClock().now(),
    )

    def datasets(_: CatalogueService) -> list[SimpleNamespace]:
        return [summary]

    monkeypatch.setattr(CatalogueService, "datasets", datasets)
    assert line("datasets") == 0
    assert name in line.out


def test_init_keeps_every_private_key_private(line: CommandLine) -> None:
    keys = [*line.directory.glob("keys/*.key"), *line.directory.glob("admin/*.key")]
    assert len(keys) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
    assert stat.S_IMODE(line.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((line.directory / "admin").stat().st_mode) == 0o700


def test_init_refuses_to_overwrite(line: CommandLine) -> None:
    before = {path: path.read_bytes() for path in line.directory.rglob("*") if path.is_file()}
    again = ("init", str(line.directory), "--name", "X", "--address", "127.0.0.1:7443")
    assert line(*again, config=False) == 5
    assert "never overwritten" in line.err
    assert {path: path.read_bytes() for path in line.directory.rglob("*") if path.is_file()} == before


def test_init_refuses_a_folder_that_holds_something_else(tmp_path: Path, capsys: Any) -> None:
    line = CommandLine(tmp_path / "home", capsys)
    line.directory.mkdir()
    (line.directory / "thesis.odt").write_bytes(b"years of work")
    assert line("init", str(line.directory), "--name", "X", "--address", "h:7443", config=False) == 5
    assert [path.name for path in line.directory.iterdir()] == ["thesis.odt"]


@pytest.mark.parametrize("existed", [True, False])
def test_init_cleans_up_after_a_failure(tmp_path: Path, capsys: Any, monkeypatch: Any, existed: bool) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    line = CommandLine(tmp_path / "hub", capsys)
    if existed:
        line.directory.mkdir()
    monkeypatch.setattr(Hub, "found", fail)
    assert line("init", str(line.directory), "--name", "X", "--address", "h:7443", config=False) == 6
    assert line.directory.exists() is existed
    assert not existed or list(line.directory.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--address", "hub.example.org"], "HOST:PORT"),
        (["--address", "hub.example.org:0"], "no port"),
        (["--address", "h:7443", "--enrol-address", "h:7443"], "two ports"),
        (["--address", "h:7443", "--administrators", "2", "--threshold", "3"], "cannot be met"),
        (["--address", "h:7443", "--federation", "Not Legal"], "federation id"),
    ],
)
def test_init_refuses_nonsense_before_it_writes(
    tmp_path: Path, capsys: Any, options: list[str], says: str
) -> None:
    line = CommandLine(tmp_path / "hub", capsys)
    assert line("init", str(line.directory), "--name", "X", *options, config=False) == 2
    assert says in line.err
    assert not line.directory.exists()


def test_a_name_without_latin_letters_asks_for_a_federation_id(tmp_path: Path, capsys: Any) -> None:
    line = CommandLine(tmp_path / "hub", capsys)
    named = ("init", str(line.directory), "--name", "ແມ່ຂອງ", "--address", "h:7443")
    assert line(*named, config=False) == 2
    assert "--federation" in line.err
    assert line(*named, "--federation", "mekong", config=False) == 0
    assert load_settings(line.directory / "hub.toml").hub.name == "ແມ່ຂອງ"


def test_every_key_of_the_written_settings_is_explained_and_known(line: CommandLine) -> None:
    from hub.config import HubTable, LogTable, ServerTable

    text = (line.directory / "hub.toml").read_text()
    for table in (HubTable, LogTable, ServerTable):
        for key in table.model_fields:
            assert any(part.lstrip("# ").startswith(f"{key} = ") for part in text.splitlines()), key
    uncommented = text.replace("# listen", "listen").replace("# enrol_listen", "enrol_listen")
    (line.directory / "hub.toml").write_text(uncommented.replace("# admin_keys", "admin_keys"))
    settings = load_settings(line.directory / "hub.toml")
    assert settings.listen == "0.0.0.0:7443"
    assert settings.admin_keys == Path("/media/administrator/keys")


def test_an_unknown_key_names_file_key_and_remedy(line: CommandLine) -> None:
    path = line.directory / "hub.toml"
    path.write_text(path.read_text().replace("address =", "adress =", 1))
    assert line("status") == 2
    assert "hub.toml" in line.err
    assert "did you mean 'address'" in line.err


# ── enrolment ────────────────────────────────────────────────────────────────────────────────────


def test_invite_writes_a_private_join_file_and_says_how_to_send_it(line: CommandLine, tmp_path: Path) -> None:
    told = json.loads(invited(line, tmp_path))
    assert "channel that you trust" in line.out
    assert told["expires"] in line.out
    assert stat.S_IMODE((tmp_path / "la-dgm.join").stat().st_mode) == 0o600
    assert told["names"] == {"en": "Department of Geology"}


def test_invite_takes_names_in_many_languages(line: CommandLine, tmp_path: Path) -> None:
    out = tmp_path / "join"
    names = ("--name", "Geology", "--name", "lo=ທໍລະນີສາດ", "--name", "zh-Hans=地质")
    assert line("invite", "la-dgm", *names, "--out", str(out)) == 0
    assert json.loads(out.read_bytes())["names"] == {"en": "Geology", "lo": "ທໍລະນີສາດ", "zh-Hans": "地质"}


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["LA-DGM", "--name", "x"], 2),
        (["la-dgm"], 2),
        (["la-dgm", "--name", "a", "--name", "b"], 2),
        (["la-dgm", "--name", "x", "--node", "Not Legal"], 2),
    ],
    ids=["partner", "no name", "two English names", "node"],
)
def test_invite_refuses_nonsense_and_writes_nothing(
    line: CommandLine, tmp_path: Path, arguments: list[str], status: int
) -> None:
    assert line("invite", *arguments, "--out", str(tmp_path / "join")) == status
    assert not (tmp_path / "join").exists()


def test_invite_never_overwrites_a_file(line: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "join").write_bytes(b"precious")
    assert line("invite", "la-dgm", "--name", "x", "--out", str(tmp_path / "join")) == 5
    assert (tmp_path / "join").read_bytes() == b"precious"
    assert line.json("partners")["enrolments"] == []


def test_approve_takes_a_fingerprint_however_it_was_read_out(line: CommandLine, tmp_path: Path) -> None:
    fingerprint = joined(line, tmp_path)
    read_out = fingerprint.upper().replace(" ", "-")
    assert line("approve", "la-dgm", "--fingerprint", read_out) == 0, line.err
    [partner] = line.json("partners")["partners"]
    assert (partner["partner"], partner["state"], partner["nodes"]) == ("la-dgm", "active", ["main"])


def test_approve_refuses_another_fingerprint(line: CommandLine, tmp_path: Path) -> None:
    fingerprint = joined(line, tmp_path)
    wrong = ("0" if fingerprint[0] != "0" else "1") + fingerprint[1:]
    assert line("approve", "la-dgm", "--fingerprint", wrong) == 3
    assert line.json("partners")["partners"] == []


def test_status_asks_for_a_person_while_somebody_waits(line: CommandLine, tmp_path: Path) -> None:
    fingerprint = joined(line, tmp_path)
    assert line("status") == 8
    assert fingerprint in line.out
    assert line("approve", "la-dgm", "--fingerprint", fingerprint) == 0
    assert line("status") == 8
    assert attention(line) == ["the hub does not run"]


def test_reject_ends_a_request_and_its_token(line: CommandLine, tmp_path: Path) -> None:
    fingerprint = joined(line, tmp_path)
    assert line("reject", "la-dgm") == 0
    assert line("approve", "la-dgm", "--fingerprint", fingerprint) == 2
    assert line("reject", "la-dgm") == 2


# ── administrators' keys elsewhere ───────────────────────────────────────────────────────────────


def test_without_keys_an_approval_waits_and_registry_sign_completes_it(
    line: CommandLine, tmp_path: Path
) -> None:
    fingerprint = joined(line, tmp_path)
    elsewhere = tmp_path / "elsewhere"
    (line.directory / "admin").rename(elsewhere)
    assert line("approve", "la-dgm", "--fingerprint", fingerprint) == 8
    assert "registry sign --keys" in line.out
    assert line("status") == 8
    assert line.json("partners")["partners"] == []
    assert line("registry", "sign", "--keys", str(tmp_path / "nowhere")) == 6
    assert line("registry", "sign", "--keys", str(elsewhere)) == 0, line.err
    assert [p["partner"] for p in line.json("partners")["partners"]] == ["la-dgm"]
    assert line.json("registry", "show")["seq"] == 2
    assert line("status") == 8
    assert "still on this machine" not in line.out
    assert attention(line) == ["the hub does not run"]


def test_too_few_administrators_sign_nothing(tmp_path: Path, capsys: Any) -> None:
    line = CommandLine(tmp_path / "hub", capsys)
    many = ("--administrators", "3", "--threshold", "2")
    line("init", str(line.directory), "--name", "X", "--address", "h:7443", *many, config=False)
    fingerprint = joined(line, tmp_path)
    one = tmp_path / "one"
    one.mkdir()
    (line.directory / "admin" / "administrator-1.key").rename(one / "administrator-1.key")
    assert line("approve", "la-dgm", "--fingerprint", fingerprint, "--keys", str(one)) == 6
    assert line.json("registry", "show")["seq"] == 1
    assert line("approve", "la-dgm", "--fingerprint", fingerprint) == 0, line.err


def test_encrypted_administrators_keys_need_their_passphrase(
    tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse\n")
    monkeypatch.setenv("SYNCLINE_ADMIN_PASSPHRASE_FILE", str(secret))
    line = CommandLine(tmp_path / "hub", capsys)
    line("init", str(line.directory), "--name", "X", "--address", "h:7443", config=False)
    assert b"ENCRYPTED" in (line.directory / "admin" / "administrator-1.key").read_bytes()
    assert line("registry", "sign", "--keys", str(line.directory / "admin")) == 0, line.err
    monkeypatch.delenv("SYNCLINE_ADMIN_PASSPHRASE_FILE")
    assert line("registry", "sign", "--keys", str(line.directory / "admin")) == 2
    secret.write_text("wrong")
    monkeypatch.setenv("SYNCLINE_ADMIN_PASSPHRASE_FILE", str(secret))
    assert line("registry", "sign", "--keys", str(line.directory / "admin")) == 2


def test_keys_of_strangers_sign_nothing(line: CommandLine, tmp_path: Path, capsys: Any) -> None:
    other = CommandLine(tmp_path / "other", capsys)
    other("init", str(other.directory), "--name", "X", "--address", "h:7443", config=False)
    assert line("registry", "sign", "--keys", str(other.directory / "admin")) in (3, 6)
    assert line.json("registry", "show")["seq"] == 1


# ── standing ─────────────────────────────────────────────────────────────────────────────────────


def test_suspend_resume_and_revoke_are_seen_at_once(line: CommandLine, tmp_path: Path) -> None:
    member(line, tmp_path)

    def state() -> str:
        return line.json("partners")["partners"][0]["state"]

    assert line("suspend", "la-dgm") == 0
    assert state() == "suspended"
    assert line("resume", "la-dgm") == 0
    assert state() == "active"
    assert line("revoke", "la-dgm") == 0
    assert state() == "revoked"
    assert line("resume", "la-dgm") == 5


def test_revoke_without_keys_suspends_at_once_and_waits(line: CommandLine, tmp_path: Path) -> None:
    member(line, tmp_path)
    (line.directory / "admin").rename(tmp_path / "elsewhere")
    assert line("revoke", "la-dgm") == 8
    assert line.json("partners")["partners"][0]["state"] != "active"
    assert line.json("registry", "show")["pending"][0]["kind"] == "revoke"


@pytest.mark.parametrize("command", ["suspend", "resume", "revoke"])
def test_an_unknown_partner_is_answered_with_those_that_there_are(
    line: CommandLine, tmp_path: Path, command: str
) -> None:
    member(line, tmp_path)
    assert line(command, "th-dmr") == 2
    assert "la-dgm" in line.err


# ── looking ──────────────────────────────────────────────────────────────────────────────────────


def test_status_shows_what_nodes_report_and_when_they_fall_silent(line: CommandLine, tmp_path: Path) -> None:
    member(line, tmp_path)
    fault = {"message": "disk is full", "remedy": "free some space"}
    with Hub.open(Layout(line.directory), clock=SystemClock()) as hub:
        caller = Caller(PartnerId("la-dgm"), NodeName("main"))
        hub.fleet.report_status(caller, json.dumps({"faults": {"state": fault}}).encode())
    assert line("status") == 8
    assert "disk is full" in line.out
    with Hub.open(Layout(line.directory), clock=SystemClock()) as hub:
        hub.fleet.report_status(caller, b'{"mirrors": [{"dataset": "th-dmr/x", "seq": 1, "wanted_seq": 2}]}')
    assert line("status") == 8
    assert attention(line) == ["the hub does not run"]
    assert line.json("status")["partners"][0]["nodes"][0]["state"] == "behind"


def test_a_report_cannot_move_the_operators_terminal(line: CommandLine, tmp_path: Path) -> None:
    member(line, tmp_path)
    with Hub.open(Layout(line.directory), clock=SystemClock()) as hub:
        caller = Caller(PartnerId("la-dgm"), NodeName("main"))
        evil = {"faults": {"x\x1b[2J": {"message": "\x1b[31mred [/bold]\r\n! all is well"}}, "publish": 7}
        hub.fleet.report_status(caller, json.dumps(evil).encode())
    assert line("status") == 8
    assert "\x1b" not in line.out
    assert "\r" not in line.out


def test_fsck_of_a_sound_hub_finds_nothing_and_of_a_damaged_one_exits_with_7(
    line: CommandLine, tmp_path: Path
) -> None:
    member(line, tmp_path)
    assert line("fsck") == 0, line.err
    data = b"a layer of rock" * 100
    with Hub.open(Layout(line.directory), clock=SystemClock()) as hub:
        upload = hub.content.open_upload(Caller(PartnerId("la-dgm"), NodeName("main")))
        upload.put_frame(pack_frame([StoredChunk(blake3(data).digest(), 0, len(data), data)]))
        upload.commit()
    assert line("fsck") == 0, line.err
    assert line("fsck", "--rebuild-index") == 0, line.err
    [pack] = [p for p in line.directory.glob("store/la-dgm/**/*") if p.is_file() and data in p.read_bytes()]
    pack.chmod(0o600)
    pack.write_bytes(pack.read_bytes().replace(b"layer", b"liar "))
    assert line("fsck") == 7
    assert "la-dgm" in line.out
    assert line.json("fsck")["findings"]


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can give a folder away")
def test_another_user_is_sent_to_the_right_one(line: CommandLine) -> None:
    # Root's -wal and -shm files would lock the hub out of its own database.
    os.chown(line.directory, 65534, 65534)
    assert line("status") == 2
    assert "runuser -u" in line.err
    os.chown(line.directory, 0, 0)


def test_commands_accept_config_behind_the_command_and_from_the_environment(
    line: CommandLine, monkeypatch: Any
) -> None:
    assert line("partners", "--config", str(line.directory / "hub.toml"), config=False) == 0
    monkeypatch.setenv("SYNCLINE_HUB_CONFIG", str(line.directory / "hub.toml"))
    assert line("datasets", config=False) == 0


def test_a_missing_settings_file_says_where_it_was_looked_for(line: CommandLine) -> None:
    os.environ.pop("SYNCLINE_HUB_CONFIG", None)
    assert line("status", "--config", "/nowhere/hub.toml", config=False) == 2
    assert "/nowhere/hub.toml" in line.err


def test_quotas_stand_in_the_settings_as_documented(line: CommandLine) -> None:
    path = line.directory / "hub.toml"
    written = path.read_text("utf-8")
    assert load_settings(path).quotas.of(PartnerId("la-dgm")) is None
    documented = written.replace("# [quota", "[quota").replace("# default_b", "default_b")
    path.write_text(documented.replace("# la-dgm =", "la-dgm ="), "utf-8")
    quotas = load_settings(path).quotas
    assert quotas.of(PartnerId("la-dgm")) == 2_000_000_000_000
    assert quotas.of(PartnerId("th-dmr")) == 500_000_000_000
    for bad in ("default_bytes = -1", "[quota.partners]\nla-dgm = -1", '[quota.partners]\n"No One" = 1'):
        path.write_text(f"{written}\n[quota]\n{bad}\n", "utf-8")
        assert line("partners") == 2


def test_partners_and_status_show_what_each_uses_of_its_quota(line: CommandLine, tmp_path: Path) -> None:
    member(line, tmp_path)
    [shown] = line.json("partners")["partners"]
    assert (shown["used_bytes"], shown["quota_bytes"]) == (0, None)
    data = b"a layer of rock" * 100
    with Hub.open(Layout(line.directory), clock=SystemClock()) as hub:
        upload = hub.content.open_upload(Caller(PartnerId("la-dgm"), NodeName("main")))
        upload.put_frame(pack_frame([StoredChunk(blake3(data).digest(), 0, len(data), data)]))
        upload.commit()
    with (line.directory / "hub.toml").open("a", encoding="utf-8") as file:
        file.write("[quota]\ndefault_bytes = 1500\n")
    [shown] = line.json("partners")["partners"]
    assert (shown["used_bytes"], shown["quota_bytes"]) == (1500, 1500)
    [shown] = line.json("status")["partners"]
    assert (shown["used_bytes"], shown["quota_bytes"]) == (1500, 1500)
    assert line("partners") == 0
    assert "1,500 of 1,500" in line.out
    line("status")
    assert "la-dgm has used up its quota" in line.out
