"""What `node.toml` may say: frozen models, read once, checked as a whole before anything starts.

    settings = load_settings(Path("/etc/syncline/node.toml"))
    for published in settings.publish:
        print(published.id(settings.partner), published.path)

A wrong key, type or value is refused by the models here; what concerns several keys or the disk
(overlapping folders, unknown groups, a licence without its text) by `node.config_checks`. Every
error names file, key and remedy. Every key is explained in `node.example.toml`.
"""

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from core.errors import InvalidInput
from core.limits import LIMITS
from core.names import DatasetId, PartnerId, check_dataset, check_dataset_name, check_node, check_partner
from core.settings import Section, load
from node.config_values import Box, Folder, Instant, Period, checked, frozen, listen_address, one_of
from sync.maintenance import PERIODS, WITH_DATE

THEMES = ("basic-geology", "hazard", "mineral", "investment", "other")
ACTIONS = ("discover", "read")
#: ISO 19115 MD_ClassificationCode; the last three never leave an agency through Syncline.
CLASSIFICATIONS = (
    "unclassified",
    "restricted",
    "sensitiveButUnclassified",
    "forOfficialUseOnly",
    "protected",
    "limitedDistribution",
)
REFUSED_CLASSIFICATIONS = ("confidential", "secret", "topSecret")
FEDERATION = "federation"
GROUP_PREFIX = "group:"

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})")
_PATTERN = re.compile(r"[a-z0-9.*-]+/[a-z0-9.*-]+")


class NodeSection(Section):
    """`[node]`: who this node is and where it keeps its state."""

    partner: str
    name: str
    state_dir: Folder
    log: Literal["text", "json"] = "text"

    @field_validator("partner")
    @classmethod
    def _partner(cls, value: str) -> str:
        return checked(check_partner, value)

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return checked(check_node, value)


class HubSection(Section):
    """`[hub]`: where the hub is (written by `join` if missing), and how fast to talk to it."""

    address: str | None = None
    upload_rate: int | None = Field(default=None, gt=0)
    download_rate: int | None = Field(default=None, gt=0)

    @field_validator("address")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        match = _ADDRESS.fullmatch(value)
        if match is None or not 0 < int(match[2]) < 65536:
            raise ValueError(f"{value!r} is not an address; write host:port, hub.example.org:7443")
        return value


class ShareSection(Section):
    """`[[publish.share]]`: one rule of the owner, for partners, groups or the federation."""

    with_: Annotated[tuple[str, ...], BeforeValidator(frozen)] = Field(alias="with", min_length=1)
    allow: list[str] | None = Field(default=None, min_length=1)
    deny: list[str] | None = Field(default=None, min_length=1)
    not_before: Instant | None = None
    not_after: Instant | None = None

    @field_validator("allow", "deny")
    @classmethod
    def _actions(cls, value: list[str] | None) -> list[str] | None:
        return None if value is None else [one_of(action, ACTIONS) for action in value]

    @field_validator("with_")
    @classmethod
    def _with(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if one != FEDERATION and not one.startswith(GROUP_PREFIX):
                try:
                    check_partner(one)
                except InvalidInput as error:
                    raise ValueError(
                        f"{error.message}; write a partner id (la-dgm), group:<name> or federation"
                    ) from None
        return value

    @model_validator(mode="after")
    def _whole(self) -> "ShareSection":
        if (self.allow is None) == (self.deny is None):
            raise ValueError('write either allow = ["discover", "read"] or deny = ["read"]')
        if self.not_before and self.not_after and self.not_before >= self.not_after:
            raise ValueError("not_after must be later than not_before")
        return self


class PublishSection(Section):
    """`[[publish]]`: a folder that becomes a dataset of this partner."""

    dataset: str
    path: Folder
    title: dict[str, str] = Field(min_length=1, max_length=LIMITS.languages_count_max)
    theme: str
    license: str
    rights_holder: str = Field(min_length=1)
    attribution: str | None = Field(default=None, min_length=1)
    license_file: Folder | None = None
    producer: str | None = Field(default=None, min_length=1)
    classification: str | None = None
    update_frequency: str | None = None
    next_update: Instant | None = None
    bbox: Box | None = None
    period: Period | None = None
    exclude: list[str] = Field(default_factory=list[str])
    settle_s: float = Field(default=LIMITS.settle_s, ge=0, le=3600)
    scan_every_s: float = Field(default=LIMITS.scan_every_s, gt=0)
    names: Literal["posix", "portable"] = "posix"
    upload: Literal["granted", "always"] = "granted"
    remove_guard: float = Field(default=LIMITS.remove_guard, gt=0, le=1)
    share: list[ShareSection] = Field(default_factory=list[ShareSection])

    def id(self, partner: PartnerId) -> DatasetId:
        """The whole dataset id, `<partner>/<name>`."""
        return check_dataset(f"{partner}/{self.dataset}")

    @field_validator("dataset")
    @classmethod
    def _dataset(cls, value: str) -> str:
        if "/" in value:
            raise ValueError(
                f"{value!r} has a partner in it; write the name alone: {value.rpartition('/')[2]!r}"
            )
        return checked(check_dataset_name, value)

    @field_validator("theme")
    @classmethod
    def _theme(cls, value: str) -> str:
        return one_of(value, THEMES)

    @field_validator("classification")
    @classmethod
    def _classification(cls, value: str | None) -> str | None:
        if value in REFUSED_CLASSIFICATIONS:
            raise ValueError(f"{value!r} data must not be published; remove this [[publish]] section")
        return None if value is None else one_of(value, CLASSIFICATIONS)

    @field_validator("update_frequency")
    @classmethod
    def _update_frequency(cls, value: str | None) -> str | None:
        return None if value is None else one_of(value, tuple(PERIODS))

    @model_validator(mode="after")
    def _promise(self) -> "PublishSection":
        if self.next_update is not None and self.update_frequency not in WITH_DATE:
            words = " or ".join(sorted(WITH_DATE))
            raise ValueError(f"next_update stands beside update_frequency = {words} only; remove one of them")
        return self

    @field_validator("title")
    @classmethod
    def _title(cls, value: dict[str, str]) -> dict[str, str]:
        for language, text in value.items():
            if not _LANGUAGE.fullmatch(language):
                raise ValueError(f"{language!r} is not a language tag; write en, lo, zh-Hans …")
            if not text.strip() or len(text.encode()) > LIMITS.text_bytes_max:
                raise ValueError(
                    f"the title in {language!r} is empty or longer than {LIMITS.text_bytes_max} bytes"
                )
        return value


class SubscribeSection(Section):
    """`[[subscribe]]`: datasets of other partners (`*` matches any), mirrored below `path`."""

    dataset: str
    path: Folder
    keep: int = Field(default=LIMITS.mirror_keep_versions, ge=1)
    max_bytes: int | None = Field(default=None, gt=0)

    @field_validator("dataset")
    @classmethod
    def _dataset(cls, value: str) -> str:
        if not _PATTERN.fullmatch(value):
            raise ValueError(f"{value!r} is not a dataset or pattern; write cn-cgs/faults, cn-cgs/* or */*")
        return value


class TrustSection(Section):
    """`[trust]`: how much proof a mirror asks for before it applies a version."""

    require_witnesses: bool = False


class MetricsSection(Section):
    """`[metrics]`: where programs on this machine may read figures; nowhere unless told."""

    listen: str = ""

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        listen_address(value)
        return value

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port; None: no port."""
        return listen_address(self.listen)


class GeoSection(Section):
    """`[geo]`: whether the node finds out where and when published data are, if nothing is declared."""

    extract: bool = True


class NodeSettings(Section):
    """All of `node.toml`."""

    node: NodeSection
    hub: HubSection = HubSection()
    trust: TrustSection = TrustSection()
    metrics: MetricsSection = MetricsSection()
    geo: GeoSection = GeoSection()
    publish: list[PublishSection] = Field(default_factory=list[PublishSection])
    subscribe: list[SubscribeSection] = Field(default_factory=list[SubscribeSection])
    groups: dict[str, list[str]] = Field(default_factory=dict[str, list[str]])

    @property
    def partner(self) -> PartnerId:
        """The partner that this node belongs to."""
        return PartnerId(self.node.partner)

    @field_validator("groups")
    @classmethod
    def _groups(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        for name, members in value.items():
            for member in members:
                try:
                    check_partner(member)
                except InvalidInput as error:
                    raise ValueError(f"group {name!r}: {error.message}; list partner ids: la-dgm") from None
        return value

    def published(self, dataset: str) -> PublishSection:
        """The section of `dataset`, given as `geology-1m` or `la-dgm/geology-1m`. Raises `InvalidInput`."""
        names = {f"{self.partner}/{section.dataset}": section for section in self.publish}
        wanted = dataset if "/" in dataset else f"{self.partner}/{dataset}"
        if wanted not in names:
            close = difflib.get_close_matches(wanted, list(names), n=1)
            hint = (
                f"did you mean {close[0]}?" if close else "published here: " + (", ".join(names) or "nothing")
            )
            raise InvalidInput(f"this node does not publish {dataset!r}", remedy=hint)
        return names[wanted]


def load_settings(path: Path, *, folders: bool = True) -> NodeSettings:
    """Read and check the settings file at `path`.

    Args:
        path: the TOML file.
        folders: also demand that the folders exist. A daemon that starts while a disk is not
            mounted passes False for datasets that it has published before, and holds them.

    Raises:
        InvalidInput: with file, key and remedy of each problem.
    """
    from node.config_checks import check_settings  # noqa: PLC0415 -- the checks import the models

    settings = load(path, NodeSettings)
    check_settings(settings, source=str(path), folders=folders)
    return settings


def known_keys() -> dict[str, set[str]]:
    """Every key by its table, for the test of `node.example.toml`: {"node": {"partner", …}, …}."""
    tables: dict[str, Any] = {
        "node": NodeSection,
        "hub": HubSection,
        "trust": TrustSection,
        "metrics": MetricsSection,
        "geo": GeoSection,
        "publish": PublishSection,
        "publish.share": ShareSection,
        "subscribe": SubscribeSection,
    }
    return {
        name: {field.alias or key for key, field in model.model_fields.items()}
        for name, model in tables.items()
    }
