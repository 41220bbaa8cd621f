"""`status`: how this node is doing; contacts nobody but the daemon on this machine."""

import json
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version

import typer
from pydantic import ValidationError

from core.clock import SystemClock
from core.commands import ConfigOption, JsonOption, emit_json, say, shout
from core.errors import NEEDS_ATTENTION, Corrupt, SynclineError, Untrusted
from core.terminal import bytes_text, table
from node import control
from node.alarms import Alarms
from node.cli.opening import Opened, open_node
from node.cli.own_lines import left_text, own_lines, updates_text, warnings
from node.declared import declared_by
from node.status import (
    MEMBERSHIP,
    AlarmStatus,
    Fault,
    MirrorStatus,
    PublishedStatus,
    StatusReport,
    WitnessStatus,
    empty_report,
    read_report,
    reconcile,
)


def status(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show what is in sync, what is not, why, and what to do about it.

    Works while the daemon runs and while it does not. Exit status 8 when a person must look, 3 while an alarm
    is open.
    """
    report = current_report(open_node(ctx, config, folders=False, log_level="warning"))
    if as_json:
        emit_json(report.as_json())
    else:
        if report.alarms:
            shout(render_alarms(report.alarms))
            say()
        say(render(report))
    if report.alarms:
        raise typer.Exit(Untrusted.exit_status)
    if not report.is_healthy:
        raise typer.Exit(NEEDS_ATTENTION)


def current_report(opened: Opened) -> StatusReport:
    """The report of this moment."""
    settings = opened.settings
    running = control.is_listening(control.socket_path(opened.state_dir))
    report = _of_the_daemon(opened) if running else None
    faults: dict[str, Fault] = {}
    if report is None:
        try:
            report = read_report(opened.state_dir)
        except Corrupt as error:
            faults["status"] = Fault.of(error, SystemClock().now())
    if report is None or (report.partner, report.node) != (settings.partner, settings.node.name):
        now = SystemClock().now()
        report = empty_report(settings.partner, settings.node.name, version("syncline"), now)
    published = {str(section.id(settings.partner)): section.path for section in settings.publish}
    report = reconcile(report, published, declared_by(settings), daemon_running=running)
    # From the disk: a decision may have been made since the report was written.
    alarms = tuple(AlarmStatus.of(each) for each in Alarms(opened.state_dir).open())
    report = report.model_copy(update={"faults": {**report.faults, **faults}, "alarms": alarms})
    if report.hub.last_contact is None and not running:
        report = _with_standing(report, opened)
    return report


def _of_the_daemon(opened: Opened) -> StatusReport | None:
    """What the daemon knows: its file may be older, where the disk is full."""
    try:
        return StatusReport.model_validate_json(json.dumps(opened.ask_daemon("status")))
    except (SynclineError, ValidationError):
        return None


def _with_standing(report: StatusReport, opened: Opened) -> StatusReport:
    """Say that this node has not joined, or waits for the operator, when that is why nothing happens."""
    from node import identity  # noqa: PLC0415 - cryptography, which no other report needs

    try:
        identity.load(opened.state_dir, opened.passphrase).tls()
    except SynclineError as error:
        # The same cause as the last pass met it, by whatever it was doing, is not told twice.
        others = {what: each for what, each in report.faults.items() if each.reason != error.reason}
        fault = Fault.of(error, SystemClock().now())
        return report.model_copy(update={"faults": {**others, MEMBERSHIP: fault}})
    return report


def render(report: StatusReport) -> str:
    """The report for people."""
    parts = [_head(report)]
    if report.publish:
        columns = ("publishes", "state", "version", "files", "size", "left", "updates", "last success")
        now = SystemClock().now()
        parts.append(table(columns, [_published_row(each, now) for each in report.publish]))
    if report.mirrors:
        columns = ("mirrors", "state", "version", "newest", "left", "last success")
        parts.append(table(columns, [_mirror_row(each) for each in report.mirrors]))
    if not report.publish and not report.mirrors:
        parts.append("Nothing is published or mirrored yet.")
    troubles = [*_troubles(report), *warnings(report)]
    if troubles:
        parts.append("\n".join(troubles))
    return "\n\n".join(parts)


def _head(report: StatusReport) -> str:
    daemon = f"daemon running since {report.started}" if report.daemon_running else "daemon not running"
    if report.daemon_running and report.started is None and MEMBERSHIP in report.faults:
        daemon = "daemon running, waiting for the operator's approval"
    lines = [f"{report.partner}/{report.node}: {daemon}; as of {report.time}"]
    hub = report.hub
    if hub.last_contact is None:
        lines.append(f"hub {hub.address or '(none yet)'}: never reached")
    else:
        offset = "" if hub.clock_offset_s is None else f", clocks {abs(hub.clock_offset_s):.0f} s apart"
        lines.append(f"hub {hub.address}: last reached {hub.last_contact}{offset}")
    if report.registry_seq is not None:
        lines.append(
            f"federation {report.federation}: registry {report.registry_seq} until "
            f"{report.registry_expires}; certificate until {report.certificate_expires or '(none yet)'}"
        )
    if report.witness is not None:
        lines += _witness_lines(report.witness)
    return "\n".join([*lines, *own_lines(report)])


def render_alarms(alarms: Sequence[AlarmStatus]) -> str:
    """What stands above everything else while an alarm is open."""
    lines: list[str] = []
    for each in alarms:
        lines.append(f"ALARM {each.id}: {each.message} (since {each.since})")
        lines.append(f"  → {each.remedy}")
    lines.append("No new version is accepted until every alarm is decided; what is published goes on.")
    return "\n".join(lines)


def _witness_lines(seen: WitnessStatus) -> list[str]:
    if seen.note:
        return [f"log {seen.origin}: {seen.note}"]
    if seen.read < seen.size:
        line = f"log {seen.origin}: {seen.read:,} of {seen.size:,} entries read and checked".replace(",", " ")
    else:
        line = f"log {seen.origin}: all {seen.size:,} entries checked".replace(",", " ")
    if seen.witnessed is not None:
        line += f"; checkpoint {seen.witnessed}, cosigned by {seen.count} of {seen.of} witnesses"
        line += f" ({seen.needed} needed)"
    lines = [line]
    if seen.lost:
        lines.append(
            f"  it continues an older log without {seen.lost} of its entries: owners offer theirs again"
        )
    return lines


def _published_row(each: PublishedStatus, now: datetime) -> tuple[object, ...]:
    size = None if each.bytes is None else bytes_text(each.bytes)
    left, updates = left_text(each), updates_text(each, now)
    return (each.dataset, each.state, each.seq, each.files, size, left, updates, each.last_success)


def _mirror_row(each: MirrorStatus) -> tuple[object, ...]:
    return (each.dataset, each.state, each.seq, each.wanted_seq, left_text(each), each.last_success)


def _troubles(report: StatusReport) -> list[str]:
    lines: list[str] = []
    for what, fault in sorted(report.faults.items()):
        lines += _fault_lines(what, fault)
    for each in (*report.publish, *report.mirrors):
        if each.error is not None:
            lines += _fault_lines(each.dataset, each.error)
        lines += [f"{each.dataset}: {line}" for line in each.attention]
    return lines


def _fault_lines(what: str, fault: Fault) -> list[str]:
    lines = [f"{what}: {fault.message} (since {fault.since})"]
    if fault.remedy:
        lines.append(f"  → {fault.remedy}")
    return lines
