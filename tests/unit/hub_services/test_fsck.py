"""`fsck` finds what is wrong, wherever it is, and says what to do."""

import sqlite3
from pathlib import Path

import pytest

from hub.services.fsck import Finding
from hub.services.hub import Hub
from tests.simulation.federation import TestFederation, publish


@pytest.fixture
def published(federation: TestFederation) -> TestFederation:
    publish(federation, "la-dgm", "geo", {"a.bin": bytes(range(256)) * 40, "b": b"b"}, read=["th-dmr"])
    return federation


def findings(federation: TestFederation) -> list[Finding]:
    return list(federation.hub.fsck.check())


def tamper(federation: TestFederation, statement: str) -> None:
    """As an attacker with the disk."""
    connection = sqlite3.connect(federation.host.layout.database)
    with connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(statement)
    connection.close()


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_sound_hub_has_no_findings_also_beside_a_running_one(published: TestFederation):
    assert findings(published) == []
    layout = published.host.layout
    with Hub.open(layout, clock=published.clock, limits=published.limits) as beside:
        assert list(beside.fsck.check()) == []


def test_a_flipped_bit_in_a_pack_is_found(published: TestFederation):
    (pack,) = published.host.layout.store.rglob("*.pack")
    flip(pack, pack.stat().st_size // 2)
    found = findings(published)
    assert any(each.where == "store of la-dgm" for each in found)
    assert all(each.remedy for each in found)


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("DELETE FROM leaves WHERE idx = 5", "log leaf"),
        ("UPDATE leaves SET record = X'7B7D' WHERE type = 'version'", "log leaf"),
        ("UPDATE versions SET envelope = (SELECT envelope FROM policies)", "version 1 of la-dgm/geo"),
        ("UPDATE versions SET root = NULL, id = 'x'", "version 1 of la-dgm/geo"),
        ("UPDATE policies SET disclosures = X'5B5D'", "policy 1 of la-dgm/geo"),
        ("UPDATE registry_statements SET id = 'x' WHERE seq = 1", "registry 1"),
        ("DELETE FROM registry_statements WHERE seq = 2", "registry 3"),
    ],
)
def test_altered_metadata_are_found(published: TestFederation, statement: str, where: str):
    tamper(published, statement)
    assert any(each.where.startswith(where) for each in findings(published))


def test_a_lost_index_is_rebuilt_from_the_packs(published: TestFederation):
    layout = published.host.layout
    published.hub.close()
    for path in layout.store.rglob("index.sqlite*"):
        path.unlink()
    with Hub.open(layout, clock=published.clock, limits=published.limits) as hub:
        lines = list(hub.fsck.rebuild_index())
        assert lines[0].startswith("la-dgm: ")
    published.host.restart()
    assert findings(published) == []


def test_a_file_that_is_not_what_its_owner_signed_is_found(federation: TestFederation):
    """An owner's node lied about a file's digest: the chunks are sound, the file is not (ADR 7)."""
    from tests.simulation import federation as helpers

    real = helpers.sha256_hex
    helpers.sha256_hex = lambda data: real(b"lie") if data == b"truth" else real(data)
    try:
        publish(federation, "la-dgm", "geo", {"a": b"truth"}, read=["th-dmr"])
    finally:
        helpers.sha256_hex = real
    (found,) = findings(federation)
    assert "a does not have its signed digest" in found.problem
    assert list(federation.hub.fsck.check(files=False)) == []
