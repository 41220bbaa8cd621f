"""Keys change and a hub is restored from a backup, by the commands alone; the evidence goes through both."""

import shutil
from pathlib import Path

from tests.end_to_end.world import Agency, World, run


def publish(owner: Agency, text: str, seq: int) -> None:
    (owner.data / "maps" / "a.txt").write_text(text)
    assert f"version {seq}" in owner.node("sync").out


def verified(world: World, bundle: Path, *witnesses: Agency) -> None:
    """An export of everything, and what the auditor says of it."""
    for each in witnesses:
        each.node("sync")  # a look at the log: it cosigns what is exported
    trust = bundle.with_suffix(".trust")
    world.hub("registry", "trust", "--out", str(trust))
    world.hub("export", "la-dgm/maps", "--for", "owner", "--out", str(bundle))
    run("syncline-audit", "verify", str(bundle), "--trust", str(trust))


def test_keys_change_with_the_administrators_elsewhere(world: World, owner: Agency, reader: Agency):
    stick = world.root / "stick"
    shutil.move(world.hub_folder / "admin", stick)
    publish(owner, "rock", 1)
    asked = owner.node("rotate-keys", "--json", expect=8).json()
    assert asked["done"] is False
    assert asked["problem"] is None
    assert owner.node("rotate-keys", "--json", expect=8).json()["new"] == asked["new"]
    publish(owner, "sand", 2)
    assert "change the signing key of node main of la-dgm" in world.hub("registry", "show").out
    world.hub("registry", "sign", "--keys", str(stick))
    publish(owner, "clay", 3)
    assert [path.name for path in (owner.state_dir / "keys").glob("signing*")] == ["signing.pem"]
    owner.node("doctor", expect=None)
    reader.node("sync")
    assert reader.content("la-dgm/maps") == {"a.txt": b"clay"}
    verified(world, world.root / "bundle", owner, reader)


def test_keys_change_at_once_where_the_administrators_keys_are(world: World, owner: Agency):
    publish(owner, "rock", 1)
    owner.start()
    done = owner.node("rotate-keys", expect=None)
    # A daemon that greeted a moment before tells the hub all the same.
    assert done.status == 0, str(done)
    assert "this node signs with it" in done.out
    assert owner.daemon is not None
    assert owner.daemon.stop() == 0
    publish(owner, "sand", 2)


def test_a_hub_is_restored_from_a_backup(world: World, owner: Agency, reader: Agency):
    publish(owner, "rock", 1)
    reader.node("sync")
    assert world.hub_process is not None
    world.hub_process.stop()
    backup = world.root / "backup"
    shutil.copytree(world.hub_folder, backup)
    world.start_hub()
    publish(owner, "sand", 2)
    reader.node("sync")
    world.hub(
        "registry", "sign", "--keys", str(world.hub_folder / "admin")
    )  # a renewal, which the copy lacks
    publish(owner, "clay", 3)
    stick = world.root / "stick"
    shutil.copytree(world.hub_folder / "admin", stick)

    world.hub_process.stop()
    shutil.rmtree(world.hub_folder)
    shutil.copytree(backup, world.hub_folder)
    told = world.hub("log", "continue", "--keys", str(stick))
    assert "1 registry statements that this copy lacked" in told.out
    assert "/log/2 continues" in told.out
    assert world.hub("log", "show", "--json").json()["logs"][1]["continues_at"] > 0
    world.start_hub()
    owner.node("sync")
    reader.node("sync")
    assert reader.content("la-dgm/maps") == {"a.txt": b"clay"}
    publish(owner, "loam", 4)
    reader.node("sync")
    assert reader.content("la-dgm/maps") == {"a.txt": b"loam"}
    assert reader.node("alarms", "--json").json() in ([], {"alarms": []})
    verified(world, world.root / "bundle", owner, reader)


def test_a_log_is_not_continued_without_a_reason(world: World):
    said = world.hub("log", "continue", "--keys", str(world.hub_folder / "admin"), expect=2)
    assert "--reason" in said.err
