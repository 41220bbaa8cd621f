"""What this node can prove about a dataset that it mirrors: its records, and what stands beside the data.

    mirrored = Mirrored(state, ledger, leaves, chain)
    mirrored.openings("cn-cgs/faults")             # of versions, policies, deliveries, own acknowledgements
    mirrored.dataset("cn-cgs/faults", 4712, with_data=False)

Rules: what stands in the mirror, where others may write, counts only as far as it fits what the node knows by
itself: manifests by the id that was applied, policies by their owner's signature, openings by their leaves.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from audit.bundle.contents import BundleDataset, BundlePolicy, BundleVersion
from audit.source import read_bounded
from audit.statements import owner_keys
from core.errors import SynclineError, Unavailable
from core.limits import LIMITS, Limits
from core.names import EVIDENCE_FOLDER, DatasetId, owner_of
from node.export.files import FileStream, FolderContent
from node.export.proving import Leaves
from node.mirror_state import MirrorTable
from node.state import NodeState
from node.subscribe.records import Record
from node.witness.ledger import Kept, Ledger
from security import envelope as dsse
from security.policy import verify_policy
from security.registry import VerifiedRegistry
from security.tlog.opening_file import OpeningFile
from sync.manifest import parse_manifest
from sync.ports import RecipeStream

_OPENINGS = ("version", "policy", "delivery")


@dataclass(frozen=True, slots=True)
class _Standing:
    """A version that was applied: its folder in the mirror, and the node's own record of it."""

    folder: Path
    record: Record
    id: str

    def beside(self, name: str, limits: Limits) -> bytes | None:
        """A file of its `.syncline`, or None."""
        try:
            return read_bounded(self.folder / EVIDENCE_FOLDER / name, limits.envelope_bytes_max)
        except SynclineError:
            return None


class Mirrored:
    """The mirrors of a node."""

    def __init__(
        self,
        state: NodeState,
        ledger: Ledger,
        leaves: Leaves,
        chain: tuple[VerifiedRegistry, ...],
        limits: Limits = LIMITS,
    ) -> None:
        self._state = state
        self._ledger = ledger
        self._leaves = leaves
        self._chain = chain
        self._limits = limits

    def dataset(self, dataset: DatasetId, size: int, *, with_data: bool) -> BundleDataset:
        """All that is at hand about one, up to leaf `size`. Raises `Unavailable` where that is nothing."""
        standing = self._standing(dataset)
        versions = [
            made
            for _, each in sorted(standing.items())
            if (made := self._version(dataset, each, with_data=with_data)) is not None
        ]
        if not versions:
            raise Unavailable(
                f"no version of {dataset} stands here with its manifest",
                remedy="run: syncline-node sync",
                reason="NOTHING_AT_HAND",
            )
        return BundleDataset(
            dataset,
            versions,
            self._policies(dataset, standing.values()),
            self._acknowledgements(dataset, standing.values(), size),
        )

    def openings(self, dataset: DatasetId) -> Iterator[OpeningFile]:
        """What this node has of the log about it, in any order; some may come twice."""
        for each in self._about(dataset):
            yield OpeningFile(each.index, each.record, each.nonce)
        for standing in self._standing(dataset).values():
            for name in _OPENINGS:
                data = standing.beside(f"log/{name}.opening.json", self._limits)
                opening = None if data is None else self._opening(data)
                if opening is not None:
                    yield opening

    def notes(self, dataset: DatasetId) -> Iterator[bytes]:
        """The checkpoints beside its versions."""
        for standing in self._standing(dataset).values():
            note = standing.beside("log/checkpoint", self._limits)
            if note is not None:
                yield note

    def _opening(self, data: bytes) -> OpeningFile | None:
        try:
            opening = OpeningFile.from_bytes(data, self._limits)
        except SynclineError:
            return None
        return opening if self._leaves.holds(opening) else None

    def _about(self, dataset: DatasetId) -> Iterator[Kept]:
        """Deliveries to this partner and its acknowledgements: they stand in another's lane."""
        return (each for each in self._ledger.all() if not each.lane_n and each.object == dataset)

    def _standing(self, dataset: DatasetId) -> dict[str, _Standing]:
        """By folder, so in a bundle's order; a version that stands in several mirrors once."""
        table, found = MirrorTable(self._state), dict[str, _Standing]()
        for row in table.all():
            if row.dataset != dataset:
                continue
            for version in table.versions(row.key):
                record = Record(self._state.state_dir / "mirrors" / row.key / version.folder, self._limits)
                if record.is_complete:
                    folder = Path(row.path) / dataset / "versions" / version.folder
                    found.setdefault(f"{version.folder}/", _Standing(folder, record, version.manifest_id))
        return found

    def _version(self, dataset: DatasetId, standing: _Standing, *, with_data: bool) -> BundleVersion | None:
        envelope = standing.beside("manifest.json", self._limits)
        try:
            if envelope is None or (parsed := dsse.parse(envelope, self._limits)).id != standing.id:
                return None
        except SynclineError:
            return None
        manifest = parse_manifest(parsed.payload, dataset, self._limits)
        record = standing.record
        content = FolderContent(standing.folder, lambda: ((f.path, f.sha256, f.size) for f in record.files()))
        return BundleVersion(
            seq=manifest.seq,
            id=parsed.id,
            manifest=envelope,
            inventory_sha256=manifest.inventory_sha256,
            content_bytes=manifest.bytes,
            inventory=FileStream(record.path(RecipeStream.INVENTORY)),
            content=content if with_data else None,
        )

    def _policies(self, dataset: DatasetId, standing: Iterable[_Standing]) -> list[BundlePolicy]:
        keys = owner_keys(self._chain, owner_of(dataset))
        found: dict[int, BundlePolicy] = {}
        for each in standing:
            envelope = each.record.read("policy.json") or each.beside("policy.json", self._limits)
            rules = each.record.read("policy-rules.json") or each.beside("policy-rules.json", self._limits)
            if envelope is None or rules is None:
                continue
            try:
                seq = verify_policy(
                    envelope, rules, keys, complete=False, dataset=dataset, limits=self._limits
                ).policy.seq
            except SynclineError:
                continue
            found.setdefault(seq, BundlePolicy(seq, envelope, rules))
        return [found[seq] for seq in sorted(found)]

    def _acknowledgements(
        self, dataset: DatasetId, standing: Iterable[_Standing], size: int
    ) -> list[tuple[int, bytes]]:
        """The acknowledgements of this node, where the log has them."""
        envelopes = (each.record.read("acknowledgement.json") for each in standing)
        by_id = {dsse.parse(each, self._limits).id: each for each in envelopes if each is not None}
        return [
            (each.index, by_id[each.statement_sha256 or ""])
            for each in self._about(dataset)
            if each.type == "acknowledgement" and each.statement_sha256 in by_id and each.index < size
        ]
