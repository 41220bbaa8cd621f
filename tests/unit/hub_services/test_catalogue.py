"""Statements are accepted once, in order, from one node, whole or not at all."""

import threading

import pytest

from core.errors import Conflict, Denied, InvalidInput, Unavailable, Untrusted
from core.names import DatasetId, NodeName
from hub.services.context import Caller
from security.keys import SigningKey
from security.policy import disclosures_from_json, disclosures_to_json, verify_policy
from sync.acknowledgement import Acknowledgement
from sync.acknowledgement import build as build_acknowledgement
from sync.ports import PolicyExtract
from tests.simulation.federation import (
    TestFederation,
    build_version,
    grants,
    make_policy,
    publish,
    sha256_of_payload,
    share,
    upload,
)

FILES = {"a.txt": b"alpha", "maps/b.bin": bytes(range(256)) * 20, "empty": b""}
GEO = DatasetId("la-dgm/geo")


def commit(federation: TestFederation, version, root: bool = True, who: str = "la-dgm"):
    return federation.hub.catalogue.commit_version(
        federation.caller(who), version.envelope, version.root if root else None
    )


def test_the_same_bytes_again_get_the_same_answer(federation: TestFederation):
    policy = share(federation, "la-dgm", "geo", read=["th-dmr"])
    first = federation.hub.catalogue.publish_policy(federation.caller("la-dgm"), policy)
    version = publish(federation, "la-dgm", "geo", FILES)
    leaves = federation.hub.translog.size()
    federation.clock.advance(60)
    assert federation.hub.catalogue.publish_policy(federation.caller("la-dgm"), policy) == first
    assert commit(federation, version) == version.accepted
    assert federation.hub.translog.size() == leaves


def test_a_restored_node_is_fenced_not_merged(federation: TestFederation):
    """A backup of la-dgm's node signs a second version 2."""
    first = publish(federation, "la-dgm", "geo", FILES, read=["th-dmr"])
    publish(federation, "la-dgm", "geo", {"a.txt": b"beta"})
    stale = build_version(federation, "la-dgm", "geo", {"a.txt": b"gamma"}, seq=2, prev=first.manifest_id)
    upload(federation, "la-dgm", stale.chunks)
    with pytest.raises(Conflict) as fenced:
        commit(federation, stale)
    assert fenced.value.reason == "FENCED"


@pytest.mark.parametrize(("seq", "prev"), [(1, None), (2, "0" * 64), (3, None)])
def test_what_does_not_follow_the_head_is_fenced(federation: TestFederation, seq, prev):
    first = publish(federation, "la-dgm", "geo", FILES, read=["th-dmr"])
    version = build_version(
        federation,
        "la-dgm",
        "geo",
        {"x": b"1"},
        seq=seq,
        prev=prev or (first.manifest_id if seq > 1 else None),
    )
    with pytest.raises(Conflict):
        commit(federation, version)


def test_of_two_nodes_that_race_one_wins(federation: TestFederation):
    share(federation, "la-dgm", "geo", read=["th-dmr"])
    versions = [build_version(federation, "la-dgm", "geo", {"x": bytes([n])}) for n in range(6)]
    for version in versions:
        upload(federation, "la-dgm", version.chunks)
    outcomes: list[str] = []

    def work(version) -> None:
        try:
            commit(federation, version)
            outcomes.append("accepted")
        except Conflict as conflict:
            outcomes.append(conflict.reason)

    threads = [threading.Thread(target=work, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["FENCED"] * 5 + ["accepted"]
    assert list(federation.hub.fsck.check()) == []


def test_another_node_of_the_partner_cannot_publish_the_same_dataset(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", FILES, read=["th-dmr"])
    mirror = federation.enrol("la-dgm", "mirror-2")
    with pytest.raises(Conflict) as fenced:
        federation.hub.catalogue.publish_policy(
            mirror.caller,
            make_policy(federation, "la-dgm", "geo", [], seq=2, prev="0" * 64, signer=mirror.signing),
        )
    assert fenced.value.reason == "FENCED"
    next_version = build_version(
        federation, "la-dgm", "geo", {"x": b"1"}, seq=2, prev=version.manifest_id, signer=mirror.signing
    )
    with pytest.raises(Conflict):
        federation.hub.catalogue.commit_version(mirror.caller, next_version.envelope, None)


def test_nobody_publishes_under_anothers_name(federation: TestFederation):
    foreign = make_policy(federation, "th-dmr", "geo", [], signer=federation.members["th-dmr"].signing)
    with pytest.raises(Denied) as refused:
        federation.hub.catalogue.publish_policy(federation.caller("la-dgm"), foreign)
    assert refused.value.reason == "NOT_OWNER"
    share(federation, "la-dgm", "geo", read=["th-dmr"])
    forged = build_version(federation, "la-dgm", "geo", FILES, signer=federation.members["th-dmr"].signing)
    with pytest.raises(Untrusted) as untrusted:
        commit(federation, forged, root=False)
    assert untrusted.value.reason == "UNKNOWN_SIGNER"


def test_a_new_statement_needs_the_key_of_the_node_that_brings_it(federation: TestFederation):
    """A replaced node's stolen key signs nothing new, though it stays in the registry as evidence."""
    old = federation.members["la-dgm"].signing
    version = publish(federation, "la-dgm", "geo", FILES, read=["th-dmr"], withhold=True)
    federation.enrol("la-dgm", replace=True)
    stolen = build_version(
        federation, "la-dgm", "geo", {"x": b"1"}, seq=2, prev=version.manifest_id, signer=old
    )
    with pytest.raises(Untrusted):
        commit(federation, stolen, root=False)
    # What the old key signed before is still added to.
    upload(federation, "la-dgm", version.chunks)
    assert commit(federation, version) == version.accepted
    publish(federation, "la-dgm", "geo", {"y": b"2"})


def test_a_policy_must_disclose_every_rule_to_the_hub(federation: TestFederation):
    policy = make_policy(federation, "la-dgm", "geo", grants(read=["th-dmr", "vn-dgm"]))
    part = disclosures_to_json(disclosures_from_json(policy.disclosures)[:1])
    with pytest.raises(Untrusted) as refused:
        federation.hub.catalogue.publish_policy(
            federation.caller("la-dgm"), PolicyExtract(policy.envelope, part)
        )
    assert refused.value.reason == "INCOMPLETE"


def test_pins_must_be_known_here(federation: TestFederation):
    share(federation, "la-dgm", "geo", read=["th-dmr"])
    for changes, wanted in (
        ({"policy_seq": 2}, "UNKNOWN_POLICY"),
        ({"policy_sha256": "0" * 64}, "UNKNOWN_POLICY"),
        ({"registry_seq": 99}, "UNKNOWN_REGISTRY"),
        ({"registry_sha256": "0" * 64}, "UNKNOWN_REGISTRY"),
    ):
        version = build_version(federation, "la-dgm", "geo", FILES, **changes)
        with pytest.raises(Untrusted) as refused:
            commit(federation, version, root=False)
        assert refused.value.reason == wanted


def test_a_version_without_its_bytes_is_not_committed(federation: TestFederation):
    share(federation, "la-dgm", "geo", read=["th-dmr"])
    version = build_version(federation, "la-dgm", "geo", FILES)
    for count in (0, 1, len(version.chunks) - 1):
        upload(federation, "la-dgm", version.chunks[:count]) if count else None
        with pytest.raises(Unavailable) as refused:
            commit(federation, version)
        assert refused.value.reason == "MISSING_CHUNKS"
    assert federation.hub.catalogue.list_versions(federation.caller("la-dgm"), GEO, 1) == []
    upload(federation, "la-dgm", version.chunks)
    commit(federation, version)


def test_the_bytes_of_another_owner_do_not_count(federation: TestFederation):
    """th-dmr has uploaded the same bytes: la-dgm can neither learn that nor claim them."""
    share(federation, "la-dgm", "geo", read=["th-dmr"])
    version = build_version(federation, "la-dgm", "geo", FILES)
    upload(federation, "th-dmr", version.chunks)
    ids = [chunk.id for chunk in version.chunks]
    assert all(federation.hub.content.find_missing(federation.caller("la-dgm"), ids))
    with pytest.raises(Unavailable):
        commit(federation, version)


def test_a_recipe_of_other_files_is_refused(federation: TestFederation):
    share(federation, "la-dgm", "geo", read=["th-dmr"])
    version = build_version(federation, "la-dgm", "geo", FILES)
    other = build_version(federation, "la-dgm", "geo", {**FILES, "a.txt": b"omega"})
    upload(federation, "la-dgm", [*version.chunks, *other.chunks])
    with pytest.raises(Untrusted) as refused:
        federation.hub.catalogue.commit_version(federation.caller("la-dgm"), version.envelope, other.root)
    assert refused.value.reason == "WRONG_INVENTORY"
    for changes in ({"files": 4}, {"bytes": 1}):
        wrong = build_version(federation, "la-dgm", "geo", FILES, **changes)
        with pytest.raises(Untrusted) as refused:
            commit(federation, wrong)
        assert refused.value.reason == "MALFORMED_RECIPE"


def test_a_withheld_version_gets_its_bytes_later_and_keeps_its_place(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", FILES, discover=["th-dmr"], withhold=True)
    api = federation.api("th-dmr")
    listing = api.list_datasets(None)
    assert listing is not None
    assert (listing.entries[0].has_content, listing.entries[0].may_read) == (False, False)
    share(federation, "la-dgm", "geo", read=["th-dmr"])
    federation.clock.advance(3600)
    upload(federation, "la-dgm", version.chunks)
    assert commit(federation, version) == version.accepted
    detail = api.get_version(GEO, version.manifest_id)
    assert detail.root == version.root
    # Committed again without a root, the bytes stay.
    assert commit(federation, version, root=False) == version.accepted
    assert api.get_version(GEO, version.manifest_id).root == version.root


def test_versions_and_policies_come_in_pages_byte_for_byte(federation: TestFederation):
    share(federation, "la-dgm", "geo", read=["th-dmr"])
    made = [publish(federation, "la-dgm", "geo", {"n": bytes([n])}).envelope for n in range(2)]
    share(federation, "la-dgm", "geo", read=["th-dmr", "vn-dgm"])
    made += [publish(federation, "la-dgm", "geo", {"n": bytes([n])}).envelope for n in range(2, 5)]
    api = federation.api("th-dmr")
    assert list(api.list_versions(GEO, 1)) == made
    assert list(api.list_versions(GEO, 4)) == made[3:]
    assert list(api.list_versions(GEO, 9)) == []
    assert len(list(api.list_policies(GEO, 1))) == 2
    with pytest.raises(InvalidInput):
        list(api.list_versions(GEO, 0))


def test_a_partner_gets_its_own_rules_alone_and_can_prove_them(federation: TestFederation):
    share(federation, "la-dgm", "geo", read=["th-dmr"], discover=["vn-dgm"])
    publish(federation, "la-dgm", "geo", FILES)
    keys = [federation.members["la-dgm"].signing.public]
    for who, uid in (("th-dmr", "read-th-dmr"), ("vn-dgm", "discover-vn-dgm")):
        (extract,) = federation.api(who).list_policies(GEO, 1)
        verified = verify_policy(extract.envelope, extract.disclosures, keys, complete=False, dataset=GEO)
        assert [each.rule.uid for each in verified.rules] == [uid]
        assert other_than(who) not in extract.disclosures.decode()


def test_acknowledgements_are_recorded_once_and_only_for_what_was_open(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", FILES, read=["th-dmr"])
    policy = sha256_of_payload(federation.api("th-dmr").get_version(GEO, version.manifest_id).policy.envelope)

    def said(
        who: str, node: str = "main", manifest: str = version.manifest_id, policy_id: str = policy
    ) -> bytes:
        member = federation.members[who]
        return build_acknowledgement(
            Acknowledgement(
                dataset=GEO,
                manifest_sha256=manifest,
                policy_sha256=policy_id,
                partner=member.partner,
                node=NodeName(node),
                created=federation.clock.now(),
            ),
            member.signing,
        )

    hub = federation.hub
    first = hub.catalogue.acknowledge(federation.caller("th-dmr"), said("th-dmr"))
    federation.clock.advance(5)
    assert hub.catalogue.acknowledge(federation.caller("th-dmr"), said("th-dmr")) == first
    with pytest.raises(Untrusted):
        hub.catalogue.acknowledge(federation.caller("th-dmr"), said("vn-dgm"))
    with pytest.raises(Untrusted):
        hub.catalogue.acknowledge(federation.caller("th-dmr"), said("th-dmr", node="other"))
    with pytest.raises(Denied) as refused:
        hub.catalogue.acknowledge(federation.caller("vn-dgm"), said("vn-dgm"))
    assert refused.value.reason == "NOT_FOUND"
    with pytest.raises(Denied):
        hub.catalogue.acknowledge(federation.caller("th-dmr"), said("th-dmr", manifest="0" * 64))


def test_statements_above_the_bounds_and_of_other_kinds_are_refused(federation: TestFederation):
    caller = federation.caller("la-dgm")
    catalogue = federation.hub.catalogue
    with pytest.raises(InvalidInput):
        catalogue.commit_version(caller, b"x" * (federation.limits.envelope_bytes_max + 1), None)
    with pytest.raises(Untrusted):
        catalogue.commit_version(caller, b"{}", None)
    policy = make_policy(federation, "la-dgm", "geo", [])
    with pytest.raises(Untrusted) as refused:
        catalogue.commit_version(caller, policy.envelope, None)
    assert refused.value.reason == "WRONG_PAYLOAD_TYPE"


def test_a_stranger_with_a_good_key_is_refused(federation: TestFederation):
    stranger = Caller(federation.members["la-dgm"].partner, NodeName("other"))
    with pytest.raises(Denied):
        federation.hub.catalogue.publish_policy(
            stranger, make_policy(federation, "la-dgm", "geo", [], signer=SigningKey.generate())
        )


def test_the_operator_sees_every_dataset(federation: TestFederation):
    publish(federation, "la-dgm", "geo", FILES, read=["th-dmr"])
    publish(federation, "th-dmr", "hazard", {"x": b"1"})
    share(federation, "vn-dgm", "soon")
    seen = [(d.dataset, d.version_seq, d.files, d.has_content) for d in federation.hub.catalogue.datasets()]
    assert seen == [("la-dgm/geo", 1, 3, True), ("th-dmr/hazard", 1, 1, True), ("vn-dgm/soon", 0, 0, False)]


def other_than(who: str) -> str:
    return {"th-dmr": "vn-dgm", "vn-dgm": "th-dmr"}[who]
