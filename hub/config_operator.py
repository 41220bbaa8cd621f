"""The tables of `hub.toml` that are about the operator: pages, metrics, alerts; and their documented text.

[web]      listen, url, proxies, two_person, [web.basemap] file, approval
[metrics]  listen
[alerts]   thresholds, [alerts.email], [alerts.webhook]
"""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from core.errors import InvalidInput
from core.settings import Section
from hub.addresses import split_address, text_of

#: The rules of alerts, by the words that `mute` takes.
AlertRule = Literal[
    "late",
    "stuck",
    "silent",
    "trouble",
    "disk",
    "clock",
    "certificate",
    "registry",
    "witness",
    "refusals",
    "quota",
    "backup",
    "hub",
]


def _path(value: object) -> Path:
    if not isinstance(value, str) or not Path(value).is_absolute():
        raise InvalidInput(
            f"{value!r} is not the whole path of a file", remedy='write it like "/etc/syncline/x"'
        )
    return Path(value)


File = Annotated[Path, BeforeValidator(_path)]

_MAIL_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+")
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+", re.ASCII)


def _address(key: str) -> Callable[[str], str]:
    """A validator of HOST:PORT, or nothing, which says by its `key` what is to be corrected."""

    def check(value: str) -> str:
        if value:
            split_address(value, key)
        return value

    return check


class BasemapTable(Section):
    """`[web.basemap]`: a map of the operator's own to draw footprints on. None is shipped."""

    file: File
    approval: str

    @field_validator("approval")
    @classmethod
    def _approved(cls, value: str) -> str:
        if not value.strip():
            raise InvalidInput(
                "web.basemap: approval may not be empty",
                remedy="give the number under which the map was approved for publication",
            )
        return value


class WebTable(Section):
    """`[web]`: where the pages are served; without `listen`, nowhere."""

    listen: str = ""
    url: str = ""
    proxies: list[str] = Field(default_factory=list[str])
    two_person: bool = False
    basemap: BasemapTable | None = None

    _addresses = field_validator("listen")(_address("web.listen"))

    @field_validator("url")
    @classmethod
    def _origin(cls, value: str) -> str:
        if value and not _ORIGIN.fullmatch(value):
            raise InvalidInput(
                f"web.url {value!r} is not the beginning of an address",
                remedy="write scheme, host and port alone, like https://hub.example.org",
            )
        return value

    @field_validator("proxies")
    @classmethod
    def _proxies(cls, value: list[str]) -> list[str]:
        for each in value:
            try:
                ipaddress.ip_network(each)
            except ValueError:
                raise InvalidInput(
                    f"web.proxies: {each!r} is neither an address nor a network",
                    remedy='write it like "127.0.0.1" or "10.1.0.0/28"',
                ) from None
        return value


class MetricsTable(Section):
    """`[metrics]`: where Prometheus reads; without `listen`, nowhere."""

    listen: str = ""

    _addresses = field_validator("listen")(_address("metrics.listen"))


class EmailTable(Section):
    """`[alerts.email]`: the mail server that takes alerts, and who gets them."""

    server: str
    sender: str
    to: list[str]
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password_file: File | None = None

    _addresses = field_validator("server")(_address("alerts.email.server"))

    @field_validator("to")
    @classmethod
    def _somebody(cls, value: list[str]) -> list[str]:
        if not value:
            raise InvalidInput(
                "alerts.email: to names nobody", remedy="name at least one address, or leave it out"
            )
        return value

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        for each in (self.sender, *self.to):
            if not _MAIL_ADDRESS.fullmatch(each):
                raise InvalidInput(f"alerts.email: {each!r} is not a mail address")
        return self


class WebhookTable(Section):
    """`[alerts.webhook]`: where alerts are posted, signed as https://www.standardwebhooks.com says."""

    url: str
    secret_file: File

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        if not re.fullmatch(r"https?://\S+", value):
            raise InvalidInput(f"alerts.webhook: {value!r} is not an http(s) address")
        return value


class AlertsTable(Section):
    """`[alerts]`: who is told, in which language, of what, and how often again."""

    language: str = "en"
    repeat_hours: float = 24.0
    mute: list[AlertRule] = Field(default_factory=list[AlertRule])
    disk_days: float = 7.0
    refusals_per_hour: int = 100
    backup_days: float = 0.0
    email: EmailTable | None = None
    webhook: WebhookTable | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.repeat_hours <= 0 or self.disk_days < 0 or self.refusals_per_hour < 1 or self.backup_days < 0:
            raise InvalidInput(
                "alerts: repeat_hours and refusals_per_hour must be above 0, the others 0 or more"
            )
        return self


def document(web_listen: str, metrics_listen: str) -> str:
    """The text of these tables in a new `hub.toml`, every key explained. Empty: not served."""
    return f"""
[web]
# Where the operator's pages are served. Plain HTTP: to show them elsewhere, put a reverse proxy before
# them that adds TLS (docs/operations/pages.md). Nobody can sign in before `syncline-hub user add`. Without
# the key: no pages.
{_listen(web_listen, "127.0.0.1:7446")}
# How browsers reach the pages, when through a proxy; it stands in alerts, and other origins are refused.
# url = "https://hub.example.org"
# The proxies' own addresses, whose X-Forwarded-For is believed: wrong passwords are then counted by the
# browser's address as well. Without them nobody's is believed.
# proxies = ["127.0.0.1"]
# true: approve, revoke and the like wait until a second person, with the role approver, confirms them.
two_person = false

# A base map of your own under the footprints of the datasets (GeoJSON, WGS 84). None is shipped: which
# borders are drawn, and how, is for your authorities. `approval` is shown on the map.
# [web.basemap]
# file = "/etc/syncline/basemap.geojson"
# approval = "GS(2026)0000"

[metrics]
# Where Prometheus may read metrics (OpenMetrics, at /metrics). They name partners and nodes: keep the port to
# machines that you trust. Without the key: nowhere.
{_listen(metrics_listen, "127.0.0.1:7447")}

[alerts]
# The language of messages: "en", "zh", or any other that the pages have.
language = "en"
# An alert that lasts is told again after so many hours, and once more when it is over.
repeat_hours = 24.0
# Rules that are never told: late, stuck, silent, trouble, disk, clock, certificate, registry, witness,
# refusals, quota, backup, hub.
mute = []
# Tell of a disk that will be full within so many days, this machine's or a node's.
disk_days = 7.0
# Tell when an agency was refused more often than this within an hour.
refusals_per_hour = 100
# Tell when the newest backup is older than so many days; 0: never.
backup_days = 0.0

# Alerts by e-mail. `security`: "starttls", "tls" or "none"; the password stands in a file of its own, mode
# 0600.
# [alerts.email]
# server = "mail.example.org:587"
# security = "starttls"
# sender = "syncline@hub.example.org"
# to = ["operator@example.org"]
# user = "syncline"
# password_file = "/etc/syncline/mail-password"

# Alerts as a signed POST (https://www.standardwebhooks.com); the secret stands in a file, mode 0600.
# [alerts.webhook]
# url = "https://alerts.example.org/syncline"
# secret_file = "/etc/syncline/webhook-secret"
"""


def _listen(value: str, example: str) -> str:
    return f"listen = {text_of(value)}" if value else f'# listen = "{example}"'
