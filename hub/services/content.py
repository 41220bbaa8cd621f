"""Chunks up and down: durable before acknowledged, authorised before and while they are read.

What a caller may ask about or claim is its own store; what it reads is chunks of one committed version, by
place.

    upload = content.open_upload(caller)
    upload.put_frame(frame)                # verified, in the caller's thread
    durable_frames = upload.commit()       # rpc decides when: limits.group_commit_bytes, group_commit_s
"""

import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import sqlalchemy as sa

from core.errors import Corrupt, InvalidInput, SynclineError, Unavailable
from core.logs import get_logger
from core.names import DatasetId, PartnerId, owner_of
from hub.services.context import Caller, Context
from hub.services.recipes import fetcher
from hub.services.registry import RegistryService
from hub.services.sharing import SharingService, not_found
from hub.services.transfer_board import Moved, TransferBoard
from hub.services.translog import Record, TransparencyLog
from hub.storage import schema
from security.policy import Decision
from security.rules import READ
from sync.frames import pack, unpack
from sync.ports import ChunkId, ChunkStore, OrdinalRange, RecipeStream, StoredChunk
from sync.recipe import ChunkRef, Root
from sync.table import TableReader

_log = get_logger("hub.content")

_ID_BYTES = 32
#: Chunks looked up in the index at once while reading; small, so that the first frame leaves early.
_GET_COUNT = 256
#: The disk's free space is looked at again after so many bytes, and sooner where less than so many times that
#: is left, as other streams use it too. Uploads stop where one frame more would touch the reserve.
_DISK_LOOK_BYTES, _DISK_LOOKS = 16 * 1024 * 1024, 8


@dataclass(frozen=True, slots=True)
class Use:
    """Uncompressed bytes that are kept for an owner, and how many may be; None where there is no quota."""

    used_bytes: int
    quota_bytes: int | None


class Upload:
    """One stream of frames into the caller's own store. One thread may commit while another puts frames:
    what a commit counts was put before it began."""

    def __init__(
        self,
        store: ChunkStore,
        authorise: Callable[[], None],
        check_disk: Callable[[], int],
        context: Context,
        moved: Moved,
        quota: int | None = None,
    ) -> None:
        self._store = store
        self._moved = moved
        self._quota = quota
        self._authorise = authorise
        self._check_disk = check_disk
        self._clock = context.clock
        self._limits = context.limits
        self._frames = 0
        self._durable = 0
        self._pending_bytes = 0
        self._until_look = 0
        self._next_look = context.clock.monotonic() + context.limits.reauthorise_s

    def put_frame(self, frame: bytes | memoryview) -> int:
        """Check and append a frame's chunks; not durable yet. Bytes put since the last commit.

        Raises `Corrupt` (a chunk is not what its id says, or a malformed frame), `Unavailable` (DISK_FULL),
        `Denied` (also QUOTA_EXCEEDED: nothing of this frame counts, everything before it does).
        """
        if self._clock.monotonic() >= self._next_look:
            self._authorise()
            self._next_look = self._clock.monotonic() + self._limits.reauthorise_s
        if self._until_look <= 0:
            self._until_look = self._check_disk()
        self._store.put(unpack(frame, self._limits), raw_bytes_max=self._quota)
        self._frames += 1
        self._moved.add(len(frame))
        self._pending_bytes += len(frame)
        self._until_look -= len(frame)
        return self._pending_bytes

    def commit(self) -> int:
        """Make everything put so far durable; how many frames, counted from the stream's start, are."""
        if self._durable < self._frames:
            frames = self._frames
            self._store.commit()
            self._durable = frames
            self._pending_bytes = 0
        return self._durable

    def close(self) -> None:
        """Make durable what is pending: the stream has ended or broken, and its bytes need not be sent again.

        Never raises: nobody is waiting for this acknowledgement.
        """
        self._moved.end()
        try:
            self.commit()
        except SynclineError as error:
            _log.warning("chunks of a broken stream were not kept", problem=error.message)


class ContentService:
    """Chunks of owners' stores."""

    def __init__(
        self,
        context: Context,
        registry: RegistryService,
        sharing: SharingService,
        translog: TransparencyLog,
        transfers: TransferBoard,
    ) -> None:
        self._context = context
        self._database = context.database
        self._clock = context.clock
        self._limits = context.limits
        self._registry = registry
        self._sharing = sharing
        self._translog = translog
        self._transfers = transfers

    def find_missing(self, caller: Caller, ids: Sequence[ChunkId]) -> list[bool]:
        """For each id (at most `find_missing_count_max`), whether the caller's own store lacks it."""
        self._registry.require_active(caller, fresh=True)
        if len(ids) > self._limits.find_missing_count_max:
            raise InvalidInput(f"{len(ids)} chunk ids at once exceed {self._limits.find_missing_count_max}")
        if any(len(each) != _ID_BYTES for each in ids):
            raise InvalidInput("a chunk id has 32 bytes")
        return self._context.stores.of(caller.partner).missing(ids)

    def open_upload(self, caller: Caller) -> Upload:
        """Begin a stream of frames."""

        def authorise() -> None:
            self._registry.require_active(caller, fresh=True)

        authorise()
        store, quota = self._context.stores.of(caller.partner), self._context.quotas.of(caller.partner)
        moved = self._transfers.begin(caller, None, "up")
        return Upload(store, authorise, self._check_disk, self._context, moved, quota)

    def use(self, partner: PartnerId) -> Use:
        """What an owner's chunks take; also beside a running hub."""
        stores = self._context.stores
        held = stores.readable(partner).raw_bytes() if partner in stores.owners() else 0
        return Use(held, self._context.quotas.of(partner))

    def read_blobs(
        self,
        caller: Caller,
        dataset: DatasetId,
        manifest_id: str,
        stream: RecipeStream,
        ranges: Sequence[OrdinalRange],
    ) -> Iterator[bytes]:
        """Frames of at most `frame_bytes_max` with the chunks of `ranges` in that order.

        The delivery's leaf is committed before the first frame. While it runs, the decision is made again
        every `limits.reauthorise_s`. Raises `Denied` (NOT_FOUND, NOT_GRANTED, SUSPENDED …), `InvalidInput`
        (ranges), `Unavailable` (WITHHELD: the version has no content here), `Corrupt`.
        """
        decision = self._sharing.require(caller, dataset, READ)
        recipe = Root.from_bytes(self._root(dataset, manifest_id), self._limits)
        store = self._context.stores.of(owner_of(dataset))
        refs = self._refs(recipe, stream, store, ranges)
        self._deliver(caller, dataset, manifest_id, decision)
        next_look = self._clock.monotonic() + self._limits.reauthorise_s
        moved = self._transfers.begin(caller, dataset, "down")
        try:
            with _damage_is_the_operators(dataset):
                for frame in pack(self._chunks(refs, store), self._limits):
                    if self._clock.monotonic() >= next_look:
                        self._sharing.require(caller, dataset, READ)
                        next_look = self._clock.monotonic() + self._limits.reauthorise_s
                    moved.add(len(frame))
                    yield frame
        finally:
            moved.end()

    def _root(self, dataset: DatasetId, manifest_id: str) -> bytes:
        table = schema.versions
        with self._database.read() as connection:
            row = connection.execute(
                sa.select(table.c.root).where(table.c.dataset == dataset, table.c.id == manifest_id)
            ).one_or_none()
        if row is None:
            raise not_found()
        if row.root is None:
            raise Unavailable(
                f"{dataset}: this version's bytes are not at the hub",
                remedy="they follow when the owner's node sends them; nothing to do here",
                reason="WITHHELD",
            )
        return row.root

    def _refs(
        self, recipe: Root, stream: RecipeStream, store: ChunkStore, ranges: Sequence[OrdinalRange]
    ) -> Iterator[ChunkRef]:
        """The chunks that are asked for. Bad ranges are refused at once, before anything is read or
        logged."""
        table = TableReader(recipe.table, fetcher(store, self._limits))
        total = len(table) if stream is RecipeStream.CONTENT else len(recipe.refs(stream))
        _check_ranges(ranges, total, self._limits.read_ranges_count_max)
        if stream is RecipeStream.CONTENT:
            return (ref for each in ranges for ref in table.entries(each.first, each.count))
        listed = recipe.refs(stream)
        return (ref for each in ranges for ref in listed[each.first : each.first + each.count])

    @staticmethod
    def _chunks(refs: Iterable[ChunkRef], store: ChunkStore) -> Iterator[StoredChunk]:
        iterator = iter(refs)
        while batch := [ref.id for ref in islice(iterator, _GET_COUNT)]:
            yield from store.get(batch)

    def _deliver(self, caller: Caller, dataset: DatasetId, manifest_id: str, decision: Decision) -> None:
        """Log the delivery to this partner, once, before its first byte. An owner's own bytes are no
        delivery."""
        owner = owner_of(dataset)
        table = schema.deliveries
        key = sa.and_(table.c.partner == caller.partner, table.c.version == manifest_id)
        if caller.partner == owner:
            return
        with self._database.read() as connection:
            if connection.execute(sa.select(table.c.leaf).where(key)).one_or_none() is not None:
                return
        with self._database.write(visible=False) as connection:
            decision = self._sharing.require(caller, dataset, READ, connection)
            if connection.execute(sa.select(table.c.leaf).where(key)).one_or_none() is not None:
                return
            leaf = self._translog.append(
                connection,
                Record(
                    type="delivery",
                    actor=caller.partner,
                    object=dataset,
                    owner=owner,
                    statement_sha256=manifest_id,
                    detail={
                        "node": caller.node,
                        "partner": caller.partner,
                        "policy_seq": decision.policy_seq,
                        "policy_sha256": _policy_id(connection, dataset, decision.policy_seq),
                        "rule": decision.rule_uid,
                    },
                ),
            )
            connection.execute(table.insert().values(partner=caller.partner, version=manifest_id, leaf=leaf))

    def _check_disk(self) -> int:
        """How many bytes may be put before it is to be asked again. Raises `Unavailable` (DISK_FULL)."""
        free = shutil.disk_usage(self._context.layout.directory).free
        reserve = self._limits.disk_reserve_bytes
        if free < reserve + self._limits.frame_bytes_max:
            raise Unavailable(
                f"the disk of {self._context.layout.directory} has {free // 2**20} MiB left, of which"
                f" {reserve // 2**20} are kept free: uploads wait",
                remedy="free space on it; transfers then go on by themselves",
                reason="DISK_FULL",
            )
        return min(_DISK_LOOK_BYTES, (free - reserve) // _DISK_LOOKS)


def _policy_id(connection: sa.Connection, dataset: DatasetId, seq: int) -> str:
    """The policy that decided."""
    table = schema.policies
    return connection.execute(
        sa.select(table.c.id).where(table.c.dataset == dataset, table.c.seq == seq)
    ).scalar_one()


def _check_ranges(ranges: Sequence[OrdinalRange], total: int, count_max: int) -> None:
    if not 1 <= len(ranges) <= count_max:
        raise InvalidInput(
            f"{len(ranges)} ranges; 1 to {count_max} may be asked for at once", reason="OUT_OF_RANGE"
        )
    end = 0
    for each in ranges:
        if each.count < 1 or each.first < end or each.first + each.count > total:
            raise InvalidInput(
                f"{each.count} chunks from {each.first} are out of order or outside of {total}",
                reason="OUT_OF_RANGE",
            )
        end = each.first + each.count


@contextmanager
def _damage_is_the_operators(dataset: DatasetId) -> Generator[None]:
    """A damaged store is the operator's to know in detail; its paths are no partner's business."""
    try:
        yield
    except Corrupt as error:
        _log.error("a stored chunk is damaged", dataset=dataset, error=error.message, remedy=error.remedy)
        raise Corrupt(
            f"the hub's stored copy of {dataset} is damaged; nothing of it was taken over",
            remedy="tell the hub's operator, who sees it with `syncline-hub fsck`",
            reason="HUB_COPY_DAMAGED",
        ) from error
