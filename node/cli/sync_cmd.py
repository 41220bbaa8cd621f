"""`sync`: one full pass, by the daemon if it runs, else by this command."""

import sys
from collections.abc import Mapping
from typing import Any

import typer

from core import terminal
from core.commands import ConfigOption, JsonOption, emit_json, say
from core.errors import EXIT_OK
from core.logs import printable
from core.terminal import bytes_text
from node.cli.opening import Opened, open_node


def sync(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Publish and subscribe once, then exit: for cron and scripts.

    Exit status 0 when all is done, 8 when a person must look, else the gravest error's.
    """
    # What a pass fails at is told below, once.
    opened = open_node(ctx, config, folders=False, log_level="critical")
    outcome = _by_the_daemon(opened)
    if outcome is None:
        outcome = _alone(opened)
    if as_json:
        emit_json(outcome)
    else:
        shown = render(outcome)
        if shown:
            say(shown)
        for line in failures(outcome):
            sys.stderr.write(f"{printable(line)}\n")
    if outcome["exit_status"] != EXIT_OK:
        raise typer.Exit(outcome["exit_status"])


def _by_the_daemon(opened: Opened) -> dict[str, Any] | None:
    """Ask and wait, with a bar of what the daemon has left to move."""
    with terminal.progress() as progress:
        most = left = 0

        def show(facts: Mapping[str, Any]) -> None:
            nonlocal most, left
            now = int(facts.get("bytes_left", 0))
            if now > left:
                most = now
                progress.begin("the daemon syncs", most)
            else:
                progress.advance(left - now)
            left = now

        return opened.ask_daemon("sync", tell=show)


def _alone(opened: Opened) -> dict[str, Any]:
    # Where a daemon does the work, this command needs none of it.
    from core.allocator import keep_large_buffers  # noqa: PLC0415
    from node.engine import Engine  # noqa: PLC0415
    from node.session import Session  # noqa: PLC0415
    from node.state import StateLock  # noqa: PLC0415

    keep_large_buffers()
    with (
        StateLock(opened.state_dir),
        Session.open(opened.settings, opened.passphrase) as session,
        terminal.progress() as progress,
    ):
        return Engine(session).run_pass(progress).as_json()


def render(outcome: dict[str, Any]) -> str:
    """What was published and what arrived, for people."""
    lines = [line for each in outcome["results"] for line in _result_lines(each)]
    if not lines and not outcome["errors"]:
        lines.append("Nothing to do: nothing is published, and nothing is shared with this node.")
    lines += [f"! {line}" for line in outcome.get("attention", ())]
    return "\n".join(lines)


def failures(outcome: dict[str, Any]) -> list[str]:
    """What failed, and what to do, for standard error."""
    errors = [(each["dataset"], each["error"]) for each in outcome["results"] if each["error"] is not None]
    errors += outcome["errors"].items()
    lines: list[str] = []
    for what, error in errors:
        lines.append(f"error: {what}: {error['message']}")
        if error.get("remedy"):
            lines.append(f"  → {error['remedy']}")
    return lines


def _result_lines(each: dict[str, Any]) -> list[str]:
    arrow = "→" if each["kind"] == "publish" else "←"
    facts: list[str] = []
    if each["seq"] is not None:
        facts.append(f"version {each['seq']}")
    if each["files"]:
        facts.append(f"{each['files']:,} files".replace(",", " "))
    if each["bytes"]:
        facts.append(bytes_text(each["bytes"]))
    if each["changed"] and each["sent_bytes"] is not None:
        facts.append(f"{bytes_text(each['sent_bytes'])} sent")
    lines = [f"{arrow} {each['dataset']}: " + ", ".join([each["state"], *facts])]
    return lines + [f"    {line}" for line in each["attention"]]
