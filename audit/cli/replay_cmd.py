"""`replay`: the decision as it would have been at a time, and what was delivered in a period."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from audit.cli.trusted import PathArgument, RegistryIdOption, TrustOption, load_evidence
from audit.findings import Finding, Result, Verdict, verdict
from audit.period import UNPROVABLE, Deliveries, deliveries
from audit.plain import instant
from audit.replay import Replayed, replay
from audit.side import choose
from audit.verdicts import worst_of
from core.commands import JsonOption, emit_json, say
from core.errors import InvalidInput
from core.logs import printable
from core.names import check_partner
from security.rules import READ, check_action, parse_bound


def replay_(
    path: PathArgument,
    partner: Annotated[str, typer.Option("--partner", metavar="ID", help="Who asks, like th-dmr.")],
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="When: 2026-03-01 or 2026-03-01T06:00:00Z, UTC."),
    ] = None,
    action: Annotated[str, typer.Option("--action", metavar="ACTION", help="discover or read.")] = READ,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="With --to: was anything delivered in between?"),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="The end, not part of the period.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="ID", help="Where the evidence holds several.")
    ] = None,
    trust: TrustOption = None,
    registry_id: RegistryIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what the decision would have been at a time, by which rule of which policy; or what was delivered.

    Exit status: 0 when the answer is certain, whatever it is; 3 when something in the evidence is false, 6
    when it cannot be said from this evidence, or not all of it could be checked.
    """
    asked = check_partner(partner)
    period = _period(from_, to)
    if at is None and period is None:
        raise InvalidInput("neither a time nor a period is given", remedy="give --at, or --from and --to")
    check_action(action)
    moment = None if at is None else parse_bound(at)
    dossier, chosen, findings = choose(load_evidence(path, trust, registry_id), dataset)
    decision = None if moment is None else replay(dossier, chosen, asked, action, moment)
    delivered = None if period is None else deliveries(dossier, chosen.dataset, asked, *period)
    certain = (decision is None or decision.certain) and (delivered is None or delivered.known)
    found = worst_of([verdict(findings), Verdict.VERIFIED if certain else Verdict.INCOMPLETE])
    if as_json:
        emit_json({"verdict": found, "decision": decision, "deliveries": _json(delivered)})
    else:
        for line in (*_doubtful(findings), *_decision(decision), *_deliveries(delivered)):
            say(printable(line))
    raise typer.Exit(found.value)


def _period(from_: str | None, to: str | None) -> tuple[datetime, datetime] | None:
    if from_ is None and to is None:
        return None
    if from_ is None or to is None:
        raise InvalidInput("a period has two ends", remedy="give both --from and --to")
    begin, end = parse_bound(from_), parse_bound(to)
    if begin >= end:
        raise InvalidInput("--from is not before --to")
    return begin, end


def _doubtful(findings: list[Finding]) -> Iterator[str]:
    found = verdict(findings)
    if found is Verdict.VERIFIED:
        return
    failed = found is Verdict.FAILED
    yield (
        "FAILED: something in this evidence is false; do not rely on the answer."
        if failed
        else "NOT VERIFIED: not everything could be checked; the answer is as good as what it rests on."
    )
    yield from (f"  {each.check}: {each.message}" for each in findings if each.result is not Result.PASSED)
    yield ""


def _decision(told: Replayed | None) -> Iterator[str]:
    if told is None:
        return
    what = f"{told.action} {told.dataset} at {instant(told.at)}"
    if told.allowed is None:
        yield f"It cannot be said from this evidence whether {told.partner} might {what}."
    elif told.certain:
        yield f"{told.partner} {'was allowed' if told.allowed else 'was not allowed'} to {what}."
    else:
        verb = "would have been allowed" if told.allowed else "would not have been allowed"
        yield f"As far as this evidence shows, {told.partner} {verb} to {what}; it is not certain."
    yield f"  rule {told.rule}: {told.rule_words}" if told.rule is not None else f"  {told.reason}"
    if told.policy_seq is not None and told.policy_since is not None:
        yield f"  policy {told.policy_seq}, in force from {instant(told.policy_since)}, id {told.policy_id}"
    if told.registry_seq is not None:
        yield f"  membership by registry statement {told.registry_seq}"
    yield from (f"  doubt: {doubt}" for doubt in told.doubts)


def _deliveries(told: Deliveries | None) -> Iterator[str]:
    if told is None:
        return
    yield told.words()
    for record in told.deliveries:
        version = (record.statement_sha256 or "?")[:16]
        rule = f"policy {record.detail.get('policy_seq')}, rule {record.detail.get('rule')}"
        yield f"  {instant(record.time)}, leaf {record.index}: version {version}, {rule}"
    if told.by is not None:
        yield f"  {told.by_words()}"
        yield f"  {UNPROVABLE}"


def _json(told: Deliveries | None) -> dict[str, Any] | None:
    if told is None:
        return None
    return {
        "dataset": told.dataset,
        "partner": told.partner,
        "from": told.begin,
        "to": told.end,
        "known": told.known,
        "words": told.words(),
        "by": told.by_words(),
        "missing": told.missing,
        "deliveries": [
            {
                "time": record.time,
                "index": record.index,
                "manifest_sha256": record.statement_sha256,
                "policy_seq": record.detail.get("policy_seq"),
                "rule": record.detail.get("rule"),
            }
            for record in told.deliveries
        ],
    }
