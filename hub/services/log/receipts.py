"""Receipts: the hub's signed word that it has accepted a version, at a time, as a leaf of its log.

Signed after the commit and outside of its lock. The payload of a version's receipt is always the same bytes;
the ML-DSA half of the signature is randomised, so that the last ones are kept in memory and sent unchanged.
Whoever holds one can prove a dropped leaf (docs/formats/receipt.md).

    receipts.of(dataset, manifest_id, leaf_index, accept_time)
"""

import threading
from collections import OrderedDict
from datetime import datetime

import sqlalchemy as sa

from core.names import DatasetId
from hub.services.context import Context
from hub.services.registry import RegistryService
from hub.storage import schema
from security import envelope as dsse
from security.keys import SigningKey
from security.keystore import load_signing_key
from security.tlog.position import position
from sync.receipt import Receipt

_KEPT_COUNT = 1024  # about 8 KiB each


class Receipts:
    """Signs receipts with the hub's key. Thread-safe."""

    def __init__(self, context: Context, registry: RegistryService) -> None:
        self._context = context
        self._registry = registry
        self._key: SigningKey | None = None
        self._lock = threading.Lock()
        self._made: OrderedDict[bytes, bytes] = OrderedDict()

    def of(self, dataset: DatasetId, manifest_id: str, leaf_index: int, accept_time: datetime) -> bytes:
        """The receipt of a committed version. Raises what loading the hub's key raises."""
        with self._context.database.read() as connection:
            registry = self._registry.membership(connection).registry.registry
            leaf: bytes = connection.execute(
                sa.select(schema.leaves.c.leaf).where(schema.leaves.c.idx == leaf_index)
            ).scalar_one()
        # A leaf that a continued log has taken over belongs to the log that had it first.
        number, _ = position(registry.logs, registry.logs[-1].origin, leaf_index)
        receipt = Receipt(
            federation=registry.federation,
            log=registry.logs[number].origin,
            dataset=dataset,
            manifest_sha256=manifest_id,
            leaf_index=leaf_index,
            leaf=leaf,
            accept_time=accept_time,
        )
        return self._signed(receipt.to_payload())

    def _signed(self, payload: bytes) -> bytes:
        with self._lock:
            known = self._made.get(payload)
            if known is not None:
                return known
            if self._key is None:
                self._key = load_signing_key(self._context.layout.hub_key)
        made = dsse.sign(dsse.RECEIPT, payload, [self._key])
        with self._lock:
            made = self._made.setdefault(payload, made)
            if len(self._made) > _KEPT_COUNT:
                self._made.popitem(last=False)
        return made
