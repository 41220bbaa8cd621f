"""Who stands in a registry: partners with their nodes and keys, auditors, administrators, logs.

    node = RegistryNode("main", witness_key.public)
    RegistryPartner("la-dgm", {"en": "Department of Geology and Mines"}, (key.public,), (node,), ACTIVE)

Reading checks types, bounds and order; unknown fields are refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from core.names import NodeName, PartnerId, check_node, check_partner
from security.canonical import JSON
from security.fields import Fields, encode_base64
from security.keys import ED25519_PUBLIC_BYTES, PublicKey

ACTIVE = "active"
SUSPENDED = "suspended"
REVOKED = "revoked"
STATES = (ACTIVE, SUSPENDED, REVOKED)
AUDITOR_STATES = (ACTIVE, REVOKED)

NODES_COUNT_MAX = 64
KEYS_COUNT_MAX = 64
_ADMINISTRATORS_COUNT_MAX = 16


@dataclass(frozen=True, slots=True)
class RegistryNode:
    """A node of a partner, with its raw Ed25519 witness key."""

    name: NodeName
    witness_key: bytes

    def to_json(self) -> dict[str, JSON]:
        """`{"name", "witness_key": base64}`."""
        return {"name": self.name, "witness_key": encode_base64(self.witness_key)}

    @classmethod
    def from_json(cls, value: object, limits: Limits = LIMITS) -> "RegistryNode":
        """Read what `to_json` writes. Raises `Untrusted`."""
        fields = Fields(value, "registry: node", limits)
        try:
            name = check_node(fields.text("name"))
        except InvalidInput as error:
            raise Untrusted(f"registry: {error.message}", reason="MALFORMED") from None
        made = cls(name, fields.binary("witness_key", ED25519_PUBLIC_BYTES))
        fields.finish()
        return made


@dataclass(frozen=True, slots=True)
class RegistryPartner:
    """An agency: names by language, signing keys (all of them valid; old ones stay), nodes, state."""

    id: PartnerId
    names: Mapping[str, str]
    signing_keys: tuple[PublicKey, ...]
    nodes: tuple[RegistryNode, ...]
    state: str = ACTIVE

    @property
    def active(self) -> bool:
        """Whether it may connect now."""
        return self.state == ACTIVE

    def node(self, name: str) -> RegistryNode | None:
        """The node of that name."""
        return next((node for node in self.nodes if node.name == name), None)

    def with_node(self, node: RegistryNode, signing_key: PublicKey) -> "RegistryPartner":
        """With `node` added (or its witness key replaced) and `signing_key` among the keys."""
        nodes = tuple(each for each in self.nodes if each.name != node.name)
        keys = self.signing_keys if signing_key in self.signing_keys else (*self.signing_keys, signing_key)
        return replace(
            self, nodes=tuple(sorted((*nodes, node), key=lambda each: each.name)), signing_keys=keys
        )

    def without_node(self, name: str) -> "RegistryPartner":
        """Without the node of that name; what its key signed stays evidence, and so the key stays."""
        return replace(self, nodes=tuple(node for node in self.nodes if node.name != name))

    def without_key(self, signing_key: PublicKey) -> "RegistryPartner":
        """Without `signing_key`: what it signed can only be checked by older registries from here on."""
        return replace(self, signing_keys=tuple(key for key in self.signing_keys if key != signing_key))

    def with_key_rotated(self, old: PublicKey, new: PublicKey) -> "RegistryPartner":
        """With `new` in the place of `old`."""
        kept = (key for key in self.signing_keys if key not in (old, new))
        return replace(self, signing_keys=(*kept, new))

    def to_json(self) -> dict[str, JSON]:
        """The partner's entry."""
        return {
            "id": self.id,
            "names": dict(self.names),
            "signing_keys": [key.to_json() for key in self.signing_keys],
            "nodes": [node.to_json() for node in self.nodes],
            "state": self.state,
        }

    @classmethod
    def from_json(cls, value: object, limits: Limits = LIMITS) -> "RegistryPartner":
        """Read what `to_json` writes. Raises `Untrusted`."""
        fields = Fields(value, "registry: partner", limits)
        try:
            identifier = check_partner(fields.text("id"))
        except InvalidInput as error:
            raise Untrusted(f"registry: {error.message}", reason="MALFORMED") from None
        made = cls(
            id=identifier,
            names=fields.texts("names"),
            signing_keys=tuple(
                PublicKey.from_json(each, "registry: signing key")
                for each in fields.array("signing_keys", KEYS_COUNT_MAX)
            ),
            nodes=tuple(
                RegistryNode.from_json(each, limits) for each in fields.array("nodes", NODES_COUNT_MAX)
            ),
            state=fields.text("state"),
        )
        fields.finish()
        if made.state not in STATES:
            raise fields.wrong("state", f"one of {', '.join(STATES)}")
        names = [node.name for node in made.nodes]
        if names != sorted(set(names)):
            raise fields.wrong("nodes", "sorted by name and without repetition")
        return made


@dataclass(frozen=True, slots=True)
class RegistryAuditor:
    """An auditor of the federation: may be given every opening, and no data but by an owner's rule."""

    id: PartnerId
    names: Mapping[str, str]
    state: str = ACTIVE

    @property
    def active(self) -> bool:
        """Whether it may be given openings now."""
        return self.state == ACTIVE

    def to_json(self) -> dict[str, JSON]:
        """The auditor's entry."""
        return {"id": self.id, "names": dict(self.names), "state": self.state}

    @classmethod
    def from_json(cls, value: object, limits: Limits = LIMITS) -> "RegistryAuditor":
        """Read what `to_json` writes. Raises `Untrusted`."""
        fields = Fields(value, "registry: auditor", limits)
        try:
            identifier = check_partner(fields.text("id"))
        except InvalidInput as error:
            raise Untrusted(f"registry: {error.message}", reason="MALFORMED") from None
        made = cls(identifier, fields.texts("names"), fields.text("state"))
        fields.finish()
        if made.state not in AUDITOR_STATES:
            raise fields.wrong("state", f"one of {', '.join(AUDITOR_STATES)}")
        return made


@dataclass(frozen=True, slots=True)
class Administrators:
    """The keys that sign registries, and how many of them must."""

    keys: tuple[PublicKey, ...]
    threshold: int

    def to_json(self) -> dict[str, JSON]:
        """`{"keys", "threshold"}`."""
        return {"keys": [key.to_json() for key in self.keys], "threshold": self.threshold}

    @classmethod
    def from_json(cls, fields: Fields) -> "Administrators":
        """Read what `to_json` writes. Raises `Untrusted`."""
        made = cls(
            tuple(
                PublicKey.from_json(each, "registry: administrator")
                for each in fields.array("keys", _ADMINISTRATORS_COUNT_MAX)
            ),
            fields.integer("threshold", 1),
        )
        fields.finish()
        if made.threshold > len(made.keys):
            raise fields.wrong("threshold", "at most the number of keys")
        return made


@dataclass(frozen=True, slots=True)
class RegistryLog:
    """A log of the hub: its origin line and Ed25519 key; after a restore, what it continues.

    `continues` is (old origin, the old log's last checkpoint as text).
    """

    origin: str
    key: bytes
    continues: tuple[str, str] | None = None

    def to_json(self) -> dict[str, JSON]:
        """`{"origin", "key", "continues"?: {"origin", "checkpoint"}}`."""
        made: dict[str, JSON] = {"origin": self.origin, "key": encode_base64(self.key)}
        if self.continues is not None:
            made["continues"] = {"origin": self.continues[0], "checkpoint": self.continues[1]}
        return made

    @classmethod
    def from_json(cls, value: object, limits: Limits = LIMITS) -> "RegistryLog":
        """Read what `to_json` writes. Raises `Untrusted`."""
        fields = Fields(value, "registry: log", limits)
        continues = None
        if "continues" in fields:
            old = fields.object("continues")
            continues = (old.text("origin"), old.text("checkpoint", lines=True))
            old.finish()
        made = cls(fields.text("origin"), fields.binary("key", ED25519_PUBLIC_BYTES), continues)
        fields.finish()
        return made
