"""What a dishonest hub or owner tries, each refused loudly; what was held before stays."""

from dataclasses import replace
from typing import Any

import pytest

from core.errors import Corrupt, SynclineError, Unavailable, Untrusted
from node.subscribe import MirrorOutcome, MirrorState
from security.keys import SigningKey
from sync.frames import pack, unpack
from sync.ports import DatasetEntry, Listing, PolicyExtract, StoredChunk, VersionDetail
from tests.simulation.federation import (
    TestFederation,
    build_version,
    grants,
    make_policy,
    publish,
    share,
)
from tests.unit.node_subscribe.conftest import DATASET, MirrorNode, noise
from tests.unit.node_subscribe.tampering import ForgedVersion, LyingHub

FILES = {"a.txt": b"alpha", "b/raster": noise(40_000, 5)}


@pytest.fixture
def lying(node: MirrorNode) -> LyingHub:
    hub: Any = LyingHub(node.api)
    node.hub = node.api = hub
    return hub


def refused(outcome: MirrorOutcome, kind: type[SynclineError], reason: str) -> None:
    assert outcome.state is MirrorState.FAILED
    assert isinstance(outcome.error, kind), outcome.error
    assert outcome.error.reason == reason, outcome.error


def lists(seq: int, manifest_id: str) -> Listing:
    return Listing((DatasetEntry(DATASET, manifest_id, seq, 1, True, True),), "lie")


def test_rollback_a_replayed_older_manifest(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    first = publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    publish(federation, "la-dgm", "geology", {**FILES, "a.txt": b"newer"})
    node.sync()
    lying.replace("list_datasets", lambda *_: lists(1, first.manifest_id))
    refused(node.one(), Untrusted, "ROLLBACK")
    assert node.files()["a.txt"] == b"newer"
    lying.honest_again()
    assert node.one().state is MirrorState.CURRENT


def test_rollback_is_refused_even_when_nothing_was_fetched_yet(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    """The head is remembered before the first byte, so a crash opens no door."""
    first = publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    publish(federation, "la-dgm", "geology", {**FILES, "a.txt": b"newer"})

    def away(*_: Any) -> Any:
        raise Unavailable("gone")

    lying.replace("read_blobs", away)
    assert node.one().state is MirrorState.FAILED
    lying.honest_again()
    lying.replace("list_datasets", lambda *_: lists(1, first.manifest_id))
    refused(node.one(), Untrusted, "ROLLBACK")
    assert not node.current.exists()


def test_fork_two_versions_of_one_number(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.sync()
    other = build_version(federation, "la-dgm", "geology", {"a.txt": b"another truth"}, seq=1)
    lying.replace("list_datasets", lambda *_: lists(1, other.manifest_id))
    lying.replace("list_versions", lambda *_: iter([other.envelope]))
    refused(node.one(), Untrusted, "FORK")
    assert node.files() == FILES


def test_gap_a_jump_in_the_chain(federation: TestFederation, node: MirrorNode, lying: LyingHub) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    node.sync()
    publish(federation, "la-dgm", "geology", {"a.txt": b"2"})
    third = publish(federation, "la-dgm", "geology", {"a.txt": b"3"})
    lying.replace(
        "list_versions", lambda honest, *_: iter([next(honest.list_versions(DATASET, 1)), third.envelope])
    )
    refused(node.one(), Untrusted, "GAP")
    assert node.files() == FILES


def test_a_first_version_must_be_the_first(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    publish(federation, "la-dgm", "geology", {"a.txt": b"2"})
    lying.replace("list_versions", lambda honest, *_: honest.list_versions(DATASET, 2))
    refused(node.one(), Untrusted, "GAP")


def test_a_listing_that_the_chain_does_not_reach(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    lying.replace("list_datasets", lambda *_: lists(7, "7" * 64))
    refused(node.one(), Untrusted, "BROKEN_CHAIN")


def test_a_manifest_signed_by_somebody_else(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    policy = share(federation, "la-dgm", "geology", read=["th-dmr"])
    forged = ForgedVersion(federation, policy, FILES, signer=federation.members["vn-dgm"].signing)
    forged.serve(lying)
    refused(node.one(), Untrusted, "UNKNOWN_SIGNER")
    assert not node.current.exists()


def test_the_policy_of_another_dataset(federation: TestFederation, node: MirrorNode, lying: LyingHub) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    other = share(federation, "la-dgm", "other", read=["th-dmr"])
    lying.replace("get_version", lambda honest, *a: replace(honest.get_version(*a), policy=other))
    refused(node.one(), Untrusted, "WRONG_DATASET")


def test_a_policy_that_nobody_signed(federation: TestFederation, node: MirrorNode, lying: LyingHub) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    forged = make_policy(federation, "la-dgm", "geology", grants(["th-dmr"]), signer=SigningKey.generate())
    lying.replace("get_version", lambda honest, *a: replace(honest.get_version(*a), policy=forged))
    refused(node.one(), Untrusted, "UNKNOWN_SIGNER")


def test_rollback_of_the_policy(federation: TestFederation, node: MirrorNode, lying: LyingHub) -> None:
    """An old, wider policy must not come back."""
    old = share(federation, "la-dgm", "geology", read=["th-dmr"])
    publish(federation, "la-dgm", "geology", FILES)
    share(federation, "la-dgm", "geology", read=["th-dmr", "vn-dgm"])
    node.sync()
    publish(federation, "la-dgm", "geology", {"a.txt": b"2"})
    lying.replace("get_version", lambda honest, *a: replace(honest.get_version(*a), policy=old))
    refused(node.one(), Untrusted, "ROLLBACK")
    assert node.files() == FILES


def test_default_deny_a_grant_that_no_disclosed_rule_proves(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    """A hub that serves without a rule serves nothing that is taken."""
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])

    def stripped(honest: Any, *arguments: Any) -> VersionDetail:
        detail = honest.get_version(*arguments)
        return replace(detail, policy=PolicyExtract(detail.policy.envelope, b"[]"))

    lying.replace("get_version", stripped)
    assert node.one().state is not MirrorState.UPDATED
    assert not node.current.exists()


def test_an_altered_chunk_never_gets_in(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])

    def altered(honest: Any, *arguments: Any) -> Any:
        for frame in honest.read_blobs(*arguments):
            chunks = [
                StoredChunk(c.id, c.codec, c.raw_bytes, bytes(c.data)[:-1] + b"\0") for c in unpack(frame)
            ]
            yield from pack(chunks)

    lying.replace("read_blobs", altered)
    outcome = node.one()
    assert outcome.state is MirrorState.FAILED and isinstance(outcome.error, Corrupt)
    assert not node.current.exists()
    lying.honest_again()
    assert node.one().state is MirrorState.UPDATED


def test_chunks_in_another_order_are_refused(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])

    def shuffled(honest: Any, *arguments: Any) -> Any:
        for frame in honest.read_blobs(*arguments):
            yield from pack(list(reversed(unpack(frame))))

    lying.replace("read_blobs", shuffled)
    refused(node.one(), Corrupt, "WRONG_CHUNK")


@pytest.mark.parametrize("count", [0, 1])
def test_a_stream_that_ends_early_is_noticed(
    federation: TestFederation, node: MirrorNode, lying: LyingHub, count: int
) -> None:
    publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    lying.replace("read_blobs", lambda honest, *a: iter(list(honest.read_blobs(*a))[:count]))
    outcome = node.one()
    if count == 0:
        refused(outcome, Corrupt, "WRONG_CHUNK")
    assert outcome.state is not MirrorState.UPDATED or node.files() == FILES


def test_another_inventory_than_the_signed_one(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    policy = share(federation, "la-dgm", "geology", read=["th-dmr"])
    forged = ForgedVersion(federation, policy, FILES, inventory_sha256="0" * 64)
    forged.serve(lying)
    refused(node.one(), Untrusted, "WRONG_INVENTORY")


def test_other_bytes_than_the_signed_digest(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    """A recipe is not evidence: chunks may all be right, and the file still be another one."""
    policy = share(federation, "la-dgm", "geology", read=["th-dmr"])
    for content in (FILES, {"large": noise(3_000_000, 9)}):
        claimed = {path: data + b"!" for path, data in content.items()}
        ForgedVersion(federation, policy, content, claimed=claimed).serve(lying)
        refused(node.one(), Untrusted, "WRONG_CONTENT")
        assert not node.current.exists()
        (node.state_dir / "state.sqlite").unlink()


@pytest.mark.parametrize(
    "path",
    ["../evil", "/etc/evil", "a/../../evil", "a//b", "./a", ".syncline/manifest.json", "a\\b", "a\x07b"],
)
def test_no_escape_illegal_names_in_a_signed_inventory(
    federation: TestFederation, node: MirrorNode, lying: LyingHub, path: str
) -> None:
    policy = share(federation, "la-dgm", "geology", read=["th-dmr"])
    ForgedVersion(federation, policy, {path: b"evil"}).serve(lying)
    refused(node.one(), Untrusted, "MALFORMED_INVENTORY")
    assert not list(node.root.rglob("evil"))


def test_no_escape_a_name_that_is_file_and_folder(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    policy = share(federation, "la-dgm", "geology", read=["th-dmr"])
    ForgedVersion(federation, policy, {"a": b"file", "a/b": b"below"}).serve(lying)
    outcome = node.one()
    assert outcome.state is MirrorState.FAILED and isinstance(outcome.error, Untrusted)
    assert not node.current.exists()


def test_a_recipe_that_does_not_add_up(federation: TestFederation, node: MirrorNode, lying: LyingHub) -> None:
    policy = share(federation, "la-dgm", "geology", read=["th-dmr"])
    ForgedVersion(federation, policy, FILES, sizes={"a.txt": 1 << 40}).serve(lying)
    refused(node.one(), Untrusted, "MALFORMED_RECIPE")


def test_a_manifest_that_counts_wrongly(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    policy = share(federation, "la-dgm", "geology", read=["th-dmr"])
    ForgedVersion(federation, policy, FILES, files=7).serve(lying)
    refused(node.one(), Untrusted, "MALFORMED_RECIPE")


def test_freeze_an_expired_registry_stops_everything(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    published = publish(federation, "la-dgm", "geology", FILES, read=["th-dmr"])
    envelopes = [published.envelope]
    lying.replace("list_datasets", lambda *_: lists(1, published.manifest_id))
    lying.replace("list_versions", lambda *_: iter(envelopes))
    federation.clock.advance(91 * 24 * 3600)
    refused(node.one(), Unavailable, "REGISTRY_EXPIRED")


def test_a_manifest_that_pins_an_unknown_registry(
    federation: TestFederation, node: MirrorNode, lying: LyingHub
) -> None:
    policy = share(federation, "la-dgm", "geology", read=["th-dmr"])
    ForgedVersion(federation, policy, FILES, registry_sha256="1" * 64).serve(lying)
    refused(node.one(), Untrusted, "WRONG_REGISTRY")
