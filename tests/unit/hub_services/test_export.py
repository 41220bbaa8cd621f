"""Bundles: each receiver gets what belongs to it and nothing else, told to the log, checkable by anyone."""

import errno
import json
import os
import re
import subprocess
import zipfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import bagit
import pytest

from audit.findings import Result
from audit.load import load
from core import durable
from core.errors import Conflict, Corrupt, Denied, InvalidInput, Unavailable
from core.limits import Limits
from core.names import PartnerId
from core.progress import NullProgress
from hub.services.registry import Signed
from security.canonical import parse_strict
from security.envelope import parse
from security.policy import disclosures_from_json
from security.registry import Registry, verify_first
from security.rules import Rule
from security.tlog.checkpoint import open_checkpoint
from security.tlog.leaf import make_leaf, registry_leaf
from security.tlog.log_policy import parse as parse_log_policy
from security.tlog.opening_file import OpeningFile, check_lane
from security.tlog.tlog_proof import verify_leaf
from security.trust import Trust
from tests.simulation.federation import Published, TestFederation, publish, share
from tests.unit.hub_services.conftest import SMALL
from tests.unit.hub_services.exporting import (
    AUDITOR,
    FILES,
    GEO,
    ORE,
    acknowledge,
    enrol_auditor,
    export,
    read,
    share_geo,
)


@pytest.fixture
def shared(federation: TestFederation) -> Published:
    return share_geo(federation)


class Bundle:
    """A bundle read with nothing but the standard library and the log's own verifiers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.scope = json.loads((root / "data/scope.json").read_bytes())
        self.registries = [
            Registry.from_payload(parse(path.read_bytes()).payload)
            for path in sorted((root / "data/registry").iterdir())
        ]

    @property
    def paths(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()}

    def openings(self) -> list[OpeningFile]:
        folder = self.root / "data/log/records"
        return [OpeningFile.from_bytes(path.read_bytes()) for path in sorted(folder.glob("*.opening.json"))]

    def records(self) -> list[dict[str, Any]]:
        return [parse_strict(each.record) for each in self.openings()]

    def told(self) -> list[tuple[str, str, str]]:
        return [(each["type"], each["actor"], each["object"]) for each in self.records()]

    def check(self) -> None:
        """The bag is whole, and every record and registry statement is in the tree of the one checkpoint."""
        bagit.Bag(str(self.root)).validate(processes=1)
        logs = self.registries[-1].logs
        note = (self.root / "data/log/checkpoint").read_bytes()
        checkpoint = open_checkpoint(note, logs[-1].origin, logs[-1].key).checkpoint
        assert (self.scope["log"], self.scope["tree_size"]) == (checkpoint.origin, checkpoint.size)
        parse_log_policy((self.root / "data/log/log-policy").read_bytes())
        lanes: dict[str, list[tuple[int, str | None]]] = {}
        for opening in self.openings():
            record = parse_strict(opening.record)
            leaf = make_leaf(record, opening.nonce)[0]
            self.check_leaf(f"records/{opening.index:012}.tlog-proof", leaf, note)
            if opening.lane is not None:
                [owner] = self.owners(opening)
                lanes.setdefault(owner, []).append((opening.lane.n, opening.lane.prev))
        assert set(lanes) == set(self.scope["lanes"])
        for places in lanes.values():
            numbers = [n for n, _ in places]
            assert "since" in self.scope or numbers == list(range(1, len(numbers) + 1))
        for path in sorted((self.root / "data/registry").iterdir()):
            leaf = registry_leaf(parse(path.read_bytes()).id)
            self.check_leaf(f"registry-{path.stem}.tlog-proof", leaf, note)

    def check_leaf(self, name: str, leaf: bytes, note: bytes) -> None:
        proven = verify_leaf((self.root / "data/log" / name).read_bytes(), leaf, self.registries[-1].logs)
        assert proven.note.to_bytes() == note

    def owners(self, opening: OpeningFile) -> list[str]:
        found: list[str] = []
        for owner in self.scope["lanes"]:
            assert opening.lane is not None
            try:
                check_lane(parse_strict(opening.record), PartnerId(owner), opening.lane)
            except Exception:  # not this one's
                continue
            found.append(owner)
        return found


def exported(federation: TestFederation, tmp_path: Path, *wanted: str, **options: Any) -> Bundle:
    out = tmp_path / f"bundle-{len(list(tmp_path.iterdir()))}"
    export(federation, out, *wanted, **options)
    made = Bundle(out)
    made.check()
    first = federation.hub.registry.list_from(1)[0]
    trust = Trust.of(verify_first(first, parse(first).id))
    dossier, findings = load(out, trust, federation.limits, check_content=True)
    assert [each for each in findings if each.result is not Result.PASSED] == []
    assert list(dossier.whole_lanes) == made.scope["lanes"]
    return made


# ── the owner ────────────────────────────────────────────────────────────────────────────────────


def test_an_owner_gets_its_whole_lane_and_everything_about_its_datasets(
    federation: TestFederation, shared: Published, tmp_path: Path
) -> None:
    bundle = exported(federation, tmp_path)
    assert bundle.scope == {
        "v": 1,
        "federation": "test-geo",
        "for": "la-dgm",
        "lanes": ["la-dgm"],
        "datasets": [GEO],
        "log": "test-geo/log",
        "tree_size": bundle.scope["tree_size"],
    }
    told = bundle.told()
    assert ("delivery", "th-dmr", GEO) in told
    assert ("acknowledgement", "th-dmr", GEO) in told
    assert ("version", "la-dgm", ORE) in told  # the lane is opened whole
    assert not any(object_.startswith("th-dmr/") for _, _, object_ in told)
    folder = f"data/datasets/la-dgm/geo/versions/1-{shared.manifest_id[:8]}"
    assert {path for path in bundle.paths if path.startswith(folder)} == {
        f"{folder}/manifest.json",
        f"{folder}/inventory.sha256",
    }
    assert (bundle.root / folder / "manifest.json").read_bytes() == shared.envelope
    [acknowledgement] = (bundle.root / "data/datasets/la-dgm/geo/acknowledgements").iterdir()
    assert (
        bundle.records()[[each.index for each in bundle.openings()].index(int(acknowledgement.stem))][
            "statement_sha256"
        ]
        == parse(acknowledgement.read_bytes()).id
    )
    rules = (bundle.root / "data/datasets/la-dgm/geo/policies/00000001.rules.json").read_bytes()
    assert [each.rule.assignee for each in disclosures_from_json(rules)] == ["th-dmr"]


def test_the_literal_owner_and_its_id_are_the_same_receiver(
    federation: TestFederation, shared: Published
) -> None:
    plans = [
        federation.hub.export.plan(["la-dgm/*"], who, with_data=True, since=None)
        for who in ("owner", "la-dgm")
    ]
    assert plans[0] == plans[1]
    assert plans[0].datasets == (GEO, ORE)


def test_the_owner_of_several_datasets_of_several_owners_is_a_mistake(
    federation: TestFederation, shared: Published
) -> None:
    with pytest.raises(InvalidInput, match="several owners: la-dgm, th-dmr"):
        federation.hub.export.plan(["*"], "owner", with_data=False, since=None)


def test_with_data_the_files_are_those_that_were_signed(
    federation: TestFederation, shared: Published, tmp_path: Path
) -> None:
    bundle = exported(federation, tmp_path, with_data=True)
    [content] = bundle.root.glob("data/datasets/la-dgm/geo/versions/*/content")
    found = {str(p.relative_to(content)): p.read_bytes() for p in content.rglob("*") if p.is_file()}
    assert found == FILES
    done = subprocess.run(
        ["sha256sum", "--quiet", "--strict", "-c", "../inventory.sha256"], cwd=content, check=False
    )
    assert done.returncode == 0


def test_withheld_bytes_are_told_and_the_rest_is_there(
    federation: TestFederation, shared: Published, tmp_path: Path
) -> None:
    publish(federation, "la-dgm", "geo", {"later": b"x"}, withhold=True)
    done = export(federation, tmp_path / "a", with_data=True)
    assert (done.versions, done.withheld) == (2, 1)
    [folder] = (tmp_path / "a").glob("data/datasets/la-dgm/geo/versions/2-*")
    assert os.listdir(folder) == ["manifest.json"]
    Bundle(tmp_path / "a").check()


def test_a_revoked_owner_still_gets_its_own_evidence(
    federation: TestFederation, shared: Published, tmp_path: Path
) -> None:
    federation.hub.registry.revoke(PartnerId("la-dgm"), [federation.administrator])
    bundle = exported(federation, tmp_path, audience="la-dgm", with_data=True)
    assert bundle.scope["lanes"] == ["la-dgm"]


# ── auditors ─────────────────────────────────────────────────────────────────────────────────────


def test_an_auditor_gets_the_whole_lanes_of_the_owners_and_no_data(
    federation: TestFederation, shared: Published, tmp_path: Path
) -> None:
    enrol_auditor(federation)
    bundle = exported(federation, tmp_path, GEO, "th-dmr/tin", audience=AUDITOR)
    assert bundle.scope["lanes"] == ["la-dgm", "th-dmr"]
    assert ("version", "th-dmr", "th-dmr/tin") in bundle.told()
    assert ("act", "operator", AUDITOR) in bundle.told()  # in nobody's lane, and about itself
    assert any(path.endswith("inventory.sha256") for path in bundle.paths)
    with pytest.raises(Denied, match="no rule lets la-oag read la-dgm/geo"):
        export(federation, tmp_path / "data", audience=AUDITOR, with_data=True)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("assignee", "allowed"), [(AUDITOR, True), ("federation", False)])
def test_an_auditor_gets_data_by_a_rule_that_names_it_alone(
    federation: TestFederation, shared: Published, tmp_path: Path, assignee: str, allowed: bool
) -> None:
    """An auditor is no member of the federation."""
    enrol_auditor(federation)
    share(federation, "la-dgm", "geo", rules=[Rule("r", "permission", assignee, ("read",))])
    if allowed:
        bundle = exported(federation, tmp_path, audience=AUDITOR, with_data=True)
        assert any(path.endswith("content/a.txt") for path in bundle.paths)
    else:
        with pytest.raises(Denied):
            export(federation, tmp_path / "a", audience=AUDITOR, with_data=True)


def test_who_is_no_auditor_yet_or_no_more_gets_nothing(
    federation: TestFederation, shared: Published, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="neither a partner nor an auditor"):
        export(federation, tmp_path / "a", audience=AUDITOR)
    assert federation.hub.auditors.add(AUDITOR, {"en": "Auditor General"}) is Signed.QUEUED
    with pytest.raises(InvalidInput):
        export(federation, tmp_path / "a", audience=AUDITOR)
    federation.hub.registry.sign_pending([federation.administrator])
    export(federation, tmp_path / "a", audience=AUDITOR)
    # From the moment of the act, signed or not.
    assert federation.hub.auditors.revoke(AUDITOR) is Signed.QUEUED
    with pytest.raises(Denied, match="revoked") as caught:
        export(federation, tmp_path / "b", audience=AUDITOR)
    assert caught.value.reason == "REVOKED"
    federation.hub.registry.sign_pending([federation.administrator])
    with pytest.raises(Denied):
        export(federation, tmp_path / "b", audience=AUDITOR)


def test_an_auditor_is_enrolled_once_under_an_id_of_its_own(federation: TestFederation) -> None:
    hub = federation.hub
    with pytest.raises(Conflict, match="a partner's id"):
        hub.auditors.add(PartnerId("la-dgm"), {"en": "X"})
    enrol_auditor(federation)
    seq = federation.registry.registry.seq
    enrol_auditor(federation)
    assert federation.registry.registry.seq == seq
    with pytest.raises(Conflict, match="an auditor's id"):
        federation.enrol(AUDITOR)
    hub.auditors.revoke(AUDITOR, [federation.administrator])
    with pytest.raises(Conflict, match="was revoked"):
        hub.auditors.add(AUDITOR, {"en": "X"})
    with pytest.raises(InvalidInput, match="no auditor"):
        hub.auditors.revoke(PartnerId("kh-oag"))
    assert [(each.auditor.id, each.auditor.state) for each in hub.auditors.all()] == [(AUDITOR, "revoked")]


# ── other partners ───────────────────────────────────────────────────────────────────────────────


def test_a_partner_gets_its_own_deliveries_and_what_it_may_discover_and_no_lane(
    federation: TestFederation, shared: Published, tmp_path: Path
) -> None:
    share(federation, "la-dgm", "geo", read=["th-dmr", "vn-dgm"])
    read(federation, "vn-dgm", shared)  # another's delivery, for a time
    rules = [
        Rule("a", "permission", "th-dmr", ("read",)),
        Rule("b", "permission", "vn-dgm", ("discover",)),
    ]
    share(federation, "la-dgm", "geo", rules=rules)
    bundle = exported(federation, tmp_path, "la-dgm/*", audience="th-dmr", with_data=True)
    assert bundle.scope["datasets"] == [GEO]
    assert bundle.scope["lanes"] == []
    assert sorted(bundle.told()) == [
        ("acknowledgement", "th-dmr", GEO),
        ("delivery", "th-dmr", GEO),
        ("policy", "la-dgm", GEO),
        ("policy", "la-dgm", GEO),
        ("policy", "la-dgm", GEO),
        ("version", "la-dgm", GEO),
    ]
    extract = (bundle.root / "data/datasets/la-dgm/geo/policies/00000003.rules.json").read_bytes()
    assert [each.rule.assignee for each in disclosures_from_json(extract)] == ["th-dmr"]
    whole = b"".join(
        path.read_bytes() for path in bundle.root.rglob("*") if path.is_file() and "registry" not in str(path)
    )
    assert b"ore" not in re.findall(rb"la-dgm/(\w+)", whole)


def test_who_may_discover_alone_gets_neither_files_nor_their_names(
    federation: TestFederation, shared: Published, tmp_path: Path
) -> None:
    share(federation, "la-dgm", "geo", discover=["vn-dgm"])
    bundle = exported(federation, tmp_path, audience="vn-dgm")
    assert not any(path.endswith("inventory.sha256") for path in bundle.paths)
    assert {kind for kind, _, _ in bundle.told()} == {"policy", "version"}
    with pytest.raises(Denied, match="no rule lets vn-dgm read"):
        export(federation, tmp_path / "data", audience="vn-dgm", with_data=True)


@pytest.mark.parametrize("wanted", [GEO, "la-dgm/*", "*"])
def test_default_deny_without_a_rule_there_is_no_bundle(
    federation: TestFederation, shared: Published, tmp_path: Path, wanted: str
) -> None:
    size = federation.hub.translog.size()
    if wanted == "*":
        federation.hub.registry.suspend(PartnerId("vn-dgm"))
        size += 1
    with pytest.raises(Denied, match="no rule lets vn-dgm discover") as caught:
        export(federation, tmp_path / "a", wanted, audience="vn-dgm")
    assert caught.value.reason == "NOT_GRANTED"
    assert os.listdir(tmp_path) == ["hub"]
    assert federation.hub.translog.size() == size


# ── the log ──────────────────────────────────────────────────────────────────────────────────────


def test_each_export_is_in_the_log_before_the_bundle_is_there(
    federation: TestFederation, shared: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(step: str, path: Path) -> None:
        if step == "rename":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patched, pytest.raises(Unavailable, match="full"):
        patched.setattr(durable, "fault_hook", full)
        export(federation, tmp_path / "a", with_data=True)
    assert not (tmp_path / "a").exists()
    acts = [
        each for each in exported(federation, tmp_path).records() if each["detail"].get("act") == "export"
    ]
    assert acts[0]["detail"] == {"act": "export", "for": "la-dgm", "datasets": [GEO], "with_data": True}
    assert acts[0]["actor"] == "operator"


def test_an_act_says_nothing_of_other_owners_datasets(
    federation: TestFederation, shared: Published, tmp_path: Path
) -> None:
    enrol_auditor(federation)
    export(federation, tmp_path / "a", GEO, "th-dmr/tin", audience=AUDITOR)
    acts = [each for each in exported(federation, tmp_path, "th-dmr/tin").records() if each["type"] == "act"]
    assert acts[-1]["detail"]["datasets"] == ["th-dmr/tin"]


def test_the_same_log_gives_the_same_bytes(
    federation: TestFederation, shared: Published, tmp_path: Path
) -> None:
    export(federation, tmp_path / "first.zip", with_data=True)
    plan = federation.hub.export.plan([GEO], "owner", with_data=True, since=None)
    with zipfile.ZipFile(tmp_path / "first.zip") as opened:
        [name] = [each for each in opened.namelist() if each.endswith("data/log/checkpoint")]
        note = opened.read(name)
    publish(federation, "la-dgm", "more", {"x": b"y"})  # what came later changes nothing
    federation.hub.export.write(plan, note, tmp_path / "again.zip", NullProgress())
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()


def test_a_new_federation_exports_without_a_checkpoint_having_been_made(
    federation: TestFederation, tmp_path: Path
) -> None:
    share(federation, "la-dgm", "geo")
    bundle = exported(federation, tmp_path)
    assert not list(bundle.root.glob("data/datasets/la-dgm/geo/versions/*"))


def test_since_gives_the_later_part_and_what_is_needed_to_check_it(
    federation: TestFederation, shared: Published, tmp_path: Path
) -> None:
    federation.clock.advance(86_400)
    since = federation.clock.now()
    second = publish(federation, "la-dgm", "geo", {"b.txt": b"two"})
    bundle = exported(federation, tmp_path, since=since)
    assert bundle.scope["since"] == since.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [path.name for path in bundle.root.glob("data/datasets/la-dgm/geo/versions/*")] == [
        f"2-{second.manifest_id[:8]}"
    ]
    # The policy from before is needed for the check; the last is this export itself.
    assert [kind for kind, _, _ in bundle.told()] == ["policy", "version", "act"]
    read(federation, "th-dmr", shared)  # delivered before; so nothing is logged
    federation.clock.advance(86_400)
    policy = share(federation, "la-dgm", "geo", read=["vn-dgm"])
    read(federation, "vn-dgm", shared)
    acknowledge(federation, "vn-dgm", shared, policy.envelope)
    later = exported(federation, tmp_path, since=since + timedelta(days=1))
    # A delivery of an old version brings that version, with the record of its acceptance.
    assert [path.name for path in later.root.glob("data/datasets/la-dgm/geo/versions/*")] == [
        f"1-{shared.manifest_id[:8]}"
    ]
    assert {("version", "la-dgm", GEO), ("delivery", "vn-dgm", GEO)} <= set(later.told())
    mine = exported(federation, tmp_path, audience="vn-dgm", since=since + timedelta(days=1))
    assert ("acknowledgement", "vn-dgm", GEO) in mine.told()


def test_more_records_than_a_bundle_holds_lead_to_a_later_period(
    federation: TestFederation, shared: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        federation.hub.export, "_limits", Limits(disk_reserve_bytes=1, bundle_records_count_max=2)
    )
    with pytest.raises(InvalidInput, match="--since") as caught:
        export(federation, tmp_path / "a")
    assert caught.value.reason == "TOO_MANY_RECORDS"


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────


def test_an_existing_name_is_refused_before_anything_is_logged(
    federation: TestFederation, shared: Published, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    size = federation.hub.translog.size()
    with pytest.raises(Conflict, match="exists"):
        export(federation, tmp_path / "a")
    assert federation.hub.translog.size() == size


@pytest.mark.parametrize("wanted", [["la-dgm/gone"], ["kh-*/x"], ["la-dgm/geo", "th-dmr/gone"]])
def test_an_unknown_dataset_is_refused_with_what_there_is(
    federation: TestFederation, shared: Published, wanted: Sequence[str]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        federation.hub.export.plan(wanted, "owner", with_data=False, since=None)
    assert "la-dgm/geo, la-dgm/ore, th-dmr/tin" in caught.value.remedy


def test_a_damaged_store_leaves_no_bundle(
    federation: TestFederation, shared: Published, tmp_path: Path
) -> None:
    for pack in (federation.host.layout.store / "la-dgm").rglob("*.pack"):
        data = bytearray(pack.read_bytes())
        for at in range(len(data) // 2, len(data), 64):
            data[at] ^= 0xFF
        pack.write_bytes(data)
    with pytest.raises(Corrupt):
        export(federation, tmp_path / "a", with_data=True)
    assert os.listdir(tmp_path) == ["hub"]


def test_the_small_limits_of_these_tests_reach_the_boundaries() -> None:
    assert SMALL.chunk_bytes_max < len(FILES["ແຜນທີ່/50% done.tif"])
