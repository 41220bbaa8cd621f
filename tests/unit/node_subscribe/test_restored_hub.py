"""A hub that was restored has lost acknowledgements: nodes send them once more, byte for byte."""

import shutil
from pathlib import Path

import sqlalchemy as sa

from hub.storage import schema
from node.trust import TrustStore
from tests.simulation.federation import TestFederation, publish
from tests.unit.node_subscribe.conftest import MirrorNode


def acknowledged(federation: TestFederation) -> list[bytes]:
    with federation.hub.context.database.read() as connection:
        return list(connection.execute(sa.select(schema.acknowledgements.c.envelope)).scalars())


def turned_back(federation: TestFederation, copy: Path) -> None:
    directory = federation.host.layout.directory
    federation.close()
    shutil.rmtree(directory)
    shutil.copytree(copy, directory)
    federation.host.hub = federation.host._open()


def continued(federation: TestFederation, node: MirrorNode) -> None:
    federation.hub.log_continuation.begin([federation.administrator], "restored")
    federation.hub.log.make_checkpoint(force=True)
    TrustStore(node.state_dir, federation.clock).refresh(node.hub)


def test_an_acknowledgement_that_a_restored_hub_has_lost_is_sent_again(
    federation: TestFederation, node: MirrorNode, tmp_path: Path
) -> None:
    publish(federation, "la-dgm", "geology", {"a": b"1"}, read=["th-dmr"])
    federation.hub.log.make_checkpoint(force=True)
    federation.close()
    shutil.copytree(federation.host.layout.directory, tmp_path / "copy")
    federation.host.hub = federation.host._open()
    node.sync()
    said = acknowledged(federation)
    assert len(said) == 1
    turned_back(federation, tmp_path / "copy")
    assert acknowledged(federation) == []
    node.sync()
    assert acknowledged(federation) == [], "nothing says that this hub was restored"
    continued(federation, node)
    assert node.one().acknowledged
    assert acknowledged(federation) == said
    node.faults.script("acknowledge", None)
    node.sync()
    assert node.faults._scripts["acknowledge"], "once is enough"
