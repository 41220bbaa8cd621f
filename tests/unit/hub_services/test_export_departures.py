"""A departure can be verified offline: the word goes with its partner's lane, and the audit checks it."""

import json
from pathlib import Path

import pytest

from audit.findings import Finding, Result
from audit.load import load
from security.departure import Departure, build_departure
from security.digests import sha256_hex
from security.envelope import parse
from security.registry import verify_first
from security.trust import Trust
from tests.simulation.federation import Member, TestFederation
from tests.unit.hub_services.exporting import AUDITOR, enrol_auditor, export, share_geo

CHECK = "departure leaf"


def word(federation: TestFederation, who: Member, reason: str = "ລວມກັບກົມອື່ນ") -> bytes:
    said = Departure("test-geo", who.partner, who.node, federation.clock.now(), reason)
    return build_departure(said, who.signing)


@pytest.fixture
def left(federation: TestFederation) -> bytes:
    """The word of la-dgm's second node, which has left."""
    share_geo(federation)
    second = federation.enrol("la-dgm", "second")
    envelope = word(federation, second)
    federation.hub.departures.leave(second.caller, envelope)
    federation.hub.registry.sign_pending([federation.administrator])
    return envelope


def verified(federation: TestFederation, bundle: Path) -> list[Finding]:
    first = federation.hub.registry.list_from(1)[0]
    trust = Trust.of(verify_first(first, parse(first).id))
    return load(bundle, trust, federation.limits, check_content=True)[1]


def wrong(federation: TestFederation, bundle: Path) -> list[Finding]:
    return [each for each in verified(federation, bundle) if each.result is not Result.PASSED]


def put(bundle: Path, path: Path, data: bytes) -> None:
    """`data` in place of a file, with the bag's lists made anew as a forger would."""
    before, after = sha256_hex(path.read_bytes()) if path.exists() else "", sha256_hex(data)
    path.write_bytes(data)
    manifest = bundle / "manifest-sha256.txt"
    name = str(path.relative_to(bundle))
    lines = [line for line in manifest.read_text("utf-8").splitlines() if not line.endswith(f"  {name}")]
    assert before != after
    lines.append(f"{after}  {name}")
    manifest.write_text("".join(f"{line}\n" for line in sorted(lines, key=lambda x: x[66:])), "utf-8")
    tags = bundle / "tagmanifest-sha256.txt"
    listed = [line[66:] for line in tags.read_text("utf-8").splitlines()]
    tags.write_text("".join(f"{sha256_hex((bundle / n).read_bytes())}  {n}\n" for n in listed), "utf-8")


@pytest.mark.parametrize("audience", ["owner", AUDITOR])
def test_a_departure_is_verified_offline(
    federation: TestFederation, left: bytes, tmp_path: Path, audience: str
) -> None:
    enrol_auditor(federation)
    export(federation, tmp_path / "bundle", audience=audience)
    [path] = (tmp_path / "bundle/data/departures").iterdir()
    assert path.read_bytes() == left
    findings = verified(federation, tmp_path / "bundle")
    [told] = [each for each in findings if each.check == CHECK]
    assert told.result is Result.PASSED
    assert "la-dgm/second left by its own word" in told.message
    assert wrong(federation, tmp_path / "bundle") == []


def test_another_partner_gets_no_departure(federation: TestFederation, left: bytes, tmp_path: Path) -> None:
    export(federation, tmp_path / "bundle", audience="th-dmr")
    assert not (tmp_path / "bundle/data/departures").exists()


def test_a_bundle_without_the_word_is_as_good_as_before(federation: TestFederation, tmp_path: Path) -> None:
    share_geo(federation)
    export(federation, tmp_path / "bundle")
    assert not (tmp_path / "bundle/data/departures").exists()
    assert wrong(federation, tmp_path / "bundle") == []


def test_an_altered_departure_fails(federation: TestFederation, left: bytes, tmp_path: Path) -> None:
    export(federation, tmp_path / "bundle")
    [path] = (tmp_path / "bundle/data/departures").iterdir()
    forged = json.loads(left)
    forged["signatures"][0]["sig"] = forged["signatures"][1]["sig"]
    put(tmp_path / "bundle", path, json.dumps(forged).encode())
    assert (CHECK, Result.FAILED) in [
        (each.check, each.result) for each in wrong(federation, tmp_path / "bundle")
    ]


def test_another_word_of_the_same_node_is_not_what_the_leaf_records(
    federation: TestFederation, left: bytes, tmp_path: Path
) -> None:
    export(federation, tmp_path / "bundle")
    [path] = (tmp_path / "bundle/data/departures").iterdir()
    put(tmp_path / "bundle", path, word(federation, federation.members["la-dgm"]))
    [found] = wrong(federation, tmp_path / "bundle")
    assert (found.check, found.result) == (CHECK, Result.FAILED)
    assert "another departure" in found.message


def test_a_departure_that_no_leaf_records_fails(
    federation: TestFederation, left: bytes, tmp_path: Path
) -> None:
    """A partner's key, stolen or its own, cannot claim what the log does not have."""
    export(federation, tmp_path / "bundle")
    extra = tmp_path / "bundle/data/departures/000000000000.json"
    put(tmp_path / "bundle", extra, word(federation, federation.members["la-dgm"]))
    checks = {(each.check, each.result) for each in wrong(federation, tmp_path / "bundle")}
    assert (CHECK, Result.FAILED) in checks
