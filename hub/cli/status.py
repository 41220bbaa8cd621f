"""`syncline-hub status`: how the hub and its fleet are doing, and what a person must look at."""

import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from core.clock import SystemClock, format_instant
from core.commands import ConfigOption, JsonOption, emit_json, say
from core.errors import NEEDS_ATTENTION
from core.limits import LIMITS
from core.logs import printable
from hub.administrators import key_files
from hub.cli.partners import use_json, use_text
from hub.cli.setting import ago, instant, opened, same_config, settings_of
from hub.config import HubSettings
from hub.fleet_view import NodeView, look
from hub.lock import is_running
from hub.log_view import alarms, log_json, witnesses_text
from hub.services.content import Use
from hub.services.fleet import NodeReport
from hub.services.hub import Hub
from hub.services.log import LogStatus
from security.certificates import validity
from security.registry import ACTIVE


@dataclass(frozen=True, slots=True)
class Attention:
    """Something for a person. `urgent` is what the exit status 8 is about; the rest are reminders."""

    text: str
    next: str
    urgent: bool = True


def status(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show hub, partners, nodes and disk; exits with 8 when a person must look."""
    settings = settings_of(ctx, config)
    now = SystemClock().now()
    command = same_config(ctx, config)
    with opened(settings) as hub:
        log = hub.log.status()
        report = {**_report(hub, settings, now), "log": log_json(log)}
        reports = hub.fleet.reports()
        nodes = look(reports, now, LIMITS)
        attention = [
            *_of_log(log, reports, now, running=is_running(settings.layout)),
            *_of_members(hub, nodes, now, command),
            *_of_signatures(hub, settings, now, command),
            *_of_machine(settings, now, command),
            *_of_quotas(report),
        ]
    if as_json:
        emit_json({**report, "nodes": nodes, "attention": attention})
    else:
        _print(report, log, nodes, attention, now)
    if any(item.urgent for item in attention):
        raise typer.Exit(NEEDS_ATTENTION)


def _report(hub: Hub, settings: HubSettings, now: datetime) -> dict[str, Any]:
    current = hub.registry.current().registry
    datasets = hub.catalogue.datasets()
    disk = shutil.disk_usage(settings.layout.directory)
    _, certificate_expires = validity(settings.layout.server_certificate.read_bytes())
    return {
        "name": settings.hub.name,
        "federation": settings.hub.federation,
        "directory": settings.hub.directory,
        "address": settings.hub.address,
        "enrol_address": settings.hub.enrol_address,
        "running": is_running(settings.layout),
        "time": format_instant(now),
        "registry_seq": current.seq,
        "registry_expires": instant(current.expires),
        "certificate_expires": instant(certificate_expires),
        "partners": [
            {
                "partner": standing.partner.id,
                "state": standing.state,
                "last_seen": instant(standing.last_seen),
                "nodes": [node.name for node in standing.partner.nodes],
                **use_json(hub.content.use(standing.partner.id)),
            }
            for standing in hub.registry.partners()
        ],
        "datasets": len(datasets),
        "versions": sum(dataset.versions for dataset in datasets),
        "disk_free_bytes": disk.free,
        "disk_total_bytes": disk.total,
    }


def _of_log(log: LogStatus, reports: list[NodeReport], now: datetime, *, running: bool) -> list[Attention]:
    """Alarms first: they are what the witnesses are there for."""
    found = [
        Attention(
            each.text,
            f"ask {each.partner} for this alarm's folder; keep this hub's directory and all of its copies",
        )
        for each in alarms(reports)
    ]
    made = log.checkpoint_time
    if running and made is not None and (now - made).total_seconds() > LIMITS.log_frozen_s:
        found.append(
            Attention(
                f"the log's last checkpoint was made {ago(made, now)}: nodes take the log for frozen",
                "read the hub's log for why it signs none",
            )
        )
    return found


def _of_members(hub: Hub, nodes: list[NodeView], now: datetime, command: str) -> list[Attention]:
    found: list[Attention] = []
    for enrolment in hub.enrolment.list():
        if enrolment.state == "pending":
            who = f"{enrolment.partner} (node {enrolment.node})"
            found.append(
                Attention(
                    f"{who} waits for approval; this hub sees the fingerprint {enrolment.fingerprint}",
                    f'compare it by telephone, then {command} approve {enrolment.partner} --fingerprint "…"',
                )
            )
    active = {standing.partner.id for standing in hub.registry.partners() if standing.state == ACTIVE}
    for node in nodes:
        if node.partner not in active or node.state not in ("late", "trouble"):
            continue
        who = f"{node.partner} (node {node.node})"
        if node.state == "late":
            found.append(
                Attention(f"{who} reported last {ago(node.last_report, now)}", f"ask {node.partner}")
            )
        found += [Attention(f"{who}: {problem}", f"ask {node.partner}") for problem in node.problems]
    return found


def _of_signatures(hub: Hub, settings: HubSettings, now: datetime, command: str) -> list[Attention]:
    sign = f"{command} registry sign --keys DIR, where the administrators' keys are"
    found = [Attention(f"waits for signatures: {act.text}", sign) for act in hub.registry.pending()]
    files = key_files(settings.admin_keys)
    expires = hub.registry.current().registry.expires
    if expires <= now:
        found.append(
            Attention(f"the registry has expired ({format_instant(expires)}): nodes refuse to work", sign)
        )
    elif hub.registry.renewal_due() and not files:
        found.append(Attention(f"the registry is due for renewal; it ends {format_instant(expires)}", sign))
    if files and settings.admin_keys == settings.layout.admin:
        found.append(
            Attention(
                f"the administrators' keys are still on this machine, in {settings.admin_keys}",
                "move them to another one as soon as the federation is real; give them with --keys DIR",
                urgent=False,
            )
        )
    return found


def _of_quotas(report: dict[str, Any]) -> list[Attention]:
    return [
        Attention(
            f"{partner['partner']} has used up its quota: {partner['used_bytes']:,}"
            f" of {partner['quota_bytes']:,} bytes",
            "raise it under [quota.partners] in hub.toml and restart the hub, or leave it",
            urgent=False,
        )
        for partner in report["partners"]
        if partner["quota_bytes"] is not None and partner["used_bytes"] >= partner["quota_bytes"]
    ]


def _of_machine(settings: HubSettings, now: datetime, command: str) -> list[Attention]:
    found: list[Attention] = []
    if not is_running(settings.layout):
        found.append(Attention("the hub does not run", f"start it: {command} run"))
    free = shutil.disk_usage(settings.layout.directory).free
    if free < 4 * LIMITS.disk_reserve_bytes:
        found.append(
            Attention(
                f"{free:,} bytes are free; uploads stop at {LIMITS.disk_reserve_bytes:,}",
                f"free some space, or move {settings.layout.directory} to a larger disk",
            )
        )
    _, expires = validity(settings.layout.server_certificate.read_bytes())
    if expires <= now:
        found.append(
            Attention(
                f"the hub's own certificate has expired ({format_instant(expires)})",
                f"restart the hub ({command} run): it issues a new one when it starts; read its log if not",
            )
        )
    if not os.access(settings.layout.directory, os.W_OK):
        found.append(
            Attention(f"{settings.layout.directory} cannot be written", "correct its rights or mount")
        )
    return found


def _print(
    report: dict[str, Any], log: LogStatus, nodes: list[NodeView], attention: list[Attention], now: datetime
) -> None:
    say(f"{report['name']} ({report['federation']}): {'running' if report['running'] else 'not running'}")
    say(f"  nodes dial    {report['address']}, enrolment {report['enrol_address']}")
    say(f"  registry      {report['registry_seq']}, until {report['registry_expires']}")
    say(f"  datasets      {report['datasets']} with {report['versions']} versions")
    say(f"  log           {log.leaves:,} leaves, last checkpoint {ago(log.checkpoint_time, now)}")
    say(f"  witnesses     {witnesses_text(log)}")
    say(f"  disk          {report['disk_free_bytes']:,} of {report['disk_total_bytes']:,} bytes free")
    members = Table("partner", "state", "node", "sync", "last report", "bytes", box=None, pad_edge=False)
    by_node = {(str(view.partner), str(view.node)): view for view in nodes}
    for partner in report["partners"]:
        for name in partner["nodes"] or [""]:
            view = by_node.get((partner["partner"], name))
            sync, seen = (view.state, ago(view.last_report, now)) if view else ("no report yet", "never")
            use = use_text(Use(partner["used_bytes"], partner["quota_bytes"]))
            members.add_row(partner["partner"], partner["state"], name, sync, seen, use)
    if report["partners"]:
        say()
        Console(highlight=False, markup=False).print(members)
    if attention:
        say()
        for item in attention:
            say(f"{'!' if item.urgent else '·'} {printable(item.text)}\n  → {printable(item.next)}")
