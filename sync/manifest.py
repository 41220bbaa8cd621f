"""The manifest: an owner's signed statement about one version of a dataset.

    envelope = build(manifest, signer)                          # the owner
    verified = verify_manifest(envelope, partner.signing_keys, DatasetId("la-dgm/geology-1m"))
    verified.id, verified.manifest.inventory_sha256             # everybody else

Rules: an in-toto Statement v1 in a DSSE envelope; one subject, whose name is the dataset and whose
digest is that of the inventory; the dataset belongs to the owner that the predicate names; `seq` and
`prev` have the form of a chain. Unknown predicate keys are kept (`extra`) and ignored; an unknown name
in `critical` is refused. Only `verify_manifest` makes a `VerifiedManifest`. What stands in one is well
formed; whether it continues the chain is decided by `security.statement`. See docs/formats/manifest.md.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from core.clock import format_instant
from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from core.names import DatasetId, PartnerId, check_dataset, owner_of
from security.canonical import canonical, parse_strict
from security.digests import check_digest
from security.envelope import MANIFEST, sign, verify
from security.fields import Fields
from security.keys import PublicKey, Signer
from security.statement import Link
from sync.licence import check_licence

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:syncline:manifest:v1"

THEMES = ("basic-geology", "hazard", "mineral", "investment", "other")
#: ISO 19115-1 MD_ClassificationCode.
CLASSIFICATIONS = (
    "unclassified",
    "restricted",
    "confidential",
    "secret",
    "topSecret",
    "sensitiveButUnclassified",
    "forOfficialUseOnly",
    "protected",
    "limitedDistribution",
)
#: Values that a node never publishes, whatever the policy says.
CLASSIFICATIONS_REFUSED = frozenset({"confidential", "secret", "topSecret"})

# BCP 47 in short: language, script, region, variants. Not checked against the registry.
_LANGUAGE = re.compile(
    r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*", re.ASCII
)
_KNOWN = frozenset(
    [
        "seq",
        "prev",
        "created",
        "owner",
        "rights_holder",
        "producer",
        "license",
        "title",
        "theme",
        "classification",
        "policy",
        "registry",
        "files",
        "bytes",
        "supersedes",
        "derived_from",
        "extent",
        "critical",
    ]
)


# Within `Manifest` the plain name is the field.
Bytes = bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class License:
    """`text_sha256` is the digest of the licence's own text, needed with `LicenseRef-…`."""

    expression: str
    text_sha256: str | None = None
    attribution: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an owner says about a version.

    `files` counts the lines of the inventory, `bytes` sums their uncompressed lengths; `policy_*` and
    `registry_*` pin what was in force at signing, as evidence and as a floor. `derived_from` names ids
    of other manifests, `supersedes` a dataset, `extent` is the owner's own JSON object. `extra` holds
    predicate keys that this release does not know.
    """

    dataset: DatasetId
    inventory_sha256: str
    seq: int
    prev: str | None
    created: datetime
    owner: PartnerId
    rights_holder: str
    license: License
    title: Mapping[str, str]
    theme: str
    policy_seq: int
    policy_sha256: str
    registry_seq: int
    registry_sha256: str
    files: int
    bytes: int
    producer: str | None = None
    classification: str | None = None
    supersedes: DatasetId | None = None
    derived_from: tuple[str, ...] = ()
    extent: Mapping[str, Any] | None = None
    critical: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def to_payload(self) -> Bytes:
        """The canonical bytes that are signed."""
        return canonical(
            {
                "_type": STATEMENT_TYPE,
                "subject": [{"name": self.dataset, "digest": {"sha256": self.inventory_sha256}}],
                "predicateType": PREDICATE_TYPE,
                "predicate": self._predicate(),
            }
        )

    def _predicate(self) -> dict[str, Any]:
        licence = {"expression": self.license.expression}
        if self.license.text_sha256 is not None:
            licence["text_sha256"] = self.license.text_sha256
        if self.license.attribution is not None:
            licence["attribution"] = self.license.attribution
        predicate: dict[str, Any] = {
            **self.extra,
            "seq": self.seq,
            "prev": self.prev,
            "created": format_instant(self.created),
            "owner": self.owner,
            "rights_holder": self.rights_holder,
            "license": licence,
            "title": dict(self.title),
            "theme": self.theme,
            "policy": {"seq": self.policy_seq, "sha256": self.policy_sha256},
            "registry": {"seq": self.registry_seq, "sha256": self.registry_sha256},
            "files": self.files,
            "bytes": self.bytes,
            "critical": list(self.critical),
        }
        optional = {
            "producer": self.producer,
            "classification": self.classification,
            "supersedes": self.supersedes,
            "derived_from": list(self.derived_from) or None,
            "extent": None if self.extent is None else dict(self.extent),
        }
        predicate.update({key: value for key, value in optional.items() if value is not None})
        return predicate


@dataclass(frozen=True, slots=True)
class VerifiedManifest:
    """A manifest whose signatures and form hold. `id` is the SHA-256 of the signed payload, in hex."""

    manifest: Manifest
    id: str
    envelope: bytes

    @property
    def link(self) -> Link:
        """Its place in the dataset's chain."""
        return Link(seq=self.manifest.seq, prev=self.manifest.prev, id=self.id)


def build(manifest: Manifest, signer: Signer, limits: Limits = LIMITS) -> bytes:
    """The envelope of `manifest`, signed. Raises `InvalidInput` for what must not be published."""
    if manifest.classification in CLASSIFICATIONS_REFUSED:
        raise InvalidInput(
            f"{manifest.dataset} is classified {manifest.classification}, which is never published",
            remedy="remove the dataset from node.toml, or correct its classification",
            reason="CLASSIFIED",
        )
    payload = manifest.to_payload()
    # What its receivers would refuse is refused here, where the owner can still correct it.
    try:
        read = parse_manifest(payload, manifest.dataset, limits)
    except Untrusted as error:
        raise InvalidInput(error.message, remedy="correct the dataset's section in node.toml") from error
    check_licence(read.license.expression, has_text=read.license.text_sha256 is not None)
    return sign(MANIFEST, payload, [signer])


def verify_manifest(
    envelope: bytes, keys: Sequence[PublicKey], dataset: DatasetId, limits: Limits = LIMITS
) -> VerifiedManifest:
    """Check signatures, then form. `keys` are the owner's; one of its pairs must have signed.

    Raises:
        Untrusted: a signature does not hold, or the signed payload is not a manifest of `dataset`.
    """
    verified = verify(envelope, MANIFEST, keys, 1, limits)
    return VerifiedManifest(parse_manifest(verified.payload, dataset, limits), verified.id, envelope)


def parse_manifest(payload: bytes, dataset: DatasetId, limits: Limits = LIMITS) -> Manifest:
    """Read a payload whose signature was checked (or is to be made). Raises `Untrusted`.

    Reasons: MALFORMED, UNKNOWN_FIELD, WRONG_PREDICATE, WRONG_SUBJECT, WRONG_OWNER, BROKEN_CHAIN,
    UNKNOWN_CRITICAL, and those of `security.canonical.parse_strict`.
    """
    statement = Fields(parse_strict(payload, limits), "manifest", limits)
    if statement.text("_type") != STATEMENT_TYPE:
        raise statement.wrong("_type", STATEMENT_TYPE)
    if statement.text("predicateType") != PREDICATE_TYPE:
        raise Untrusted(f"the statement's predicateType is not {PREDICATE_TYPE}", reason="WRONG_PREDICATE")
    inventory_sha256 = _subject(statement, dataset, limits)
    predicate = statement.object("predicate")
    statement.finish()
    return _predicate(predicate, dataset, inventory_sha256, limits)


def _subject(statement: Fields, dataset: DatasetId, limits: Limits) -> str:
    subjects = statement.array("subject", 1)
    if not subjects:
        raise statement.wrong("subject", "exactly one subject")
    subject = Fields(subjects[0], "manifest: subject", limits)
    name = subject.text("name")
    if name != dataset:
        raise Untrusted(f"the manifest is about {name[:200]!r}, not {dataset}", reason="WRONG_SUBJECT")
    digest = subject.object("digest")
    inventory_sha256 = digest.digest("sha256")
    digest.finish()
    subject.finish()
    return inventory_sha256


def _predicate(fields: Fields, dataset: DatasetId, inventory_sha256: str, limits: Limits) -> Manifest:
    owner = fields.text("owner")
    if owner != owner_of(dataset):
        raise Untrusted(f"the manifest of {dataset} names {owner[:200]!r} as its owner", reason="WRONG_OWNER")
    seq, prev = fields.integer("seq", 1), fields.digest_or_null("prev")
    if (seq == 1) != (prev is None):
        raise Untrusted("manifest: prev is null in number 1, and only there", reason="BROKEN_CHAIN")
    policy_seq, policy_sha256 = _pin(fields, "policy")
    registry_seq, registry_sha256 = _pin(fields, "registry")
    manifest = Manifest(
        dataset=dataset,
        inventory_sha256=inventory_sha256,
        seq=seq,
        prev=prev,
        created=fields.instant("created"),
        owner=PartnerId(owner),
        rights_holder=fields.text("rights_holder"),
        producer=fields.optional_text("producer"),
        license=_license(fields.object("license")),
        title=_title(fields),
        theme=_one_of(fields, "theme", THEMES),
        classification=_one_of(fields, "classification", CLASSIFICATIONS)
        if "classification" in fields
        else None,
        policy_seq=policy_seq,
        policy_sha256=policy_sha256,
        registry_seq=registry_seq,
        registry_sha256=registry_sha256,
        files=_bounded(fields, "files", 1, limits.files_count_max),
        bytes=_bounded(fields, "bytes", 0, limits.dataset_bytes_max),
        supersedes=_supersedes(fields) if "supersedes" in fields else None,
        derived_from=_derived_from(fields, limits) if "derived_from" in fields else (),
        extent=_extent(fields) if "extent" in fields else None,
        critical=_critical(fields, limits),
    )
    # Kept as signed, so that a newer release's words survive an older one's hands.
    return replace(manifest, extra=dict(fields.rest()))


def _critical(fields: Fields, limits: Limits) -> tuple[str, ...]:
    names = _texts(fields, "critical", limits)
    for name in names:
        if name not in _KNOWN:
            raise Untrusted(
                f"manifest: its readers must understand {name[:200]!r}, which this release does not",
                remedy="a newer Syncline may be needed",
                reason="UNKNOWN_CRITICAL",
            )
    return names


def _license(fields: Fields) -> License:
    made = License(
        expression=fields.text("expression"),
        text_sha256=fields.digest("text_sha256") if "text_sha256" in fields else None,
        attribution=fields.optional_text("attribution"),
    )
    fields.finish()
    return made


def _title(fields: Fields) -> Mapping[str, str]:
    title = fields.texts("title")
    if not all(_LANGUAGE.fullmatch(language) for language in title):
        raise fields.wrong("title", "an object whose keys are language tags like en or zh-Hans")
    return title


def _pin(fields: Fields, name: str) -> tuple[int, str]:
    pin = fields.object(name)
    made = pin.integer("seq", 1), pin.digest("sha256")
    pin.finish()
    return made


def _derived_from(fields: Fields, limits: Limits) -> tuple[str, ...]:
    ids = _texts(fields, "derived_from", limits)
    return tuple(check_digest(each, "manifest: derived_from") for each in ids)


def _supersedes(fields: Fields) -> DatasetId:
    try:
        return check_dataset(fields.text("supersedes"))
    except InvalidInput:
        raise fields.wrong("supersedes", "a dataset id like la-dgm/geology-1m") from None


def _extent(fields: Fields) -> Mapping[str, Any]:
    extent = fields.raw("extent")
    if not isinstance(extent, dict):
        raise fields.wrong("extent", "an object")
    return cast("dict[str, Any]", extent)


def _one_of(fields: Fields, name: str, allowed: Sequence[str]) -> str:
    value = fields.text(name)
    if value not in allowed:
        raise fields.wrong(name, f"one of {', '.join(allowed)}")
    return value


def _bounded(fields: Fields, name: str, least: int, most: int) -> int:
    value = fields.integer(name, least)
    if value > most:
        raise fields.wrong(name, f"at most {most}")
    return value


def _texts(fields: Fields, name: str, limits: Limits) -> tuple[str, ...]:
    values = fields.array(name, limits.page_count_max)
    texts = tuple(each for each in values if isinstance(each, str))
    if len(texts) != len(values) or len(set(texts)) != len(texts):
        raise fields.wrong(name, "an array of texts, each once")
    return texts
