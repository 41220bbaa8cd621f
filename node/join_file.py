"""The join file that `syncline-hub invite` writes, and what a node remembers of using one.

    file = read_join_file(Path("la-dgm.join"))           # checked; docs/formats/join-file.md
    Enrolling(file, envelope, csr, "pending").save(identity.directory)

Rules: a join file is strict JSON of a bounded size; its registry must have the id that it names. What is
remembered stands in `keys/enrolment.json` (0600: it holds the token until nobody needs it).
"""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from core import durable
from core.clock import format_instant, parse_instant
from core.errors import Corrupt, InvalidInput, SynclineError, Untrusted
from core.limits import LIMITS, Limits
from core.names import NodeName, PartnerId, check_node, check_partner
from security.canonical import parse_json
from security.certificates import check_federation, host_of
from security.digests import Sha256Hex
from security.envelope import parse as parse_envelope
from security.fields import Fields, decode_base64, encode_base64
from security.registry import verify_first

#: The state of a join whose request has not reached the hub, as far as this node knows.
NOT_SENT = "not sent"

_ENROLMENT = "enrolment.json"
_TOKEN_BYTES_MAX = 256
_PEM_BYTES_MAX = 16 * 1024


@dataclass(frozen=True, slots=True)
class JoinFile:
    """What the operator handed over, checked. `registry` is a DSSE envelope of id `registry_id`."""

    federation: str
    partner: PartnerId
    names: dict[str, str]
    node: NodeName
    hub: str
    enrol: str
    registry: bytes = field(repr=False)
    registry_id: Sha256Hex
    ca_pem: bytes = field(repr=False)
    token: bytes = field(repr=False)
    expires: datetime
    replace: bool = False  # it puts this node in the place of one whose machine is lost

    @property
    def ca_der(self) -> bytes:
        """The certificate authority, DER."""
        return x509.load_pem_x509_certificate(self.ca_pem).public_bytes(Encoding.DER)

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file."""
        table: dict[str, Any] = {
            "v": 1,
            "federation": self.federation,
            "partner": self.partner,
            "names": self.names,
            "node": self.node,
            "hub": self.hub,
            "enrol": self.enrol,
            "registry": encode_base64(self.registry),
            "registry_sha256": self.registry_id,
            "ca": self.ca_pem.decode("ascii"),
            "token": self.token.decode("ascii"),
            "expires": format_instant(self.expires),
        }
        return table | ({"replace": True} if self.replace else {})


@dataclass(frozen=True, slots=True)
class Enrolling:
    """A join that was begun: the signed statement, the TLS request that it names, and where it stands."""

    file: JoinFile
    envelope: bytes
    csr: bytes
    state: str

    @property
    def join_id(self) -> Sha256Hex:
        """The id of the join statement, which is its fingerprint."""
        return parse_envelope(self.envelope).id

    def with_state(self, state: str) -> "Enrolling":
        """The same at another place."""
        return replace(self, state=state)

    def save(self, keys: Path) -> None:
        """Remember it in the keys' folder."""
        table = {
            "v": 1,
            "file": self.file.to_json(),
            "envelope": encode_base64(self.envelope),
            "csr": encode_base64(self.csr),
            "state": self.state,
        }
        durable.write_file(keys / _ENROLMENT, json.dumps(table, ensure_ascii=False).encode(), mode=0o600)

    @classmethod
    def load(cls, keys: Path, limits: Limits = LIMITS) -> "Enrolling | None":
        """What was remembered; None when no join was begun. Raises `Corrupt`."""
        path = keys / _ENROLMENT
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            fields = Fields(parse_json(data, 4 * limits.join_file_bytes_max, limits), "enrolment", limits)
            fields.version()
            bound = limits.join_file_bytes_max
            made = cls(
                _read(fields.raw("file"), limits),
                fields.binary("envelope", bytes_max=bound),
                fields.binary("csr", bytes_max=bound),
                fields.text("state"),
            )
            fields.finish()
        except SynclineError as error:
            raise Corrupt(
                f"{path} is damaged: {error.message}",
                remedy="restore it from a backup, or remove it and join again with a new join file",
            ) from error
        return made


def read_join_file(path: Path, limits: Limits = LIMITS) -> JoinFile:
    """Read and check a join file.

    Raises `InvalidInput` when it is not one, `Untrusted` when its registry is not the one that it names.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limits.join_file_bytes_max + 1)
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.strerror}", remedy="give the file that the hub's operator sent"
        ) from error
    try:
        read = _read(parse_json(data, limits.join_file_bytes_max, limits), limits)
    except SynclineError as error:
        raise InvalidInput(
            f"{path} is not a join file, or was altered: {error.message}",
            remedy="ask the hub's operator to send it again, as it was written",
            reason="BAD_JOIN_FILE",
        ) from error
    try:
        verify_first(read.registry, read.registry_id)
    except Untrusted as error:
        raise Untrusted(
            f"the registry in {path} was altered: {error.message}",
            remedy=error.remedy or "ask the hub's operator for a new join file, and tell him why",
            reason=error.reason,
        ) from error
    return read


def _read(value: object, limits: Limits) -> JoinFile:
    fields = Fields(value, "join file", limits)
    fields.version()
    names = Fields(fields.raw("names"), "join file: names", limits)
    made = JoinFile(
        federation=check_federation(fields.text("federation")),
        partner=check_partner(fields.text("partner")),
        names={language: names.text(language) for language in _keys(fields.raw("names"), limits)},
        node=check_node(fields.text("node")),
        hub=_address(fields.text("hub")),
        enrol=_address(fields.text("enrol")),
        registry=decode_base64(fields.text("registry", limits.join_file_bytes_max), "join file: registry"),
        registry_id=fields.digest("registry_sha256"),
        ca_pem=fields.text("ca", _PEM_BYTES_MAX, lines=True).encode(),
        token=fields.text("token", _TOKEN_BYTES_MAX).encode(),
        expires=parse_instant(fields.text("expires")),
        replace=_replaces(fields),
    )
    fields.finish()
    try:
        made.ca_der  # noqa: B018 -- read once, to see that it can be
    except ValueError:
        raise InvalidInput("its certificate authority is not a certificate") from None
    return made


def _replaces(fields: Fields) -> bool:
    if "replace" not in fields:
        return False
    if fields.raw("replace") is not True:
        raise InvalidInput("replace is true, or it is not there")
    return True


def _keys(value: object, limits: Limits) -> list[str]:
    if not isinstance(value, dict) or not 0 < len(value) <= limits.languages_count_max:  # pyright: ignore[reportUnknownArgumentType]
        raise InvalidInput("names has no language, or too many")
    return [str(key) for key in value]


def _address(text: str) -> str:
    host_of(text)
    return text
