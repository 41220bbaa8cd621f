"""Selective disclosure: a partner proves its own grant and learns nobody else's."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core.errors import InvalidInput, Untrusted
from core.limits import Limits
from core.names import DatasetId, PartnerId
from security import envelope as dsse
from security.canonical import canonical
from security.keys import SigningKey
from security.policy import (
    Disclosure,
    Policy,
    VerifiedPolicy,
    build,
    disclosures_from_json,
    disclosures_to_json,
    extract_for,
    verify_policy,
)
from security.rules import Rule

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)
DATASET = DatasetId("la-dgm/geology-1m")
KEY, EVE = SigningKey.generate(), SigningKey.generate()
CHINA, THAILAND, LAOS = PartnerId("cn-cgs"), PartnerId("th-dmr"), PartnerId("la-dgm")
RULES = [
    Rule("r1", "permission", "cn-cgs", ("discover", "read")),
    Rule("r2", "permission", "th-dmr", ("read",)),
    Rule("r3", "prohibition", "vn-dgm", ("discover",)),
    Rule("r4", "permission", "federation", ("discover",)),
]


def made(rules: list[Rule] | None = None) -> VerifiedPolicy:
    envelope, disclosures = build(DATASET, 1, None, NOW, RULES if rules is None else rules, {"a": ["b"]}, KEY)
    return verify_policy(envelope, disclosures, [KEY.public], complete=True, dataset=DATASET)


def refused(envelope: bytes, disclosures: bytes, *, complete: bool = False) -> str:
    with pytest.raises(Untrusted) as caught:
        verify_policy(envelope, disclosures, [KEY.public], complete, dataset=DATASET)
    return caught.value.reason


def test_all_rules_are_disclosed_to_hub_and_owner() -> None:
    policy = made()
    assert {each.rule for each in policy.rules} == set(RULES)
    assert policy.policy.terms == {"a": ["b"]}
    assert extract_for(policy, LAOS) == disclosures_to_json(policy.rules)
    assert (policy.link.seq, policy.link.prev, policy.link.id) == (1, None, policy.id)


def test_a_partner_gets_its_own_rules_and_the_federations() -> None:
    policy = made()
    extract = extract_for(policy, THAILAND)
    held = verify_policy(policy.envelope, extract, [KEY.public], complete=False, dataset=DATASET)
    assert {each.rule.uid for each in held.rules} == {"r2", "r4"}
    assert held.decide(THAILAND, "read", NOW).allowed
    assert b"cn-cgs" not in extract + held.policy.to_payload()
    assert b"vn-dgm" not in extract + held.policy.to_payload()


def test_a_partner_decides_as_the_hub_does() -> None:
    policy = made()
    for partner in (CHINA, THAILAND, PartnerId("vn-dgm"), PartnerId("kh-gdmr"), LAOS):
        extract = extract_for(policy, partner)
        held = verify_policy(policy.envelope, extract, [KEY.public], complete=False)
        for action in ("discover", "read"):
            assert held.decide(partner, action, NOW) == policy.decide(partner, action, NOW)


def test_the_order_of_digests_and_disclosures_tells_nothing() -> None:
    policy = made()
    assert list(policy.policy.rule_digests) == sorted(policy.policy.rule_digests)
    digests = [each.digest for each in disclosures_from_json(disclosures_to_json(policy.rules[::-1]))]
    assert digests == sorted(digests)


def test_the_same_rules_twice_have_other_digests() -> None:
    """Fresh salts: nobody can test a guess against the signed digests."""
    assert not set(made().policy.rule_digests) & set(made().policy.rule_digests)


def test_a_rule_that_the_owner_did_not_sign_is_refused() -> None:
    policy = made()
    mine = next(each for each in policy.rules if each.rule.uid == "r2")
    widened = [
        replace(mine, rule=replace(mine.rule, assignee="federation")),
        replace(mine, rule=replace(mine.rule, actions=("discover", "read"))),
        replace(mine, salt=bytes(32)),
        Disclosure(Rule("new", "permission", "th-dmr", ("read",)), bytes(32)),
    ]
    for forged in widened:
        assert refused(policy.envelope, disclosures_to_json([forged])) == "RULE_NOT_SIGNED"


def test_hiding_a_prohibition_from_the_hub_is_refused() -> None:
    policy = made()
    hidden = disclosures_to_json([each for each in policy.rules if each.rule.effect == "permission"])
    assert refused(policy.envelope, hidden, complete=True) == "INCOMPLETE"
    assert verify_policy(policy.envelope, hidden, [KEY.public], complete=False)


def test_a_disclosure_given_twice_is_refused() -> None:
    policy = made()
    assert refused(policy.envelope, disclosures_to_json([policy.rules[0]] * 2)) == "DUPLICATE_RULE"


def test_two_rules_under_one_uid_are_refused() -> None:
    """`explain` names the deciding rule by its uid."""
    rule = Rule("r1", "prohibition", "cn-cgs", ("read",))
    with pytest.raises(InvalidInput):
        build(DATASET, 1, None, NOW, [RULES[0], rule], None, KEY)
    disclosed = [Disclosure(RULES[0], bytes(32)), Disclosure(rule, bytes(32))]
    digests = tuple(sorted(each.digest for each in disclosed))
    envelope = dsse.sign(dsse.POLICY, Policy(DATASET, 1, None, NOW, digests).to_payload(), [KEY])
    assert refused(envelope, disclosures_to_json(disclosed)) == "DUPLICATE_RULE"


def test_mix_and_match_of_datasets() -> None:
    """An open policy of one dataset is not the policy of another, though the same owner signed both."""
    envelope, disclosures = build(DatasetId("la-dgm/open"), 1, None, NOW, RULES, None, KEY)
    assert refused(envelope, disclosures) == "WRONG_DATASET"


def test_mix_and_match_of_disclosures() -> None:
    assert refused(made().envelope, disclosures_to_json(made().rules)) == "RULE_NOT_SIGNED"


def test_another_partners_key_signs_no_policy() -> None:
    envelope, disclosures = build(DATASET, 1, None, NOW, RULES, None, EVE)
    assert refused(envelope, disclosures) == "UNKNOWN_SIGNER"


def test_a_policy_without_rules_denies_all() -> None:
    policy = made([])
    assert policy.policy.rule_digests == ()
    assert not policy.decide(CHINA, "discover", NOW).allowed
    assert policy.decide(LAOS, "read", NOW).allowed


@pytest.mark.parametrize(
    "changes",
    [
        {"x": 1},
        {"v": 2},
        {"v": True},
        {"dataset": "../x"},
        {"seq": 0},
        {"seq": True},
        {"seq": 2},
        {"prev": "0" * 64},
        {"created": "2026-11-22"},
        {"rules": ["0" * 64, "0" * 64]},
        {"rules": ["1" * 64, "0" * 64]},
        {"rules": ["A" * 64]},
        {"rules": [1]},
        {"terms": None},
        {"terms": []},
    ],
    ids=str,
)
def test_a_policy_that_is_not_fully_understood_is_refused(changes: dict[str, object]) -> None:
    payload = json.loads(Policy(DATASET, 1, None, NOW, ()).to_payload())
    Policy.from_payload(canonical(payload))
    with pytest.raises(Untrusted):
        Policy.from_payload(canonical({**payload, **changes}))


@pytest.mark.parametrize(
    "disclosures", [b"", b"{}", b"[{}]", b"[1]", b'[{"rule":{},"salt":"00"}]', b"[] ", b"[[]]", b"null"]
)
def test_disclosures_that_are_none_are_refused(disclosures: bytes) -> None:
    with pytest.raises(Untrusted):
        disclosures_from_json(disclosures)


def test_as_many_rules_as_allowed_and_no_more() -> None:
    limits = Limits(rules_count_max=3)
    rules = [Rule(f"r{n}", "permission", f"zz-{n}", ("read",)) for n in range(4)]
    envelope, disclosures = build(DATASET, 1, None, NOW, rules[:3], None, KEY, limits)
    assert verify_policy(envelope, disclosures, [KEY.public], complete=True, limits=limits)
    with pytest.raises(InvalidInput, match="4 rules"):
        build(DATASET, 1, None, NOW, rules, None, KEY, limits)


def test_the_largest_policy_fits_its_bounds() -> None:
    rules = [
        Rule(
            f"permission-{n:05d}",
            "permission",
            f"zz-agency-{n:05d}",
            ("discover", "read"),
            NOW,
            NOW.replace(year=2030),
        )
        for n in range(Limits().rules_count_max)
    ]
    envelope, disclosures = build(DATASET, 1, None, NOW, rules, None, KEY)
    assert len(envelope) + len(disclosures) + 1024 < Limits().message_bytes_max


def test_who_makes_a_bad_policy_is_told_so() -> None:
    with pytest.raises(InvalidInput):
        build(DATASET, 2, None, NOW, RULES, None, KEY)
    with pytest.raises(InvalidInput):
        build(DATASET, 1, None, NOW, RULES, {"share": 0.5}, KEY)
    with pytest.raises(InvalidInput):
        build(DATASET, 1, None, NOW, [replace(RULES[0], uid="a\n")], None, KEY)
