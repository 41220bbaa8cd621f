"""The golden vectors hold, and the altered ones are refused for the reason that is written beside them."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import InvalidInput, Untrusted
from core.names import DatasetId, PartnerId
from security import envelope as dsse
from security.canonical import canonical, parse_strict
from security.keys import PublicKey, SigningKey, WitnessKey, ed25519_keyid
from security.policy import Policy, disclosures_from_json, disclosures_to_json, extract_for, verify_policy
from security.registry import Registry, VerifiedRegistry, verify_first, verify_next
from security.tlog.leaf import Opening, lane_commitment, leaf_hash, make_leaf, open_leaf, registry_leaf
from tests.vectors import generate

VECTORS = Path(__file__).parents[2] / "vectors"
KEYS: dict[str, Any] = json.loads((VECTORS / "keys.json").read_bytes())
INDEX: list[dict[str, Any]] = json.loads((VECTORS / "index.json").read_bytes())
GOOD = [row for row in INDEX if "reason" not in row]
REFUSED = [row for row in INDEX if "reason" in row]


def key(name: str) -> PublicKey:
    return PublicKey.from_json(KEYS[name]["public"])


def read(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


def registry_2() -> VerifiedRegistry:
    one = read("envelopes/registry-1.json")
    return verify_next(verify_first(one, dsse.parse(one).id), read("envelopes/registry-2.json"))


def test_the_generator_would_write_exactly_what_is_committed() -> None:
    assert generate.main(check=True) == []


@pytest.mark.parametrize("name", [name for name in KEYS if name != "witness"])
def test_seeds_give_the_public_keys_and_key_ids(name: str) -> None:
    seeds = KEYS[name]["seeds"]
    made = SigningKey.from_seeds(bytes.fromhex(seeds["ed25519"]), bytes.fromhex(seeds["ml_dsa_65"]))
    assert made.public == key(name)
    assert list(made.public.keyids) == list(KEYS[name]["keyids"].values())


def test_the_witness_seed_gives_its_key() -> None:
    made = WitnessKey.from_seed(bytes.fromhex(KEYS["witness"]["seeds"]["ed25519"]))
    assert made.public == base64.b64decode(KEYS["witness"]["public"]["ed25519"])
    assert ed25519_keyid(made.public) == KEYS["witness"]["keyids"]["ed25519"]


@pytest.mark.parametrize("row", GOOD, ids=lambda row: row["file"])
def test_good_envelopes_verify(row: dict[str, Any]) -> None:
    keys = [key(name) for name in row["keys"] if name != "witness"]
    verified = dsse.verify(read(row["file"]), row["as"], keys, row["threshold"])
    assert verified.id == row["id"]
    assert canonical(parse_strict(verified.payload)) == verified.payload
    if "witness" in row["keys"]:
        witness = base64.b64decode(KEYS["witness"]["public"]["ed25519"])
        dsse.verify_ed25519_signature(dsse.parse(read(row["file"])), witness)


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row["file"])
def test_altered_envelopes_are_refused_for_the_stated_reason(row: dict[str, Any]) -> None:
    current = registry_2()
    with pytest.raises(Untrusted) as caught:
        if "after" in row:
            verify_next(current, read(row["file"]))
        else:
            keys = [key(name) for name in row["keys"]]
            verified = dsse.verify(read(row["file"]), row["as"], keys, row["threshold"])
            assert row.get("read") == "policy", "the envelope itself should have been refused"
            Policy.from_payload(verified.payload)
    assert caught.value.reason == row["reason"]


def test_there_are_altered_envelopes_of_every_kind() -> None:
    assert len(REFUSED) >= 40
    assert len({row["reason"] for row in REFUSED}) >= 14


def test_the_registry_chain_verifies_and_round_trips() -> None:
    current = verify_next(registry_2(), read("envelopes/registry-3.json"))
    assert current.registry.seq == 3
    for name in ("registry-1", "registry-2", "registry-3"):
        payload = dsse.parse(read(f"envelopes/{name}.json")).payload
        assert Registry.from_payload(payload).to_payload() == payload
    assert current.registry.all_cas_pem() == read("ca.pem")


def test_the_policy_and_its_extract_verify() -> None:
    envelope, all_rules = read("envelopes/policy.json"), read("policy.disclosures.json")
    policy = verify_policy(envelope, all_rules, [key("owner")], complete=True)
    assert policy.policy.to_payload() == dsse.parse(envelope).payload
    extract = read("policy.extract.th-dmr.json")
    assert extract_for(policy, PartnerId("th-dmr")) == extract
    held = verify_policy(
        envelope, extract, [key("owner")], complete=False, dataset=DatasetId("la-dgm/geology-1m")
    )
    assert sorted(each.rule.uid for each in held.rules) == ["r-federation", "r-th-dmr"]
    assert disclosures_to_json(disclosures_from_json(all_rules)) == all_rules


def test_a_forged_disclosure_is_refused() -> None:
    with pytest.raises(Untrusted) as caught:
        verify_policy(
            read("envelopes/policy.json"), read("policy.forged.json"), [key("owner")], complete=False
        )
    assert caught.value.reason == "RULE_NOT_SIGNED"


CANONICAL: list[dict[str, Any]] = json.loads((VECTORS / "canonical.json").read_bytes())


@pytest.mark.parametrize("row", CANONICAL, ids=lambda row: str(row)[:50])
def test_one_spelling_only(row: dict[str, Any]) -> None:
    data = bytes.fromhex(row["hex"]) if "hex" in row else row["text"].encode()
    if row["reason"] is None:
        assert canonical(parse_strict(data)) == data
        return
    with pytest.raises(Untrusted) as caught:
        parse_strict(data)
    assert caught.value.reason == row["reason"]


def test_leaves_and_lanes() -> None:
    vectors = json.loads(read("leaf.json"))
    closed, registry = vectors["leaves"]
    opening = Opening(closed["record"].encode(), bytes.fromhex(closed["nonce"]))
    leaf = closed["leaf"].encode()
    assert make_leaf(json.loads(closed["record"]), opening.nonce) == (leaf, opening)
    assert open_leaf(leaf, opening) == json.loads(closed["record"])
    assert leaf_hash(leaf).hex() == closed["leaf_hash"]
    assert registry_leaf(registry["registry"]).decode() == registry["leaf"]
    assert leaf_hash(registry["leaf"].encode()).hex() == registry["leaf_hash"]
    for lane in vectors["lanes"]:
        salt = bytes.fromhex(lane["salt"])
        made = lane_commitment(PartnerId(lane["owner"]), lane["n"], lane["prev"], salt)
        assert made == lane["commitment"]


def test_what_would_not_be_accepted_is_not_written() -> None:
    for value in (
        {"a": 1.0},
        {"a": float("nan")},
        {"a": 2**53},
        {"a": "\ud800"},
        {"\ud800": 1},
        {"a": object()},
    ):
        with pytest.raises(InvalidInput):
            canonical(value)  # type: ignore[arg-type]


def test_nesting_is_bounded_exactly() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"

    parse_strict(nested(32))
    for depth in (33, 34, 1000, 100_000):
        with pytest.raises(Untrusted) as caught:
            parse_strict(nested(depth))
        assert caught.value.reason == "MALFORMED"
