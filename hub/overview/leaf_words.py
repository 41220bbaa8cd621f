"""Leaves of the log as something that happened: in words, with its reasons, and how grave it is.

told = leaf_words.told(row, seqs)          # the message, and whom and what it concerns
leaf_words.GRAVE                           # for a search by severity
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidInput
from core.names import check_partner
from hub.overview import claims
from hub.overview.model import Message, Severity
from hub.overview.wording import TEMPLATES

TYPES = ("version", "policy", "delivery", "acknowledgement", "registry", "act", "refusals", "alarm")
#: Acts that somebody should know of.
GRAVE_ACTS = ("suspend", "revoke", "reject", "leave", "login-refused", "continue-log", "user-remove")
#: Acts whose `user` is whom they are about: commands on the hub's machine change accounts.
_ABOUT_USERS = ("user-add", "user-roles", "user-password", "user-unlock", "user-remove")
_TEXT_LENGTH_MAX = 300
_REASONS_COUNT_MAX = 8
_NOBODY = ("hub", "operator")


@dataclass(frozen=True, slots=True)
class Told:
    """What a leaf says. `user`: who of the pages' users did it; `actor`: else who, as the log has it."""

    message: Message
    severity: Severity
    partner: str | None
    node: str | None
    dataset: str | None
    user: str | None
    actor: str | None


def severity(type_: str, act: str | None = None) -> Severity:
    """How grave a leaf is."""
    if type_ == "alarm":
        return "error"
    if type_ == "refusals" or (type_ == "act" and act in GRAVE_ACTS):
        return "warning"
    return "info"


def record_of(row: Any) -> Mapping[str, Any]:
    """The record of a leaf."""
    try:
        return claims.table(json.loads(row.record))
    except (ValueError, RecursionError):
        return {}


def named_version(row: Any, record: Mapping[str, Any]) -> str | None:
    """The version that a delivery or an acknowledgement is about, by id."""
    if row.type == "delivery":
        return claims.word(record.get("statement_sha256"))
    if row.type == "acknowledgement":
        return claims.word(claims.table(record.get("detail")).get("version"))
    return None


def told(row: Any, record: Mapping[str, Any], seqs: Mapping[str, int]) -> Told:
    """A leaf's row (`type`, `actor`, `object`) in words; `seqs`: of versions and registries, by their id."""
    detail = claims.table(record.get("detail"))
    act = claims.word(detail.get("act")) if row.type == "act" else None
    partner = row.actor if row.actor not in _NOBODY else None
    dataset = row.object if "/" in (row.object or "") and row.type != "alarm" else None
    params = _params(detail)
    params["dataset"] = dataset
    if row.type != "act":
        params["partner"] = partner
    if row.type == "act":
        code, partner = _act(row, act, partner, params)
    elif row.type == "registry":
        code = "log.registry"
        params["seq"] = seqs.get(str(record.get("registry")))
    elif row.type == "refusals":
        code = "log.refusals"
        params.update(_refusals(detail))
    elif row.type == "alarm":
        code = "log.alarm"
        params.update(id=claims.text(row.object, _TEXT_LENGTH_MAX), kind_word=params.get("kind"))
    else:
        code = f"log.{row.type}" if f"log.{row.type}" in TEMPLATES else "log.other"
        named = named_version(row, record)
        if named is not None:
            params["seq"] = seqs.get(named)
        if row.type == "version" and detail.get("content") is False:
            code = "log.version-withheld"
        params["type"] = row.type
    node = claims.word(detail.get("node"))
    user, actor = _by(row, act, claims.word(detail.get("user"), _TEXT_LENGTH_MAX))
    return Told(
        Message(code=code, params=params), severity(row.type, act), partner, node, dataset, user, actor
    )


def _by(row: Any, act: str | None, named: str | None) -> tuple[str | None, str | None]:
    """Who did it: a user of the pages, else the leaf's actor."""
    if act == "login-refused":  # whose name was tried is known, and not who tried
        return None, None
    user = None if act in _ABOUT_USERS else named
    return user, None if user is not None else claims.word(row.actor, _TEXT_LENGTH_MAX)


def _act(
    row: Any, act: str | None, partner: str | None, params: dict[str, str | int | None]
) -> tuple[str, str | None]:
    """An act's code, and whom it concerns: with acts of the operator, their object."""
    subject = claims.text(row.object, _TEXT_LENGTH_MAX)
    partner = partner or _partner(params.get("partner")) or _partner(subject)
    params.update(partner=partner, object=subject, actor=row.actor, act=act)
    if "for" in params:
        params["for_word"] = f"act.{params['for']}"
    code = f"log.act.{act}"
    return (code if code in TEMPLATES else "log.act.other"), partner


def _partner(value: object) -> str | None:
    try:
        return check_partner(value) if isinstance(value, str) else None
    except InvalidInput:
        return None


def _params(detail: Mapping[str, Any]) -> dict[str, str | int | None]:
    found: dict[str, str | int | None] = {}
    for name, value in detail.items():
        if isinstance(value, bool):
            continue
        if isinstance(value, int):
            found[name] = value
        elif isinstance(value, str):
            found[name] = claims.text(value, _TEXT_LENGTH_MAX)
    return found


def _refusals(detail: Mapping[str, Any]) -> dict[str, str | int | None]:
    counts = {
        reason: number
        for reason, number in claims.table(detail.get("counts")).items()
        if isinstance(number, int) and not isinstance(number, bool)
    }
    often = sorted(counts, key=lambda reason: (-counts[reason], reason))[:_REASONS_COUNT_MAX]
    return {
        "count": sum(counts.values()),
        "reasons": ", ".join(f"{claims.text(reason, 64)} {counts[reason]}" for reason in often),
    }
