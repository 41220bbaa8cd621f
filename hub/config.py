"""The hub's settings: `hub.toml` to a frozen model, and the documented file that `init` writes.

    settings = load_settings(Path("/etc/syncline/hub.toml"))
    settings.hub.address                     # what nodes dial: "hub.example.org:7443"
    settings.layout.database                 # paths within the hub's directory

Unknown keys, wrong types and addresses that cannot be dialled are `InvalidInput`.
"""

import ipaddress
import re
import sys
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from core import logs
from core import settings as toml
from core.errors import InvalidInput
from core.names import check_partner
from core.settings import Section
from hub import config_operator as of_operator
from hub.addresses import split_address, text_of
from hub.layout import Layout
from hub.services.context import Federation, Quotas

DEFAULT_PATH = Path("/etc/syncline/hub.toml")

_FEDERATION = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*", re.ASCII)
_FEDERATION_LENGTH_MAX = 63


def check_federation(text: str) -> str:
    """A federation id, the trust domain of every certificate: `mekong-geo`. Raises `InvalidInput`."""
    if len(text) > _FEDERATION_LENGTH_MAX or not _FEDERATION.fullmatch(text):
        raise InvalidInput(
            f"{text!r} is not a federation id",
            remedy="give one with --federation: lower-case letters, digits and hyphens, like mekong-geo",
        )
    return text


class HubTable(Section):
    """`[hub]`: who the hub is, where its data stand, and where it listens."""

    name: str
    federation: str
    directory: str
    address: str
    enrol_address: str
    listen: str = ""
    enrol_listen: str = ""
    admin_keys: str = ""

    @field_validator("address", "enrol_address")
    @classmethod
    def _dialable(cls, value: str, info: ValidationInfo) -> str:
        if split_address(value, f"hub.{info.field_name}")[1] == 0:
            raise InvalidInput(f"{value!r} has no port", remedy="nodes need a fixed port to dial")
        return value

    @field_validator("listen", "enrol_listen")
    @classmethod
    def _listenable(cls, value: str, info: ValidationInfo) -> str:
        if value:
            split_address(value, f"hub.{info.field_name}")
        return value

    @field_validator("federation")
    @classmethod
    def _federation(cls, value: str) -> str:
        return check_federation(value)

    @field_validator("name")
    @classmethod
    def _named(cls, value: str) -> str:
        if not value.strip():
            raise InvalidInput("a name may not be empty")
        return value


class LogTable(Section):
    """`[log]`: how the hub writes its log, on standard error."""

    format: Literal["auto", "text", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"

    def configure(self) -> None:
        """Let this process write as the table says; `auto` is text at a terminal."""
        as_json = self.format == "json" or (self.format == "auto" and not sys.stderr.isatty())
        logs.configure(json=as_json, level=self.level)


class TransparencyTable(Section):
    """`[transparency]`: where anybody may read the log over HTTP; without it, nowhere."""

    listen: str = ""

    @field_validator("listen")
    @classmethod
    def _listenable(cls, value: str) -> str:
        if value:
            split_address(value, "transparency.listen")
        return value


class ServerTable(Section):
    """`[server]`: how much of the machine the hub uses."""

    threads: int = 16
    stop_grace_s: int = 20

    @field_validator("threads", "stop_grace_s")
    @classmethod
    def _positive(cls, value: int) -> int:
        if value < 1:
            raise InvalidInput("must be at least 1")
        return value


class QuotaTable(Section):
    """`[quota]`: how many uncompressed bytes the hub keeps for each owner."""

    default_bytes: int | None = None
    partners: dict[str, int] = Field(default_factory=dict[str, int])

    @field_validator("default_bytes")
    @classmethod
    def _not_negative(cls, value: int | None) -> int | None:
        if value is not None and value < 0:
            raise InvalidInput("quota: default_bytes must be 0 or more", remedy="leave it out for no quota")
        return value

    @field_validator("partners")
    @classmethod
    def _of_partners(cls, value: dict[str, int]) -> dict[str, int]:
        for partner, count in value.items():
            check_partner(partner)
            if count < 0:
                raise InvalidInput(f"quota.partners: {partner} must be 0 or more bytes")
        return value


class HubSettings(Section):
    """The whole file."""

    hub: HubTable
    log: LogTable = LogTable()
    transparency: TransparencyTable = TransparencyTable()
    server: ServerTable = ServerTable()
    quota: QuotaTable = QuotaTable()
    web: of_operator.WebTable = of_operator.WebTable()
    metrics: of_operator.MetricsTable = of_operator.MetricsTable()
    alerts: of_operator.AlertsTable = of_operator.AlertsTable()

    @property
    def layout(self) -> Layout:
        """Paths within the hub's directory."""
        return Layout(Path(self.hub.directory))

    @property
    def listen(self) -> str:
        """Where the node port binds: `listen`, or every interface at the advertised port."""
        return self.hub.listen or f"[::]:{split_address(self.hub.address)[1]}"

    @property
    def enrol_listen(self) -> str:
        """Where the enrolment port binds."""
        return self.hub.enrol_listen or f"[::]:{split_address(self.hub.enrol_address)[1]}"

    @property
    def federation(self) -> Federation:
        """The federation and its addresses, as services want them."""
        return Federation(self.hub.federation, self.hub.address, self.hub.enrol_address)

    @property
    def quotas(self) -> Quotas:
        """How much each owner may keep here."""
        return Quotas(self.quota.default_bytes, self.quota.partners)

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts by which nodes reach the hub, as its certificate writes them."""
        hosts = (split_address(address)[0] for address in (self.hub.address, self.hub.enrol_address))
        return frozenset(_canonical_host(host) for host in hosts)

    @property
    def admin_keys(self) -> Path:
        """Where the administrators' keys are looked for: `admin_keys`, or `admin/` in the directory."""
        return Path(self.hub.admin_keys) if self.hub.admin_keys else self.layout.admin


def _canonical_host(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def load_settings(path: Path) -> HubSettings:
    """Read `path`; a relative `directory` counts from the folder of the file itself, links resolved.

    Raises `InvalidInput`.
    """
    settings = toml.load(path, HubSettings)
    directory = (path.resolve().parent / settings.hub.directory).resolve()
    if not directory.is_dir():
        raise InvalidInput(
            f"{path}: hub.directory {directory} does not exist",
            remedy="correct the path, mount it, or make a hub with `syncline-hub init`",
        )
    table = settings.hub.model_copy(update={"directory": str(directory)})
    return settings.model_copy(update={"hub": table})


def document(
    name: str,
    federation: str,
    address: str,
    enrol_address: str,
    log_listen: str = "",
    web_listen: str = "",
    metrics_listen: str = "",
) -> str:
    """The text of a new `hub.toml`, every key explained; it stands in the directory that it describes.

    `log_listen`, `web_listen`, `metrics_listen` empty: log, pages, metrics are not served over HTTP.
    """
    transparency = f"listen = {text_of(log_listen)}" if log_listen else '# listen = "127.0.0.1:7445"'
    return f"""\
# Settings of a Syncline hub. Read once, when a command starts: restart the hub after a change.

[hub]
# What the federation is called, for people.
name = {text_of(name)}

# The federation's id. It stands in every certificate and cannot be changed later.
federation = {text_of(federation)}

# Where the hub keeps everything: database, chunks, keys. Relative paths count from this file.
directory = "."

# Where nodes reach the hub, HOST:PORT. It stands in the join files and in the hub's certificate.
address = {text_of(address)}

# Where new nodes enrol and probes ask for the hub's health, HOST:PORT.
enrol_address = {text_of(enrol_address)}

# Where the hub binds, if not on every interface at the ports above (behind a NAT, say).
# listen = "0.0.0.0:7443"
# enrol_listen = "0.0.0.0:7444"

# The folder with the administrators' keys, while it is at hand; by default admin/ in the directory.
# These keys belong on another machine as soon as the federation is real.
# admin_keys = "/media/administrator/keys"

[log]
# "text" for people, "json" for programs, "auto" for text on a terminal and JSON elsewhere.
format = "auto"
# "debug", "info", "warning" or "error".
level = "info"

[transparency]
# Where the transparency log can be read over HTTP, by any monitor that can connect: checkpoint, tiles and
# entries (C2SP tlog-tiles), in which no partner and no dataset is named. Not encrypted: put a reverse proxy
# before it to show it to others (docs/operations/hub.md). Without the key it is not served.
{transparency}

[server]
# Threads that hash, store and read; about four a core.
threads = 16
# Seconds that calls in flight get to finish when the hub stops.
stop_grace_s = 20

# How many bytes the hub keeps for each partner, counted before compression, all versions together and
# what several of them share once. An upload beyond is refused, and nothing that is here is touched.
# Without this table: as much as the disk takes.
# [quota]
# default_bytes = 500_000_000_000
# [quota.partners]
# la-dgm = 2_000_000_000_000
{of_operator.document(web_listen, metrics_listen)}"""
