"""The table of decisions, and what surrounds it: time bounds, next change, bad rules."""

import json
import tomllib
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from core.clock import parse_instant
from core.errors import InvalidInput, Untrusted
from core.names import PartnerId
from security.rules import ACTIONS, Rule, decide, next_change, parse_bound

TABLE = json.loads((Path(__file__).parents[2] / "vectors/decisions.json").read_bytes())
OWNER = PartnerId(TABLE["owner"])
RULES = {name: [Rule.from_json(rule) for rule in rules] for name, rules in TABLE["rules"].items()}
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("row", TABLE["decisions"], ids=lambda row: " ".join(map(str, row[:4])))
def test_default_deny_and_every_other_decision_of_the_table(row: list[Any]) -> None:
    name, partner, action, at, allowed, uid, _ = row
    for rules in (RULES[name], RULES[name][::-1]):
        made = decide(OWNER, rules, 7, PartnerId(partner), action, parse_instant(at))
        assert (made.allowed, made.rule_uid, made.policy_seq) == (allowed, uid, 7)


def test_the_table_is_large_enough_and_uses_every_list() -> None:
    assert len(TABLE["decisions"]) >= 40
    assert {row[0] for row in TABLE["decisions"]} == set(TABLE["rules"])


def test_an_unknown_action_is_an_error_never_a_permission() -> None:
    for action in ("", "write", "READ", "read "):
        with pytest.raises(InvalidInput):
            decide(OWNER, RULES["all-read"], 1, OWNER, action, NOON)


def test_without_a_policy_nothing_is_shared() -> None:
    for action in ACTIONS:
        made = decide(OWNER, [], 0, PartnerId("cn-cgs"), action, NOON)
        assert not made.allowed
        assert made.policy_seq == 0


def test_next_change_is_the_first_bound_after_a_time() -> None:
    rules = RULES["all-but-cn-in-2027"]
    begin, end = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    assert next_change(rules, NOON) == begin
    assert next_change(rules, begin - timedelta(microseconds=1)) == begin
    assert next_change(rules, begin) == end
    assert next_change(rules, end) is None
    assert next_change([], NOON) is None


def test_a_bare_date_is_its_first_second_in_utc() -> None:
    midnight = datetime(2026, 12, 31, tzinfo=UTC)
    assert parse_bound("2026-12-31") == midnight
    assert parse_bound(date(2026, 12, 31)) == midnight
    assert parse_bound("2026-12-31T06:00:00Z") == midnight + timedelta(hours=6)
    assert parse_bound(tomllib.loads("d = 2026-12-31")["d"]) == midnight
    assert parse_bound(tomllib.loads("d = 2026-12-31T07:00:00+07:00")["d"]) == midnight
    assert parse_bound(datetime(2026, 12, 31, 8, tzinfo=timezone(timedelta(hours=8)))).tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 12, 31),  # noqa: DTZ001 - the point of the test
        datetime(2026, 12, 31, 0, 0, 0, 1, tzinfo=UTC),
        "2026-13-31",
        "2026-12-31T06:00:00",
        "2026-12-31T06:00:00.5Z",
        "tomorrow",
        "",
    ],
)
def test_a_time_that_can_be_read_in_two_ways_is_refused(value: str | datetime) -> None:
    with pytest.raises(InvalidInput):
        parse_bound(value)


GOOD: dict[str, Any] = {"uid": "a", "effect": "permission", "assignee": "cn-cgs", "actions": ["read"]}


@pytest.mark.parametrize(
    "changes",
    [
        {"effect": "Permission"},
        {"effect": "duty"},
        {"assignee": "*"},
        {"assignee": "group:neighbours"},
        {"assignee": ""},
        {"actions": []},
        {"actions": ["read", "discover"]},
        {"actions": ["read", "read"]},
        {"actions": ["distribute"]},
        {"actions": "read"},
        {"actions": [1]},
        {"uid": ""},
        {"uid": "x" * 129},
        {"uid": "a\x1b[2J"},
        {"not_after": None},
        {"not_after": "2026-12-31"},
        {"not_before": "2027-01-01T00:00:00Z", "not_after": "2027-01-01T00:00:00Z"},
        {"not_before": "2027-01-01T00:00:00Z", "not_after": "2026-01-01T00:00:00Z"},
        {"purpose": "research"},
    ],
    ids=str,
)
def test_a_rule_that_is_not_fully_understood_is_refused(changes: dict[str, Any]) -> None:
    Rule.from_json(GOOD)
    with pytest.raises(Untrusted):
        Rule.from_json({**GOOD, **changes})
