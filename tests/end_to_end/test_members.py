"""Members that come and go: leaving, a machine that is lost and replaced, and the old one that comes back."""

import json
import re
import shutil

from tests.end_to_end.world import Agency, Process, World, wait_until

FINGERPRINT = re.compile(r"\b[0-9a-f]{4}(?: [0-9a-f]{4}){15}\b")


def invite_again(world: World, agency: Agency) -> str:
    path = agency.home / "again.join"
    path.unlink(missing_ok=True)
    world.hub("invite", agency.partner, "--replace", "--out", str(path))
    return str(path)


def restoring(world: World, agency: Agency, path: str) -> Process:
    """`restore` as it runs in its terminal, with what it has said so far alone in its log."""
    log = agency.home / "restore.log"
    log.unlink(missing_ok=True)
    process = Process(log, "syncline-node", "--config", str(agency.config), "restore", path)
    world.processes.append(process)
    return process


def asked(world: World, agency: Agency, path: str) -> str:
    """`restore` until it waits, then the machine is switched off: the fingerprint that it showed."""
    process = restoring(world, agency, path)
    wait_until(lambda: "Waiting for" in process.log(), "the request")
    process.kill()
    return FINGERPRINT.findall(process.log())[0]


def restore(world: World, agency: Agency) -> str:
    """Lose nothing on the way; the join file."""
    path = invite_again(world, agency)
    world.hub("approve", agency.partner, "--fingerprint", asked(world, agency, path))
    agency.node("restore", path)
    return path


def test_a_node_that_left_is_out_its_data_stay_and_it_can_come_back(world: World):
    owner, reader = world.agency("la-dgm"), world.agency("cn-cgs")
    owner.configure(owner.publishes("maps", to=["cn-cgs"]))
    reader.configure(reader.subscribes("la-dgm/*"))
    (owner.data / "maps" / "ແຜນທີ່.txt").write_text("1")
    owner.node("sync")

    unconfirmed = owner.node("leave", expect=2)
    assert "--yes" in unconfirmed.err, str(unconfirmed)
    left = owner.node("leave", "--yes", "--reason", "ລວມກັບກົມອື່ນ")
    assert "last node of la-dgm" in left.out

    for command in ("sync", "leave --yes", "run"):
        refused = owner.node(*command.split(), expect=4)
        assert "left" in refused.err, str(refused)
        assert "join file" in refused.err, str(refused)
    reader.node("sync")
    assert reader.content("la-dgm/maps") == {"ແຜນທີ່.txt": b"1"}, "delivered under the last policy"
    log = json.loads(world.hub("partners", "--json", expect=None).out)
    assert "la-dgm" in json.dumps(log)

    owner.join()  # a node that left needs no --replace
    (owner.data / "maps" / "ແຜນທີ່.txt").write_text("2")
    owner.node("sync")
    reader.node("sync")
    assert reader.version("la-dgm/maps") == 2


def test_a_lost_state_directory_is_restored_and_the_old_one_is_fenced(world: World):
    """New keys, the same datasets, nothing sent or fetched twice; a copy of the old state is shut out."""
    owner, other = world.agency("la-dgm"), world.agency("cn-cgs")
    owner.configure(owner.publishes("maps", to=["cn-cgs"]) + owner.subscribes("cn-cgs/*"))
    other.configure(other.publishes("grid", to=["la-dgm"]) + other.subscribes("la-dgm/*"))
    (owner.data / "maps" / "a.txt").write_text("1")
    (other.data / "grid" / "b.txt").write_text("rock")
    other.node("sync")
    owner.node("sync")
    assert owner.version("cn-cgs/grid") == 1

    old = owner.home / "old-state"
    shutil.move(owner.state_dir, old)
    path = invite_again(world, owner)
    log = owner.home / "restore.log"
    restoring = Process(log, "syncline-node", "--config", str(owner.config), "restore", path)
    world.processes.append(restoring)
    wait_until(lambda: FINGERPRINT.search(restoring.log()) is not None, "the fingerprint")
    restoring.kill()  # the machine is switched off while the operator compares
    restoring = Process(log, "syncline-node", "--config", str(owner.config), "restore", path)
    world.processes.append(restoring)
    wait_until(lambda: "Waiting for" in restoring.log(), "the request again")
    world.hub("approve", "la-dgm", "--fingerprint", FINGERPRINT.findall(restoring.log())[0])
    wait_until(lambda: not restoring.is_running, "the restoring to end")
    assert "version 1, 1 files" in restoring.log(), restoring.log()

    again = json.loads(owner.node("sync", "--json").out)
    published = next(each for each in again["results"] if each["dataset"] == "la-dgm/maps")
    assert (published["seq"], published["changed"]) == (1, False), "no second version of the same data"
    assert owner.content("cn-cgs/grid") == {"b.txt": b"rock"}
    refused = owner.node("restore", path, expect=5)
    assert "nothing to restore" in refused.err

    (owner.data / "maps" / "a.txt").write_text("2")
    owner.node("sync")
    other.node("sync")
    assert other.version("la-dgm/maps") == 2

    # The old machine comes back, with a file of its own.
    shutil.move(owner.state_dir, owner.home / "new-state")
    shutil.move(old, owner.state_dir)
    (owner.data / "maps" / "a.txt").write_text("from the old machine")
    fenced = owner.node("sync", expect=4)
    assert "replaced" in fenced.err, str(fenced)
    other.node("sync")
    assert other.content("la-dgm/maps") == {"a.txt": b"2"}


def test_a_withheld_dataset_is_not_signed_again_by_a_restored_node(world: World):
    owner, other = world.agency("la-dgm"), world.agency("cn-cgs")
    weekly = 'update_frequency = "weekly"\n'
    owner.configure(owner.publishes("maps", to=["cn-cgs"], allow=["discover"], extra=weekly))
    other.configure(other.subscribes())
    (owner.data / "maps" / "a.txt").write_text("1")
    owner.node("sync")
    signed = owner.status()["publish"][0]["last_version"]
    shutil.rmtree(owner.state_dir)
    restore(world, owner)

    plan = owner.node("plan")
    assert "not known here" in plan.out and "nothing is signed again" in plan.out
    again = json.loads(owner.node("sync", "--json").out)["results"][0]
    assert (again["state"], again["seq"], again["changed"]) == ("signed, bytes withheld", 1, False)
    (row,) = owner.status()["publish"]
    assert row["last_version"] == signed
    assert "weekly: fresh" in owner.node("status", expect=None).out

    owner.configure(owner.publishes("maps", to=["cn-cgs"]))
    owner.node("sync")
    other.node("sync")
    assert (other.version("la-dgm/maps"), other.content("la-dgm/maps")) == (1, {"a.txt": b"1"})


def test_a_restore_that_is_killed_anywhere_is_repeated_until_it_is_done(world: World):
    owner = world.agency("la-dgm")
    owner.configure(owner.publishes("maps", to=["cn-cgs"]))
    (owner.data / "maps" / "a.txt").write_text("1")
    owner.node("sync")
    shutil.rmtree(owner.state_dir)
    path = invite_again(world, owner)

    fingerprint = asked(world, owner, path)
    assert asked(world, owner, path) == fingerprint, "the same keys, and one request"
    assert "syncline-node restore" in owner.node("join", path, expect=8).out
    world.hub("approve", "la-dgm", "--fingerprint", fingerprint)
    process = restoring(world, owner, path)
    wait_until(lambda: (owner.state_dir / "state.sqlite").exists() or not process.is_running, "its state")
    process.kill()  # while it learns from the hub, or at its very end
    (owner.state_dir / "restoring").touch()  # had it come further than this test wants
    assert "version 1, 1 files" in owner.node("restore", path).out
    assert "compared with the last version" in owner.node("plan").out
    refused = owner.node("restore", path, expect=5)
    assert "nothing to restore" in refused.err and "syncline-node run" in refused.err
    published = json.loads(owner.node("sync", "--json").out)["results"][0]
    assert (published["seq"], published["changed"]) == (1, False)


def test_a_restore_that_ends_with_join_leaves_nothing_behind(world: World):
    owner = world.agency("la-dgm")
    owner.configure(owner.publishes("maps", to=["cn-cgs"]))
    (owner.data / "maps" / "a.txt").write_text("1")
    owner.node("sync")
    shutil.rmtree(owner.state_dir)
    path = invite_again(world, owner)
    world.hub("approve", "la-dgm", "--fingerprint", asked(world, owner, path))
    joined = owner.node("join", path, "--wait")
    assert "goes on when the node starts" in joined.out
    published = json.loads(owner.node("sync", "--json").out)["results"][0]
    assert (published["state"], published["seq"]) == ("up to date", 1), "nobody is asked"
    assert "nothing to restore" in owner.node("restore", path, expect=5).err


def test_a_join_file_of_a_new_node_restores_nothing(new_world: World):
    """Else a second machine would go on with the first one's datasets, and nobody would be asked."""
    agency = new_world.agency("la-dgm")
    path = agency.invite()
    refused = agency.node("restore", str(path), expect=2)
    assert "syncline-node join" in refused.err and "--replace" in refused.err, str(refused)
    assert not (agency.state_dir / "keys").exists()
    assert not (agency.state_dir / "restoring").exists()
    agency.node("join", str(path), expect=8)

    new_world.hub("reject", "la-dgm")
    newcomer = new_world.agency("cn-cgs")
    withdrawn = newcomer.invite()
    new_world.hub("reject", "cn-cgs")
    told = newcomer.node("join", str(withdrawn), expect=4)
    assert "operator has withdrawn this invitation" in told.err, str(told)


def test_the_old_machine_that_still_runs_is_shut_out(world: World):
    owner, other = world.agency("la-dgm"), world.agency("cn-cgs")
    owner.configure(owner.publishes("maps", to=["cn-cgs"]))
    other.configure(other.subscribes())
    (owner.data / "maps" / "a.txt").write_text("1")
    owner.start()
    wait_until(lambda: owner.report()["publish"][0]["seq"] == 1, "the first version")
    path = invite_again(world, owner)
    locked = owner.node("restore", path, expect=5)
    assert "in use by process" in locked.err, "two never work in one state directory"

    new = Agency(world, "la-dgm", world.root / "new-machine")
    new.configure(new.publishes("maps", to=["cn-cgs"]))
    (new.data / "maps" / "a.txt").write_text("1")
    world.hub("approve", "la-dgm", "--fingerprint", asked(world, new, path))
    assert "version 1, 1 files" in new.node("restore", path).out

    (owner.data / "maps" / "a.txt").write_text("from the old machine")
    wait_until(lambda: "REPLACED" in json.dumps(owner.report()["faults"]), "the old machine to know")
    (new.data / "maps" / "a.txt").write_text("2")
    assert json.loads(new.node("sync", "--json").out)["results"][0]["seq"] == 2
    other.node("sync")
    assert other.content("la-dgm/maps") == {"a.txt": b"2"}
    assert owner.daemon is not None and owner.daemon.stop() == 0
