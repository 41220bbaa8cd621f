"""The log: no gaps, nothing shown to strangers, everything openable by whom it concerns."""

import json
import threading

import pytest

from core.names import PartnerId
from hub.services.translog import Record
from security.tlog.leaf import Opening, lane_commitment, open_leaf
from tests.simulation.federation import TestFederation, publish


def test_each_leaf_opens_to_its_record_and_tells_nothing_without(federation: TestFederation):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    for leaf in federation.hub.translog.leaves():
        assert b"la-dgm" not in leaf.leaf
        assert b"geo" not in leaf.leaf
        if leaf.type == "registry":
            assert set(json.loads(leaf.leaf)) == {"registry", "v"}
        else:
            assert leaf.nonce is not None
            record = open_leaf(leaf.leaf, Opening(leaf.record, leaf.nonce))
            assert set(record) >= {"v", "type", "time", "actor", "object", "detail", "lane"}
            assert record["type"] == leaf.type
    assert {leaf.type for leaf in federation.hub.translog.leaves()} == {
        "registry",
        "act",
        "policy",
        "version",
    }


def test_a_lane_is_a_chain_of_salted_commitments(federation: TestFederation):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    publish(federation, "la-dgm", "geo", {"a": b"2"})
    lane = [leaf for leaf in federation.hub.translog.leaves() if leaf.lane_owner == "la-dgm"]
    prev = None
    for n, leaf in enumerate(lane, 1):
        assert leaf.lane_n == n
        assert leaf.lane_salt is not None
        expected = lane_commitment(PartnerId("la-dgm"), n, prev, leaf.lane_salt)
        assert json.loads(leaf.record)["lane"] == expected == leaf.lane_commitment
        prev = expected
    assert len(lane) >= 5


def test_indices_have_no_gaps_with_concurrent_writers_and_failures(federation: TestFederation):
    hub = federation.hub
    database = hub._context.database

    def work(number: int) -> None:
        for turn in range(10):
            try:
                with database.write() as connection:
                    hub.translog.append(
                        connection,
                        Record(type="act", actor="t", object=str(number), owner=PartnerId("la-dgm")),
                    )
                    if turn % 3 == 0:
                        raise RuntimeError("crash before the commit")
            except RuntimeError:
                pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    leaves = list(hub.translog.leaves())
    assert [leaf.index for leaf in leaves] == list(range(len(leaves)))
    assert list(hub.fsck.check()) == []


def test_a_statement_and_its_leaf_stand_or_fall_together(federation: TestFederation, monkeypatch):
    """Killed between the leaf and the row: neither is there."""
    from hub.services.catalogue import CatalogueService

    before = federation.hub.translog.size()
    original = CatalogueService._accept

    def crash(self, connection, record):
        original(self, connection, record)
        raise RuntimeError("killed")

    monkeypatch.setattr(CatalogueService, "_accept", crash)
    with pytest.raises(RuntimeError):
        publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    monkeypatch.undo()
    assert federation.hub.translog.size() == before
    assert federation.hub.catalogue.datasets() == []
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
