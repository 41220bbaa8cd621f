"""`decide` against a second, plainer statement of the same rules; and what follows for time."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.names import DatasetId, PartnerId
from security import envelope as dsse
from security.keys import SigningKey
from security.policy import Disclosure, Policy, disclosures_to_json, extract_for, verify_policy
from security.rules import ACTIONS, Rule, decide, next_change

OWNER = PartnerId("la-dgm")
PARTNERS = [OWNER, PartnerId("cn-cgs"), PartnerId("th-dmr"), PartnerId("vn-dgm")]
START = datetime(2027, 1, 1, tzinfo=UTC)
TIMES = st.integers(0, 6).map(lambda hours: START + timedelta(hours=hours))
KEY = SigningKey.from_seeds(bytes(32), bytes(32))


@st.composite
def rule(draw: st.DrawFn) -> Rule:
    begin, end = draw(st.none() | TIMES), draw(st.none() | TIMES)
    if begin is not None and end is not None and begin >= end:
        begin = None
    return Rule(
        uid=draw(st.text("abc", min_size=1, max_size=4)),
        effect=draw(st.sampled_from(["permission", "prohibition"])),
        assignee=draw(st.sampled_from([*PARTNERS, "federation"])),
        actions=draw(st.sampled_from([("discover",), ("read",), ("discover", "read")])),
        not_before=begin,
        not_after=end,
    )


RULES = st.lists(rule(), max_size=6, unique_by=lambda each: each.uid)


def plainly(rules: list[Rule], partner: PartnerId, action: str, at: datetime) -> bool:
    """The design's sentences, one by one."""
    if partner == OWNER:
        return True
    granted: set[str] = set()
    forbidden: set[str] = set()
    for each in rules:
        if each.assignee not in (partner, "federation"):
            continue
        if each.not_before is not None and at < each.not_before:
            continue
        if each.not_after is not None and at >= each.not_after:
            continue
        (granted if each.effect == "permission" else forbidden).update(each.actions)
    if "read" in granted:
        granted.add("discover")
    if "discover" in forbidden:
        forbidden.add("read")
    return action in granted - forbidden


@given(RULES, st.sampled_from(PARTNERS), st.sampled_from(ACTIONS), TIMES)
def test_default_deny(rules: list[Rule], partner: PartnerId, action: str, at: datetime) -> None:
    made = decide(OWNER, rules, 1, partner, action, at)
    assert made.allowed is plainly(rules, partner, action, at)
    if made.allowed and partner != OWNER:
        assert any(each.uid == made.rule_uid and each.effect == "permission" for each in rules)


@given(RULES, st.sampled_from(PARTNERS), TIMES)
def test_who_may_read_may_discover(rules: list[Rule], partner: PartnerId, at: datetime) -> None:
    if decide(OWNER, rules, 1, partner, "read", at).allowed:
        assert decide(OWNER, rules, 1, partner, "discover", at).allowed


@given(RULES, st.randoms(), st.sampled_from(PARTNERS), st.sampled_from(ACTIONS), TIMES)
def test_order_does_not_matter(
    rules: list[Rule], random: object, partner: PartnerId, action: str, at: datetime
) -> None:
    mixed = list(rules)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert decide(OWNER, mixed, 1, partner, action, at) == decide(OWNER, rules, 1, partner, action, at)


@given(RULES, st.sampled_from(PARTNERS), st.sampled_from(ACTIONS), TIMES)
def test_nothing_changes_before_the_next_change(
    rules: list[Rule], partner: PartnerId, action: str, after: datetime
) -> None:
    """Who sleeps until `next_change` misses nothing."""
    until = next_change(rules, after) or START + timedelta(days=9)
    now = decide(OWNER, rules, 1, partner, action, after)
    last = until - timedelta(seconds=1)
    assert last >= after
    assert decide(OWNER, rules, 1, partner, action, last).allowed is now.allowed


@given(RULES, st.sampled_from(PARTNERS), st.sampled_from(ACTIONS), TIMES)
def test_an_extract_decides_as_the_whole(
    rules: list[Rule], partner: PartnerId, action: str, at: datetime
) -> None:
    dataset = DatasetId("la-dgm/x")
    disclosed = [Disclosure(each, bytes([n] * 32)) for n, each in enumerate(rules)]
    digests = tuple(sorted(each.digest for each in disclosed))
    payload = Policy(dataset, 1, None, START, digests).to_payload()
    envelope = dsse.sign(dsse.POLICY, payload, [KEY])
    whole = verify_policy(envelope, disclosures_to_json(disclosed), [KEY.public], complete=True)
    part = verify_policy(envelope, extract_for(whole, partner), [KEY.public], complete=False)
    assert part.decide(partner, action, at) == whole.decide(partner, action, at)
    for each in part.rules:
        assert partner == OWNER or each.rule.assignee in (partner, "federation")
