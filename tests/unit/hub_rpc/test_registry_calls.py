"""What nodes bring to the registry over the wire: statements that a restored hub lacks, and other keys."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS
from core.names import NodeName, PartnerId
from node.identity import load
from security.keys import PublicKey, SigningKey
from security.registry import RegistryNode, RegistryPartner, sign_registry
from security.rotation import Rotation, build_rotation
from tests.unit.hub_rpc.conftest import FEDERATION, RunningHub
from tests.unit.node_enrol.test_hub_client import World


@pytest.fixture
def world(running: RunningHub, tmp_path: Path) -> Iterator[World]:
    with closing(World(running, tmp_path)) as made:
        yield made


def successor(world: World, signer: SigningKey) -> bytes:
    """The next statement, which the hub does not have."""
    with world.running.beside() as hub:
        current = hub.registry.current()
    return sign_registry(current.successor(SystemClock().now()), [signer])


def test_a_hub_takes_in_the_statements_that_it_lacks(world: World) -> None:
    chain = list(world.reader.list_registry(1))
    later = successor(world, world.running.administrator)
    for _ in range(2):
        assert world.reader.offer_registry([*chain, later]) == len(chain) + 1
    assert list(world.owner.list_registry(1)) == [*chain, later]


def test_a_statement_that_nobody_entitled_has_signed_is_refused(world: World) -> None:
    chain = list(world.reader.list_registry(1))
    with pytest.raises(Untrusted):
        world.reader.offer_registry([successor(world, SigningKey.generate())])
    assert list(world.owner.list_registry(1)) == chain


def test_an_offer_of_nothing_is_a_mistake(world: World) -> None:
    with pytest.raises(InvalidInput):
        world.reader.offer_registry([])


def test_keys_change_by_the_word_of_both_and_of_no_other(world: World) -> None:
    old, new = load(world.joined["la-dgm"].state_dir).signing, SigningKey.generate()
    said = Rotation(
        FEDERATION.id,
        PartnerId("la-dgm"),
        NodeName("main"),
        SystemClock().now().replace(microsecond=0),
        old.public,
        new.public,
    )
    envelope = build_rotation(said, old, new)
    with pytest.raises(Untrusted):
        world.reader.rotate_keys(envelope)
    assert world.owner.rotate_keys(envelope)
    assert world.owner.rotate_keys(envelope)
    with world.running.beside() as hub:
        entry = hub.registry.current().registry.partner("la-dgm")
    assert entry is not None
    assert new.public in entry.signing_keys
    assert old.public not in entry.signing_keys


def test_a_registry_of_a_thousand_partners_passes_the_wire_both_ways(world: World) -> None:
    """Two nodes each, names in two scripts: twice what gRPC takes by default."""
    with world.running.beside() as hub:
        draft = hub.registry.current().successor(SystemClock().now())
    keys = iter(PublicKey(n.to_bytes(32), n.to_bytes(1952)) for n in range(1, 10_000))
    nodes = tuple(RegistryNode(NodeName(name), bytes(32)) for name in ("field-office", "headquarters"))
    names = {"en": "Agency of Geology " * 11, "lo": "ກົມທໍລະນີສາດ" * 5}
    missing = LIMITS.partners_count_max - len(draft.partners)
    more = (
        RegistryPartner(PartnerId(f"zz-{number:05d}"), names, (next(keys), next(keys)), nodes)
        for number in range(missing)
    )
    large = sign_registry(replace(draft, partners=(*draft.partners, *more)), [world.running.administrator])
    assert len(large) > LIMITS.message_bytes_max
    assert world.reader.offer_registry([large]) == draft.seq
    assert list(world.owner.list_registry(draft.seq)) == [large]
