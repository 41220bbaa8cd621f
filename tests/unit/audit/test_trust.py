"""The trust file: one reading of it, and nothing that it says of its own."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from core import commands
from core.errors import Untrusted
from hub.cli import app
from security.canonical import canonical
from security.fields import encode_base64
from security.trust import Trust, read_trust
from tests.unit.audit.federation_evidence import Federation


@pytest.fixture(scope="module")
def federation() -> Federation:
    return Federation()


def test_reading_gives_what_was_written(federation: Federation) -> None:
    trust = federation.trust
    again = read_trust(trust.file)
    assert again == trust
    assert again.registry_id == federation.anchor
    assert [log.origin for log in again.logs] == ["mekong/log"]


def test_the_fingerprint_is_what_sha256sum_prints_in_groups(federation: Federation) -> None:
    trust = federation.trust
    groups = trust.fingerprint.split(" ")
    assert len(groups) == 16
    assert "".join(groups) == hashlib.sha256(trust.file).hexdigest()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"federation": "other"}, "WRONG_REGISTRY"),
        ({"logs": []}, "WRONG_LOGS"),
        ({"logs": ["mekong/log+00000000+AQ=="]}, "WRONG_LOGS"),
        ({"more": 1}, "UNKNOWN_FIELD"),
        ({"v": 2}, "UNKNOWN_VERSION"),
        ({"registry": "!"}, "MALFORMED"),
        ({"registry": encode_base64(b"{}")}, "MALFORMED"),
    ],
)
def test_a_file_that_says_something_else_is_refused(
    federation: Federation, change: dict[str, Any], reason: str
) -> None:
    data = canonical({**json.loads(federation.trust.file), **change})
    with pytest.raises(Untrusted) as error:
        read_trust(data)
    assert error.value.reason == reason


def test_a_later_statement_is_no_beginning(federation: Federation) -> None:
    value = {**json.loads(federation.trust.file), "registry": encode_base64(federation.chain[1].envelope)}
    with pytest.raises(Untrusted):
        read_trust(canonical(value))


def test_other_spellings_of_the_file_are_refused(federation: Federation) -> None:
    file = federation.trust.file
    for other in (file + b"\n", b" " + file, json.dumps(json.loads(file)).encode(), b""):
        with pytest.raises(Untrusted):
            read_trust(other)


def test_the_operator_writes_it_and_tells_the_fingerprint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub, out = tmp_path / "hub", tmp_path / "mekong.trust"
    made = ["init", str(hub), "--name", "Mekong Geo", "--address", "127.0.0.1:7443"]
    assert commands.run(app, made) == 0
    asked = ["--config", str(hub / "hub.toml"), "registry", "trust", "--out", str(out)]
    capsys.readouterr()
    assert commands.run(app, asked) == 0
    trust = read_trust(out.read_bytes())
    assert trust.fingerprint in capsys.readouterr().out
    assert commands.run(app, asked) == 5  # never overwritten
    other = [*asked[:-1], str(tmp_path / "other.trust"), "--json"]
    capsys.readouterr()
    assert commands.run(app, other) == 0
    assert json.loads(capsys.readouterr().out)["fingerprint"] == trust.fingerprint
    assert commands.run(app, [*asked[:-1], str(tmp_path / "nowhere/x")]) == 2
    assert Trust.of(trust.registry) == trust
