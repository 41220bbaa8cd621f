"""`syncline-hub alerts`: what is open, and a trial message over every channel."""

from datetime import datetime
from typing import Any

import typer

from core.clock import SystemClock, format_instant
from core.commands import ConfigOption, JsonOption, emit_json, new_group, say
from core.errors import InvalidInput, Unavailable
from core.limits import LIMITS
from core.logs import printable
from core.terminal import table
from hub.alerts.book import AlertBook
from hub.alerts.outbox import Outbox, troubles
from hub.alerts.pace import Alert
from hub.alerts.watch import open_channels, trial
from hub.cli.setting import ago, instant, opened, settings_of
from hub.overview.wording import say as worded

alerts = new_group("What is wrong, whom it was told, and whether messages arrive.")


@alerts.command("list")
def list_(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List the alerts that are open, and channels that fail."""
    settings = settings_of(ctx, config)
    now = SystemClock().now()
    with opened(settings) as hub:
        found = AlertBook(hub.context, settings.alerts.repeat_hours * 3600).alerts()
        failing = troubles(hub.context.database)
    found = [alert for alert in found if alert.over is None]
    channels = [name for name in ("email", "webhook") if getattr(settings.alerts, name) is not None]
    if as_json:
        emit_json({"alerts": [_json(alert) for alert in found], "channels": channels, "failing": failing})
        return
    if not found:
        say("No alert is open.")
    else:
        rows = [
            (alert.rule, ago(alert.since, now), _told(alert, now), worded(alert.message)) for alert in found
        ]
        say(table(["rule", "since", "told", "what"], rows))
    if not channels:
        say("Nobody is told: name [alerts.email] or [alerts.webhook] in hub.toml.")
    for trouble in failing:
        say(f"! {trouble.channel}: {printable(trouble.problem)} ({trouble.waiting} wait)")
        say(f"  → {printable(trouble.remedy)}")


@alerts.command("test")
def test(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Send a trial message over every channel, now; fails if one does not take it."""
    settings = settings_of(ctx, config)
    clock = SystemClock()
    channels = open_channels(settings, clock, LIMITS)
    if not channels:
        raise InvalidInput(
            "no channel for alerts is set", remedy="name [alerts.email] or [alerts.webhook] in hub.toml"
        )
    with opened(settings) as hub:
        letter = trial(settings, Outbox(hub.context, hub.events), clock)
    results: list[dict[str, Any]] = []
    failed: Unavailable | None = None
    for channel in channels:
        try:
            not_taken = channel.send(letter)
        except Unavailable as error:
            failed = error
            results.append(
                {"channel": channel.name, "taken": False, "problem": error.message, "remedy": error.remedy}
            )
            continue
        results.append({"channel": channel.name, "taken": True, "problem": not_taken, "remedy": ""})
    if as_json:
        emit_json({"letter": letter.id, "channels": results})
    else:
        for result in results:
            said = "took it" if result["taken"] else "did not take it"
            said += f": {printable(result['problem'])}" if result["problem"] else ""
            say(f"{result['channel']}: {said}")
    if failed is not None:
        raise failed


def _told(alert: Alert, now: datetime) -> str:
    return "not yet" if alert.told is None else f"{ago(alert.told, now)} ({alert.told_count}×)"


def _json(alert: Alert) -> dict[str, Any]:
    return {
        "key": alert.key,
        "rule": alert.rule,
        "severity": alert.severity,
        "partner": alert.partner,
        "node": alert.node,
        "dataset": alert.dataset,
        "text": worded(alert.message),
        "remedy": worded(alert.remedy),
        "since": format_instant(alert.since),
        "seen": format_instant(alert.seen),
        "told": instant(alert.told),
        "told_count": alert.told_count,
    }
