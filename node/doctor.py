"""What may be wrong with a node before it goes wrong: checks with a remedy each.

Every check is a function of a `Patient` that yields findings; it never raises, changes nothing and, but for
`check_hub`, contacts nobody. A finding says what to do about it.

    findings = examine(patient)
    exit_status(findings)                       # 0 all well, 8 warnings, 6 something fails, 3 alarm
"""

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from core.clock import Clock, format_instant
from core.errors import EXIT_OK, NEEDS_ATTENTION, SynclineError, Unavailable, Untrusted
from core.limits import LIMITS, Limits
from core.names import NodeName
from core.terminal import bytes_text
from node.alarms import Alarms
from node.config import NodeSettings
from node.geo.reader import is_installed
from node.identity import NodeIdentity
from node.state import DATABASE_NAME, NodeState
from node.trust import TrustStore
from sync.ports import HubInfo

INOTIFY_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")

_FOLDERS_COUNT_MAX = 2_000_000
_ALARMS = "alarms"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `remedy` says what to do; empty when there is nothing to do."""

    check: str
    level: Literal["ok", "warn", "fail"]
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined. `ask_hub` connects and asks for the hub's facts; `identity` may raise."""

    settings: NodeSettings
    clock: Clock
    identity: Callable[[], NodeIdentity]
    trust: Callable[[], TrustStore]
    ask_hub: Callable[[NodeIdentity, TrustStore], HubInfo]
    limits: Limits = LIMITS
    inotify_limit: Path = INOTIFY_LIMIT


def exit_status(findings: Sequence[Finding]) -> int:
    """0 when all is well, 8 with warnings, 6 when something does not work, 3 while an alarm is open."""
    levels = {each.level for each in findings}
    if any(each.check == _ALARMS and each.level == "fail" for each in findings):
        return Untrusted.exit_status
    if "fail" in levels:
        return Unavailable.exit_status
    return NEEDS_ATTENTION if "warn" in levels else EXIT_OK


def examine(patient: Patient) -> list[Finding]:
    """Every check, in the order of the reasons: what comes first explains what fails later."""
    findings: list[Finding] = []
    for check in (
        check_alarms, check_state_folder, check_state_database, check_publish_folders, check_mirror_folders,
        check_watches, check_places, check_keys, check_registry, check_certificate, check_hub,
    ):  # fmt: skip
        name = check.__name__.removeprefix("check_").replace("_", " ")
        try:
            findings += check(patient)
        except SynclineError as error:
            findings.append(Finding(name, "fail", error.message, error.remedy))
        except OSError as error:
            findings.append(_in_words(name, error))
    return findings


def _in_words(name: str, error: OSError) -> Finding:
    place = f"{error.filename}: " if error.filename is not None else ""
    remedy = "correct the path, or look at the disk"
    if isinstance(error, PermissionError):
        remedy = "run it as the user that runs syncline-node, or correct the rights"
    return Finding(name, "fail", f"{place}{error.strerror or error}", remedy)


def check_alarms(patient: Patient) -> Iterator[Finding]:
    """No alarm waits for a decision, and the log is followed."""
    found = Alarms(patient.settings.node.state_dir).open()
    for alarm in found:
        error = alarm.error()
        yield Finding(_ALARMS, "fail", f"{alarm.message} (since {alarm.since})", error.remedy)
    if not found:
        yield Finding(_ALARMS, "ok", "none")


def check_state_folder(patient: Patient) -> Iterator[Finding]:
    """The state directory exists, is private and has room."""
    name, folder = "state folder", patient.settings.node.state_dir
    if not folder.is_dir():
        yield Finding(name, "warn", f"{folder} does not exist yet", "syncline-node join makes it")
        return
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        yield Finding(
            name, "fail", f"{folder} is on a disk that is mounted read-only", "mount it for writing"
        )
        return
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(
            name, "fail", f"{folder} may not be written", "run as the user that owns it, or chown it"
        )
        return
    if folder.stat().st_mode & 0o077:
        yield Finding(name, "warn", f"{folder} is open to others", f"chmod 700 {folder}")
    else:
        yield Finding(name, "ok", f"{folder} is private")
    yield from _room(name, folder, patient.limits)


def _room(name: str, folder: Path, limits: Limits) -> Iterator[Finding]:
    usage = shutil.disk_usage(folder)
    free = f"{bytes_text(usage.free)} free on the filesystem of {folder}"
    if usage.free < limits.disk_reserve_bytes:
        yield Finding(name, "fail", free, f"free at least {bytes_text(limits.disk_reserve_bytes)}")
    elif usage.free < usage.total // 20:
        yield Finding(name, "warn", free, "less than 5 % is left: make room before it runs out")
    else:
        yield Finding(name, "ok", free)


def check_state_database(patient: Patient) -> Iterator[Finding]:
    """The state database is whole."""
    name, path = "state database", patient.settings.node.state_dir / DATABASE_NAME
    if not path.exists():
        yield Finding(name, "ok", "not there yet; the first pass makes it")
        return
    with closing(NodeState(path.parent, read_only=True)) as state, state.reading() as database:
        answer = str(database.conn.execute("PRAGMA integrity_check(5)").fetchone()[0])
    if answer == "ok":
        yield Finding(name, "ok", f"{path} is whole ({bytes_text(path.stat().st_size)})")
    else:
        yield Finding(
            name, "fail", f"{path} is damaged: {answer.splitlines()[0]}",
            "check the disk; syncline-node run moves the file aside and recovers from the hub",
        )  # fmt: skip


def check_publish_folders(patient: Patient) -> Iterator[Finding]:
    """Each published folder is there and may be read."""
    for section in patient.settings.publish:
        name, folder = f"publish {section.dataset}", section.path
        if not folder.is_dir():
            yield Finding(
                name, "fail", f"{folder} is missing", "mount or create it, or correct [[publish]] path"
            )
        elif not os.access(folder, os.R_OK | os.X_OK):
            yield Finding(name, "fail", f"{folder} may not be read", "give this user the right to read it")
        elif not any(folder.iterdir()):
            yield Finding(name, "warn", f"{folder} is empty", "nothing is published from it; is it mounted?")
        else:
            yield Finding(name, "ok", f"{folder} can be read")
        if not section.share:
            yield Finding(
                name,
                "warn",
                "no [[publish.share]]: nobody receives it",
                "add a share when it is to be shared",
            )


def check_mirror_folders(patient: Patient) -> Iterator[Finding]:
    """Each mirror's folder may be written and has room."""
    for folder in sorted({section.path for section in patient.settings.subscribe}):
        name = f"mirror {folder}"
        if not folder.is_dir():
            yield Finding(
                name, "fail", f"{folder} is missing", "mount or create it, or correct [[subscribe]] path"
            )
        elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            yield Finding(
                name, "fail", f"{folder} may not be written", "give this user the right to write it"
            )
        else:
            yield from _room(name, folder, patient.limits)


def check_places(patient: Patient) -> Iterator[Finding]:
    """Where and when data are can be found out from the files."""
    settings = patient.settings
    if settings.publish and settings.geo.extract and not is_installed():
        told = "the extra geo is not installed: only a declared bbox and period are known"
        yield Finding("places", "ok", told)


def check_watches(patient: Patient) -> Iterator[Finding]:
    """The kernel allows as many watches as there are folders."""
    name = "watch limit"
    if not patient.inotify_limit.exists():
        yield Finding(name, "ok", "no inotify here: folders are scanned")
        return
    allowed = int(patient.inotify_limit.read_text())
    needed = sum(_folders(section.path) for section in patient.settings.publish)
    message = f"{needed:,} folders to watch, the kernel allows {allowed:,}"
    if needed >= allowed:
        value = max(524_288, needed * 2)
        yield Finding(
            name, "warn", message,
            f"sysctl fs.inotify.max_user_watches={value}; until then scans find the changes",
        )  # fmt: skip
    else:
        yield Finding(name, "ok", message)


def _folders(root: Path) -> int:
    count, waiting = 0, [os.fspath(root)]
    while waiting and count < _FOLDERS_COUNT_MAX:
        count += 1
        try:
            with os.scandir(waiting.pop()) as entries:
                waiting += [each.path for each in entries if each.is_dir(follow_symlinks=False)]
        except OSError:
            continue
    return count


def check_keys(patient: Patient) -> Iterator[Finding]:
    """The private keys are there, can be read by this user, and by nobody else."""
    name = "keys"
    identity = patient.identity()
    loose = [
        path
        for path in sorted(identity.directory.iterdir())
        if path.is_file() and path.suffix in (".key", ".pem") and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    for path in loose:
        yield Finding(name, "fail", f"{path} may be read by others", f"chmod 600 {path}")
    if not loose:
        yield Finding(name, "ok", f"the keys in {identity.directory} are private")
    if identity.passphrase is None:
        yield Finding(
            name, "ok", "the keys have no passphrase (docs/operations/node.md tells how to give one)"
        )


def check_registry(patient: Patient) -> Iterator[Finding]:
    """The registry verifies, is in force and names this node's keys."""
    name = "registry"
    trust, settings = patient.trust(), patient.settings
    newest = trust.current().registry
    identity = patient.identity()
    if not identity.is_enrolled:
        yield Finding(name, "ok", f"{newest.federation}, statement {newest.seq}; this node is not in it yet")
        return
    node = NodeName(settings.node.name)
    try:
        trust.check_own_entry(settings.partner, node, identity.signing.public, identity.witness.public)
    except Untrusted:
        following = patient.ask_hub(identity, trust).registry_seq
        if following <= newest.seq:
            raise
        # Just joined: who admitted this node did so in a later statement than the join file's.
        yield Finding(name, "ok", f"statement {newest.seq}; the next pass fetches {following}")
        return
    yield Finding(
        name, "ok", f"{newest.federation}, statement {newest.seq}, until {format_instant(newest.expires)}"
    )


def check_certificate(patient: Patient) -> Iterator[Finding]:
    """The TLS certificate is in force."""
    name, now = "certificate", patient.clock.now()
    _, expires = patient.identity().tls().validity
    until = f"until {format_instant(expires)}"
    if expires <= now:
        yield Finding(name, "warn", f"expired: {until}", "syncline-node run or sync renews it by itself")
    elif expires - now < timedelta(seconds=patient.limits.certificate_valid_s / 4):
        yield Finding(
            name, "warn", f"{until}; it should have been renewed by now", "look in the log why renewing fails"
        )
    else:
        yield Finding(name, "ok", until)


def check_hub(patient: Patient) -> Iterator[Finding]:
    """The hub answers, and the clocks agree."""
    before = patient.clock.now()
    info = patient.ask_hub(patient.identity(), patient.trust())
    yield Finding("hub", "ok", f"{patient.settings.hub.address} answers, version {info.version}")
    middle = before + (patient.clock.now() - before) / 2
    offset_s = (info.time - middle).total_seconds()
    message = f"the hub's clock is {abs(offset_s):.0f} s {'ahead' if offset_s > 0 else 'behind'}"
    if abs(offset_s) > patient.limits.clock_offset_warn_s:
        yield Finding("clock", "warn", message, "synchronise this machine's clock: timedatectl set-ntp true")
    else:
        yield Finding("clock", "ok", message)
