"""Checks the hub's receipt for a version against what stands in its log.

    receipt, finding = check_receipt(envelope, manifest, record, view, chain)

Rules: the receipt is signed by a key of the hub that some registry statement lists, and is about this very
version. It names a leaf and its index: where another leaf stands there, the hub has dropped what it had
accepted, and its own signature proves it.
"""

from collections.abc import Sequence

from audit.dossier import LoggedRecord, VersionReceipt
from audit.findings import Finding, failed, passed, unchecked
from audit.logged import LogView
from core.errors import Untrusted
from core.limits import LIMITS, Limits
from security import envelope as dsse
from security.canonical import parse_strict
from security.fields import Fields
from security.keys import PublicKey
from security.registry import VerifiedRegistry
from security.tlog.position import position
from sync.manifest import VerifiedManifest

_CHECK = "receipt"
_DROPPED = "the receipt proves it: show both to the federation's administrators"


def check_receipt(
    envelope: bytes,
    manifest: VerifiedManifest,
    record: LoggedRecord | None,
    view: LogView | None,
    chain: Sequence[VerifiedRegistry],
    limits: Limits = LIMITS,
) -> tuple[VersionReceipt | None, Finding]:
    """The receipt, and whether the log keeps what it promises. `record` is the version's proven leaf."""
    what = f"version {manifest.manifest.seq}"
    try:
        receipt, leaf, about = read_receipt(envelope, chain, limits)
    except Untrusted as error:
        return None, failed(_CHECK, f"{what}: {error.message}", "do not rely on this receipt")
    if about != (manifest.manifest.dataset, manifest.id):
        return None, failed(_CHECK, f"{what}: the receipt is about another version", "do not rely on it")
    if record is None or view is None:
        return receipt, unchecked(_CHECK, f"{what}: without its leaf the receipt cannot be compared")
    try:
        promised = position(view.logs, receipt.log, receipt.leaf_index)
    except Untrusted as error:
        return receipt, failed(_CHECK, f"{what}: {error.message}", _DROPPED)
    if promised[0] < record.position[0]:
        return receipt, passed(
            _CHECK, f"{what}: accepted in {receipt.log}; logged again where the log was continued"
        )
    if promised != record.position or leaf != record.leaf:
        return receipt, failed(
            _CHECK,
            f"dropped leaf: the hub signed that leaf {receipt.leaf_index} records {what}, and its log has"
            f" another one there",
            _DROPPED,
        )
    return receipt, passed(_CHECK, f"{what}: leaf {receipt.leaf_index} is the one that the hub promised")


def read_receipt(
    envelope: bytes, chain: Sequence[VerifiedRegistry], limits: Limits = LIMITS
) -> tuple[VersionReceipt, bytes, tuple[str, str]]:
    """The receipt, the leaf that it promises, and what it is about. Raises `Untrusted`."""
    keys: dict[PublicKey, None] = {key: None for each in chain for key in each.registry.hub_keys}
    verified = dsse.verify(envelope, dsse.RECEIPT, list(keys), 1, limits)
    fields = Fields(parse_strict(verified.payload, limits), "receipt", limits)
    fields.version()
    federation = fields.text("federation")
    about = (fields.text("dataset"), fields.digest("manifest_sha256"))
    leaf = fields.binary("leaf", bytes_max=limits.text_bytes_max)
    receipt = VersionReceipt(
        fields.text("log"), fields.integer("leaf_index"), fields.instant("accept_time"), envelope
    )
    fields.finish()
    if federation != chain[-1].registry.federation:
        raise Untrusted(f"the receipt is of {federation}", reason="WRONG_REGISTRY")
    return receipt, leaf, about
