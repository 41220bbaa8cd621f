"""A quota stops one dataset of a node, and says so; its others go on."""

from pathlib import Path

from core.names import DatasetId
from hub.services.context import Quotas
from tests.simulation.world import World

SHARE = [{"with": ["th-dmr"], "allow": ["read"]}]


def test_durable_ack_a_dataset_beyond_the_quota_waits_and_the_others_go_on(tmp_path: Path):
    with World(tmp_path, ("la-dgm", "th-dmr")) as world:
        owner, reader = world.nodes["la-dgm"], world.nodes["th-dmr"]
        host = world.federation.host
        host._options["quotas"] = Quotas(None, {"la-dgm": 20_000})
        host.restart()
        for name in ("large", "small"):
            owner.publishes(name, SHARE)
        numbers = b"".join(number.to_bytes(4, "big") for number in range(20_000))
        owner.write("large", "a.bin", numbers)
        owner.write("small", "b.txt", b"a few words")
        world.clock.advance(60)
        result = owner.sync_pass()
        assert [error.reason for error in result.errors] == ["QUOTA_EXCEEDED"], result.errors
        assert "of 20,000 bytes" in str(result.errors[0])
        reader.sync_pass()
        assert reader.files(DatasetId("la-dgm/small")) == owner.listed("small")
        host._options["quotas"] = Quotas()
        host.restart()
        world.clock.advance(600)
        assert owner.sync_pass().errors == []
        reader.sync_pass()
        assert reader.files(DatasetId("la-dgm/large")) == owner.listed("large")
