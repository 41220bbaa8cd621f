"""What a commit looks up: everything at first, afterwards only what the version before did not prove."""

import os

import pytest

from core.errors import Unavailable
from hub.services.recipes import check_recipe
from security.envelope import parse
from sync.manifest import parse_manifest
from sync.recipe import Root
from sync.stores.memory import MemoryStore
from tests.simulation.federation import Published, TestFederation, build_version, share


class Asked(MemoryStore):
    """Counts the chunks that were looked up."""

    count = 0

    def missing(self, ids):
        self.count += len(ids)
        return super().missing(ids)


def stored(federation: TestFederation, *versions: Published, without: bytes | None = None) -> Asked:
    store = Asked(federation.limits)
    for version in versions:
        store.put([chunk for chunk in version.chunks if chunk.id != without])
    store.commit()
    return store


def manifest_of(version: Published, federation: TestFederation):
    return parse_manifest(parse(version.envelope).payload, version.dataset, federation.limits)


@pytest.fixture
def versions(federation: TestFederation):
    """Large enough for a table of many pieces; the second differs in the middle."""
    share(federation, "la-dgm", "geo", read=["th-dmr"])
    data = os.urandom(60_000)
    first = build_version(federation, "la-dgm", "geo", {"a": data, "z": b"end"})
    edited = data[:30_000] + os.urandom(300) + data[30_010:]
    second = build_version(
        federation, "la-dgm", "geo", {"a": edited, "z": b"end"}, seq=2, prev=first.manifest_id
    )
    return first, second


def test_the_second_version_is_looked_up_where_it_differs(federation: TestFederation, versions):
    first, second = versions
    store = stored(federation, first, second)
    manifest = manifest_of(second, federation)
    check_recipe(second.root, manifest, store, federation.limits)
    whole, store.count = store.count, 0
    check_recipe(second.root, manifest, store, federation.limits, first.root)
    assert store.count < whole / 2


def test_each_chunk_that_is_new_is_missed_when_it_is_not_there(federation: TestFederation, versions):
    """The promise `materialisable`: whatever is skipped was proven before, so no new chunk may be skipped."""
    first, second = versions
    manifest = manifest_of(second, federation)
    old = {chunk.id for chunk in first.chunks}
    new = [chunk.id for chunk in second.chunks if chunk.id not in old]
    assert len(new) >= 3
    for id_ in new:
        with pytest.raises(Unavailable) as refused:
            check_recipe(
                second.root,
                manifest,
                stored(federation, first, second, without=id_),
                federation.limits,
                first.root,
            )
        assert refused.value.reason == "MISSING_CHUNKS"


def test_a_root_that_equals_the_one_before_is_looked_up_hardly_at_all(federation: TestFederation, versions):
    first, _ = versions
    store = stored(federation, first)
    check_recipe(first.root, manifest_of(first, federation), store, federation.limits, first.root)
    lists = Root.from_bytes(first.root, federation.limits)
    listed = len(lists.inventory) + len(lists.layout) + len(lists.table)
    assert store.count <= listed + len(lists.table)
