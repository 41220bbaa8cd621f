"""Every rule and every decision has a sentence, whatever its dates."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from core.names import PartnerId
from hub.overview import leaf_words
from hub.overview.policy_words import access, rule_text
from hub.overview.wording import TEMPLATES, say
from security.rules import FEDERATION, READ, Rule, decide

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOWS = [
    (None, None),
    (NOW - DAY, None),
    (None, NOW + DAY),
    (NOW + DAY, None),
    (None, NOW - DAY),
    (NOW - DAY, NOW + DAY),
]
ACTIONS = [("read",), ("discover",), ("discover", "read")]
RULES = [
    Rule(f"{effect[0]}{number}", effect, assignee, actions, *window)
    for number, (effect, assignee, actions, window) in enumerate(
        product(("permission", "prohibition"), ("th-dmr", FEDERATION), ACTIONS, WINDOWS)
    )
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.uid)
def test_a_rule_is_a_sentence_without_gaps(rule: Rule):
    message = rule_text(rule)
    assert message.code in TEMPLATES
    said = say(message)
    assert "–" not in said
    assert "{" not in said
    for bound in (rule.not_before, rule.not_after):
        assert bound is None or bound.strftime("%Y-%m-%dT%H:%M:%SZ") in said


def test_every_decision_has_its_sentence_and_its_rule():
    seen: set[str] = set()
    for first, second in product(RULES, RULES):
        for partner, standing in (("th-dmr", "active"), ("la-dgm", "active"), ("th-dmr", "suspended")):
            if first.uid == second.uid:
                continue
            found = access("la-dgm", [first, second], 1, partner, standing, NOW)
            seen.add(found.why.code)
            assert found.why.code in TEMPLATES
            assert "–" not in say(found.why)
            allowed = decide(PartnerId("la-dgm"), [first, second], 1, PartnerId(partner), READ, NOW)
            assert found.may_read == (allowed.allowed and standing == "active")
            if standing == "active" and partner != "la-dgm" and found.rule is not None:
                assert found.rule in say(found.why)
    assert access("la-dgm", [], None, "th-dmr", "active", NOW).why.code == "access.no-policy"
    assert {code for code in TEMPLATES if code.startswith("access.")} - seen == {"access.no-policy"}


def test_every_type_of_leaf_has_a_sentence():
    for type_ in leaf_words.TYPES:
        assert type_ == "act" or f"log.{type_}" in TEMPLATES
    for act in leaf_words.GRAVE_ACTS:
        assert f"log.act.{act}" in TEMPLATES, act
