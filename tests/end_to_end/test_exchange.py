"""The main path, by the commands alone: enrol, publish, mirror, edit, and who sees nothing."""

import hashlib

import pytest

from tests.end_to_end.world import Agency, World, run, wait_until

_NO_GUARD = "remove_guard = 1.0\n"


@pytest.fixture
def owner(world: World) -> Agency:
    agency = world.agency("la-dgm")
    agency.configure(agency.publishes("geology-1m", to=["cn-cgs"], extra=_NO_GUARD))
    folder = agency.data / "geology-1m"
    (folder / "ທໍລະນີສາດ").mkdir()
    (folder / "ທໍລະນີສາດ" / "faults.geojson").write_text('{"type": "FeatureCollection"}')
    (folder / "terrain.bin").write_bytes(bytes(range(256)) * 4096)
    (folder / "empty.txt").write_bytes(b"")
    return agency


@pytest.fixture
def reader(world: World) -> Agency:
    agency = world.agency("cn-cgs")
    agency.configure(agency.subscribes())
    return agency


def source(owner: Agency) -> dict[str, bytes]:
    folder = owner.data / "geology-1m"
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_readme_path_ends_with_a_verified_mirror(owner: Agency, reader: Agency):
    plan = owner.node("plan", expect=None)
    assert "geology-1m" in plan.out, str(plan)
    published = owner.node("sync")
    assert "version 1" in published.out, str(published)
    reader.node("sync")
    assert reader.content("la-dgm/geology-1m") == source(owner)
    evidence = reader.current("la-dgm/geology-1m") / ".syncline"
    for line in (evidence / "inventory.sha256").read_text("utf-8").splitlines():
        digest, _, path = line.partition("  ")
        data = (reader.current("la-dgm/geology-1m") / path).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest
    log = {path.name for path in (evidence / "log").iterdir()}
    assert {"checkpoint", "log-policy"} <= log
    for what in ("version", "policy", "delivery"):
        assert {f"{what}.opening.json", f"{what}.tlog-proof"} <= log
    registries = {path.stem for path in (evidence / "registry").iterdir()}
    assert {f"registry-{seq}.tlog-proof" for seq in registries} <= log
    # 6: nothing is wrong, but nobody vouched for the federation here
    audit = run("syncline-audit", "verify", str(reader.current("la-dgm/geology-1m").parent), expect=6)
    assert "nothing is wrong" in audit.out, str(audit)


def test_the_owner_holds_the_hubs_receipt_and_the_logs_proof(owner: Agency):
    owner.node("sync")
    folder = next((owner.home / "state/receipts/la-dgm/geology-1m").glob("1-*"))
    names = {path.name for path in folder.iterdir()}
    assert {"receipt.json", "manifest.json", "version.opening.json", "version.tlog-proof"} <= names


def test_a_mirror_that_requires_witnesses_waits_for_them_and_says_so(
    world: World, owner: Agency, reader: Agency
):
    reader.configure(reader.subscribes() + "\n[trust]\nrequire_witnesses = true\n")
    owner.node("sync")
    wait_until(lambda: witnessed(owner, reader), "both witnesses have cosigned a checkpoint that covers it")
    assert reader.content("la-dgm/geology-1m") == source(owner)
    checkpoint = reader.current("la-dgm/geology-1m") / ".syncline/log/checkpoint"
    assert checkpoint.read_text("utf-8").count("\u2014 ") >= 3


def witnessed(owner: Agency, reader: Agency) -> bool:
    """A pass of both; the mirror waits, or has what it waited for."""
    outcome = reader.node("sync", "--json", expect=None)
    owner.node("sync")
    if reader.version("la-dgm/geology-1m") == 1:
        return True
    assert outcome.status == 8, str(outcome)
    assert "waiting for witnesses" in outcome.out, str(outcome)
    return False


def test_an_edit_travels_as_a_new_version(owner: Agency, reader: Agency):
    owner.node("sync")
    reader.node("sync")
    (owner.data / "geology-1m" / "terrain.bin").write_bytes(bytes(range(256)) * 4096 + b"edited")
    (owner.data / "geology-1m" / "empty.txt").rename(owner.data / "geology-1m" / "renamed.txt")
    owner.node("sync")
    reader.node("sync")
    assert reader.version("la-dgm/geology-1m") == 2
    assert reader.content("la-dgm/geology-1m") == source(owner)


def test_nothing_to_do_is_exit_status_0_and_no_new_version(owner: Agency, reader: Agency):
    owner.node("sync")
    reader.node("sync")
    again = owner.node("sync", "--json").json()
    assert [(each["seq"], each["changed"]) for each in again["results"]] == [(1, False)]
    reader.node("sync")
    assert reader.version("la-dgm/geology-1m") == 1


def test_a_partner_without_a_grant_sees_nothing(world: World, owner: Agency):
    stranger = world.agency("th-dmr")
    stranger.configure(stranger.subscribes())
    owner.node("sync")
    listed = stranger.node("sync", "--json").json()
    assert listed["results"] == []
    assert not (stranger.mirror / "la-dgm").exists()
    real = stranger.node("explain", "la-dgm/geology-1m", "th-dmr", "read", "--json", expect=None)
    unreal = stranger.node("explain", "la-dgm/no-such-thing", "th-dmr", "read", "--json", expect=None)
    assert real.status == unreal.status
    assert real.out.replace("geology-1m", "") == unreal.out.replace("no-such-thing", "")
    assert real.err == unreal.err


def test_daemons_carry_an_edit_by_themselves(world: World, owner: Agency, reader: Agency):
    owner.start()
    reader.start()
    wait_until(lambda: reader.version("la-dgm/geology-1m") == 1, "the first version")
    (owner.data / "geology-1m" / "new.txt").write_text("more rock")
    wait_until(lambda: reader.version("la-dgm/geology-1m") == 2, "the second version")
    assert reader.content("la-dgm/geology-1m") == source(owner)
    assert owner.daemon is not None
    assert owner.daemon.stop() == 0
    assert owner.status()["daemon_running"] is False


def test_sync_asks_the_running_daemon(owner: Agency, reader: Agency):
    owner.start()
    outcome = owner.node("sync", "--json").json()
    assert [(each["dataset"], each["seq"]) for each in outcome["results"]] == [("la-dgm/geology-1m", 1)]
    reader.start()
    reader.node("sync")
    assert reader.content("la-dgm/geology-1m") == source(owner)


def test_a_new_share_in_the_settings_takes_effect_without_a_restart(
    world: World, owner: Agency, reader: Agency
):
    late = world.agency("th-dmr")
    late.configure(late.subscribes())
    owner.start()
    owner.node("sync")
    late.node("sync")
    assert late.version("la-dgm/geology-1m") == 0
    owner.configure(owner.publishes("geology-1m", to=["cn-cgs", "th-dmr"], extra=_NO_GUARD))
    owner.node("sync")
    late.node("sync")
    assert late.content("la-dgm/geology-1m") == source(owner)


def test_explain_tells_the_owner_the_rule(owner: Agency):
    owner.node("sync")
    granted = owner.node("explain", "geology-1m", "cn-cgs", "read", "--json").json()
    assert granted["allowed"] is True
    assert granted["policy_seq"] == 1
    denied = owner.node("explain", "geology-1m", "th-dmr", "discover", "--json").json()
    assert (denied["allowed"], denied["rule"]) == (False, None)


def test_the_hub_knows_how_its_nodes_are(world: World, owner: Agency):
    owner.node("sync")
    shown = world.hub("status", "--json", expect=None).json()
    assert "la-dgm" in str(shown)
