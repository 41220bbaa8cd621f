"""A node leaves by its own signed word; what it said and published stays."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from core.errors import SynclineError
from core.names import NodeName, PartnerId
from security import envelope as dsse
from security.canonical import canonical, parse_strict
from security.departure import Departure, build_departure, verify_departure
from security.keys import SigningKey
from tests.simulation.federation import TestFederation, publish

NOW = datetime(2026, 11, 22, 17, 0, 0, tzinfo=UTC)


def said(
    federation: TestFederation,
    who: str,
    changes: Mapping[str, Any] | None = None,
    key: SigningKey | None = None,
) -> bytes:
    member = federation.members[who]
    made = Departure("test-geo", member.partner, member.node, NOW, "the survey has merged")
    return build_departure(replace(made, **(changes or {})), key or member.signing)


def refusal(call, *arguments: object) -> str:
    with pytest.raises(SynclineError) as caught:
        call(*arguments)
    return caught.value.reason


def test_whoever_left_may_call_nothing_and_is_struck_from_the_registry(federation: TestFederation) -> None:
    api = federation.api("vn-dgm")
    assert api.leave(said(federation, "vn-dgm")) is True, "its partner's last node"
    assert refusal(api.get_hub_info) == refusal(api.leave, said(federation, "vn-dgm"))
    assert [act.text for act in federation.hub.registry.pending()] == [
        "strike node main of vn-dgm, which has left"
    ]
    federation.hub.registry.sign_pending([federation.administrator])
    entry = federation.registry.registry.partner(PartnerId("vn-dgm"))
    assert entry is not None
    assert entry.nodes == ()
    assert entry.signing_keys, "what they signed stays evidence"
    assert federation.hub.registry.pending() == []
    assert [(left.partner, left.node, left.reason) for left in federation.hub.departures.list()] == [
        ("vn-dgm", "main", "the survey has merged")
    ]


def test_it_is_a_leaf_with_the_statement(federation: TestFederation) -> None:
    envelope = said(federation, "vn-dgm")
    federation.api("vn-dgm").leave(envelope)
    last = [leaf for leaf in federation.hub.translog.leaves() if leaf.type == "act"][-1]
    record = parse_strict(last.record)
    assert record["statement_sha256"] == dsse.parse(envelope).id
    assert record["actor"] == "vn-dgm"
    assert record["detail"] == {"act": "leave", "node": "main", "reason": "the survey has merged"}


def test_datasets_of_an_owner_that_left_are_still_delivered_under_its_last_policy(
    federation: TestFederation,
) -> None:
    publish(federation, "la-dgm", "geology-1m", {"a.tif": b"rock"}, read=["th-dmr"])
    federation.api("la-dgm").leave(said(federation, "la-dgm"))
    federation.hub.registry.sign_pending([federation.administrator])
    listing = federation.api("th-dmr").list_datasets(None)
    assert listing is not None
    assert [entry.dataset for entry in listing.entries] == ["la-dgm/geology-1m"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"partner": PartnerId("th-dmr")}, "WRONG_SIGNER"),
        ({"node": NodeName("other")}, "WRONG_SIGNER"),
        ({"federation": "other-geo"}, "WRONG_SIGNER"),
    ],
)
def test_nobody_leaves_for_another(
    federation: TestFederation, changes: Mapping[str, Any], reason: str
) -> None:
    assert refusal(federation.api("vn-dgm").leave, said(federation, "vn-dgm", changes)) == reason
    federation.api("vn-dgm").get_hub_info()


def test_a_certificate_alone_ends_nothing(federation: TestFederation) -> None:
    forged = said(federation, "vn-dgm", key=SigningKey.generate())
    assert refusal(federation.api("vn-dgm").leave, forged) == "UNKNOWN_SIGNER"
    federation.api("vn-dgm").get_hub_info()


def test_a_statement_of_another_kind_is_no_departure() -> None:
    key = SigningKey.generate()
    payload = Departure("test-geo", PartnerId("la-dgm"), NodeName("main"), NOW, "").to_payload()
    assert (
        refusal(verify_departure, dsse.sign(dsse.ROTATION, payload, [key]), [key.public])
        == "WRONG_PAYLOAD_TYPE"
    )
    unknown = canonical({**parse_strict(payload), "more": 1})
    assert (
        refusal(verify_departure, dsse.sign(dsse.DEPARTURE, unknown, [key]), [key.public]) == "UNKNOWN_FIELD"
    )
