"""What a bundle holds, and where each thing stands in it: one layout for the hub, the node and the auditor.

    contents = Contents(scope=Scope(…), checkpoint=note, …)
    with new_bag(out, contents.scope.base) as bag:
        write_contents(bag, contents, progress)
        bag.seal(readme, info)

Rules: iterables are read once, in the order in which the files stand in the bag; nothing is held that grows
with their number. Who may have what is decided before. Format: docs/formats/bundle.md.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from audit.bundle.departures import departure_name
from audit.bundle.writer import Bag
from core.clock import format_instant
from core.errors import Corrupt
from core.names import DatasetId, PartnerId
from core.progress import Progress
from security.canonical import JSON, canonical

ID_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class BundleScope:
    """What a bundle was made to hold; `audience` is who it is for."""

    federation: str
    audience: str
    lanes: tuple[PartnerId, ...]
    datasets: tuple[DatasetId, ...]
    since: datetime | None
    log: str
    tree_size: int

    @property
    def base(self) -> str:
        """The folder in a zip file."""
        return f"{self.federation}-{self.tree_size}-for-{self.audience}"

    def to_bytes(self) -> bytes:
        """`scope.json`."""
        value: dict[str, JSON] = {
            "v": 1,
            "federation": self.federation,
            "for": self.audience,
            "lanes": sorted(self.lanes),
            "datasets": sorted(self.datasets),
            "log": self.log,
            "tree_size": self.tree_size,
        }
        if self.since is not None:
            value["since"] = format_instant(self.since)
        return canonical(value)


class Stream(Protocol):
    """Bytes that are read when they are written."""

    @property
    def size(self) -> int:
        """How many."""
        ...

    def pieces(self) -> Iterable[bytes | memoryview]:
        """All of them, in order."""
        ...


@dataclass(frozen=True, slots=True)
class ContentFile:
    """A file of a version: `pieces` must be read before the next one is asked for."""

    path: str
    sha256: str
    size: int
    pieces: Iterable[bytes | memoryview]


class Content(Protocol):
    """The files of a version, sorted by the bytes of their paths."""

    def files(self) -> Iterator[ContentFile]: ...


@dataclass(frozen=True, slots=True)
class BundleVersion:
    """A version. `manifest` is its envelope; `inventory_sha256` and `content_bytes` are what it says."""

    seq: int
    id: str
    manifest: bytes
    inventory_sha256: str
    content_bytes: int
    inventory: Stream | None = None
    receipt: bytes | None = None
    content: Content | None = None

    @property
    def folder(self) -> str:
        """`<seq>-<id8>`."""
        return version_folder(self.seq, self.id)


@dataclass(frozen=True, slots=True)
class BundlePolicy:
    """A policy's envelope, and the rules of it that the receiver may have."""

    seq: int
    envelope: bytes
    rules: bytes


@dataclass(frozen=True, slots=True)
class BundleDataset:
    """What is in the bundle about a dataset. `versions` ascend by `version_folder`, `policies` by seq,
    `acknowledgements` (leaf index and envelope) by index.
    """

    dataset: DatasetId
    versions: Iterable[BundleVersion]
    policies: Iterable[BundlePolicy]
    acknowledgements: Iterable[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class BundleRecord:
    """An opened leaf: the opening's file and the proof's."""

    index: int
    opening: bytes
    proof: bytes | None


@dataclass(frozen=True, slots=True)
class BundleRegistry:
    """A registry statement, and the proof of its leaf where it is known."""

    seq: int
    envelope: bytes
    proof: bytes | None


@dataclass(frozen=True, slots=True)
class Contents:
    """All of it. `records` ascend by index; `keys` are file names below `data/keys`, and PEM; `departures`
    (leaf index and envelope) ascend by index."""

    scope: BundleScope
    datasets: Sequence[BundleDataset]
    keys: Mapping[str, bytes]
    checkpoint: bytes
    log_policy: bytes
    records: Iterable[BundleRecord]
    registries: Sequence[BundleRegistry]
    departures: Iterable[tuple[int, bytes]] = ()


def version_folder(seq: int, id: str) -> str:  # noqa: A002 - the noun's own name
    """The folder of a version. Folders are sorted as text, not as numbers."""
    return f"{seq}-{id[:ID_CHARACTERS]}"


def write_contents(bag: Bag, contents: Contents, progress: Progress) -> None:
    """Write the payload. Raises `Corrupt` when content or an inventory is not what was signed."""
    for dataset in sorted(contents.datasets, key=lambda each: f"{each.dataset}/".encode()):
        _write_dataset(bag, dataset, progress)
    for index, envelope in contents.departures:
        bag.add(departure_name(index), envelope)
    for name, pem in sorted(contents.keys.items()):
        bag.add(f"data/keys/{name}", pem)
    bag.add("data/log/checkpoint", contents.checkpoint)
    bag.add("data/log/log-policy", contents.log_policy)
    for record in contents.records:
        bag.add(f"data/log/records/{record.index:012}.opening.json", record.opening)
        if record.proof is not None:
            bag.add(f"data/log/records/{record.index:012}.tlog-proof", record.proof)
    registries = sorted(contents.registries, key=lambda each: each.seq)
    for registry in registries:
        if registry.proof is not None:
            bag.add(f"data/log/registry-{registry.seq:08}.tlog-proof", registry.proof)
    for registry in registries:
        bag.add(f"data/registry/{registry.seq:08}.json", registry.envelope)
    bag.add("data/scope.json", contents.scope.to_bytes())


def _write_dataset(bag: Bag, dataset: BundleDataset, progress: Progress) -> None:
    folder = f"data/datasets/{dataset.dataset}"
    for index, envelope in dataset.acknowledgements:
        bag.add(f"{folder}/acknowledgements/{index:012}.json", envelope)
    for policy in dataset.policies:
        bag.add(f"{folder}/policies/{policy.seq:08}.json", policy.envelope)
        bag.add(f"{folder}/policies/{policy.seq:08}.rules.json", policy.rules)
    for version in dataset.versions:
        _write_version(bag, f"{folder}/versions/{version.folder}", dataset.dataset, version, progress)


def _write_version(
    bag: Bag, folder: str, dataset: DatasetId, version: BundleVersion, progress: Progress
) -> None:
    if version.content is not None:
        progress.begin(f"copying {dataset} version {version.seq}", version.content_bytes)
        try:
            for file in version.content.files():
                pieces = _told(file.pieces, progress)
                if bag.stream(f"{folder}/content/{file.path}", file.size, pieces) != file.sha256:
                    raise _damaged(f"{file.path} of {dataset} version {version.seq}")
        finally:
            progress.end()
    if version.inventory is not None:
        inventory = version.inventory
        written = bag.stream(f"{folder}/inventory.sha256", inventory.size, inventory.pieces())
        if written != version.inventory_sha256:
            raise _damaged(f"the inventory of {dataset} version {version.seq}")
    bag.add(f"{folder}/manifest.json", version.manifest)
    if version.receipt is not None:
        bag.add(f"{folder}/receipt.json", version.receipt)


def _told(pieces: Iterable[bytes | memoryview], progress: Progress) -> Iterator[bytes | memoryview]:
    for piece in pieces:
        yield piece
        progress.advance(len(piece))


def _damaged(what: str) -> Corrupt:
    return Corrupt(
        f"{what} is not what its owner signed: nothing was written",
        remedy="at a hub run `syncline-hub fsck`; at a node fetch the version again",
        reason="CONTENT_DAMAGED",
    )
