"""`syncline-hub user add`, `list`, `password`, `role`, `unlock` and `remove`: who may use the pages."""

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from core.commands import ConfigOption, JsonOption, emit_json, new_group, say
from core.errors import InvalidInput
from core.terminal import table
from hub.cli.setting import instant, opened, same_config, settings_of
from hub.services.passwords import PASSWORD_BYTES_MAX, check_strength
from hub.services.users import ROLES, User, check_name, check_roles

user = new_group("People who may use the pages: accounts of this hub, with roles.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The user's name, in any script.")]
RoleOption = Annotated[
    list[str],
    typer.Option("--role", metavar="ROLE", help=f"{', '.join(ROLES)}; may be given several times."),
]
FileOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help='Read the password from the first line of FILE ("-": standard input) instead of asking.',
    ),
]


@user.command()
def add(
    ctx: typer.Context,
    name: NameArgument,
    role: RoleOption,
    password_file: FileOption = None,
    config: ConfigOption = None,
) -> None:
    """Let somebody sign in to the pages."""
    wanted, roles = check_name(name), check_roles(role)
    settings = settings_of(ctx, config)
    password = _password(wanted, password_file)
    with opened(settings) as hub:
        made = hub.users.add(wanted, password, roles)
    say(f"{made.name} may sign in, as {_roles(made)}.")
    if not settings.web.listen:
        say("The pages are not served: set listen under [web] in hub.toml, and restart the hub.")


@user.command("list")
def list_(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List the users, their roles, and who is locked after wrong passwords."""
    with opened(settings_of(ctx, config)) as hub:
        now, found = hub.context.clock.now(), hub.users.list()
    locked = {each.name for each in found if each.locked_until is not None and each.locked_until > now}
    if as_json:
        emit_json({"users": [_json(each, locked=each.name in locked) for each in found]})
        return
    if not found:
        say(f"Nobody may sign in yet: {same_config(ctx, config)} user add NAME --role operator")
        return
    rows = [
        (each.name, _roles(each), f"locked until {instant(each.locked_until)}" if each.name in locked else "")
        for each in found
    ]
    say(table(("user", "roles", ""), rows))


@user.command()
def password(
    ctx: typer.Context, name: NameArgument, password_file: FileOption = None, config: ConfigOption = None
) -> None:
    """Give a user another password; its sessions end, and a lock."""
    settings = settings_of(ctx, config)
    with opened(settings) as hub:
        known = hub.users.get(name).name
        hub.users.set_password(known, _password(known, password_file))
    say(f"{known} has another password; its sessions are ended.")


@user.command()
def role(ctx: typer.Context, name: NameArgument, role: RoleOption, config: ConfigOption = None) -> None:
    """Give a user these roles instead of its own; its sessions end."""
    with opened(settings_of(ctx, config)) as hub:
        changed = hub.users.set_roles(name, role)
    say(f"{changed.name} is {_roles(changed)} from now on; its sessions are ended.")


@user.command()
def unlock(ctx: typer.Context, name: NameArgument, config: ConfigOption = None) -> None:
    """Let a user try again at once who was locked after wrong passwords."""
    with opened(settings_of(ctx, config)) as hub:
        hub.users.unlock(name)
    say(f"{name} may sign in again.")


@user.command()
def remove(ctx: typer.Context, name: NameArgument, config: ConfigOption = None) -> None:
    """Let a user in no more, from now on. What it did stays in the log."""
    with opened(settings_of(ctx, config)) as hub:
        hub.users.remove(name)
    say(f"{name} is removed; its sessions are ended.")


def _password(name: str, file: Path | None) -> str:
    """From the file or, asked twice, from the terminal. Raises `InvalidInput`."""
    if file is not None:
        return _read(file)
    if not sys.stdin.isatty():
        raise InvalidInput("there is no terminal to ask for the password", remedy="give --password-file FILE")
    given = getpass.getpass(f"Password for {name}: ")
    check_strength(given, name)
    if getpass.getpass("Once more: ") != given:
        raise InvalidInput("these are two different passwords", remedy="try again", reason="PASSWORDS_DIFFER")
    return given


def _read(file: Path) -> str:
    try:
        if str(file) == "-":
            raw = sys.stdin.buffer.readline(PASSWORD_BYTES_MAX + 3)
        else:
            with file.open("rb") as opened_file:
                raw = opened_file.readline(PASSWORD_BYTES_MAX + 3)
        return raw.rstrip(b"\r\n").decode("utf-8")
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise InvalidInput(f"the password in {file} is not text in UTF-8") from None


def _roles(each: User) -> str:
    return ", ".join(role for role in ROLES if role in each.roles)


def _json(each: User, *, locked: bool) -> dict[str, object]:
    return {
        "name": each.name,
        "roles": [role for role in ROLES if role in each.roles],
        "created": instant(each.created),
        "changed": instant(each.changed),
        "locked_until": instant(each.locked_until) if locked else None,
    }
