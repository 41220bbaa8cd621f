"""What goes wrong at an agency, by the commands alone: each fault is told in a line or two, with what to do.

Nothing is lost, the rest goes on, and the exit status says which kind of trouble it is.
"""

import os
import shutil
import signal
import socket
from pathlib import Path

import pytest

from tests.end_to_end.world import Agency, Finished, World

DATASET = "la-dgm/maps"


@pytest.fixture
def owner(world: World) -> Agency:
    agency = world.agency("la-dgm")
    agency.configure(agency.publishes("maps", to=["cn-cgs"]))
    for number in range(6):
        (agency.data / "maps" / f"sheet-{number}.txt").write_text(f"sheet {number}")
    return agency


@pytest.fixture
def reader(world: World) -> Agency:
    agency = world.agency("cn-cgs")
    agency.configure(agency.subscribes())
    return agency


def told(finished: Finished, status: int, *words: str) -> None:
    """It ended with `status`, says `words`, and what to do, without a screenful."""
    text = finished.out + finished.err
    assert finished.status == status, str(finished)
    assert all(word in text for word in words), str(finished)
    assert "→" in text or ";" in text, f"no remedy: {finished}"
    assert len(finished.err.splitlines()) <= 6, str(finished)


def test_names_links_and_special_files_are_told_and_the_rest_travels(owner: Agency, reader: Agency):
    folder = owner.data / "maps"
    raw = os.fsencode(folder) + b"/"
    for name in ("地质".encode("gbk"), b"line\nbreak", b"back\\slash", "e\u0301".encode(), "\u00e9".encode()):
        (Path(os.fsdecode(raw + name))).write_bytes(b"x")
    (folder / "out").symlink_to("/etc/passwd")
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "sock"))
        told(
            owner.node("plan", expect=8), 8, "is not UTF-8", "control character", "is a link", "special file"
        )
        told(owner.node("sync", expect=8), 8, "version 1, 6 files", "see syncline-node plan")
    told(owner.node("status", expect=8), 8, "held: ")
    assert "held" in owner.world.hub("status", expect=8).out
    reader.node("sync")
    assert len(reader.content(DATASET)) == 6


def test_a_folder_that_is_gone_or_another_one_removes_nothing(owner: Agency, reader: Agency):
    owner.node("sync")
    folder, away = owner.data / "maps", owner.data / "away"
    folder.rename(away)
    told(owner.node("sync", expect=None), 6, str(folder), "mount its disk")
    folder.mkdir()
    told(owner.node("sync", expect=None), 8, "6 of 6 files", f"syncline-node approve {DATASET}")
    told(owner.node("status", expect=None), 8, "waiting for approval", "syncline-node approve")
    folder.rmdir()
    away.rename(folder)
    assert owner.node("sync", "--json").json()["results"][0]["seq"] == 1
    reader.node("sync")
    assert len(reader.content(DATASET)) == 6


def test_a_damaged_state_database_is_recovered_from_the_hub(owner: Agency, reader: Agency):
    owner.node("sync")
    database = owner.state_dir / "state.sqlite"
    for suffix in ("-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    database.write_bytes(b"garbage" * 1000)
    told(owner.node("plan", expect=None), 7, "state.sqlite is damaged", "syncline-node run")
    (owner.data / "maps" / "new.txt").write_text("new")
    assert owner.node("sync", "--json").json()["results"][0]["seq"] == 2
    assert list(owner.state_dir.glob("state.sqlite.damaged-*")), "what was there is kept"
    reader.node("sync")
    assert len(reader.content(DATASET)) == 7


def test_a_lost_state_database_waits_for_a_person(owner: Agency):
    """It cannot be told from a second machine with the same keys."""
    owner.node("sync")
    for path in owner.state_dir.glob("state.sqlite*"):
        path.unlink()
    (owner.state_dir / "state.sqlite").touch(mode=0o600)
    owner.node("plan")
    told(owner.node("sync", expect=None), 8, "knows nothing of it", f"syncline-node approve {DATASET}")
    owner.node("approve", "maps")
    assert owner.node("sync", "--json").json()["results"][0]["seq"] == 1


def test_a_second_node_with_the_same_keys_is_fenced(world: World, owner: Agency, reader: Agency):
    owner.node("sync")
    twin = Agency(world, "la-dgm", world.root / "twin")
    twin.configure(twin.publishes("maps", to=["cn-cgs"]))
    table = f'[hub]\naddress = "127.0.0.1:{world.port}"\n\n'
    twin.config.write_text(table + twin.config.read_text("utf-8"), "utf-8")
    shutil.copytree(owner.state_dir, twin.state_dir)
    (owner.data / "maps" / "two.txt").write_text("two")
    owner.node("sync")
    (twin.data / "maps" / "evil.txt").write_text("evil")
    shutil.copytree(owner.data / "maps", twin.data / "maps", dirs_exist_ok=True)
    twin.node("sync", expect=None)
    twin.node("approve", "maps", expect=None)  # the folder is another one
    refused = twin.node("sync", expect=None)
    assert refused.status in (5, 8), str(refused)
    assert owner.node("sync", "--json").json()["results"][0]["seq"] == 2
    reader.node("sync")
    assert "evil.txt" not in reader.content(DATASET)


def test_a_hub_restored_to_an_older_state_does_not_turn_a_mirror_back(
    world: World, owner: Agency, reader: Agency
):
    """Replay: an older manifest, validly signed, is refused by who has seen a newer one."""
    assert world.hub_process is not None
    owner.node("sync")
    world.hub_process.stop()
    shutil.copytree(world.hub_folder, world.root / "backup")
    world.start_hub()
    (owner.data / "maps" / "two.txt").write_text("two")
    owner.node("sync")
    reader.node("sync")
    world.hub_process.stop()
    shutil.rmtree(world.hub_folder)
    shutil.copytree(world.root / "backup", world.hub_folder)
    world.start_hub()
    refused = reader.node("sync", expect=None)
    assert refused.status == 3, str(refused)
    told(reader.node("status", expect=None), 3, "the hub has shown two histories", DATASET)
    assert reader.version(DATASET) == 2
    assert "two.txt" in reader.content(DATASET)
    (owner.data / "maps" / "three.txt").write_text("three")
    told(owner.node("sync", expect=None), 5, "was turned back", "nothing new is signed")
    owner.node("approve", "maps", expect=2)  # it would sign a second version 2


def test_a_mistake_in_the_settings_names_file_key_and_remedy(owner: Agency):
    text = owner.config.read_text("utf-8")
    mistakes = [
        ("settle_s", "setle_s", "did you mean 'settle_s'"),
        ('"maps"\npath', '"Maps 1"\npath', "publish[1].dataset"),
        ('license = "CC-BY-4.0"', "license = CC-BY-4.0", "quotes"),
        ('"cn-cgs"', '"group:neighbours"', "[groups]"),
        ("settle_s", 'classification = "secret"\nsettle_s', "must not be published"),
    ]
    for right, wrong, words in mistakes:
        assert right in text
        owner.config.write_text(text.replace(right, wrong), "utf-8")
        refused = owner.node("plan", expect=2)
        assert str(owner.config) in refused.err and words in refused.err, str(refused)
        assert len(refused.err.splitlines()) <= 3, str(refused)
    owner.config.write_text(text, "utf-8")
    owner.node("sync")  # now it knows who is a member
    owner.config.write_text(text.replace("cn-cgs", "cn-cgz"), "utf-8")
    assert "did you mean 'cn-cgs'" in owner.node("plan").out


def test_two_daemons_and_keys_that_others_may_read_are_refused(owner: Agency):
    daemon = owner.start()
    told(owner.node("run", expect=None), 5, "in use by process")
    owner.node("sync")
    os.kill(daemon.pid, signal.SIGINT)
    assert daemon.wait() in (0, 130)
    assert "Traceback" not in daemon.log()
    key = owner.state_dir / "keys" / "signing.pem"
    key.chmod(0o644)
    told(owner.node("sync", expect=None), 2, "chmod 600")


def test_without_the_hub_everything_says_so_and_waits(world: World, owner: Agency):
    assert world.hub_process is not None
    world.hub_process.stop()
    told(owner.node("sync", expect=None), 6, str(world.port))
    told(owner.node("status", expect=None), 8, str(world.port))
    owner.node("plan")
    world.start_hub()
    owner.node("sync")
    assert owner.node("status").status == 0
