"""A hub comes back whole or not at all, from the backup of its own hub alone, and signs no second history."""

import shutil
import stat
from pathlib import Path

import pytest

from core import durable
from core.errors import Conflict, Corrupt, InvalidInput, Untrusted
from hub.backup import snapshot as snapshots
from hub.backup.checking import read_snapshot
from hub.backup.marker import refuse_unsettled, settle
from hub.backup.seal import load_identity, make_keys
from hub.config import load_settings
from hub.layout import Layout
from hub.lock import exclusive
from security.digests import sha256_hex
from security.keys import SigningKey
from tests.simulation.federation import publish
from tests.unit.hub_backup.backing import Backed, packs


def test_a_restored_hub_signs_nothing_before_its_log_is_continued(backed: Backed):
    backed.backup()
    backed.restore()
    layout = Layout(backed.root / "restored" / "hub")
    with pytest.raises(Conflict) as refused:
        refuse_unsettled(layout)
    assert refused.value.reason == "RESTORED"
    again = backed.opened_again()
    held = again.hub.log.status().checkpoint_size
    publish(again, "th-dmr", "geo", {"a": b"more"})
    with pytest.raises(Conflict):
        again.hub.log.make_checkpoint(force=True)
    assert again.hub.log.status().checkpoint_size == held
    again.hub.log_continuation.begin([again.administrator], "restored")
    settle(layout)
    assert again.hub.log.make_checkpoint(force=True)
    refuse_unsettled(layout)
    again.close()


def test_nothing_lost_is_believed_of_a_stopped_hub_alone(backed: Backed):
    made = backed.backup()
    assert not made.snapshot.running
    done = backed.restore(nothing_lost=True)
    refuse_unsettled(Layout(backed.root / "restored" / "hub"))
    assert done.snapshot.log.size == backed.federation.hub.log.status().leaves
    with exclusive(backed.layout):
        backed.backup()
    with pytest.raises(InvalidInput) as refused:
        backed.restore("other", nothing_lost=True)
    assert refused.value.reason == "WAS_RUNNING"
    backed.restore("other")


def test_nothing_lost_is_not_believed_of_a_snapshot_that_a_later_one_has_outrun(backed: Backed):
    same, idle = backed.backup(), backed.backup()
    backed.restore("idle", same.snapshot.id, nothing_lost=True)
    publish(backed.federation, "la-dgm", "later", {"b": b"after"})
    newest = backed.backup()
    with pytest.raises(InvalidInput) as refused:
        backed.restore("outrun", idle.snapshot.id, nothing_lost=True)
    assert refused.value.reason == "HAS_RUN_SINCE"
    backed.restore("old", idle.snapshot.id)
    backed.restore("newest", newest.snapshot.id, nothing_lost=True)


def test_nothing_is_overwritten(backed: Backed):
    backed.backup()
    backed.restore()
    with pytest.raises(Conflict) as refused:
        backed.restore()
    assert refused.value.reason == "NOT_EMPTY"
    (backed.root / "empty" / "hub").mkdir(parents=True)
    backed.restore("empty")
    assert stat.S_IMODE((backed.root / "empty" / "hub").stat().st_mode) == 0o700
    assert [each.name for each in (backed.root / "empty").iterdir()] == ["hub"]


def test_each_snapshot_restores_its_own_state(backed: Backed):
    first = backed.backup()
    held = packs(backed.layout.directory)
    publish(backed.federation, "la-dgm", "later", {"b": b"after" * 900})
    second = backed.backup()
    backed.restore("first", first.snapshot.id)
    assert packs(backed.root / "first" / "hub") == held
    backed.restore("second")
    assert packs(backed.root / "second" / "hub") == packs(backed.layout.directory)
    assert second.snapshot.log.size > first.snapshot.log.size
    with pytest.raises(InvalidInput) as missing:
        backed.restore("third", "20200101T000000Z-00000000")
    assert first.snapshot.id in missing.value.remedy


def test_another_identity_opens_nothing(backed: Backed, tmp_path: Path):
    backed.backup()
    make_keys(tmp_path / "other.json", tmp_path / "other.txt", backed.signer.public.keyids, "now")
    backed.identity = load_identity(tmp_path / "other.txt")
    with pytest.raises(InvalidInput) as refused:
        backed.restore()
    assert refused.value.reason == "WRONG_IDENTITY"


def test_a_snapshot_that_another_hub_has_signed_is_refused(backed: Backed):
    """Whoever can write to the place knows the recipient, and could plant a hub with keys of his own."""
    made = backed.backup()
    planted = snapshots.write(made.snapshot, SigningKey.generate())
    [stored] = backed.place.snapshots()
    stored.path.unlink()
    names = [each.name for each in made.snapshot.objects]
    backed.place.commit(stored.name, names, backed.seal.close(planted))
    with pytest.raises(Untrusted) as refused:
        backed.restore()
    assert refused.value.reason == "BACKUP_NOT_SIGNED"


def test_an_object_put_in_the_place_of_another_is_refused(backed: Backed):
    """Encrypted to the right recipient, under the right name, with a digest that fits its file."""
    made = backed.backup()
    victim = backed.place.objects()[made.snapshot.objects[1].name]
    sealed = backed.seal.close(b"planted")
    victim.path.unlink()
    victim.path.with_name(f"{victim.name}-{sha256_hex(sealed)}").write_bytes(sealed)
    with pytest.raises(Untrusted) as refused:
        backed.restore()
    assert refused.value.reason == "BACKUP_CHANGED"
    assert not (backed.root / "restored" / "hub").exists()


@pytest.mark.parametrize("path", ["../escaped", "/etc/x", "keys/../../x", "", ".", "a//b"])
def test_a_snapshot_cannot_write_elsewhere(backed: Backed, path: str):
    saved = backed.backup().snapshot
    value = snapshots.to_json(saved)
    value["files"][0]["path"] = path
    with pytest.raises(Corrupt):
        snapshots.from_json(value)


@pytest.mark.parametrize(
    "piece", [[99, 0, 1], [0, -1, 1], [0, 0, 10**9], [0, 10**9, 1], [-1, 0, 1], ["x", 0, 1]]
)
def test_a_snapshot_with_impossible_pieces_is_refused(backed: Backed, piece: list[object]):
    value = snapshots.to_json(backed.backup().snapshot)
    value["files"][0]["pieces"] = [piece]
    value["files"][0]["bytes"] = piece[2]
    with pytest.raises(Corrupt):
        snapshots.from_json(value)


def test_a_hub_that_was_damaged_when_it_was_backed_up_is_restored_only_when_told(backed: Backed):
    pack = min((backed.layout.store / "la-dgm" / "packs").iterdir())
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(data)
    backed.backup()
    with pytest.raises(Corrupt) as refused:
        backed.restore()
    assert refused.value.reason == "WAS_DAMAGED"
    assert not (backed.root / "restored" / "hub").exists()
    assert backed.restore(accept_damage=True).findings


def test_settings_that_stood_elsewhere_name_the_new_directory(backed: Backed):
    text = backed.layout.settings.read_text().replace(
        'directory = "."', f'directory = "{backed.layout.directory}"'
    )
    backed.layout.settings.write_text(text.replace('# admin_keys = "/media', 'admin_keys = "/nowhere/media'))
    backed.backup()
    done = backed.restore()
    restored = backed.root / "restored" / "hub"
    assert done.moved
    assert load_settings(restored / "hub.toml").hub.directory == str(restored)
    assert done.missing == (Path("/nowhere/media/administrator/keys"),)


def test_what_a_killed_restore_leaves_is_removed(backed: Backed, monkeypatch: pytest.MonkeyPatch):
    backed.backup()
    left = backed.root / "restored" / ".hub.restoring"
    (left / "keys").mkdir(parents=True)
    (left / "hub.sqlite").write_bytes(b"half")
    backed.restore()
    assert [each.name for each in (backed.root / "restored").iterdir()] == ["hub"]


def test_a_restore_that_fails_leaves_nothing(backed: Backed, monkeypatch: pytest.MonkeyPatch):
    backed.backup()

    def hook(step: str, path: Path) -> None:
        if step == "rename" and path.name == "hub":
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(durable, "fault_hook", hook)
        with pytest.raises(Exception, match="no space"):
            backed.restore()
    assert list((backed.root / "restored").iterdir()) == []
    backed.restore()


def test_the_restored_hub_serves_what_it_held(backed: Backed):
    version = publish(backed.federation, "la-dgm", "more", {"b": b"y" * 4000}, read=["th-dmr"])
    backed.backup()
    backed.restore()
    again = backed.opened_again()
    assert list(again.hub.fsck.check()) == []
    detail = again.hub.catalogue.get_version(again.caller("th-dmr"), version.dataset, version.manifest_id)
    assert detail is not None
    again.close()


def test_the_signature_is_the_hubs(backed: Backed):
    backed.backup()
    [stored] = backed.place.snapshots()
    assert backed.identity is not None
    assert backed.identity.signer == backed.signer.public.keyids
    assert read_snapshot(backed.place, stored, backed.identity).id == stored.name
    shutil.copy(backed.root / "identity.txt", backed.root / "bare.txt")
    lines = [line for line in (backed.root / "bare.txt").read_text().splitlines() if line.startswith("AGE")]
    (backed.root / "bare.txt").write_text("\n".join(lines))
    assert load_identity(backed.root / "bare.txt").signer is None
