"""`plan [DATASET]`: what the next pass would publish, to whom and by which rule; contacts nobody."""

from collections.abc import Sequence
from contextlib import closing
from typing import Annotated

import typer

from core.clock import SystemClock
from core.commands import ConfigOption, JsonOption, emit_json, say
from core.errors import NEEDS_ATTENTION, SynclineError
from core.terminal import bytes_text
from node.cli.opening import Opened, open_node
from node.control import error_to_json
from node.declared import Declared
from node.geo.reader import is_installed
from node.plan import Plan, PlannedFiles, make_plan
from node.publish.outcome import Issue
from node.state import NodeState
from node.trust import TrustStore

_SHOWN = 10


def plan(
    ctx: typer.Context,
    dataset: Annotated[
        str | None, typer.Argument(metavar="[DATASET]", help="One of the published datasets; all by default.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what would be published: added, changed, removed, held, skipped, how much, and who receives it.

    Contacts nobody and changes nothing. Exit status 8 when a person must look.
    """
    opened = open_node(ctx, config, folders=False, log_level="error")
    settings = opened.settings
    sections = settings.publish if dataset is None else [settings.published(dataset)]
    plans: list[Plan] = []
    errors: dict[str, SynclineError] = {}
    members = _members(opened)
    with closing(NodeState(opened.state_dir, read_only=True)) as state:
        for section in sections:
            try:
                plans.append(make_plan(section, settings, state, SystemClock(), members=members))
            except SynclineError as error:
                if len(sections) == 1:
                    raise
                errors[section.id(settings.partner)] = error
    if as_json:
        told = {name: error_to_json(error) for name, error in errors.items()}
        emit_json({"plans": [each.as_json() for each in plans], "errors": told})
    else:
        parts = [render(each) for each in plans]
        parts += [f"{name}: {error}" for name, error in errors.items()]
        say("\n\n".join(parts) if parts else "Nothing is published: node.toml has no [[publish]] section.")
    if errors:
        raise typer.Exit(max(error.exit_status for error in errors.values()))
    if any(each.needs_attention for each in plans):
        raise typer.Exit(NEEDS_ATTENTION)


def _members(opened: Opened) -> frozenset[str] | None:
    """The active members by the last registry that this node has; None where it has none."""
    try:
        registry = TrustStore(opened.state_dir, SystemClock()).newest().registry
    except SynclineError:
        return None  # `sync` and `doctor` say why
    return frozenset(each.id for each in registry.partners if each.state == "active")


def render(each: Plan) -> str:
    """A plan for people."""
    if each.first and not each.added.files:
        head = f"{each.dataset}: nothing to publish, the folder holds no file that can travel"
    elif each.is_empty:
        head = f"{each.dataset}: nothing to publish, the last version is what the folder holds"
    elif each.first:
        head = f"{each.dataset}: the first version would be published"
    elif each.unread:
        head = (
            f"{each.dataset}: every file would be read and compared with the last version;"
            " where all hold the same, nothing is published"
        )
    else:
        head = f"{each.dataset}: a new version would be published"
    lines = [head]
    lines += _files("added", "+", each.added)
    lines += _files("changed", "~", each.changed)
    lines += _files("removed", "-", each.removed)
    lines += _issues("held at their last published state", each.held, each.held_count)
    lines += _issues("skipped, they cannot travel", each.skipped, each.skipped_count)
    if each.uploads:
        lines.append(f"  to send: at most {bytes_text(each.upper_bound_bytes)}")
    else:
        lines.append("  to send: no data, only the signed manifest: no rule grants read to anybody")
    lines += _receivers(each)
    lines += _declared(each.declared)
    if each.policy_changes:
        lines.append("  the sharing policy would be signed anew")
    lines += [f"  note: {text}" for text in each.warnings]
    if each.waiting:
        lines += [f"  waits for approval: {text}" for text in each.waiting]
        lines.append(f"    → look at it, then: syncline-node approve {each.dataset}")
    return "\n".join(lines)


def _files(word: str, sign: str, files: PlannedFiles) -> list[str]:
    if not files.files:
        return []
    lines = [f"  {word}: {_count(files.files)}, {bytes_text(files.bytes)}"]
    lines += [f"    {sign} {each.path}  ({bytes_text(each.bytes)})" for each in files.shown[:_SHOWN]]
    return lines + _more(files.files, len(files.shown[:_SHOWN]))


def _issues(words: str, issues: Sequence[Issue], count: int) -> list[str]:
    if not count:
        return []
    lines = [f"  {words}: {_count(count)}"]
    lines += [f"    ! {each.path}: {each.reason}" for each in issues[:_SHOWN]]
    return lines + _more(count, len(issues[:_SHOWN]))


def _receivers(each: Plan) -> list[str]:
    if not each.receivers:
        return ["  received by: nobody"]
    lines = ["  received by:"]
    for one in each.receivers:
        actions = " and ".join(one.actions)
        when = "" if one.now else " (not now)"
        lines.append(f"    {one.partner} may {actions}{when}: {one.rule}")
    return lines


def _declared(said: Declared) -> list[str]:
    if said.update_frequency is None:
        rhythm = "no update_frequency is declared: nobody can say whether it is late"
    elif said.next_update is None:
        rhythm = f"{said.update_frequency} is the declared update_frequency"
    else:
        rhythm = f"{said.update_frequency}, the next version by {said.next_update}"
    lines = [f"  updates: {rhythm}"]
    unknown = "not declared"
    if said.extracts:
        unknown = "to be found out from the files" if is_installed() else "unknown without the extra geo"
    where = (
        unknown if said.bbox is None else "west {:g}, south {:g}, east {:g}, north {:g}".format(*said.bbox)
    )
    when = unknown if said.period is None else f"{said.period[0]} to {said.period[1]}"
    lines.append(f"  where: {where}; when: {when}")
    return lines


def _count(number: int) -> str:
    return f"{number:,} file{'s' if number != 1 else ''}".replace(",", " ")


def _more(count: int, shown: int) -> list[str]:
    return [f"    … and {count - shown} more (--json names the first thousand)"] if count > shown else []
