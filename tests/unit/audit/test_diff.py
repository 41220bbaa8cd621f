"""`syncline-audit diff`: what changed between two versions, and nothing that is not known."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit import cli
from audit.diff import Side, Sum, Tally, compare, file_changes
from audit.dossier import VersionDossier
from audit.findings import failed, passed, unchecked
from audit.side import split
from core import commands
from security.keys import SigningKey
from sync.manifest import License
from tests.unit.audit.told import CHINESE, OWNER, THAI, Told, read_rule

OLD = {"a/1.tif": b"one", "a/2.tif": b"two", "b.txt": b"same", "ແຜນທີ່.geojson": b"{}"}
NEW = {"a/2.tif": b"two, longer", "b.txt": b"same", "c.txt": b"c", "ແຜນທີ່.geojson": b"{}"}


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """Two versions; the second has another licence and policy and stands under another registry."""
    made = Told()
    made.policy(read_rule("1", THAI), read_rule("2", CHINESE))
    made.version(OLD, tmp_path / "old")
    made.later(days=1)
    made.policy(read_rule("1", THAI), read_rule("3", "kh-gdmr"))
    owner = made.registries[-1].registry.partner(OWNER)
    assert owner is not None
    made.registry(
        made.registries[-1]
        .successor(made.now)
        .with_partner(owner.with_node(owner.nodes[0], SigningKey.generate().public))
    )
    made.version(
        NEW,
        tmp_path / "new",
        license=License(expression="ODbL-1.0"),
        title={"en": "Geological map 1:1M", "th": "แผนที่ธรณีวิทยา"},
        rights_holder="Ministry of Energy and Mines",
    )
    return made


def side(told: Told, version: VersionDossier, **changes: Any) -> Side:
    manifest = version.manifest.manifest
    made: dict[str, Any] = {
        "manifest": version.manifest,
        "inventory": version.inventory.open,
        "content": version.content,
        "policy": told.policies[manifest.policy_seq - 1],
        "registry": told.registries[manifest.registry_seq - 1].registry,
    }
    return Side(**{**made, **changes})


def both(told: Told) -> tuple[Side, Side]:
    return side(told, told.versions[0]), side(told, told.versions[1])


def tally_of(old: Side, new: Side) -> Tally:
    tally = Tally()
    for change in file_changes(old, new):
        tally.add(change)
    return tally


def test_files_are_added_changed_and_removed_with_their_sizes(told: Told) -> None:
    tally = tally_of(*both(told))
    assert tally.added == Sum(1, 1, ["c.txt"])
    assert tally.changed == Sum(1, len(b"two, longer"), ["a/2.tif"])
    assert tally.removed == Sum(1, 3, ["a/1.tif"])


def test_sizes_that_are_not_at_hand_are_not_guessed(told: Told) -> None:
    old, new = both(told)
    tally = tally_of(side(told, told.versions[0], content=None), new)
    assert tally.removed.bytes is None
    assert tally.added.bytes == 1
    assert tally_of(old, side(told, told.versions[1], content=None)).changed.bytes is None


def test_a_link_in_the_data_gives_no_size(told: Told, tmp_path: Path) -> None:
    (tmp_path / "new/c.txt").unlink()
    (tmp_path / "new/c.txt").symlink_to("/etc/passwd")
    assert tally_of(*both(told)).added.bytes is None


def test_inventories_are_read_as_streams(told: Told) -> None:
    """One more name is held than is shown, however many there are."""
    changes = file_changes(*both(told))
    assert next(changes).path == "a/1.tif"
    changes.close()  # type: ignore[attr-defined] - it is a generator, so nothing was read ahead


def test_many_names_are_counted_and_the_first_kept() -> None:
    total = Sum()
    for number in range(1000):
        total.add(f"{number:04}", 1)
    assert (total.count, total.bytes, len(total.names)) == (1000, 1000, 10)


def test_what_the_manifests_say_differently_is_named(told: Told) -> None:
    said = {value.what: (value.old, value.new) for value in compare(*both(told)).values}
    assert said["title (en)"] == ("Geological map", "Geological map 1:1M")
    assert said["title (lo)"] == ("ແຜນທີ່ທໍລະນີສາດ", None)
    assert said["title (th)"] == (None, "แผนที่ธรณีวิทยา")
    assert said["licence"] == ("CC-BY-4.0", "ODbL-1.0")
    assert said["attribution"] == ("© DGM Laos", None)
    assert said["rights holder"][1] == "Ministry of Energy and Mines"
    assert "owner" not in said
    assert "theme" not in said


def test_rules_are_compared_in_plain_words(told: Told) -> None:
    rules = compare(*both(told)).rules
    assert rules is not None
    assert (rules.old_seq, rules.new_seq) == (1, 2)
    assert rules.added == ("kh-gdmr may read it",)
    assert rules.removed == ("cn-cgs may read it",)
    assert rules.complete


def test_a_rule_under_another_uid_is_the_same_rule() -> None:
    told = Told()
    told.policy(read_rule("1", THAI))
    first = told.version(OLD)
    told.policy(read_rule("9", THAI))
    second = told.version(NEW)
    rules = compare(side(told, first), side(told, second)).rules
    assert rules is not None
    assert not rules.added
    assert not rules.removed


def test_hidden_rules_are_said_to_be_hidden() -> None:
    told = Told()
    told.policy(read_rule("1", THAI), read_rule("2", CHINESE))
    first = told.version(OLD)
    told.policy(read_rule("1", THAI), read_rule("2", CHINESE), hide=["2"])
    second = told.version(NEW)
    rules = compare(side(told, first), side(told, second)).rules
    assert rules is not None
    assert not rules.complete


def test_keys_of_the_owner_are_compared(told: Told) -> None:
    keys = compare(*both(told)).keys
    assert keys is not None
    owner = told.registries[-1].registry.partner(OWNER)
    assert owner is not None
    assert keys.added == (owner.signing_keys[-1].keyids[0],)
    assert keys.removed == ()
    assert keys.old_signed_by == keys.new_signed_by == (told.owner.public.keyids[0],)


def test_what_is_not_at_hand_is_not_compared(told: Told) -> None:
    old, new = side(told, told.versions[0], policy=None, registry=None), both(told)[1]
    difference = compare(old, new)
    assert difference.rules is None
    assert difference.keys is None


RELATIONS: dict[str, Callable[[Told], tuple[Side, Side]]] = {
    "the new version names the old one as the one before it": both,
    "the first one given is the newer one": lambda told: both(told)[::-1],  # type: ignore[return-value]
    "this is the same version twice": lambda told: (both(told)[0],) * 2,
    "1 version between them": lambda told: (both(told)[0], side(told, told.version(OLD))),
    "these are two different versions with one number: somebody signed twice": lambda told: (
        both(told)[1],
        side(told, told.version(OLD, seq=2, prev="a" * 64)),
    ),
    "the new version does not name the old one as the one before it": lambda told: (
        both(told)[0],
        side(told, told.version(OLD, seq=2, prev="a" * 64)),
    ),
    "these are two datasets": lambda told: (both(told)[0], side(told, told.version(OLD, dataset="la-dgm/x"))),
    "la-dgm/x takes the place of la-dgm/geology-1m, as its owner says": lambda told: (
        both(told)[0],
        side(told, told.version(OLD, dataset="la-dgm/x", supersedes="la-dgm/geology-1m")),
    ),
}


@pytest.mark.parametrize("words", RELATIONS)
def test_how_the_two_versions_stand_to_each_other(told: Told, words: str) -> None:
    assert compare(*RELATIONS[words](told)).relation == words


def test_a_number_behind_the_path_chooses_a_version(tmp_path: Path) -> None:
    assert split("b.zip#3") == (Path("b.zip"), 3)
    assert split("b.zip") == (Path("b.zip"), None)
    assert split("b#x") == (Path("b#x"), None)
    (tmp_path / "map#2").mkdir()
    assert split(f"{tmp_path}/map#2") == (tmp_path / "map#2", None)
    (tmp_path / "set/versions/2-aabbccdd").mkdir(parents=True)
    assert split(f"{tmp_path}/set#2") == (tmp_path / "set/versions/2-aabbccdd", 2)


@pytest.fixture
def run(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    findings = [passed("registry", "holds")]
    monkeypatch.setattr("audit.cli.trusted.load_all", lambda *_, **__: iter([(told.dossier(), findings)]))

    def command(*arguments: str, found: list[Any] | None = None) -> int:
        findings[:] = found or findings
        return commands.run(cli.app, ["diff", f"{tmp_path}#1", f"{tmp_path}#2", *arguments])

    return command


def test_the_command_exits_with_zero_also_when_they_differ(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    out = capsys.readouterr().out
    assert out.startswith("VERIFIED")
    for expected in (
        "la-dgm/geology-1m version 1 → version 2".replace("→ version", "→ la-dgm/geology-1m version"),
        "Files: 4 → 4, 12 B → 18 B",
        "  added    1, 1 B\n    c.txt\n",
        "  licence",
        "  + kh-gdmr may read it\n  - cn-cgs may read it\n",
        "Signing keys of la-dgm\n  + ",
    ):
        assert expected in out


def test_all_names_every_file(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--all") == 0
    out = capsys.readouterr().out
    assert (
        "    removed  a/1.tif  (3 B)\n    changed  a/2.tif  (3 B → 11 B)\n    added    c.txt  (1 B)\n" in out
    )
    assert run("--all", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["path"] for each in told["files"]["all"]] == ["a/1.tif", "a/2.tif", "c.txt"]
    assert told["files"]["changed"] == {"count": 1, "bytes": 11, "first": ["a/2.tif"]}
    assert told["verdict"] == "verified"


def test_a_side_that_is_false_or_unproven_is_said_and_gives_the_exit_status(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(found=[failed("manifest", "a signature does not verify")]) == 3
    assert capsys.readouterr().out.startswith("FAILED")
    assert run(found=[unchecked("anchor", "no trust file was given")]) == 6
    out = capsys.readouterr().out
    assert out.startswith("NOT VERIFIED")
    assert out.splitlines()[1] == "  anchor: no trust file was given"


def test_evidence_without_a_version_that_holds_is_refused(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = [failed("manifest", "a signature does not verify")]
    empty = told.dossier(datasets=())
    monkeypatch.setattr("audit.cli.trusted.load_all", lambda *_, **__: iter([(empty, findings)]))
    assert commands.run(cli.app, ["diff", str(tmp_path), str(tmp_path)]) == 3
    findings[:] = [unchecked("manifest", "manifest.json is missing")]
    assert commands.run(cli.app, ["diff", str(tmp_path), str(tmp_path)]) == 6


def test_a_version_that_is_not_there_is_a_mistake_of_use(run: Callable[..., int], tmp_path: Path) -> None:
    assert commands.run(cli.app, ["diff", f"{tmp_path}#1", f"{tmp_path}#7"]) == 2
    assert run("--dataset", "la-dgm/other") == 2
