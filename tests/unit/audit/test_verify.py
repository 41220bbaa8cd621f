"""`syncline-audit verify`: what holds is said to hold, alterations are found, doubt is not called proof."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit import cli
from audit.findings import Finding, Result, Verdict, verdict
from audit.verify import Report, verify_path
from audit.walking import walk
from core import commands
from core.errors import InvalidInput
from core.names import PartnerId
from security.keys import SigningKey
from security.members import REVOKED
from tests.unit.audit.federation_evidence import FILES, OWNER, Federation, Mirror, write_mirror


def verify(path: Path, registry_id: str | None = None) -> Report:
    (report,) = verify_path(path, registry_id)
    return report


def finding(report: Report, check: str) -> Finding:
    return next(each for each in report.findings if each.check == check)


def failures(report: Report) -> set[str]:
    return {finding.check for finding in report.findings if finding.result is Result.FAILED}


def test_an_untouched_mirror_is_verified_with_every_check_named(mirror: Any) -> None:
    report = verify(mirror.folder, mirror.federation.anchor)
    assert report.verdict is Verdict.VERIFIED, report.findings
    names = {finding.check for finding in report.findings}
    assert names == {
        "registry",
        "anchor",
        "manifest",
        "policy",
        "keys",
        "log",
        "registry leaves",
        "version leaf",
        "policy leaf",
        "delivery leaf",
        "position",
        "deliveries",
        "witnesses",
        "inventory",
        "files",
        "nothing else",
        "place",
    }
    assert (report.dataset, report.seq) == ("la-dgm/geology-1m", 1)


def test_without_a_trusted_id_the_evidence_is_not_called_proof(mirror: Any) -> None:
    report = verify(mirror.folder)
    assert report.verdict is Verdict.INCOMPLETE
    assert [f.check for f in report.findings if f.result is Result.UNCHECKED] == ["anchor"]


def test_wrong_anchor_fails_even_where_all_else_holds_together(mirror: Any) -> None:
    report = verify(mirror.folder, "0" * 64)
    assert report.verdict is Verdict.FAILED
    assert "registry" in failures(report)


def test_a_whole_mirror_gives_one_report_a_dataset(mirror: Any) -> None:
    assert [r.verdict for r in verify_path(mirror.root, mirror.federation.anchor)] == [Verdict.VERIFIED]


def test_a_copied_version_folder_proves_itself(mirror: Any, tmp_path: Path) -> None:
    copy = shutil.copytree(mirror.current, tmp_path / "usb stick" / "geology")
    assert verify(copy, mirror.federation.anchor).verdict is Verdict.VERIFIED


def _append(path: Path, data: bytes) -> None:
    path.write_bytes(path.read_bytes() + data)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


ALTERATIONS: dict[str, tuple[Callable[[Any], object], str]] = {
    "a_changed_file": (lambda m: _flip(m.current / "a/deep/er/y.bin"), "files"),
    "a_grown_file": (lambda m: _append(m.current / "README.txt", b"x"), "files"),
    "a_missing_file": (lambda m: (m.current / "a.txt").unlink(), "files"),
    "an_extra_file": (lambda m: (m.current / "a/extra").write_bytes(b""), "nothing else"),
    "an_extra_hidden_file": (lambda m: (m.current / ".hidden").write_bytes(b""), "nothing else"),
    "an_extra_evidence_folder_inside": (
        lambda m: ((m.current / "a/.syncline").mkdir(), (m.current / "a/.syncline/x").write_bytes(b"")),
        "nothing else",
    ),
    "an_extra_name_that_is_not_utf8": (
        lambda m: Path(os.fsdecode(os.fsencode(m.current) + b"/\xb5\xd8.shp")).write_bytes(b""),
        "nothing else",
    ),
    "a_file_replaced_by_a_link": (
        lambda m: ((m.current / "a/z").rename(m.root / "z"), (m.current / "a/z").symlink_to(m.root / "z")),
        "files",
    ),
    "a_folder_replaced_by_a_link": (
        lambda m: ((m.current / "a").rename(m.root / "a"), (m.current / "a").symlink_to(m.root / "a")),
        "files",
    ),
    "a_fifo_in_place_of_a_file": (
        lambda m: ((m.current / "a/z").unlink(), os.mkfifo(m.current / "a/z")),
        "files",
    ),
    "an_altered_inventory": (lambda m: _flip(m.evidence / "inventory.sha256"), "inventory"),
    "an_altered_manifest": (lambda m: _flip(m.evidence / "manifest.json"), "manifest"),
    "an_altered_policy": (lambda m: _flip(m.evidence / "policy.json"), "policy"),
    "altered_rules": (
        lambda m: (m.evidence / "policy-rules.json").write_bytes(
            (m.evidence / "policy-rules.json").read_bytes().replace(b"cn-cgs", b"th-dmr")
        ),
        "policy",
    ),
    "an_altered_registry": (lambda m: _flip(m.evidence / "registry/00000002.json"), "registry"),
    "a_foreign_key_for_checks_by_hand": (
        lambda m: (m.evidence / "keys/la-dgm.ed25519.pem").write_bytes(
            SigningKey.generate().public.ed25519_pem()
        ),
        "keys",
    ),
    "another_number_in_the_folders_name": (
        lambda m: (
            m.current.rename(m.current.with_name("2" + m.current.name[1:])),
            (m.folder / "current").unlink(),
            (m.folder / "current").symlink_to("versions/2" + m.current.name[1:]),
        ),
        "place",
    ),
    "current_pointing_elsewhere": (
        lambda m: ((m.folder / "current").unlink(), (m.folder / "current").symlink_to("/tmp")),
        "place",
    ),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_every_alteration_is_found(mirror: Any, name: str) -> None:
    alter, check = ALTERATIONS[name]
    alter(mirror)
    report = verify(mirror.folder, mirror.federation.anchor)
    assert report.verdict is Verdict.FAILED
    assert check in failures(report), report.findings


ABSENCES = [
    "manifest.json",
    "policy.json",
    "policy-rules.json",
    "inventory.sha256",
    "registry",
    "keys",
    "log",
]


@pytest.mark.parametrize("name", ABSENCES)
def test_missing_evidence_leaves_the_verdict_open(mirror: Any, name: str) -> None:
    target = mirror.evidence / name
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    assert verify(mirror.folder, mirror.federation.anchor).verdict is Verdict.INCOMPLETE


def test_a_mirror_of_the_first_release_says_what_its_evidence_lacks(mirror: Any) -> None:
    shutil.rmtree(mirror.evidence / "log")
    report = verify(mirror.folder, mirror.federation.anchor)
    open_ = {each.check for each in report.findings if each.result is Result.UNCHECKED}
    assert open_ == {"log", "registry leaves", "position", "witnesses"}
    assert "no checkpoint" in finding(report, "log").message
    assert finding(report, "log").remedy


def test_a_gap_in_the_registry_chain_proves_nothing(mirror: Any) -> None:
    (mirror.evidence / "registry/00000001.json").unlink()
    assert verify(mirror.folder, mirror.federation.anchor).verdict is Verdict.INCOMPLETE


def test_evidence_folder_that_is_a_link_is_not_followed(mirror: Any) -> None:
    mirror.evidence.rename(mirror.root / "elsewhere")
    mirror.evidence.symlink_to(mirror.root / "elsewhere")
    assert verify(mirror.folder, mirror.federation.anchor).verdict is Verdict.INCOMPLETE


def test_a_foreign_federation_does_not_pass_for_the_trusted_one(mirror: Any, tmp_path: Path) -> None:
    """Everything is signed correctly, by people who made up the whole federation."""
    forged = Mirror(tmp_path / "forged", Federation())
    forged.publish(FILES)
    assert verify(forged.folder, forged.federation.anchor).verdict is Verdict.VERIFIED
    assert "registry" in failures(verify(forged.folder, mirror.federation.anchor))


def test_manifest_signed_by_another_member_is_refused(mirror: Any, tmp_path: Path) -> None:
    federation = Federation()
    thief = SigningKey.generate()
    federation.admit(PartnerId("th-dmr"), thief)
    federation.owner = thief  # signs for la-dgm with a key that the registry gives to th-dmr
    stolen = Mirror(tmp_path / "stolen", federation)
    stolen.publish(FILES)
    assert {"manifest", "keys"} <= failures(verify(stolen.folder, federation.anchor))


def test_signatures_of_a_partner_revoked_later_stay_valid(tmp_path: Path) -> None:
    federation = Federation()
    mirror = Mirror(tmp_path / "mirror", federation)
    mirror.publish(FILES)
    federation.set_state(OWNER, REVOKED)
    version = write_mirror(mirror.dataset, tmp_path / "later", note=federation.note(cosigners={}))
    report = verify(version, federation.anchor)
    assert not failures(report)
    assert "before registry statement 5 withdrew" in finding(report, "position").message


def test_a_rotated_key_stays_valid_for_what_was_logged_before(tmp_path: Path) -> None:
    federation = Federation()
    mirror = Mirror(tmp_path / "mirror", federation)
    mirror.publish(FILES)
    federation.replace_key(OWNER)
    version = write_mirror(mirror.dataset, tmp_path / "later")
    assert finding(verify(version, federation.anchor), "position").result is Result.PASSED


def test_what_is_logged_after_its_key_was_withdrawn_is_refused(tmp_path: Path) -> None:
    """Signed with a stolen old key, pinned to an old registry, accepted by a hub that helps."""
    federation = Federation()
    mirror = Mirror(tmp_path / "mirror", federation)
    pinned, old = federation.chain[-1], federation.owner
    mirror.dataset.allow()
    federation.replace_key(OWNER)
    federation.owner = old
    mirror.publish(FILES, registry_seq=pinned.registry.seq, registry_sha256=pinned.id)
    assert failures(verify(mirror.folder, federation.anchor)) == {"position"}


def test_what_a_revoked_partner_signs_is_refused(tmp_path: Path) -> None:
    federation = Federation()
    federation.append(
        federation.chain[-1].successor(federation.chain[-1].registry.created).with_state(OWNER, REVOKED)
    )
    mirror = Mirror(tmp_path / "mirror", federation)
    mirror.publish(FILES)
    assert "manifest" in failures(verify(mirror.folder, federation.anchor))


def test_a_pin_to_a_registry_that_never_was_is_refused(mirror: Any) -> None:
    mirror.publish({"x": b"x"}, registry_sha256="1" * 64)
    assert "manifest" in failures(verify(mirror.folder, mirror.federation.anchor))


def test_counts_that_the_owner_misstated_are_found(mirror: Any) -> None:
    mirror.publish({"x": b"x"}, bytes=2)
    assert "files" in failures(verify(mirror.folder, mirror.federation.anchor))


def test_the_version_beside_it_must_be_the_one_it_follows(mirror: Any) -> None:
    mirror.publish({"x": b"x"})
    report = verify(mirror.folder, mirror.federation.anchor)
    assert report.verdict is Verdict.VERIFIED
    assert "chain" in {finding.check for finding in report.findings}


@pytest.mark.parametrize(
    "name", ["manifest.json", "policy.json", "registry/00000001.json", "registry/00000002.json"]
)
def test_a_single_envelope_is_verified_with_what_stands_beside_it(mirror: Any, name: str) -> None:
    assert verify(mirror.evidence / name, mirror.federation.anchor).verdict is Verdict.VERIFIED


def test_a_lone_envelope_is_not_called_proven(mirror: Any, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(mirror.evidence / "manifest.json", alone)
    assert verify(alone / "manifest.json", mirror.federation.anchor).verdict is Verdict.INCOMPLETE
    (alone / "junk.json").write_bytes(b"[[[")
    assert verify(alone / "junk.json").verdict is Verdict.FAILED


def test_nothing_of_ours_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        list(verify_path(tmp_path))


def test_an_empty_list_of_findings_is_no_proof() -> None:
    assert verdict([]) is Verdict.INCOMPLETE


def test_walk_is_in_the_order_of_whole_paths(mirror: Any) -> None:
    paths = [found.path for found in walk(mirror.current)]
    assert paths == sorted(paths)
    assert len(paths) == 7


def test_many_wrong_files_are_counted_and_the_first_named(mirror: Any) -> None:
    version = mirror.publish({f"f{i:03}": b"x" for i in range(60)})
    for file in version.glob("f*"):
        file.write_bytes(b"y")
    (finding,) = (f for f in verify(mirror.folder).findings if f.check == "files")
    assert "60 files" in finding.message
    assert len(finding.details) == 21


def test_command_prints_every_check_and_exits_by_the_verdict(
    mirror: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    anchor = mirror.federation.anchor
    assert commands.run(cli.app, ["verify", str(mirror.folder), "--registry-id", anchor]) == 0
    out = capsys.readouterr().out
    assert "VERIFIED" in out
    for check in ("registry", "manifest", "policy", "inventory", "files"):
        assert f"ok           {check}" in out
    assert commands.run(cli.app, ["verify", str(mirror.folder)]) == 6
    (mirror.current / "a/z").write_bytes(b"!")
    capsys.readouterr()
    assert commands.run(cli.app, ["verify", str(mirror.folder), "--registry-id", anchor, "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "failed"
    (finding,) = (f for f in told["reports"][0]["findings"] if f["result"] == "failed")
    assert finding["details"] == ["a/z"]


@pytest.mark.parametrize("arguments", [["verify", "/nowhere"], ["verify", ".", "--registry-id", "abc"]])
def test_wrong_use_exits_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run(cli.app, arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) <= 2
