"""What this node can prove about a dataset of its own partner: from its state, its lane and its receipts.

own = OwnDatasets(settings, state, ledger)
own.dataset("la-dgm/geology-1m", 4712, with_data=True)
"""

from collections.abc import Iterator
from pathlib import Path

from audit.bundle.contents import BundleDataset, BundlePolicy, BundleVersion, version_folder
from core.errors import InvalidInput, Unavailable
from core.limits import LIMITS, Limits
from core.names import DatasetId
from node.config import NodeSettings
from node.export.files import FolderContent, Lines
from node.publish.receipts import ReceiptStore
from node.publish.records import Head, PublishRecords
from node.state import NodeState
from node.witness.ledger import Kept, Ledger
from security import envelope as dsse
from sync.manifest import parse_manifest


class OwnDatasets:
    """Own datasets, as far as the records below some leaf tell of them."""

    def __init__(
        self, settings: NodeSettings, state: NodeState, ledger: Ledger, limits: Limits = LIMITS
    ) -> None:
        self._settings = settings
        self._state = state
        self._ledger = ledger
        self._limits = limits
        self._receipts = ReceiptStore(state.state_dir)

    def dataset(self, dataset: DatasetId, size: int, *, with_data: bool) -> BundleDataset:
        """All that is at hand about one, up to leaf `size`. Raises `Unavailable` where that is nothing."""
        head = PublishRecords(self._state, dataset).head()
        versions = sorted(
            self._accepted(dataset, "version", size).items(),
            key=lambda each: version_folder(each[1], each[0]),
        )
        policies = sorted(self._accepted(dataset, "policy", size).items(), key=lambda each: each[1])
        if not versions and not policies:
            raise Unavailable(
                f"this node has not read in the log yet what it published of {dataset}",
                remedy="run: syncline-node sync",
                reason="NOTHING_AT_HAND",
            )
        return BundleDataset(
            dataset,
            self._versions(dataset, versions, head, with_data=with_data),
            self._policies(policies),
            self._acknowledgements(dataset, size),
        )

    def is_whole(self, dataset: DatasetId, size: int) -> bool:
        """Whether every statement that the lane records of it is at hand."""
        head = PublishRecords(self._state, dataset).head()
        versions = self._accepted(dataset, "version", size).items()
        policies = self._accepted(dataset, "policy", size)
        return all(self._manifest(dataset, seq, id_, head) is not None for id_, seq in versions) and all(
            self._ledger.policy(id_) is not None for id_ in policies
        )

    def notes(self, dataset: DatasetId) -> Iterator[bytes]:
        """The checkpoints beside the receipts of its statements."""
        for path in sorted((self._state.state_dir / "receipts" / dataset).glob("*/checkpoint")):
            yield path.read_bytes()

    def partners(self, dataset: DatasetId, size: int) -> set[str]:
        """Whose acknowledgements there are."""
        return {str(each.value["actor"]) for each in self._records(dataset, "acknowledgement", size)}

    def _accepted(self, dataset: DatasetId, kind: str, size: int) -> dict[str, int]:
        """Statement ids of the lane, with their numbers."""
        found: dict[str, int] = {}
        for each in self._records(dataset, kind, size):
            seq = each.detail.get("seq")
            if each.statement_sha256 is not None and isinstance(seq, int):
                found.setdefault(each.statement_sha256, seq)
        return found

    def _records(self, dataset: DatasetId, kind: str, size: int) -> Iterator[Kept]:
        return (each for each in self._ledger.lane(dataset) if each.type == kind and each.index < size)

    def _versions(
        self, dataset: DatasetId, accepted: list[tuple[str, int]], head: Head | None, *, with_data: bool
    ) -> Iterator[BundleVersion]:
        for id_, seq in accepted:
            envelope = self._manifest(dataset, seq, id_, head)
            if envelope is None:
                continue  # from before this node kept them
            is_head = head is not None and head.manifest_id == id_
            manifest = parse_manifest(dsse.parse(envelope, self._limits).payload, dataset, self._limits)
            records = PublishRecords(self._state, dataset)
            content = self._content(dataset, records) if with_data and is_head else None
            yield BundleVersion(
                seq=seq,
                id=id_,
                manifest=envelope,
                inventory_sha256=manifest.inventory_sha256,
                content_bytes=manifest.bytes,
                inventory=Lines(lambda r=records: ((f.path, f.sha256.hex()) for f in r.published()))
                if is_head
                else None,
                receipt=_read(self._receipts.folder(dataset, seq, id_) / "receipt.json"),
                content=content,
            )

    def _manifest(self, dataset: DatasetId, seq: int, id_: str, head: Head | None) -> bytes | None:
        envelope = _read(self._receipts.folder(dataset, seq, id_) / "manifest.json")
        if envelope is None and head is not None and head.manifest_id == id_:
            return head.manifest_envelope
        return envelope

    def _content(self, dataset: DatasetId, records: PublishRecords) -> FolderContent | None:
        """The published folder, where it is this node that publishes."""
        try:
            folder = self._settings.published(dataset).path
        except InvalidInput:
            return None
        return FolderContent(folder, lambda: ((f.path, f.sha256.hex(), f.bytes) for f in records.published()))

    def _policies(self, accepted: list[tuple[str, int]]) -> Iterator[BundlePolicy]:
        for id_, seq in accepted:
            found = self._ledger.policy(id_)
            if found is not None:
                yield BundlePolicy(seq, found.envelope, found.disclosures)

    def _acknowledgements(self, dataset: DatasetId, size: int) -> Iterator[tuple[int, bytes]]:
        for each in self._records(dataset, "acknowledgement", size):
            if each.statement is not None:
                yield each.index, each.statement


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
