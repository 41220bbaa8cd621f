"""What the commands share: settings, hub, keys."""

import os
import pwd
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import OperationalError

from core import commands, logs
from core.clock import SystemClock, format_instant
from core.errors import InvalidInput, Unavailable
from core.names import PartnerId, check_partner
from hub.administrators import keys_at_hand, require_keys
from hub.config import DEFAULT_PATH, HubSettings, load_settings
from hub.services.hub import Hub
from security.keys import SigningKey

_PASSPHRASE_VARIABLE = "SYNCLINE_ADMIN_PASSPHRASE_FILE"  # noqa: S105 - the name of a variable
_PASSPHRASE_CREDENTIAL = "admin-passphrase"  # noqa: S105 - the name of a systemd credential

PartnerArgument = Annotated[str, typer.Argument(metavar="PARTNER", help="A partner's id, like la-dgm.")]
NodeOption = Annotated[str | None, typer.Option("--node", metavar="NAME", help="One of its nodes.")]
KeysOption = Annotated[
    Path | None,
    typer.Option("--keys", metavar="DIR", help="Folder with the administrators' keys, if not in the hub's."),
]


def settings_of(ctx: typer.Context, config: Path | None) -> HubSettings:
    """The settings that the command line or the environment names.

    Raises `InvalidInput` for another user than the directory's owner: root's files would stop the hub.
    """
    settings = load_settings(commands.config_path(ctx, config))
    owner = settings.layout.directory.stat().st_uid
    if owner != os.geteuid():
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"#{owner}"
        raise InvalidInput(
            f"{settings.layout.directory} belongs to {name}",
            remedy=f"run it as that user: runuser -u {name} -- syncline-hub …",
            reason="WRONG_USER",
        )
    return settings


@contextmanager
def opened(settings: HubSettings) -> Generator[Hub]:
    """The hub's services, beside a running hub or without one. A command's log is its warnings."""
    logs.configure(level="warning")
    secret = passphrase()
    try:
        with Hub.open(
            settings.layout,
            federation=settings.federation,
            clock=SystemClock(),
            administrator_keys=lambda: keys_at_hand(settings.admin_keys, secret),
            quotas=settings.quotas,
        ) as hub:
            yield hub
    except OperationalError as error:  # locked for too long, disk full, read-only
        raise Unavailable(
            f"{settings.layout.database}: {error.orig}",
            remedy="see the disk's space and rights (syncline-hub status), and try again",
        ) from error


def keys_for(settings: HubSettings, keys: Path | None) -> Sequence[SigningKey]:
    """Those of `--keys`, which must be there; else those in the hub's directory, if they still are."""
    if keys is not None:
        return require_keys(keys, passphrase())
    return keys_at_hand(settings.admin_keys, passphrase())


def passphrase() -> bytes | None:
    """The passphrase of the administrators' keys: a file that a variable names, or a systemd credential."""
    named = os.environ.get(_PASSPHRASE_VARIABLE)
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if named:
        path = Path(named)
    elif credentials and (Path(credentials) / _PASSPHRASE_CREDENTIAL).is_file():
        path = Path(credentials) / _PASSPHRASE_CREDENTIAL
    else:
        return None
    try:
        secret = path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise InvalidInput(
            f"the passphrase in {path} cannot be read: {error.strerror}",
            remedy=f"correct {_PASSPHRASE_VARIABLE}",
        ) from error
    if not secret:
        raise InvalidInput(f"the passphrase in {path} is empty")
    return secret


def known_partner(hub: Hub, text: str) -> PartnerId:
    """A partner of the registry. Raises `InvalidInput` that lists who there is."""
    partner = check_partner(text)
    known = [standing.partner.id for standing in hub.registry.partners()]
    if partner not in known:
        raise InvalidInput(
            f"{partner} is not a partner of this federation",
            remedy=f"known are: {', '.join(known) or 'none yet'}; see `syncline-hub partners`",
        )
    return partner


def same_config(ctx: typer.Context, config: Path | None) -> str:
    """`syncline-hub` as the operator has called it, for the next steps that messages name."""
    path = commands.config_path(ctx, config)
    return "syncline-hub" if path == DEFAULT_PATH else f"syncline-hub --config {path}"


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, in words."""
    if moment is None:
        return "never"
    seconds = max(0, int((now - moment).total_seconds()))
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}s ago"
    return f"{seconds} s ago"


def instant(moment: datetime | None) -> str | None:
    """For JSON."""
    return None if moment is None else format_instant(moment)
