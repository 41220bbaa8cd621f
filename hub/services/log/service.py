"""The transparency log as the rest of the hub sees it: one face for checkpoints, proofs, entries, witnesses.

hub.log.make_checkpoint()                         # every second, from the server's loop
hub.log.checkpoint(min_size=4711)                 # never waits: who must, asks again
hub.log.entries(caller, 0, 1000)
hub.log.refused("la-dgm", "NOT_GRANTED")
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from core.clock import parse_instant
from core.errors import SynclineError
from core.logs import get_logger
from core.names import DatasetId, PartnerId
from hub.services.context import Caller, Context
from hub.services.log.checkpoints import Checkpoints
from hub.services.log.cosignatures import Cosignatures, Quorum
from hub.services.log.entries import EntryReader
from hub.services.log.evidence import EvidenceService
from hub.services.log.openings import OpenedLeaf, Openings
from hub.services.log.proofs import Proofs
from hub.services.log.published import Published
from hub.services.log.refusals import Refusals
from hub.services.log.witnesses import Witnesses
from hub.services.registry import RegistryService
from hub.services.sharing import SharingService
from hub.services.translog import TransparencyLog
from security.tlog.tiles import WIDTH
from sync.ports import CheckpointView, Entries, Evidence

_log = get_logger("hub.log")


@dataclass(frozen=True, slots=True)
class LogStatus:
    """How the log is doing. `checkpoint_size` 0 and `checkpoint_time` None before a first checkpoint."""

    origin: str
    leaves: int
    checkpoint_size: int
    checkpoint_time: datetime | None
    quorum: Quorum


class LogService:
    """Everything about the log but appending, which happens in the transaction of what is recorded."""

    def __init__(
        self, context: Context, registry: RegistryService, sharing: SharingService, translog: TransparencyLog
    ) -> None:
        self._context = context
        self._registry = registry
        self._translog = translog
        self._checkpoints = Checkpoints(context, registry)
        self._cosignatures = Cosignatures(context, self._checkpoints, Witnesses(context, registry))
        self._proofs = Proofs(context, self._checkpoints)
        self._entries = EntryReader(context, registry, self._checkpoints)
        self._evidence = EvidenceService(context, sharing, self._checkpoints, self._cosignatures)
        self._published = Published(context, self._checkpoints)
        self._openings = Openings(context)
        self._refusals = Refusals(context, translog)

    # --- checkpoints -----------------------------------------------------------------------------

    def make_checkpoint(self, *, force: bool = False) -> bool:
        """Sign a checkpoint if there is something new, at most one in `checkpoint_every_s`; whether it was.

        `force` is for commands and tests: at once. Raises `Corrupt` (LOG_DAMAGED), `Unavailable`.
        """
        return self._checkpoints.make(force=force)

    def checkpoint(self, min_size: int = 0) -> CheckpointView:
        """The newest checkpoint with cosignatures. Where it is smaller than `min_size`, a new one is made if
        one is due; this never waits for it."""
        newest = self._checkpoints.newest()
        if newest.size < min_size and self._checkpoints.make():
            newest = self._checkpoints.newest()
        with self._context.database.read() as connection:
            return self._cosignatures.view(connection, newest)

    def checkpoint_size(self) -> int:
        """How many leaves the newest checkpoint covers; cheap, for calls that wait."""
        return self._checkpoints.newest().size

    def best_checkpoint(self, min_size: int) -> bytes:
        """For exports: of the checkpoints of at least `min_size` leaves the one with most cosignatures."""
        newest = self._checkpoints.newest()
        with self._context.database.read() as connection:
            return self._cosignatures.best(connection, newest, min_size)

    def add_cosignature(self, caller: Caller, note: bytes) -> None:
        """Keep a witness's cosignature. Raises `Untrusted`, `InvalidInput`, `Denied`."""
        self._cosignatures.add(caller, note)

    # --- proofs and entries ----------------------------------------------------------------------

    def consistency(self, first: int, second: int) -> list[bytes]:
        """RFC 6962's proof between two sizes. Raises `InvalidInput` (OUT_OF_RANGE)."""
        return self._proofs.consistency(first, second)

    def inclusion(self, indices: Sequence[int], size: int) -> list[list[bytes]]:
        """RFC 6962's proof for each index. Raises `InvalidInput` (OUT_OF_RANGE, TOO_MANY)."""
        return self._proofs.inclusion(indices, size)

    def inclusions(self, indices: Iterable[int], size: int) -> Iterator[list[bytes]]:
        """The same for any number of indices, one after the other."""
        return self._proofs.every(indices, size)

    def entries(self, caller: Caller, first: int, count: int = 0) -> Entries:
        """Leaves from `first` on, and the caller's openings among them. Raises `InvalidInput`, `Denied`."""
        return self._entries.read(caller, first, count)

    def evidence(self, caller: Caller, dataset: DatasetId, manifest_id: str) -> Evidence:
        """All that proves a version. Raises `Denied` (NOT_FOUND), `Unavailable` (NOT_COVERED)."""
        return self._evidence.of(caller, dataset, manifest_id)

    # --- for everybody ---------------------------------------------------------------------------

    def checkpoint_note(self) -> bytes:
        """The newest checkpoint with the log's signature alone: no witness's name."""
        return self._published.checkpoint_note()

    def tile(self, level: int, number: int, width: int = WIDTH) -> bytes | None:
        """A tile of hashes, or None."""
        return self._published.tile(level, number, width)

    def entry_bundle(self, number: int, width: int = WIDTH) -> bytes | None:
        """A bundle of entries, or None."""
        return self._published.entry_bundle(number, width)

    # --- for exports -----------------------------------------------------------------------------

    def openings(
        self, lanes: Set[PartnerId] | None, since: datetime | None = None, end: int | None = None
    ) -> Iterator[OpenedLeaf]:
        """Openings of whole lanes (None: everything), in order. Who may have them is not asked here."""
        return self._openings.of(lanes, since, end)

    # --- duties ----------------------------------------------------------------------------------

    def refused(self, partner: PartnerId | None, reason: str) -> None:
        """Count a refused call."""
        self._refusals.count(partner, reason)

    def perform(self) -> None:
        """Keep counts and log the hours that have ended; once a minute."""
        self._refusals.perform()

    def stop(self) -> None:
        """Keep what was counted. Never raises."""
        try:
            self._refusals.flush()
        except SynclineError as error:
            _log.warning("counts of refusals were not kept", problem=error.message)

    def status(self) -> LogStatus:
        """For the operator; makes nothing."""
        origin = self._registry.current().registry.logs[-1].origin
        newest = self._checkpoints.newest_or_none()
        with self._context.database.read() as connection:
            quorum = self._cosignatures.quorum(connection, origin)
        return LogStatus(
            origin,
            self._translog.size(),
            0 if newest is None else newest.size,
            None if newest is None else parse_instant(newest.made),
            quorum,
        )
