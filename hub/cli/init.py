"""`syncline-hub init DIR`: make a federation and the hub that serves it."""

import re
import shutil
import unicodedata
from pathlib import Path
from typing import Annotated

import typer

from core import durable
from core.clock import SystemClock
from core.commands import say
from core.errors import Conflict, InvalidInput
from hub.addresses import join_address, split_address
from hub.administrators import key_path
from hub.cli.setting import passphrase
from hub.config import HubTable, TransparencyTable, check_federation, document
from hub.config_operator import MetricsTable, WebTable
from hub.layout import Layout
from hub.services.context import Federation
from hub.services.hub import Hub
from security.keys import SigningKey
from security.keystore import save_signing_key

_ADMINISTRATORS_MAX = 32
_PRIVATE = 0o700


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="What the federation is called.")],
    address: Annotated[
        str, typer.Option("--address", metavar="HOST:PORT", help="Where nodes reach the hub.")
    ],
    enrol_address: Annotated[
        str | None,
        typer.Option(
            "--enrol-address", metavar="HOST:PORT", help="Where new nodes enrol [default: the next port]."
        ),
    ] = None,
    log_listen: Annotated[
        str | None,
        typer.Option(
            "--log-listen",
            metavar="HOST:PORT",
            help='Where the log can be read over HTTP; "" for nowhere [default: this machine, the port after'
            " enrolment's].",
        ),
    ] = None,
    web_listen: Annotated[
        str | None,
        typer.Option(
            "--web-listen",
            metavar="HOST:PORT",
            help='Where the pages are served; "" for nowhere [default: this machine, the second port after'
            " enrolment's].",
        ),
    ] = None,
    metrics_listen: Annotated[
        str | None,
        typer.Option(
            "--metrics-listen",
            metavar="HOST:PORT",
            help='Where Prometheus may read; "" for nowhere [default: this machine, the third port after'
            " enrolment's].",
        ),
    ] = None,
    federation: Annotated[
        str | None,
        typer.Option(
            "--federation", metavar="ID", help="The federation's id, for ever [default: from the name]."
        ),
    ] = None,
    administrators: Annotated[int, typer.Option(help="How many administrators' keys to make.")] = 1,
    threshold: Annotated[int, typer.Option(help="How many of them must sign a registry.")] = 1,
) -> None:
    """Make a hub: settings, keys, certificate authority, administrators' keys, registry, empty store."""
    if not 1 <= threshold <= administrators <= _ADMINISTRATORS_MAX:
        raise InvalidInput(
            f"a threshold of {threshold} among {administrators} administrators cannot be met",
            remedy=f"choose 1 ≤ --threshold ≤ --administrators ≤ {_ADMINISTRATORS_MAX}",
        )
    chosen = check_federation(federation) if federation is not None else _from_name(name)
    host, port = split_address(address)
    enrol = enrol_address if enrol_address is not None else join_address(host, port + 1)
    HubTable(name=name, federation=chosen, directory=".", address=address, enrol_address=enrol)
    if enrol == address:
        raise InvalidInput("nodes and enrolment need two ports", remedy="give another --enrol-address")
    next_port = split_address(enrol)[1] + 1
    log_listen = _local(log_listen, next_port)
    web_listen = _local(web_listen, next_port + 1)
    metrics_listen = _local(metrics_listen, next_port + 2)
    TransparencyTable(listen=log_listen)
    WebTable(listen=web_listen)
    MetricsTable(listen=metrics_listen)
    secret = passphrase()
    layout = Layout(directory.absolute())
    existed = _claim(layout.directory)
    try:
        keys = [SigningKey.generate() for _ in range(administrators)]
        layout.admin.mkdir(mode=_PRIVATE)
        for number, key in enumerate(keys, start=1):
            save_signing_key(key_path(layout.admin, number), key, secret)
        Hub.found(
            layout,
            Federation(chosen, address, enrol),
            administrators=keys,
            threshold=threshold,
            clock=SystemClock(),
        )
        text = document(name, chosen, address, enrol, log_listen, web_listen, metrics_listen)
        durable.write_file(layout.settings, text.encode(), mode=0o640, exclusive=True)
    except BaseException:
        _clear(layout.directory, remove=not existed)
        raise
    _tell(layout, name, chosen, administrators, threshold)


def slug(name: str) -> str:
    """A federation id from a name: `Mekong Geo!` becomes `mekong-geo`; empty where no letter is Latin."""
    latin = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", latin).strip("-")[:63].strip("-")


def _local(listen: str | None, port: int) -> str:
    return join_address("127.0.0.1", port) if listen is None else listen


def _from_name(name: str) -> str:
    made = slug(name)
    if not made:
        raise InvalidInput(
            f"the name {name!r} gives no federation id",
            remedy="give one with --federation: lower-case letters, digits and hyphens, like mekong-geo",
        )
    return check_federation(made)


def _claim(directory: Path) -> bool:
    """Make the folder, or take an empty one; whether it existed."""
    try:
        directory.mkdir(mode=_PRIVATE)
    except FileNotFoundError:
        raise InvalidInput(f"{directory.parent} does not exist", remedy="create it first") from None
    except FileExistsError:
        if not directory.is_dir() or any(directory.iterdir()):
            raise Conflict(
                f"{directory} exists already and is not an empty folder; nothing was changed",
                remedy="choose another folder; a hub is never overwritten",
                reason="EXISTS",
            ) from None
        return True
    return False


def _clear(directory: Path, *, remove: bool) -> None:
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if remove:
        directory.rmdir()


def _tell(layout: Layout, name: str, federation: str, administrators: int, threshold: int) -> None:
    command = f"syncline-hub --config {layout.settings}"
    say(f"The hub of {name} stands in {layout.directory}")
    say(f"  federation      {federation}")
    say(f"  administrators  {administrators}, of whom {threshold} must sign; keys in {layout.admin}")
    say("Next:")
    say(f"  start it           {command} run")
    say(f'  invite an agency   {command} invite la-dgm --name "Department of Geology" --out la-dgm.join')
    say(f"  before real data   move {layout.admin} to another machine; commands take it with --keys DIR")
