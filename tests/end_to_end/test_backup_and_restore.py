"""A hub is lost with its machine and made again from its backup, by the commands alone; agencies go on by
themselves, and what cannot come back is named."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.end_to_end.world import Agency, World, run, wait_until


def publish(owner: Agency, text: str, seq: int) -> None:
    (owner.data / "maps" / "a.txt").write_text(text)
    assert f"version {seq}" in owner.node("sync").out


def acknowledged(world: World, version: int) -> int:
    """How many nodes have acknowledged that version of `la-dgm/maps` to the hub."""
    with closing(sqlite3.connect(world.hub_folder / "hub.sqlite")) as opened:
        query = "SELECT count(*) FROM acknowledgements a JOIN versions v ON v.id = a.version WHERE v.seq = ?"
        return opened.execute(query, (version,)).fetchone()[0]


def lose(world: World) -> Path:
    """Kill the hub and take its directory away; where the administrators' keys are then."""
    assert world.hub_process is not None
    stick = world.root / "stick"
    shutil.copytree(world.hub_folder / "admin", stick)
    world.hub_process.kill()
    shutil.rmtree(world.hub_folder)
    return stick


def test_a_hub_is_lost_and_restored_on_an_empty_machine(world: World, owner: Agency, reader: Agency):
    place = world.root / "backup"
    publish(owner, "rock", 1)
    reader.node("sync")
    first = world.hub("backup", str(place))
    assert "THE KEY TO THIS BACKUP" in first.out
    assert str(world.hub_folder / "admin") in first.out
    publish(owner, "sand", 2)
    told = world.hub("backup", str(place), "--json").json()
    assert told["bytes_added"] < told["bytes_total"]
    owner.start()
    reader.start()

    (owner.data / "maps" / "a.txt").write_text("clay")
    wait_until(lambda: acknowledged(world, 3) == 1, "version 3 at the reader")
    late = world.agency("th-dmr")
    late.name, late.home = "mirror-2", world.root / "late"
    late.configure(late.subscribes())
    late.node("join", str(late.invite("--node", "mirror-2", "--approve-on-join")), "--wait")
    # A registry that the running hub signs itself lies beside the keys within a minute; this does not wait.
    world.hub("registry", "sign", "--keys", str(world.hub_folder / "admin"))
    stick = lose(world)
    identity = stick / "backup-identity.txt"

    run("syncline-hub", "backup", str(place), "--check", "--identity", str(identity))
    restored = run("syncline-hub", "restore", str(place), str(world.hub_folder), "--identity", str(identity))
    assert f"log of {told['log_size']} leaves" in restored.out
    assert "Does not come back" in restored.out
    refused = world.hub("run", expect=5)
    assert "log continue" in refused.err
    went_on = world.hub("log", "continue", "--keys", str(stick), "--reason", "the machine was lost")
    assert "Node mirror-2 of th-dmr was enrolled after this copy was made" in went_on.out
    assert "invite th-dmr --node mirror-2 --replace" in went_on.out
    shutil.copytree(stick, world.hub_folder / "admin")
    world.start_hub()

    wait_until(lambda: acknowledged(world, 3) == 1, "what was lost to come back")
    assert acknowledged(world, 1) == 1
    (owner.data / "maps" / "a.txt").write_text("loam")
    wait_until(lambda: reader.content("la-dgm/maps") == {"a.txt": b"loam"}, "a version after the restore")
    for agency in (owner, reader):
        assert agency.daemon is not None
        agency.daemon.stop()
        assert agency.node("alarms", "--json").json() in ([], {"alarms": []})

    refused = late.node("sync", expect=None)
    assert refused.status != 0
    assert "join" in refused.err + refused.out
    out = world.root / "again.join"
    invited = ("invite", "th-dmr", "--node", "mirror-2", "--replace", "--approve-on-join", "--out", str(out))
    world.hub(*invited)
    late.node("join", str(out), "--wait")
    late.node("sync", expect=None)
    verified(world, owner, reader)
    again = world.hub("backup", str(place), "--json").json()
    assert again["bytes_added"] < again["bytes_total"]


def verified(world: World, *witnesses: Agency) -> None:
    """An export of everything, and what the auditor says of it."""
    for each in witnesses:
        each.node("sync")
    trust, bundle = world.root / "federation.trust", world.root / "bundle"
    world.hub("registry", "trust", "--out", str(trust))
    world.hub("export", "la-dgm/maps", "--for", "owner", "--out", str(bundle))
    run("syncline-audit", "verify", str(bundle), "--trust", str(trust))


def test_a_hub_moves_to_another_machine_without_a_new_log(world: World, owner: Agency, reader: Agency):
    """Stopped, backed up, restored elsewhere: nothing was lost, and the log goes on as it is."""
    place = world.root / "backup"
    publish(owner, "rock", 1)
    reader.node("sync")
    assert world.hub_process is not None
    world.hub_process.stop()
    world.hub("backup", str(place), "--identity-out", str(world.root / "key.txt"))
    stick = lose(world)
    moved = run(
        "syncline-hub", "restore", str(place), str(world.hub_folder), "--nothing-lost",
        "--identity", str(world.root / "key.txt"),
    )  # fmt: skip
    assert "goes on as it is" in moved.out
    shutil.copytree(stick, world.hub_folder / "admin")
    world.start_hub()
    publish(owner, "sand", 2)
    reader.node("sync")
    assert reader.content("la-dgm/maps") == {"a.txt": b"sand"}
    assert len(world.hub("log", "show", "--json").json()["logs"]) == 1
    assert reader.node("alarms", "--json").json() in ([], {"alarms": []})
    verified(world, owner, reader)


def test_a_backup_beside_a_running_hub_is_not_taken_for_nothing_lost(world: World):
    place = world.root / "backup"
    world.hub("backup", str(place), "--plain")
    refused = run("syncline-hub", "restore", str(place), str(world.root / "x"), "--nothing-lost", expect=2)
    assert "a hub ran while" in refused.err


def test_mistakes_with_places_and_keys_are_told(world: World):
    place = world.root / "backup"
    shutil.move(world.hub_folder / "admin", world.root / "stick")
    said = world.hub("backup", str(place), expect=2)
    assert "--identity-out" in said.err
    assert "stands in" in world.hub("backup", str(world.hub_folder / "backups"), expect=2).err
    assert "stands in" in world.hub("backup", str(place), "--identity-out", str(place / "key"), expect=2).err
    assert not place.exists()
    world.hub("backup", str(place), "--identity-out", str(world.root / "key.txt"))
    assert "--plain" in world.hub("backup", str(place), "--plain", expect=2).err
    said = run("syncline-hub", "restore", str(place), str(world.root / "x"), expect=2)
    assert "--identity" in said.err
    shutil.move(place, world.root / "unplugged")
    assert "mount" in world.hub("backup", str(place), expect=2).err
    assert not place.exists()
    world.hub("backup", str(place), "--new")
