"""Promise `default_deny`: no byte and no record leaves the hub without a rule that the owner signed.

Nor does any answer differ by what another partner has not shared.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from core.errors import Denied, SynclineError, Unavailable
from core.names import DatasetId, PartnerId
from security.policy import Rule
from sync.ports import OrdinalRange, RecipeStream
from tests.simulation.federation import TestFederation, publish, share
from tests.simulation.in_process_hub import InProcessHub

GEO = DatasetId("la-dgm/geo")
NONE = DatasetId("la-dgm/none")
FILES = {"a.txt": b"alpha" * 100, "b.txt": b"beta" * 100}

#: Everything that a partner may ask about a dataset.
QUESTIONS: dict[str, Callable[[InProcessHub, DatasetId, str], Any]] = {
    "list": lambda api, _, __: api.list_datasets(None),
    "version": lambda api, dataset, id_: api.get_version(dataset, id_),
    "versions": lambda api, dataset, _: list(api.list_versions(dataset, 1)),
    "later versions": lambda api, dataset, _: list(api.list_versions(dataset, 2)),
    "policies": lambda api, dataset, _: list(api.list_policies(dataset, 1)),
    "explain discover": lambda api, dataset, _: api.explain_access(dataset, api.caller.partner, "discover"),
    "explain read": lambda api, dataset, _: api.explain_access(dataset, api.caller.partner, "read"),
    "explain others": lambda api, dataset, _: api.explain_access(dataset, PartnerId("th-dmr"), "read"),
    "content": lambda api, dataset, id_: list(
        api.read_blobs(dataset, id_, RecipeStream.CONTENT, [OrdinalRange(0, 1)])
    ),
    "content out of range": lambda api, dataset, id_: list(
        api.read_blobs(dataset, id_, RecipeStream.CONTENT, [OrdinalRange(10**6, 1)])
    ),
    "inventory": lambda api, dataset, id_: list(
        api.read_blobs(dataset, id_, RecipeStream.INVENTORY, [OrdinalRange(0, 1)])
    ),
}


def answer(question: str, api: InProcessHub, dataset: DatasetId, manifest: str) -> Any:
    """The answer or the error, every word of it."""
    try:
        return QUESTIONS[question](api, dataset, manifest)
    except SynclineError as error:
        return type(error).__name__, error.reason, str(error).replace(dataset, "DATASET")


@pytest.mark.parametrize("question", QUESTIONS)
def test_default_deny_a_hidden_dataset_is_answered_like_one_that_does_not_exist(
    federation: TestFederation, question: str
):
    api = federation.api("vn-dgm")
    before = answer(question, api, GEO, "0" * 64)
    version = publish(federation, "la-dgm", "geo", FILES, read=["th-dmr"])
    publish(federation, "la-dgm", "geo", {"c": b"3"})
    hidden = answer(question, api, GEO, version.manifest_id)
    absent = answer(question, api, NONE, version.manifest_id)
    assert hidden == absent == before


def test_default_deny_blob_questions_tell_nothing_of_other_owners(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", FILES, read=["vn-dgm"])
    ids = [chunk.id for chunk in version.chunks]
    assert all(federation.api("vn-dgm").find_missing(ids))
    assert not any(federation.api("la-dgm").find_missing(ids))


def test_default_deny_without_any_rule_only_the_owner_sees(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", FILES, read=[])
    assert [listing_of(federation, who) for who in ("la-dgm", "th-dmr", "vn-dgm")] == [[GEO], [], []]
    assert frames(federation, "la-dgm", version.manifest_id)


def test_default_deny_discover_shows_the_record_and_no_bytes(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", FILES, discover=["vn-dgm"])
    api = federation.api("vn-dgm")
    detail = api.get_version(GEO, version.manifest_id)
    assert detail.envelope == version.envelope
    assert detail.root is None
    for stream in RecipeStream:
        with pytest.raises(Denied) as refused:
            list(api.read_blobs(GEO, version.manifest_id, stream, [OrdinalRange(0, 1)]))
        assert refused.value.reason == "NOT_GRANTED"


def test_default_deny_a_chunk_of_another_version_or_dataset_is_out_of_reach(federation: TestFederation):
    """A digest alone opens nothing: reading is by place in a version that the caller may read."""
    open_one = publish(federation, "la-dgm", "open", {"x": b"1"}, read=["vn-dgm"])
    closed = publish(federation, "la-dgm", "geo", FILES, read=["th-dmr"])
    with pytest.raises(Denied) as refused:
        list(
            federation.api("vn-dgm").read_blobs(
                open_one.dataset, closed.manifest_id, RecipeStream.CONTENT, [OrdinalRange(0, 1)]
            )
        )
    assert refused.value.reason == "NOT_FOUND"


def test_a_prohibition_wins_and_the_federation_means_everybody(federation: TestFederation):
    rules = [
        Rule("all", "permission", "federation", ("read",)),
        Rule("not-vn", "prohibition", "vn-dgm", ("discover",)),
    ]
    share(federation, "la-dgm", "geo", rules=rules)
    publish(federation, "la-dgm", "geo", FILES)
    assert [listing_of(federation, who) for who in ("th-dmr", "vn-dgm")] == [[GEO], []]
    federation.enrol("kh-gdmr")
    assert listing_of(federation, "kh-gdmr") == [GEO]


def test_rules_begin_and_end_by_themselves(federation: TestFederation):
    start = federation.clock.now() + timedelta(hours=1)
    rule = Rule("timed", "permission", "th-dmr", ("read",), start, start + timedelta(hours=1))
    share(federation, "la-dgm", "geo", rules=[rule])
    version = publish(federation, "la-dgm", "geo", FILES)
    seen = []
    for _ in range(4):
        seen.append(listing_of(federation, "th-dmr"))
        federation.clock.advance(1800)
    assert seen == [[], [], [GEO], [GEO]]
    with pytest.raises(Denied):
        frames(federation, "th-dmr", version.manifest_id)


def test_a_grant_that_ends_while_a_mirror_is_fetched_ends_the_stream(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", {"big": bytes(range(256)) * 400}, read=["th-dmr"])
    stream = reading(federation, "th-dmr", version.manifest_id)
    assert next(stream)
    share(federation, "la-dgm", "geo", read=["vn-dgm"])
    federation.clock.advance(federation.limits.reauthorise_s)
    with pytest.raises(Denied) as refused:
        list(stream)
    assert refused.value.reason == "NOT_FOUND"


def test_a_suspension_ends_an_open_stream_within_a_second(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", {"big": bytes(range(256)) * 400}, read=["th-dmr"])
    stream = reading(federation, "th-dmr", version.manifest_id)
    assert next(stream)
    federation.hub.registry.suspend(PartnerId("th-dmr"))
    federation.clock.advance(federation.limits.reauthorise_s)
    with pytest.raises(Denied) as refused:
        list(stream)
    assert refused.value.reason == "SUSPENDED"


def test_a_new_policy_takes_effect_without_a_new_version(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", FILES, read=["th-dmr"])
    etag = view_etag(federation, "th-dmr")
    share(federation, "la-dgm", "geo", read=["vn-dgm"])
    assert listing_of(federation, "th-dmr") == []
    assert view_etag(federation, "th-dmr") != etag
    assert frames(federation, "vn-dgm", version.manifest_id)


def test_the_etag_changes_exactly_when_the_view_does(federation: TestFederation):
    publish(federation, "la-dgm", "geo", FILES, read=["th-dmr"])
    api = federation.api("th-dmr")
    etag = view_etag(federation, "th-dmr")
    publish(federation, "la-dgm", "secret", FILES, read=["vn-dgm"])
    publish(federation, "la-dgm", "geo", FILES | {"n": b"1"}, read=None)
    assert view_etag(federation, "th-dmr") != etag
    etag = view_etag(federation, "th-dmr")
    publish(federation, "la-dgm", "secret", {"n": b"2"})
    assert api.list_datasets(etag) is None


def test_the_owner_is_explained_every_decision_and_others_their_own(federation: TestFederation):
    publish(federation, "la-dgm", "geo", FILES, read=["th-dmr"], discover=["vn-dgm"])
    owner = federation.api("la-dgm")
    told = owner.explain_access(GEO, PartnerId("th-dmr"), "read")
    assert (told.allowed, told.rule_uid, told.policy_seq) == (True, "read-th-dmr", 1)
    assert not owner.explain_access(GEO, PartnerId("vn-dgm"), "read").allowed
    assert federation.api("vn-dgm").explain_access(GEO, PartnerId("vn-dgm"), "discover").allowed
    with pytest.raises(Denied):
        federation.api("vn-dgm").explain_access(GEO, PartnerId("th-dmr"), "read")


def test_default_deny_a_withheld_version_gives_no_bytes(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", FILES, read=["th-dmr"], withhold=True)
    with pytest.raises(Unavailable) as refused:
        frames(federation, "th-dmr", version.manifest_id)
    assert refused.value.reason == "WITHHELD"


def test_planted_bug_a_hub_that_forgets_to_ask_is_found(federation: TestFederation, monkeypatch):
    """The promise's tests can fail: with `require` always saying yes, the hidden dataset shows."""
    from hub.services.sharing import SharingService

    version = publish(federation, "la-dgm", "geo", FILES, read=["th-dmr"])
    api = federation.api("vn-dgm")
    monkeypatch.setattr(
        SharingService,
        "require",
        lambda self, caller, dataset, action, connection=None: self.decide(
            PartnerId("la-dgm"), dataset, action
        ),
    )
    assert answer("content", api, GEO, version.manifest_id) != answer(
        "content", api, NONE, version.manifest_id
    )


def listing_of(federation: TestFederation, who: str) -> list[DatasetId]:
    listing = federation.api(who).list_datasets(None)
    assert listing is not None
    return [entry.dataset for entry in listing.entries]


def view_etag(federation: TestFederation, who: str) -> str:
    listing = federation.api(who).list_datasets(None)
    assert listing is not None
    return listing.etag


def reading(federation: TestFederation, who: str, manifest: str):
    return federation.api(who).read_blobs(
        GEO, manifest, RecipeStream.CONTENT, [OrdinalRange(0, chunks_of(federation))]
    )


def frames(federation: TestFederation, who: str, manifest: str) -> list[Any]:
    return list(federation.api(who).read_blobs(GEO, manifest, RecipeStream.CONTENT, [OrdinalRange(0, 1)]))


def chunks_of(federation: TestFederation) -> int:
    """How many content chunks the newest version of la-dgm/geo has."""
    from sync.recipe import Root

    owner = federation.api("la-dgm")
    listing = owner.list_datasets(None)
    assert listing is not None
    entry = next(e for e in listing.entries if e.dataset == GEO)
    assert entry.manifest_id is not None
    root = owner.get_version(GEO, entry.manifest_id).root
    assert root is not None
    return sum(ref.raw_bytes for ref in Root.from_bytes(root, federation.limits).table) // 36
