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
