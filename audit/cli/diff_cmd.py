"""`diff`: what changed between two versions."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.cli.trusted import RegistryIdOption, TrustOption, load_evidence
from audit.diff import Difference, FileChange, RuleChanges, Side, Sum, Tally, compare, file_changes
from audit.findings import Finding, Result, Verdict, verdict
from audit.plain import joined
from audit.registry_changes import key_name
from audit.side import choose, side_of, split
from audit.verdicts import worst_of
from core.commands import JsonOption, emit_json, say
from core.logs import printable
from core.terminal import bytes_text, pad

_HELD = "a version's folder, a dataset's folder in a mirror, or a bundle; PATH#NUMBER chooses a version"


def diff(
    old: Annotated[str, typer.Argument(help=f"The older version: {_HELD}.")],
    new: Annotated[str, typer.Argument(help="The newer version, likewise.")],
    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="ID", help="Where the evidence holds several.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Name every file that changed.")] = False,
    trust: TrustOption = None,
    registry_id: RegistryIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what changed between two versions: files, licence, owner, title, policy, keys.

    Exit status: 0 whether they differ or not; 3 when something on either side is false, 6 when something
    could not be checked, as `verify` says. The data are not read; their sizes are those on this disk.
    """
    before, old_findings = _side(old, dataset, trust, registry_id)
    after, new_findings = _side(new, dataset, trust, registry_id)
    found = worst_of([verdict(old_findings), verdict(new_findings)])
    difference = compare(before, after)
    if as_json:
        emit_json(_json(before, after, difference, found, all_=all_))
    else:
        for line in _heading(before, after, difference, found, [*old_findings, *new_findings]):
            say(printable(line))
        _say_files(before, after, all_=all_)
        for line in (*_values(difference), *_policy(difference), *_keys(before, difference)):
            say(printable(line))
    raise typer.Exit(found.value)


def _side(
    text: str, dataset: str | None, trust: Path | None, registry_id: str | None
) -> tuple[Side, list[Finding]]:
    path, seq = split(text)
    dossier, chosen, findings = choose(load_evidence(path, trust, registry_id), dataset)
    return side_of(dossier, chosen, seq), findings


def _heading(
    old: Side, new: Side, difference: Difference, found: Verdict, findings: list[Finding]
) -> Iterator[str]:
    yield {
        Verdict.VERIFIED: "VERIFIED: the statements of both sides hold.",
        Verdict.FAILED: "FAILED: something on one side is false; do not rely on this comparison.",
        Verdict.INCOMPLETE: "NOT VERIFIED: not everything could be checked; this compares claims.",
    }[found]
    told = dict.fromkeys(
        f"{each.check}: {each.message}" for each in findings if each.result is not Result.PASSED
    )
    yield from (f"  {each}" for each in told)
    left, right = old.manifest.manifest, new.manifest.manifest
    yield ""
    yield f"{left.dataset} version {left.seq} → {right.dataset} version {right.seq}: {difference.relation}"


def _say_files(old: Side, new: Side, *, all_: bool) -> None:
    left, right = old.manifest.manifest, new.manifest.manifest
    say()
    say(f"Files: {left.files} → {right.files}, {bytes_text(left.bytes)} → {bytes_text(right.bytes)}")
    tally = Tally()
    for change in file_changes(old, new):
        tally.add(change)
        if all_:
            say(printable(_file(change)))
    for name, total in (("added", tally.added), ("changed", tally.changed), ("removed", tally.removed)):
        size = "" if total.bytes is None or not total.count else f", {bytes_text(total.bytes)}"
        say(f"  {pad(name, 8)} {total.count or 'none'}{size}")
        if not all_:
            for path in total.names:
                say(printable(f"    {path}"))
            if total.count > len(total.names):
                say(f"    … and {total.count - len(total.names)} more; --all names them")


def _file(change: FileChange) -> str:
    known = [bytes_text(size) for size in (change.old_bytes, change.new_bytes) if size is not None]
    size = f"  ({' → '.join(known)})" if known else ""
    return f"    {pad(change.kind.value, 8)} {change.path}{size}"


def _values(difference: Difference) -> Iterator[str]:
    yield ""
    yield "Said differently" if difference.values else "Nothing else is said differently."
    width = max((len(value.what) for value in difference.values), default=0)
    for value in difference.values:
        yield f"  {pad(value.what, width)}  {value.old or '(nothing)'} → {value.new or '(nothing)'}"


def _policy(difference: Difference) -> Iterator[str]:
    rules = difference.rules
    yield ""
    if rules is None:
        yield "Who may have it: cannot be compared, a policy is not part of the evidence."
        return
    yield f"Who may have it: policy {rules.old_seq} → policy {rules.new_seq}"
    yield from (f"  + {each}" for each in rules.added)
    yield from (f"  - {each}" for each in rules.removed)
    if not rules.added and not rules.removed:
        yield "  the same rules"
    if not rules.complete:
        yield f"  {_partly(rules)}"


def _partly(rules: RuleChanges) -> str:
    words = "Not every rule is disclosed here: others may have changed"
    if rules.added or rules.removed:
        words += ", and what looks added or removed may only be shown on one side and hidden on the other"
    return f"{words}."


def _keys(old: Side, difference: Difference) -> Iterator[str]:
    keys = difference.keys
    yield ""
    if keys is None:
        yield "Keys: cannot be compared, a registry statement is not part of the evidence."
        return
    yield f"Signing keys of {old.manifest.manifest.owner}"
    yield from (f"  + {key_name(each)}" for each in keys.added)
    yield from (f"  - {key_name(each)}" for each in keys.removed)
    if not keys.added and not keys.removed:
        yield "  the same keys"
    before, after = (
        joined(map(key_name, each)) if each else "?" for each in (keys.old_signed_by, keys.new_signed_by)
    )
    yield f"  signed with {before}" if before == after else f"  signed with {before}, now with {after}"


def _json(old: Side, new: Side, difference: Difference, found: Verdict, *, all_: bool) -> dict[str, Any]:
    tally, files = Tally(), list[FileChange]()
    for change in file_changes(old, new):
        tally.add(change)
        if all_:
            files.append(change)
    return {
        "verdict": found,
        "old": _named(old),
        "new": _named(new),
        "relation": difference.relation,
        "files": {
            "added": _sum(tally.added),
            "changed": _sum(tally.changed),
            "removed": _sum(tally.removed),
            "all": [each._asdict() for each in files] if all_ else None,
        },
        "values": [value._asdict() for value in difference.values],
        "rules": None if difference.rules is None else asdict(difference.rules),
        "keys": None if difference.keys is None else asdict(difference.keys),
    }


def _named(side: Side) -> dict[str, Any]:
    manifest = side.manifest.manifest
    return {
        "dataset": manifest.dataset,
        "seq": manifest.seq,
        "manifest_sha256": side.manifest.id,
        "files": manifest.files,
        "bytes": manifest.bytes,
    }


def _sum(total: Sum) -> dict[str, Any]:
    return {"count": total.count, "bytes": total.bytes, "first": total.names}
