"""`doctor`: look for what is wrong, or will be."""

import typer

from core.commands import ConfigOption, JsonOption, emit_json, say
from core.terminal import table
from node.cli.opening import open_node
from node.doctor import examine, exit_status
from node.session import patient_of


def doctor(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Check alarms, configuration, folders, rights, disk, clock, certificate, hub, watch limits.

    Exit status 0 when all is well, 8 with warnings, 6 when something does not work, 3 while an alarm is open.
    """
    opened = open_node(ctx, config, folders=False, log_level="error")
    findings = examine(patient_of(opened.settings, opened.passphrase))
    if as_json:
        emit_json({"findings": findings, "exit_status": exit_status(findings)})
    else:
        say(table(("", "check", "finding"), [(each.level, each.check, each.message) for each in findings]))
        advice = [each for each in findings if each.remedy]
        if advice:
            say("\nWhat to do:")
        for each in advice:
            say(f"  {each.check}: {each.remedy}")
    status = exit_status(findings)
    if status:
        raise typer.Exit(status)
