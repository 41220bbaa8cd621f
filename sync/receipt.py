"""The receipt: the hub's signed word that it has accepted a version, and at which place in its log.

    receipt = verify_receipt(envelope, registry)          # signed by a hub key, for a log of the registry
    receipt.check(dataset, manifest_id, leaf_index)

Rules: a DSSE envelope of its own payload type, signed by a hub key of the registry; unknown fields are
refused. Who holds a receipt and finds another leaf at its place can prove that the log was rewritten. See
docs/formats/receipt.md.
"""

from dataclasses import dataclass, field
from datetime import datetime

from core.clock import format_instant
from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from core.names import DatasetId, check_dataset
from security.canonical import canonical, parse_strict
from security.digests import Sha256Hex
from security.envelope import RECEIPT, verify
from security.fields import Fields, encode_base64
from security.registry import Registry
from security.tlog.leaf import registry_of_leaf

_LEAF_BYTES_MAX = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the hub says. `log` is the origin of the log that has `leaf` (its bytes) at `leaf_index`."""

    federation: str
    log: str
    dataset: DatasetId
    manifest_sha256: Sha256Hex
    leaf_index: int
    leaf: bytes
    accept_time: datetime
    envelope: bytes = field(default=b"", repr=False, compare=False)

    def to_payload(self) -> bytes:
        """The canonical bytes that are signed."""
        return canonical(
            {
                "v": 1,
                "federation": self.federation,
                "log": self.log,
                "dataset": self.dataset,
                "manifest_sha256": self.manifest_sha256,
                "leaf_index": self.leaf_index,
                "leaf": encode_base64(self.leaf),
                "accept_time": format_instant(self.accept_time),
            }
        )

    def check(self, dataset: DatasetId, manifest_id: str, leaf_index: int) -> None:
        """Demand that it is for this version at this place. Raises `Untrusted` (WRONG_RECEIPT)."""
        stated = (self.dataset, self.manifest_sha256, self.leaf_index)
        if stated != (dataset, manifest_id, leaf_index):
            raise Untrusted(
                f"the hub's receipt is for {self.dataset}, version {self.manifest_sha256[:8]}, leaf"
                f" {self.leaf_index}, and not for {dataset}, version {manifest_id[:8]}, leaf {leaf_index}",
                reason="WRONG_RECEIPT",
            )


def verify_receipt(envelope: bytes, registry: Registry, limits: Limits = LIMITS) -> Receipt:
    """The receipt in `envelope`, signed by a hub key of `registry`, for a log that it lists.

    Raises `Untrusted`: those of `envelope.verify` and of reading, WRONG_RECEIPT.
    """
    payload = verify(envelope, RECEIPT, registry.hub_keys, 1, limits).payload
    fields = Fields(parse_strict(payload, limits), "receipt", limits)
    fields.version(1)
    try:
        dataset = check_dataset(fields.text("dataset"))
    except InvalidInput as error:
        raise Untrusted(f"receipt: {error.message}", reason="MALFORMED") from None
    made = Receipt(
        federation=fields.text("federation"),
        log=fields.text("log"),
        dataset=dataset,
        manifest_sha256=fields.digest("manifest_sha256"),
        leaf_index=fields.integer("leaf_index"),
        leaf=fields.binary("leaf", bytes_max=_LEAF_BYTES_MAX),
        accept_time=fields.instant("accept_time"),
        envelope=envelope,
    )
    fields.finish()
    if made.federation != registry.federation or made.log not in {log.origin for log in registry.logs}:
        raise Untrusted(
            f"the receipt is of {made.federation} and its log {made.log}, which the registry does not list",
            reason="WRONG_RECEIPT",
        )
    if registry_of_leaf(made.leaf, limits) is not None:
        raise Untrusted("the receipt names a registry's leaf as a version's", reason="WRONG_RECEIPT")
    return made
