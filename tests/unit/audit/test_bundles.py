"""Bundles of every kind that is honest: for partners, of a later time, of a continued log, without data."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit import cli
from audit.findings import Finding, Result
from audit.load import Anchor, load, load_all
from audit.verify import Report, verify_paths
from core import commands
from core.limits import LIMITS
from core.names import DatasetId
from security.canonical import canonical
from security.keys import WitnessKey
from security.members import REVOKED, RegistryLog
from security.tlog.checkpoint import sign_checkpoint
from security.tlog.opening_file import OpeningFile
from tests.unit.audit.federation_evidence import (
    FILES,
    OTHER,
    OWNER,
    READER,
    Federation,
    bundle_files,
    honest,
    write_bundle,
    write_mirror,
)

RECORDS = "data/log/records"


@pytest.fixture(scope="session")
def federation() -> Federation:
    return honest()


def verify(federation: Federation, *paths: Path) -> list[Report]:
    return list(verify_paths(paths, Anchor(federation.trust)))


def wrong(reports: list[Report]) -> list[Finding]:
    return [each for report in reports for each in report.findings if each.result is not Result.PASSED]


def told(report: Report, check: str) -> str:
    return next(each.message for each in report.findings if each.check == check)


def closed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Without places in lanes."""
    return {
        path: replace(OpeningFile.from_bytes(data), lane=None).to_bytes() if ".opening." in path else data
        for path, data in files.items()
    }


def without(files: Mapping[str, bytes], indices: list[int]) -> dict[str, bytes]:
    return {path: data for path, data in files.items() if not path.startswith(tuple(
        f"{RECORDS}/{index:012}." for index in indices
    ))}  # fmt: skip


@pytest.mark.parametrize("name", ["b", "b.zip"])
def test_a_bundle_without_data_is_proven(federation: Federation, tmp_path: Path, name: str) -> None:
    bundle = write_bundle(tmp_path / name, bundle_files(federation, with_data=False))
    (report,) = verify(federation, bundle)
    assert not wrong([report])
    assert "0 with data" in told(report, "scope")
    assert "files" not in {each.check for each in report.findings}


def test_a_partners_bundle_opens_no_lane_and_is_proven(federation: Federation, tmp_path: Path) -> None:
    """What partner READER may have: versions, policies, its own deliveries and acknowledgements."""
    dataset = federation.datasets[0]
    kinds = {"version", "policy", "delivery", "acknowledgement"}
    hidden = [
        index
        for index, leaf in enumerate(federation.log.leaves)
        if leaf.type not in kinds or index == dataset.deliveries[-1]
    ]
    files = without(closed(bundle_files(federation, audience=READER, lanes=())), hidden)
    (report,) = verify(federation, write_bundle(tmp_path / "b.zip", files))
    assert not wrong([report]), wrong([report])
    (dossier, _) = load(tmp_path / "b.zip", federation.trust)
    assert dossier.whole_lanes == ()
    assert not dossier.whole_log


def test_a_bundle_of_a_later_time_begins_where_it_says(federation: Federation, tmp_path: Path) -> None:
    dataset = federation.datasets[0]
    second = dataset.versions[1]
    opening = federation.log.leaves[second.index].opening
    assert opening is not None
    since = json.loads(opening.record)["time"]
    first = dataset.versions[0]
    files = bundle_files(federation)
    scope = {**json.loads(files["data/scope.json"]), "since": since}
    files["data/scope.json"] = canonical(scope)
    files = without(files, [index for index in range(second.index) if index != first.index])
    del files[f"data/datasets/{dataset.id}/acknowledgements/{dataset.acknowledgements[0][0]:012}.json"]
    (report,) = verify(federation, write_bundle(tmp_path / "b.zip", files))
    assert not wrong([report]), wrong([report])
    assert "since" in told(report, "scope")
    gone = without(files, [dataset.deliveries[-1]])
    assert "lanes" in {
        each.check for each in wrong(verify(federation, write_bundle(tmp_path / "c.zip", gone)))
    }


def test_every_lane_and_the_whole_log_are_known_to_be_whole(federation: Federation, tmp_path: Path) -> None:
    dossier, _ = load(write_bundle(tmp_path / "b.zip", bundle_files(federation)), federation.trust)
    assert dossier.whole_lanes == (OWNER,)
    assert dossier.whole_log
    assert [record.index for record in dossier.records] == [
        index for index, leaf in enumerate(federation.log.leaves) if leaf.opening is not None
    ]
    assert len(dossier.records) == len(list(dossier.records))
    acknowledged = dossier.datasets[0].acknowledgements
    assert len(acknowledged) == len(list(acknowledged)) == 2


def test_evidence_survives_a_revoked_partner_and_a_rotated_key(tmp_path: Path) -> None:
    federation = honest()
    federation.replace_key(OWNER)
    federation.datasets[0].publish({"third.txt": b"3"})
    federation.set_state(OTHER, REVOKED)
    witnesses = {name: key for name, key in federation.witness_keys.items() if OTHER not in name}
    files = bundle_files(federation, note=federation.note(cosigners=witnesses))
    reports = verify(federation, write_bundle(tmp_path / "b.zip", files))
    assert not wrong(reports), wrong(reports)
    assert told(reports[0], "position").startswith("3 hold")


def _continue_log(federation: Federation, lost: int) -> None:
    """The hub's disk is restored without its last `lost` leaves, and goes on under a new log."""
    old = federation.log
    size = len(old.leaves) - lost
    note = sign_checkpoint(old.checkpoint(size), old.key).decode()
    key = WitnessKey.generate()
    del old.leaves[size:]
    origin, old_origin = f"{federation.name}/log/2", old.origin
    old.key, old.origin = key, origin
    draft = federation.draft().with_log(RegistryLog(origin, key.public, (old_origin, note)))
    federation.append(draft)


def test_evidence_of_a_continued_log_is_proven(tmp_path: Path) -> None:
    """Receipts of the old log still name the leaves that both logs share."""
    federation = honest()
    _continue_log(federation, 0)
    federation.datasets[0].publish({"third.txt": b"3"})
    federation.datasets[0].deliver(READER)
    bundle = write_bundle(tmp_path / "b.zip", bundle_files(federation))
    mirror = write_mirror(federation.datasets[0], tmp_path / "m")
    reports = verify(federation, bundle, mirror)
    assert not wrong(reports), wrong(reports)
    assert told(reports[0], "log").startswith("mekong/log/2")


def test_a_version_logged_again_after_a_restore_keeps_its_first_receipt(tmp_path: Path) -> None:
    federation = honest()
    dataset = federation.datasets[0]
    dataset.publish({"third.txt": b"3"})
    version = dataset.versions[-1]
    _continue_log(federation, 1)
    version.index = federation.log.record("version", OWNER, dataset.id, version.id, node="main", seq=3)
    reports = verify(federation, write_bundle(tmp_path / "b.zip", bundle_files(federation)))
    messages = {each.check: each.message for each in wrong(reports)}
    # The lane of the little federation does not know of the restore; what matters here is the receipt.
    assert "receipt" not in messages


def test_two_datasets_of_two_owners_in_one_bundle(tmp_path: Path) -> None:
    federation = honest()
    second = federation.dataset(DatasetId(f"{READER}/seismic"))
    second.publish({"x": b"x"})
    files = bundle_files(federation, lanes=(OWNER, READER))
    (report,) = verify(federation, write_bundle(tmp_path / "b.zip", files))
    assert not wrong([report]), wrong([report])
    assert report.dataset is None
    (dossier, _) = next(load_all(tmp_path / "b.zip", federation.trust))
    assert [each.dataset for each in dossier.datasets] == [f"{READER}/seismic", "la-dgm/geology-1m"]
    with next(iter(dossier.datasets[0].versions)).inventory.open() as inventory:
        assert inventory.read().endswith(b"  x\n")


def test_without_the_log_a_bundle_is_incomplete_and_says_so(federation: Federation, tmp_path: Path) -> None:
    files = {path: data for path, data in bundle_files(federation).items() if "/log/" not in path}
    reports = verify(federation, write_bundle(tmp_path / "b.zip", files))
    assert {each.result for each in wrong(reports)} == {Result.UNCHECKED}
    assert "log" in {each.check for each in wrong(reports)}


@pytest.mark.parametrize("count", [0, 1])
def test_a_quorum_is_told_and_demanded_on_request(federation: Federation, tmp_path: Path, count: int) -> None:
    name = f"mekong/{OTHER}/main"
    few = {name: federation.witness_keys[name]} if count else {}
    files = bundle_files(federation, note=federation.note(cosigners=few))
    bundle = write_bundle(tmp_path / "b.zip", files)
    (report,) = verify(federation, bundle)
    assert not wrong([report])
    words = "1 of 3 cosigned, a quorum would be 3" if count else "none of 3 has cosigned yet"
    assert told(report, "witnesses").startswith(words)
    (report,) = verify_paths([bundle], Anchor(federation.trust), require_witnesses=True)
    assert [(each.check, each.result) for each in wrong([report])] == [("quorum", Result.UNCHECKED)]


def test_a_quorum_that_is_demanded_and_there(federation: Federation, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b.zip", bundle_files(federation))
    (report,) = verify_paths([bundle], Anchor(federation.trust), require_witnesses=True)
    assert not wrong([report])


def test_a_policy_with_hidden_rules_does_not_prove_deliveries_to_others(
    federation: Federation, tmp_path: Path
) -> None:
    files = bundle_files(federation)
    rules = next(path for path in files if path.endswith("00000002.rules.json"))
    files[rules] = b"[]"
    reports = verify(federation, write_bundle(tmp_path / "b.zip", files))
    assert {(each.check, each.result) for each in wrong(reports)} == {("deliveries", Result.UNCHECKED)}


def test_more_records_than_the_limit_are_refused(federation: Federation, tmp_path: Path) -> None:
    from core.errors import InvalidInput

    bundle = write_bundle(tmp_path / "b.zip", bundle_files(federation))
    with pytest.raises(InvalidInput, match="more than 3 records"):
        load(bundle, federation.trust, replace(LIMITS, bundle_records_count_max=3))


@pytest.mark.parametrize("kind", ["version", "policy", "delivery"])
@pytest.mark.parametrize("suffix", [".opening.json", ".tlog-proof"])
def test_a_single_leaf_is_verified_by_opening_and_proof(
    federation: Federation, tmp_path: Path, kind: str, suffix: str
) -> None:
    mirror = write_mirror(federation.datasets[0], tmp_path / "m")
    (report,) = verify(federation, mirror / ".syncline/log" / f"{kind}{suffix}")
    assert not wrong([report]), wrong([report])
    assert f"{kind} leaf" in {each.check for each in report.findings}


def test_a_single_leaf_needs_no_more_than_the_trust_file(federation: Federation, tmp_path: Path) -> None:
    mirror = write_mirror(federation.datasets[0], tmp_path / "m")
    for name in ("version.opening.json", "version.tlog-proof"):
        (tmp_path / name).write_bytes((mirror / ".syncline/log" / name).read_bytes())
    (report,) = verify(federation, tmp_path / "version.opening.json")
    assert not wrong([report])
    (tmp_path / "version.opening.json").unlink()
    (report,) = verify(federation, tmp_path / "version.tlog-proof")
    assert {each.check for each in wrong([report])} == {"leaf"}


def test_a_receipt_by_itself_is_verified(federation: Federation, tmp_path: Path) -> None:
    bag = write_bundle(tmp_path / "b", bundle_files(federation))
    receipt = next(bag.glob("data/datasets/*/*/versions/*/receipt.json"))
    (alone,) = verify(federation, receipt)
    assert "the hub accepted" in told(alone, "receipt")


def test_text_names_each_check_and_one_verdict(
    federation: Federation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_bundle(tmp_path / "b.zip", bundle_files(federation))
    trust = tmp_path / "trust"
    trust.write_bytes(federation.trust.file)
    assert commands.run(cli.app, ["verify", str(bundle), "--trust", str(trust)]) == 0
    out = capsys.readouterr().out
    assert federation.trust.fingerprint in out
    assert out.count("VERIFIED") == 1
    for check in ("registry", "log", "witnesses", "lanes", "receipt", "bag", "scope"):
        assert f"  ok           {check} " in out


def test_trust_of_another_federation_fails(federation: Federation, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b.zip", bundle_files(federation))
    reports = verify(Federation("other"), bundle)
    assert "registry" in {each.check for each in wrong(reports) if each.result is Result.FAILED}


def test_data_of_a_version_that_is_missing_in_part_fails(federation: Federation, tmp_path: Path) -> None:
    files = bundle_files(federation)
    name = next(path for path in files if path.endswith("/content/a/z"))
    del files[name]
    reports = verify(federation, write_bundle(tmp_path / "b.zip", files))
    assert {each.check for each in wrong(reports)} == {"files"}
    assert FILES["a/z"] == b"z"


def test_json_holds_a_report_for_each_path_and_one_for_all(
    federation: Federation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write_bundle(tmp_path / "b.zip", bundle_files(federation))
    two = write_bundle(tmp_path / "c", bundle_files(federation))
    trust = tmp_path / "trust"
    trust.write_bytes(federation.trust.file)
    assert commands.run(cli.app, ["verify", str(one), str(two), "--trust", str(trust), "--json"]) == 0
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert value["verdict"] == "verified"
    assert [each["findings"][0]["check"] for each in value["reports"]] == ["trust", "trust", "history"]
