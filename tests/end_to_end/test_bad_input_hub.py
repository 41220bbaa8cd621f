"""What goes wrong at the hub: damaged packs, a lost index, a grant that is withdrawn while it is used."""

import pytest

from tests.end_to_end.world import Agency, World, wait_until

DATASET = "la-dgm/maps"


@pytest.fixture
def owner(world: World) -> Agency:
    agency = world.agency("la-dgm")
    agency.configure(agency.publishes("maps", to=["cn-cgs"]))
    (agency.data / "maps" / "raster.bin").write_bytes(bytes(range(251)) * 8000)
    return agency


@pytest.fixture
def reader(world: World) -> Agency:
    agency = world.agency("cn-cgs")
    agency.configure(agency.subscribes())
    return agency


def test_a_damaged_pack_is_found_told_and_never_mirrored(world: World, owner: Agency, reader: Agency):
    owner.node("sync")
    pack = next((world.hub_folder / "store").rglob("*.pack"))
    whole = pack.read_bytes()
    pack.write_bytes(whole[:200] + bytes([whole[200] ^ 0xFF]) + whole[201:])
    found = world.hub("fsck", expect=7)
    assert pack.name in found.out + found.err, str(found)
    refused = reader.node("sync", expect=None)
    assert refused.status in (6, 7), str(refused)
    assert str(world.hub_folder) not in refused.err, "the hub's paths are no partner's business"
    assert reader.version(DATASET) == 0
    pack.write_bytes(whole)
    world.hub("fsck")
    reader.node("sync")
    assert reader.version(DATASET) == 1


def test_a_lost_index_is_made_anew_from_the_packs(world: World, owner: Agency, reader: Agency):
    assert world.hub_process is not None
    owner.node("sync")
    world.hub_process.stop()
    for path in (world.hub_folder / "store").rglob("*"):
        if path.is_file() and path.suffix != ".pack":
            path.write_bytes(b"")
    world.hub("fsck", "--rebuild-index")
    world.start_hub()
    reader.node("sync")
    assert reader.version(DATASET) == 1


def test_a_grant_that_is_withdrawn_keeps_what_was_received_and_gives_nothing_new(
    owner: Agency, reader: Agency
):
    owner.node("sync")
    reader.node("sync")
    owner.configure(owner.publishes("maps", to=[]))
    (owner.data / "maps" / "secret.txt").write_text("not for them")
    owner.node("sync")
    ended = reader.node("sync", "--json", expect=None).json()
    assert ended["results"][0]["state"] == "grant ended"
    assert list(reader.content(DATASET)) == ["raster.bin"]
    owner.configure(owner.publishes("maps", to=["cn-cgs"]))
    owner.node("sync")
    reader.node("sync")
    assert sorted(reader.content(DATASET)) == ["raster.bin", "secret.txt"]


def test_suspending_a_partner_ends_its_streams_and_resuming_lets_it_go_on(
    world: World, owner: Agency, reader: Agency
):
    owner.node("sync")
    reader.start()
    wait_until(lambda: reader.version(DATASET) == 1, "the first version")
    world.hub("suspend", "cn-cgs")
    wait_until(lambda: reader.report()["faults"], "the suspension to be told")
    told = reader.node("status", expect=8)
    assert "suspended" in told.out, str(told)
    (owner.data / "maps" / "two.txt").write_text("two")
    owner.node("sync")
    assert reader.version(DATASET) == 1
    world.hub("resume", "cn-cgs")
    wait_until(lambda: reader.version(DATASET) == 2, "the second version")


def test_a_second_hub_and_a_second_founding_are_refused(world: World):
    twice = world.hub("run", expect=5)
    assert "already runs" in twice.err
    again = world.hub("init", str(world.hub_folder), "--name", "x", "--address", "h:1", expect=5)
    assert "nothing was changed" in again.err
    for arguments in (
        ("suspend", "xx-nobody"),
        ("approve", "cn-cgs", "--fingerprint", "0000"),
        ("reject", "cn-cgs"),
    ):
        refused = world.hub(*arguments, expect=None)
        assert refused.status in (2, 3), str(refused)
        assert "→" in refused.err, str(refused)
