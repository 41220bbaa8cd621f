"""default_deny: no byte and no record leaves the hub without a rule that the owner signed, no data leave the
owner before some rule grants `read`, and no answer differs by what another partner has not shared.
"""

# ruff: noqa: B023 - `told` calls what it is given before the loop goes on

import hashlib
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.errors import SynclineError
from core.names import DatasetId, PartnerId
from security import policy as policies
from sync.ports import OrdinalRange, PolicyExtract, RecipeStream
from tests.simulation.federation import (
    Published,
    TestFederation,
    build_version,
    grants,
    make_federation,
    make_policy,
    publish,
    sha256_of_payload,
    share,
    upload,
)
from tests.simulation.in_process_hub import InProcessHub
from tests.simulation.seeded import run, seeds
from tests.simulation.world import SMALL, World

HIDDEN = DatasetId("la-dgm/hidden")
UNKNOWN = DatasetId("la-dgm/unknown")
VISIBLE = DatasetId("la-dgm/visible")


@pytest.mark.parametrize("seed", seeds())
def test_default_deny(seed: int):
    run(seed).check("default_deny")


# --- nothing leaves the owner ---------------------------------------------------------------------------


def later(world: World) -> dict[str, Any]:
    return {"with": ["th-dmr"], "allow": ["read"], "not_before": world.clock.now() + timedelta(hours=1)}


def over(world: World) -> dict[str, Any]:
    return {"with": ["th-dmr"], "allow": ["read"], "not_after": world.clock.now() - timedelta(hours=1)}


SHARES: dict[str, Callable[[World], list[dict[str, Any]]]] = {
    "nobody": lambda _: [],
    "discover alone": lambda _: [{"with": ["federation"], "allow": ["discover"]}],
    "not yet": lambda world: [later(world)],
    "not any more": lambda world: [over(world)],
    "granted and prohibited": lambda _: [
        {"with": ["th-dmr"], "allow": ["read"]},
        {"with": ["federation"], "deny": ["read"]},
    ],
}


@pytest.mark.parametrize("case", SHARES)
def test_default_deny_no_data_leave_the_owner_before_a_rule_grants_read(fast_path: Path, case: str):
    left: list[str] = []

    def watch(_who: str, call: str, _arguments: Any, _answer: Any) -> None:
        if call in ("update_blobs", "find_missing"):
            left.append(call)

    with World(fast_path, ["la-dgm", "th-dmr", "vn-dgm"], watchers=[watch]) as world:
        owner, reader = world.nodes["la-dgm"], world.nodes["th-dmr"]
        owner.publishes("hidden", SHARES[case](world))
        owner.write("hidden", "a.txt", b"secret" * 100)
        for edit in (b"secret" * 120, b"secret" * 130):
            world.clock.advance(60)
            assert owner.sync_pass().errors == []
            owner.write("hidden", "a.txt", edit)
        assert left == [], "neither content nor the ids of chunks"
        assert len(list(owner.link.list_versions(HIDDEN, 1))) == 2, "the statements are there, as evidence"
        assert reader.sync_pass().errors == [] and reader.files(HIDDEN) is None
        if case == "not yet":
            world.clock.advance(3600)
            assert owner.sync_pass().errors == [] and left
            assert reader.sync_pass().errors == [] and reader.files(HIDDEN) == owner.listed("hidden")


def test_default_deny_one_dataset_s_grant_is_not_another_s(fast_path: Path):
    """The bytes of what is not shared stay, though the same pass sends the bytes of what is."""
    sent: list[bytes] = []

    def watch(_who: str, call: str, _arguments: Any, answer: Any) -> None:
        if call == "update_blobs":
            sent.append(bytes(answer))

    with World(fast_path, ["la-dgm", "th-dmr"], watchers=[watch]) as world:
        owner = world.nodes["la-dgm"]
        chance = random.Random(3)
        owner.publishes("hidden", [])
        owner.publishes("visible", [{"with": ["th-dmr"], "allow": ["read"]}])
        secret = chance.randbytes(3000)
        owner.write("hidden", "a.bin", secret)
        owner.write("visible", "b.bin", chance.randbytes(3000))
        world.clock.advance(60)
        assert owner.sync_pass().errors == []
        assert sent and not any(secret[at : at + 32] in frame for frame in sent for at in range(0, 3000, 16))


# --- no answer differs --------------------------------------------------------------------------------


class Twin:
    """Two hubs that differ by what la-dgm shares with th-dmr alone. vn-dgm must not tell them apart."""

    def __init__(self, folder: Path) -> None:
        partners = ("la-dgm", "th-dmr", "vn-dgm")
        self.bare = make_federation(folder / "bare", partners, limits=SMALL)
        self.full = make_federation(folder / "full", partners, limits=SMALL)
        self.both = (self.bare, self.full)
        self.visible: list[Published] = []
        self.hidden: list[Published] = []
        self.chunks: list[bytes] = []
        self._policy: PolicyExtract | None = None

    def everywhere(self, act: Callable[[TestFederation], Any]) -> None:
        for federation in self.both:
            act(federation)

    def share_visible(self) -> None:
        """Signatures and salts are random, so the same bytes go to both."""
        made = make_policy(self.bare, "la-dgm", "visible", grants(read=["vn-dgm"]))
        self.everywhere(lambda each: each.hub.catalogue.publish_policy(each.caller("la-dgm"), made))

    def publish_visible(self, files: dict[str, bytes]) -> None:
        prev = self.visible[-1].manifest_id if self.visible else None
        seq = len(self.visible) + 1
        version = build_version(self.bare, "la-dgm", "visible", files, seq=seq, prev=prev)
        for each in self.both:
            upload(each, "la-dgm", version.chunks)
            each.hub.catalogue.commit_version(each.caller("la-dgm"), version.envelope, version.root)
        self.visible.append(version)

    def publish_hidden(self, files: dict[str, bytes], **keys: Any) -> None:
        made = publish(self.full, "la-dgm", "hidden", files, **keys)
        self.hidden.append(made)
        self.chunks += [bytes(chunk.id) for chunk in made.chunks]

    def close(self) -> None:
        self.everywhere(lambda each: each.close())


def answers(federation: TestFederation, twin: Twin) -> dict[str, Any]:
    """All that vn-dgm can get out of the hub, by every question that it could ask."""
    api = federation.api("vn-dgm")
    ids = [each.manifest_id for each in (*twin.visible, *twin.hidden)] + ["0" * 64]
    got: dict[str, Any] = {"list": told(lambda: api.list_datasets(None))}
    for dataset in (HIDDEN, UNKNOWN, VISIBLE):
        got[f"versions {dataset}"] = told(lambda: list(api.list_versions(dataset, 1)))
        got[f"policies {dataset}"] = told(lambda: list(api.list_policies(dataset, 1)))
        got[f"later {dataset}"] = told(lambda: list(api.list_versions(dataset, 9)))
        for action in ("discover", "read"):
            for partner in ("vn-dgm", "th-dmr", "la-dgm"):
                got[f"explain {dataset} {action} {partner}"] = told(
                    lambda: api.explain_access(dataset, PartnerId(partner), action)
                )
        for id_ in ids:
            got[f"version {dataset} {id_}"] = told(lambda: api.get_version(dataset, id_))
            for stream in RecipeStream:
                got[f"blobs {dataset} {id_} {stream}"] = told(
                    lambda: b"".join(api.read_blobs(dataset, id_, stream, [OrdinalRange(0, 1)]))
                )
    questions = [*twin.chunks, hashlib.sha256(b"nothing").digest()]
    for at in range(0, len(questions), 50):
        got[f"missing {at}"] = told(lambda: list(api.find_missing(questions[at : at + 50])))
    got["info"] = told(lambda: api.get_hub_info())
    got["registry"] = told(lambda: list(api.list_registry(1)))
    return got


def told(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except SynclineError as error:
        return type(error).__name__, error.message, error.remedy, error.reason


@pytest.fixture
def twin(fast_path: Path):
    made = Twin(fast_path)
    yield made
    made.close()


def test_default_deny_no_answer_differs_by_what_another_has_not_shared(twin: Twin):
    chance = random.Random(5)
    twin.share_visible()
    twin.publish_visible({"a": chance.randbytes(2000)})
    assert answers(twin.full, twin) == answers(twin.bare, twin)
    same = chance.randbytes(1500)
    twin.publish_hidden({"b": same}, read=["th-dmr"])
    assert answers(twin.full, twin) == answers(twin.bare, twin)
    twin.publish_hidden({"b": chance.randbytes(1500), "c": b"c"})
    share(twin.full, "la-dgm", "hidden", discover=["th-dmr"])
    assert answers(twin.full, twin) == answers(twin.bare, twin)
    twin.publish_visible({"a": chance.randbytes(2000), "shared-bytes": same})
    assert answers(twin.full, twin) == answers(twin.bare, twin)
    rules = [
        policies.Rule("everybody", "permission", "federation", ("read",)),
        policies.Rule("not-vn", "prohibition", "vn-dgm", ("discover",)),
    ]
    share(twin.full, "la-dgm", "hidden", rules=rules)
    assert answers(twin.full, twin) == answers(twin.bare, twin), "a prohibition does not show what it hides"


def test_default_deny_hidden_and_unknown_are_one_answer(twin: Twin):
    """Within one hub: what one may not know of is told in the very words of what does not exist."""
    twin.publish_hidden({"b": b"secret" * 50}, read=["th-dmr"])
    got = answers(twin.full, twin)
    hidden = {key.replace(HIDDEN, "?"): value for key, value in got.items() if HIDDEN in key}
    unknown = {key.replace(UNKNOWN, "?"): value for key, value in got.items() if UNKNOWN in key}
    assert hidden == unknown
    assert all(isinstance(value, tuple) and value[0] == "Denied" for value in hidden.values())


def test_default_deny_the_doorbell_is_silent(twin: Twin):
    twin.share_visible()
    watchers = [each.hub.changes.watch(each.caller("vn-dgm")) for each in twin.both]
    reader = twin.full.hub.changes.watch(twin.full.caller("th-dmr"))
    assert all(each.check() for each in (*watchers, reader)), "once at the start"

    def rings() -> list[bool]:
        twin.everywhere(lambda each: each.hub.changes.tick())
        return [each.check() for each in watchers]

    twin.publish_hidden({"b": b"secret"}, read=["th-dmr"])
    assert rings() == [False, False] and reader.check()
    twin.publish_hidden({"b": b"secret 2"})
    share(twin.full, "la-dgm", "hidden", read=["th-dmr"], discover=["la-dgm"])
    assert rings() == [False, False]
    twin.publish_visible({"a": b"news"})
    assert rings() == [True, True]


def test_default_deny_claims_of_others_bytes_open_nothing(twin: Twin):
    """vn-dgm commits a version that lists th-dmr's chunks: its own store lacks them, and that is all."""
    twin.publish_hidden({"b": random.Random(1).randbytes(3000)}, read=["th-dmr"])
    for federation in twin.both:
        share(federation, "vn-dgm", "claim", read=["vn-dgm"])
        version = build_version(federation, "vn-dgm", "claim", {"b": random.Random(1).randbytes(3000)})
        own = [chunk for chunk in version.chunks if bytes(chunk.id) not in twin.chunks]
        upload(federation, "vn-dgm", own)
        answer = told(lambda: federation.api("vn-dgm").commit_version(version.envelope, version.root))
        assert answer[0] == "Unavailable" and answer[3] == "MISSING_CHUNKS"


@pytest.mark.parametrize("grant", ["discover", "not yet", "over", "prohibited", "read"])
def test_default_deny_at_the_hub_whatever_the_rule(fast_path: Path, grant: str):
    federation = make_federation(fast_path, ("la-dgm", "th-dmr"), limits=SMALL)
    now, hour = federation.clock.now(), timedelta(hours=1)
    read = ("read",)
    rules: dict[str, Sequence[policies.Rule]] = {
        "discover": [policies.Rule("r", "permission", "th-dmr", ("discover",))],
        "not yet": [policies.Rule("r", "permission", "th-dmr", read, not_before=now + hour)],
        "over": [policies.Rule("r", "permission", "th-dmr", read, not_after=now)],
        "prohibited": [
            policies.Rule("r", "permission", "th-dmr", read),
            policies.Rule("s", "prohibition", "federation", ("read",)),
        ],
        "read": [policies.Rule("r", "permission", "th-dmr", read)],
    }
    share(federation, "la-dgm", "hidden", rules=rules[grant])
    version = publish(federation, "la-dgm", "hidden", {"a": b"secret" * 300})
    api = federation.api("th-dmr")
    assert bool(everything(api, version.manifest_id)) is (grant == "read")
    federation.close()


def everything(api: InProcessHub, manifest_id: str) -> bytes:
    """Every byte of content that can be had."""
    got = b""
    for stream in RecipeStream:
        try:
            got += b"".join(map(bytes, api.read_blobs(HIDDEN, manifest_id, stream, [OrdinalRange(0, 1)])))
        except SynclineError:
            continue
    with suppress(SynclineError):
        got += api.get_version(HIDDEN, manifest_id).root or b""
    return got


def test_default_deny_a_grant_that_ends_stops_a_stream(fast_path: Path):
    """Within `reauthorise_s`, in the middle of a fetch."""
    federation = make_federation(fast_path, ("la-dgm", "th-dmr"), limits=SMALL)
    publish(federation, "la-dgm", "hidden", {"a": random.Random(2).randbytes(60_000)}, read=["th-dmr"])
    api = federation.api("th-dmr")
    listing = api.list_datasets(None)
    assert listing is not None and listing.entries[0].manifest_id is not None
    stream = api.read_blobs(
        HIDDEN, listing.entries[0].manifest_id, RecipeStream.CONTENT, [OrdinalRange(0, 100)]
    )
    next(stream)
    share(federation, "la-dgm", "hidden", discover=["th-dmr"])
    federation.clock.advance(SMALL.reauthorise_s)
    with pytest.raises(SynclineError) as refused:
        list(stream)
    assert refused.value.reason == "NOT_GRANTED"
    federation.close()


def test_default_deny_rules_of_others_are_not_disclosed(fast_path: Path):
    federation = make_federation(fast_path, ("la-dgm", "th-dmr", "vn-dgm"), limits=SMALL)
    version = publish(federation, "la-dgm", "hidden", {"a": b"a"}, read=["th-dmr", "vn-dgm"])
    detail = federation.api("th-dmr").get_version(HIDDEN, version.manifest_id)
    (extract,) = federation.api("th-dmr").list_policies(HIDDEN, 1)
    for given in (detail.policy, extract):
        assert b"vn-dgm" not in given.disclosures and b"vn-dgm" not in given.envelope
        assert sha256_of_payload(given.envelope)
    federation.close()
