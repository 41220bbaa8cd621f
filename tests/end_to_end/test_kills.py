"""Processes that are killed in the middle: nothing is lost, nothing is mixed, everything converges."""

import random
from urllib.request import urlopen

import pytest

from tests.end_to_end.world import Agency, World, wait_until

DATASET = "la-dgm/raster"
SEED = 20261122


@pytest.fixture
def pair(world: World) -> tuple[Agency, Agency]:
    """An owner with some tens of megabytes, and its reader."""
    owner = world.agency("la-dgm")
    owner.configure(owner.publishes("raster", to=["cn-cgs"]))
    chance = random.Random(SEED)
    for number in range(6):
        (owner.data / "raster" / f"band-{number}.tif").write_bytes(chance.randbytes(8_000_000))
    for number in range(300):
        (owner.data / "raster" / f"tile-{number:03}.json").write_bytes(
            chance.randbytes(chance.randrange(1, 20_000))
        )
    reader = world.agency("cn-cgs")
    reader.configure(reader.subscribes())
    return owner, reader


def expected(owner: Agency) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted((owner.data / "raster").iterdir())}


def slowly(agency: Agency, bytes_per_s: int) -> None:
    """Limit the agency's rate, so that a transfer can be met in its middle."""
    text = agency.config.read_text("utf-8")
    rates = f"[hub]\nupload_rate = {bytes_per_s}\ndownload_rate = {bytes_per_s}\n"
    agency.config.write_text(text.replace("[hub]\n", rates), "utf-8")


def test_resumes_after_kill_of_the_publisher(world: World, pair: tuple[Agency, Agency]):
    owner, reader = pair
    slowly(owner, 4_000_000)
    daemon = owner.start()
    store = world.hub_folder / "store" / "la-dgm"

    def some_bytes_are_there() -> bool:
        return store.exists() and sum(p.stat().st_size for p in store.rglob("*.pack")) > 8_000_000

    wait_until(some_bytes_are_there, "the middle of the upload")
    daemon.kill()
    owner.configure(owner.tables)
    owner.config.write_text(owner.config.read_text("utf-8").replace("upload_rate = 4000000\n", ""), "utf-8")
    outcome = owner.node("sync", "--json").json()
    (result,) = outcome["results"]
    assert result["seq"] == 1
    assert result["sent_bytes"] < 45_000_000, "what was acknowledged is not sent again"
    reader.node("sync")
    assert reader.content(DATASET) == expected(owner)


def test_converges_after_kill_of_the_hub_during_an_upload(world: World, pair: tuple[Agency, Agency]):
    owner, reader = pair
    slowly(owner, 8_000_000)
    owner.start()
    reader.start()
    store = world.hub_folder / "store" / "la-dgm"
    wait_until(
        lambda: store.exists() and sum(p.stat().st_size for p in store.rglob("*.pack")) > 8_000_000,
        "the middle of the upload",
    )
    assert world.hub_process is not None
    world.hub_process.kill()
    world.start_hub()
    wait_until(lambda: reader.version(DATASET) == 1, "the mirror")
    assert reader.content(DATASET) == expected(owner)
    world.hub("fsck")


def test_resumes_after_kill_of_the_subscriber(world: World, pair: tuple[Agency, Agency]):
    owner, reader = pair
    owner.node("sync")
    slowly(reader, 8_000_000)
    daemon = reader.start()

    def some_bytes_are_there() -> bool:
        folder = reader.mirror / DATASET
        return folder.exists() and sum(p.stat().st_size for p in folder.rglob("*.tif")) > 10_000_000

    wait_until(some_bytes_are_there, "the middle of the download")
    daemon.kill()
    assert reader.version(DATASET) == 0, "nothing is visible before it is whole"
    reader.node("sync")
    assert reader.content(DATASET) == expected(owner)


def test_a_mirror_is_never_a_mix_while_its_node_is_killed_again_and_again(
    world: World, pair: tuple[Agency, Agency]
):
    owner, reader = pair
    owner.node("sync")
    reader.node("sync")
    first = expected(owner)
    chance = random.Random(SEED + 1)
    for path in sorted((owner.data / "raster").glob("band-*")):
        path.write_bytes(chance.randbytes(8_000_000))
    owner.node("sync")
    second = expected(owner)
    slowly(reader, 12_000_000)
    staged = reader.mirror / DATASET / ".staging"
    for _ in range(3):
        daemon = reader.start()
        wait_until(lambda: reader.version(DATASET) == 2 or staged.exists(), "the fetching")
        daemon.kill()
        seen = reader.content(DATASET)
        assert seen in (first, second)
    reader.node("sync")
    assert reader.content(DATASET) == second


def test_daemons_reconnect_after_the_hubs_restart(world: World, pair: tuple[Agency, Agency]):
    owner, reader = pair
    owner.start()
    reader.start()
    wait_until(lambda: reader.version(DATASET) == 1, "the first version")
    assert world.hub_process is not None
    assert world.hub_process.stop() == 0
    (owner.data / "raster" / "written-while-the-hub-was-away.txt").write_text("x")
    wait_until(lambda: owner.report()["faults"].get("hub") or _failed(owner), "the fault to be told")
    told = owner.node("status", expect=8)
    assert "→" in told.out
    world.start_hub()
    wait_until(lambda: reader.version(DATASET) == 2, "the second version")
    assert reader.content(DATASET) == expected(owner)
    wait_until(lambda: not owner.report()["faults"], "the fault to be cleared")


def _failed(agency: Agency) -> bool:
    return any(each["error"] for each in agency.report()["publish"])


def test_a_daemon_that_is_stopped_during_a_transfer_ends_cleanly_and_resumes(
    world: World, pair: tuple[Agency, Agency]
):
    owner, reader = pair
    slowly(owner, 2_000_000)
    daemon = owner.start()
    store = world.hub_folder / "store" / "la-dgm"
    wait_until(
        lambda: store.exists() and sum(p.stat().st_size for p in store.rglob("*.pack")) > 4_000_000,
        "the middle of the upload",
    )
    status = owner.status()
    assert status["publish"][0]["bytes_left"] > 0, "status answers while a transfer runs"
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log()
    owner.config.write_text(owner.config.read_text("utf-8").replace("upload_rate = 2000000\n", ""), "utf-8")
    owner.node("sync")
    reader.node("sync")
    assert reader.content(DATASET) == expected(owner)


def test_a_killed_hub_takes_its_pages_with_it_and_is_started_again_at_once(world: World):
    assert world.hub_process is not None
    world.hub_process.stop()
    port = world.serve_pages()
    serving = world.start_hub()
    wait_until(lambda: page(port) == 200, "the pages")
    serving.kill()
    world.start_hub()
    wait_until(lambda: page(port) == 200, "the pages, again")


def page(port: int) -> int:
    """What somebody who asks for the page of signing in is answered; 0: nothing."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/login", timeout=60) as answer:
            return answer.status
    except OSError:
        return 0
