"""What the three command lines share: one entry, one way to fail, `--config` in either place.

    app = new_app("syncline-node", "The agency's node.",
                  config_default=Path("/etc/syncline/node.toml"), config_variable="SYNCLINE_NODE_CONFIG")

    @app.command()
    def status(ctx: typer.Context, config: ConfigOption = None, as_json: JsonOption = False) -> None:
        settings = load(config_path(ctx, config), NodeSettings)
        ...
        raise typer.Exit(NEEDS_ATTENTION)          # or return; or raise a SynclineError

    def main() -> None:
        commands.main(app)

A command that lives in a module of its own is hung in by its place, and imported when it is asked for:

    app = new_app("syncline-node", "The agency's node.", table={"status": "node.cli.status_cmd:status"})

Rules: a `SynclineError` becomes one or two lines on standard error and its branch's exit status; a
wrong use exits with 2 and says so in at most two lines; Ctrl-C exits with 130 and a closed pipe with
141, both without a word; anything else is a bug and shows its traceback, status 1. What programs may
read goes to standard output through `emit_json`, what people read through `say`.
"""

import contextlib
import dataclasses
import errno
import gc
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence, Set
from datetime import datetime
from enum import Enum
from importlib import import_module
from pathlib import Path, PurePath
from typing import Annotated, Any, NoReturn

import typer
import typer.core

from core.clock import format_instant
from core.errors import EXIT_BUG, EXIT_OK, InvalidInput, SynclineError, Unavailable
from core.logs import printable

INTERRUPTED = 130
PIPE_CLOSED = 141

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings file; also accepted before the command."),
]
"""Annotation of a command's parameter `config: ConfigOption = None`; read it with `config_path`."""

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]
"""Annotation of a command's parameter `as_json: JsonOption = False`."""

# Not bugs: the machine says no, and a person can do something about it.
_ENVIRONMENT: Mapping[int, str] = {
    errno.EACCES: "run as the user that owns it, or correct its rights",
    errno.EPERM: "run as the user that owns it, or correct its rights",
    errno.EROFS: "the filesystem is mounted read-only; mount it for writing or choose another place",
    errno.ENOSPC: "free some space on that filesystem and try again",
    errno.EDQUOT: "free some space or have the quota raised, then try again",
    errno.EIO: "the disk reports an error; check it (dmesg, smartctl) before anything else",
    errno.EMFILE: "raise the limit of open files (ulimit -n, or LimitNOFILE= in the unit)",
}


def new_app(
    name: str,
    summary: str,
    *,
    config_default: Path | None = None,
    config_variable: str | None = None,
    table: Mapping[str, str] | None = None,
) -> typer.Typer:
    """An application called `name` with `--version` and, if `config_default` is given, `--config`.

    `config_variable` is the environment variable that may name the settings file instead; `table` gives
    each command's or group's place as `module:attribute`, in the order of the help.
    """
    app = typer.Typer(
        cls=_lazy_group(table or {}),
        name=name,
        help=summary,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # so that "[[publish]]" in a help text stays what it is
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def show_version(wanted: bool) -> None:
        if wanted:
            from importlib.metadata import version  # noqa: PLC0415 - slow, and nothing else here needs it

            say(f"{name} {version('syncline')}")
            raise typer.Exit(EXIT_OK)

    version_option = typer.Option(
        False,  # noqa: FBT003 - typer takes the default by position
        "--version",
        is_eager=True,
        callback=show_version,
        help="Say the version and exit.",
    )
    app.callback()(_root_callback(version_option, summary, config_default, config_variable))
    return app


class _Commands(MutableMapping[str, Any]):
    """A group's commands by name. Those of `table` (`module:attribute`) are imported when they are asked for.

    A command pulls in what it needs (gRPC, a database): most of a second, which `--version` or `status`
    need not wait for.
    """

    def __init__(self, table: Mapping[str, str], others: Mapping[str, Any]) -> None:
        self._known: dict[str, Any] = {**table, **others}

    def __getitem__(self, name: str) -> Any:
        known = self._known[name]
        if isinstance(known, str):
            known = self._known[name] = _imported(name, known)
        return known

    def __setitem__(self, name: str, command: Any) -> None:
        self._known[name] = command

    def __delitem__(self, name: str) -> None:
        del self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _lazy_group(table: Mapping[str, str]) -> type[typer.core.TyperGroup]:
    class LazyGroup(typer.core.TyperGroup):
        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            self.commands = _Commands(table, self.commands)

    return LazyGroup


def _imported(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    # Imports make some 200,000 objects that live as long as the process: collecting among them finds nothing.
    gc.disable()
    try:
        command = getattr(import_module(module), attribute)
    finally:
        gc.freeze()
        gc.enable()
    if not isinstance(command, typer.Typer):
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        alone.command(name)(command)
        command = alone
    built = typer.main.get_command(command)
    built.name = name
    return built


def _root_callback(
    version_option: Any, summary: str, config_default: Path | None, config_variable: str | None
) -> Callable[..., None]:
    if config_default is None:

        def plain(_version: bool = version_option) -> None:
            pass

        plain.__doc__ = summary
        return plain

    config_option: Any = typer.Option(
        None,
        "--config",
        metavar="FILE",
        envvar=config_variable,
        help=f"Settings file [default: {config_default}]",
    )

    def with_config(
        ctx: typer.Context, _config: Path | None = config_option, _version: bool = version_option
    ) -> None:
        ctx.obj = _Settings(_config or config_default)

    with_config.__doc__ = summary
    return with_config


@dataclasses.dataclass(frozen=True)
class _Settings:
    """What was said before the command: the context's object of the whole run."""

    path: Path


def new_group(summary: str) -> typer.Typer:
    """A group of commands to hang into an app: `app.add_typer(group, name="registry")`.

    `--config` is also accepted between the group and its command.
    """
    group = typer.Typer(help=summary, add_completion=False, no_args_is_help=True, rich_markup_mode=None)

    def with_config(ctx: typer.Context, config: ConfigOption = None) -> None:
        remember_config(ctx, config)

    with_config.__doc__ = summary
    group.callback()(with_config)
    return group


def remember_config(ctx: typer.Context, config: Path | None) -> None:
    """A `--config` between a group and its command counts for the command."""
    if config is not None:
        ctx.find_root().obj = _Settings(config)


def config_path(ctx: typer.Context, config: Path | None) -> Path:
    """The settings file: given after the command, else before it, else by variable, else the default."""
    if config is not None:
        return config
    settings = ctx.find_root().obj
    if not isinstance(settings, _Settings):
        raise InvalidInput("no settings file is given", remedy="give one with --config FILE")
    return settings.path


def main(app: typer.Typer, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run `app` on `arguments` (default: the command line) and exit the process with its status."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell: >&-
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - until the process ends
    status = run(app, arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = _close_quietly()
    sys.exit(status)


def run(app: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Run `app` and return its exit status; messages go to standard error, nothing is raised."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a name that the terminal cannot show must not end the program
            reconfigure(errors="backslashreplace")
    try:
        words = None if arguments is None else list(arguments)
        outcome = app(args=words, prog_name=app.info.name, standalone_mode=False)
        return outcome if isinstance(outcome, int) else EXIT_OK
    except typer.Abort:
        return INTERRUPTED
    except typer.TyperException as error:
        return _fail_usage(error)
    except BaseException as error:  # noqa: BLE001 - the last place that can show it
        return _fail(error)


def _fail_usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(context.get_help() + "\n" if context is not None else "")
        return InvalidInput.exit_status
    hint = f"see {context.command_path} --help" if context is not None else ""
    message = " ".join(error.format_message().split())
    return show_error(InvalidInput(message, remedy=hint))


def _fail(error: BaseException) -> int:
    if isinstance(error, SynclineError):
        return show_error(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    # typer turns a closed pipe into sys.exit(1), with the cause as its context.
    if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
        return _close_quietly()
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else EXIT_BUG
    if isinstance(error, OSError) and (remedy := _ENVIRONMENT.get(error.errno or 0)):
        place = f"{error.filename}: " if error.filename is not None else ""
        return show_error(Unavailable(f"{place}{error.strerror}", remedy=remedy))
    traceback.print_exception(error)
    sys.stderr.write("error: this is a bug in Syncline; please report it with the lines above\n")
    return EXIT_BUG


def show_error(error: SynclineError) -> int:
    """Write `error` to standard error as a person wants it; its exit status."""
    lines = [f"error: {error.message}"]
    if error.remedy:
        lines.append(f"  → {error.remedy}")
    # A message may list several problems, one a line; each line is made harmless by itself.
    text = "\n".join(printable(line) for part in lines for line in part.split("\n"))
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(text + "\n")
    return error.exit_status


def _close_quietly() -> int:
    # The interpreter flushes standard output once more when it ends; let that go nowhere.
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass
    return PIPE_CLOSED


def say(text: str = "") -> None:
    """Write lines for people to standard output; control characters in them are escaped."""
    sys.stdout.write("\n".join(printable(line) for line in text.split("\n")) + "\n")


def shout(text: str) -> None:
    """As `say`, in red where standard output is a terminal: what must not be overlooked."""
    on, off = ("\033[1;31m", "\033[0m") if sys.stdout.isatty() else ("", "")
    sys.stdout.write("".join(f"{on}{printable(line)}{off}\n" for line in text.split("\n")))


def emit_json(value: Any) -> None:
    """Write `value` to standard output as JSON, UTF-8, with a newline.

    Dataclasses become objects, instants RFC 3339, paths and enums text, bytes hex, sets sorted lists. A
    file name that is not UTF-8 keeps its surrogates, written as JSON escapes.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2, default=_plain)
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, Set):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
