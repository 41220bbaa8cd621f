"""A node's export: all that it has to prove some datasets, under the newest checkpoint that it has read.

    datasets = choose(place, ["geology-1m", "cn-cgs/*"])
    done = export(place, datasets, Path("evidence.zip"), with_data=False, progress=progress)

Rules: nothing is asked of the hub, and nothing changes here; what the node does not have is left out, and who
checks the bundle is told what is missing. Its own lane is opened whole where it has read all of it.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from heapq import merge
from pathlib import Path

from audit.bundle.container import check_free
from audit.bundle.contents import (
    BundleDataset,
    BundleRecord,
    BundleRegistry,
    BundleScope,
    Contents,
    write_contents,
)
from audit.bundle.keys import key_files, log_policy
from audit.bundle.readme import bag_info, readme
from audit.bundle.writer import new_bag
from core.clock import Clock
from core.errors import InvalidInput, Unavailable, Untrusted
from core.limits import LIMITS, Limits
from core.names import DatasetId, PartnerId, check_dataset, owner_of
from core.progress import Progress
from node.config import NodeSettings
from node.export.mirrored import Mirrored
from node.export.own import OwnDatasets
from node.export.proving import Leaves
from node.mirror_state import MirrorTable
from node.state import NodeState
from node.trust import TrustStore
from node.witness.ledger import Ledger
from security.registry import VerifiedRegistry
from security.tlog.leaf import leaf_hash, registry_leaf
from security.tlog.opening_file import LanePlace, OpeningFile

_WILD = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Place:
    """Whose node it is, and where its state stands."""

    settings: NodeSettings
    clock: Clock
    limits: Limits = LIMITS

    @property
    def state_dir(self) -> Path:
        """Its state."""
        return self.settings.node.state_dir


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. `unread`: leaves of the tree whose openings this node has not asked for yet."""

    scope: BundleScope
    records: int
    files: int
    bytes: int
    unread: int


def export(
    place: Place, datasets: Sequence[DatasetId], out: Path, *, with_data: bool, progress: Progress
) -> Exported:
    """Write the bundle. Raises `Conflict` (ALREADY_EXISTS), `Unavailable` (LOG_NOT_READ), `Corrupt`."""
    check_free(out)
    with closing(NodeState(place.state_dir, read_only=True)) as state:
        made = _Export(place, state, datasets, with_data=with_data)
        contents = made.contents()
        with new_bag(out, contents.scope.base, place.limits) as bag:
            write_contents(bag, contents, progress)
            bag.seal(readme(contents.scope), bag_info(contents.scope))
        return Exported(contents.scope, made.records, bag.files, bag.bytes, made.unread)


def choose(place: Place, wanted: Sequence[str]) -> list[DatasetId]:
    """The datasets that are meant, own ones also without the partner. Raises `InvalidInput`."""
    with closing(NodeState(place.state_dir, read_only=True)) as state:
        known = sorted(_published(state) | {DatasetId(row.dataset) for row in MirrorTable(state).all()})
    found: set[DatasetId] = set()
    for text in wanted:
        name = text if "/" in text else f"{place.settings.partner}/{text}"
        if _WILD.isdisjoint(name):
            matches = [each for each in known if each == check_dataset(name)]
        else:
            matches = [each for each in known if fnmatchcase(each, name)]
        if not matches:
            raise InvalidInput(
                f"this node neither publishes nor mirrors {text}",
                remedy=f"known here are: {', '.join(known) or 'none yet'}",
            )
        found.update(matches)
    return sorted(found)


def _published(state: NodeState) -> set[DatasetId]:
    rows = state.database.conn.execute("SELECT dataset FROM heads").fetchall()
    return {DatasetId(str(dataset)) for (dataset,) in rows}


class _Export:
    """One export being made."""

    def __init__(
        self, place: Place, state: NodeState, datasets: Sequence[DatasetId], *, with_data: bool
    ) -> None:
        self._partner = place.settings.partner
        self._datasets = datasets
        self._published = _published(state)
        self._with_data = with_data
        self._chain = tuple(TrustStore(place.state_dir, place.clock, place.limits).chain())
        if not self._chain:
            raise Unavailable("this node has not joined a federation yet", reason="NOT_ENROLLED")
        self._ledger = Ledger(state)
        leaves = Leaves.of(place.state_dir, place.limits)
        self._mirrored = Mirrored(state, self._ledger, leaves, self._chain, place.limits)
        self._own = OwnDatasets(place.settings, state, self._ledger, place.limits)
        self._is_owner = any(owner_of(each) == self._partner for each in datasets)
        self._about = self._openings()
        notes = (n for each in datasets for of in (self._own, self._mirrored) for n in of.notes(each))
        self._prover = leaves.prover(self._chain[-1].registry, notes, self._needed())
        self.unread = max(0, self._prover.size - self._ledger.taken)
        self.records = 0

    def contents(self) -> Contents:
        """What goes into the bundle."""
        registries = list(self._registries())
        chain = [each.registry for each, _ in registries]
        checkpoint = self._prover.checkpoint
        log = None
        if chain:
            log = next((each for each in chain[-1].logs if each.origin == checkpoint.origin), None)
        if log is None:
            raise Untrusted(f"the registry knows no log {checkpoint.origin}", reason="UNKNOWN_LOG")
        signers = {owner_of(each) for each in self._datasets} | {self._partner}
        for each in self._datasets:
            signers.update(PartnerId(partner) for partner in self._own.partners(each, checkpoint.size))
        return Contents(
            scope=BundleScope(
                federation=chain[-1].federation,
                audience=self._partner,
                lanes=(self._partner,) if self._is_whole(checkpoint.size) else (),
                datasets=tuple(sorted(self._datasets)),
                since=None,
                log=checkpoint.origin,
                tree_size=checkpoint.size,
            ),
            datasets=[self._dataset(each) for each in self._datasets],
            keys=key_files(chain, signers, log),
            checkpoint=self._prover.note,
            log_policy=log_policy(chain[-1]),
            records=self._records(),
            registries=[
                BundleRegistry(each.registry.seq, each.envelope, self._prover.proof(index))
                for each, index in registries
            ],
        )

    def _is_whole(self, size: int) -> bool:
        """Whether the own lane is here to its end, with all statements about the own datasets."""
        own = [each for each in self._datasets if owner_of(each) == self._partner]
        return bool(own) and not self.unread and all(self._own.is_whole(each, size) for each in own)

    def _dataset(self, dataset: DatasetId) -> BundleDataset:
        """From what was published here, or else from a mirror."""
        source = self._own if dataset in self._published else self._mirrored
        return source.dataset(dataset, self._prover.size, with_data=self._with_data)

    def _openings(self) -> dict[int, OpeningFile]:
        """What does not stand in the own lane."""
        others = (each for each in self._datasets if owner_of(each) != self._partner)
        return {each.index: each for dataset in others for each in self._mirrored.openings(dataset)}

    def _needed(self) -> int:
        """How many leaves the checkpoint must cover, so that nothing of this is newer."""
        last = max(self._about, default=0)
        if self._is_owner and (end := self._ledger.lane_end(self._ledger.taken)) is not None:
            last = max(last, end.index)
        return last + 1

    def _registries(self) -> Iterator[tuple[VerifiedRegistry, int]]:
        """The statements that the tree has, with their leaves; what came later is no part of it."""
        hashes = {each.id: leaf_hash(registry_leaf(each.id)) for each in self._chain}
        places = self._prover.find(hashes.values())
        for each in self._chain:
            index = places.get(hashes[each.id])
            if index is None:
                return
            yield each, index

    def _records(self) -> Iterator[BundleRecord]:
        """The own lane with its places, where a dataset of it is asked for, and what concerns the others."""
        lane = self._lane() if self._is_owner else iter(())
        about = (self._about[index] for index in sorted(self._about) if index < self._prover.size)
        for opening in merge(lane, about, key=lambda each: each.index):
            self.records += 1
            yield BundleRecord(opening.index, opening.to_bytes(), self._prover.proof(opening.index))

    def _lane(self) -> Iterator[OpeningFile]:
        for each in self._ledger.lane():
            if each.index >= self._prover.size:
                return
            place = LanePlace(each.lane_n, each.lane_prev, each.lane_salt or b"")
            yield OpeningFile(each.index, each.record, each.nonce, place)
