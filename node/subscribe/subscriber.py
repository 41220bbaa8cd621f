"""The subscriber's pass over all subscriptions; one dataset's failure never stops the others.

Rules: own datasets are never mirrored; a dataset that two subscriptions name is mirrored at both paths; what
has been received stays when the grant ends; every mirror that exists is looked at, listed or not; each
outcome is remembered, so that `status` can tell it while nobody runs.
"""

import fnmatch
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from core.clock import Clock, format_instant
from core.errors import SynclineError
from core.limits import LIMITS, Limits
from core.logs import get_logger
from core.names import DatasetId, NodeName, PartnerId, check_dataset, owner_of
from core.progress import NullProgress, Progress
from node.materialise import explain
from node.mirror_state import MirrorRow, MirrorTable
from node.room import Room
from node.state import NodeState
from node.subscribe.mirroring import Mirroring
from node.subscribe.outcome import MirrorOutcome, MirrorState
from node.subscribe.proving import OwnView, Prover
from node.subscribe.tools import Tools
from node.trust import TrustStore
from security.keys import Signer
from sync.ports import DatasetEntry, HubApi, Listing

log = get_logger("node.subscribe")


class Subscription(Protocol):
    """A `[[subscribe]]` table: `dataset` is a pattern over dataset ids (`cn-cgs/*`)."""

    @property
    def dataset(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def keep(self) -> int: ...
    @property
    def max_bytes(self) -> int | None: ...


class Subscriber:
    """Brings mirrors to what the listing names. Not thread-safe; one pass at a time."""

    def __init__(
        self,
        *,
        subscriptions: Sequence[Subscription],
        partner: PartnerId,
        node: NodeName,
        state_dir: Path,
        state: NodeState,
        trust: TrustStore,
        hub: HubApi,
        signer: Signer,
        clock: Clock,
        limits: Limits = LIMITS,
        progress: Progress | None = None,
        require_witnesses: bool = False,
        view: OwnView | None = None,
        room: Room | None = None,
    ) -> None:
        self._subscriptions = subscriptions
        self._partner = partner
        self._clock = clock
        self._mirrors = MirrorTable(state)
        self._tools = Tools(
            partner=partner,
            node=node,
            records=state_dir / "mirrors",
            mirrors=self._mirrors,
            trust=trust,
            hub=hub,
            prover=Prover(
                hub,
                trust,
                partner,
                clock,
                limits,
                require_witnesses=require_witnesses,
                view=view,
            ),
            signer=signer,
            clock=clock,
            limits=limits,
            progress=progress or NullProgress(),
            room=room or Room(limits),
        )

    def sync(self, listing: Listing) -> list[MirrorOutcome]:
        """One pass: every dataset of the listing that a subscription names, and every mirror that exists."""
        entries = {entry.dataset: entry for entry in listing.entries}
        return [
            self._one(subscription, dataset, entries.get(dataset))
            for subscription in self._subscriptions
            for dataset in self._datasets(subscription, entries)
        ]

    def _datasets(
        self, subscription: Subscription, entries: dict[DatasetId, DatasetEntry]
    ) -> Iterator[DatasetId]:
        known = {DatasetId(row.dataset) for row in self._mirrors.all() if row.path == str(subscription.path)}
        named = set() if "*" in subscription.dataset else {check_dataset(subscription.dataset)}
        for dataset in sorted(known | named | set(entries)):
            if owner_of(dataset) != self._partner and fnmatch.fnmatchcase(dataset, subscription.dataset):
                yield dataset

    def _one(
        self, subscription: Subscription, dataset: DatasetId, entry: DatasetEntry | None
    ) -> MirrorOutcome:
        key = mirror_key(subscription.path, dataset)
        row = self._mirrors.get(key) or MirrorRow(key=key, dataset=dataset, path=str(subscription.path))
        mirroring = Mirroring(
            self._tools,
            row,
            dataset,
            subscription.path,
            keep=subscription.keep,
            max_bytes=subscription.max_bytes,
        )
        try:
            outcome = mirroring.run(entry)
        except SynclineError as error:
            outcome = mirroring.failed(error)
        except OSError as error:
            outcome = mirroring.failed(explain(error, f"the mirror of {dataset}"))
        self._remember(mirroring.row, outcome)
        return outcome

    def _remember(self, row: MirrorRow, outcome: MirrorOutcome) -> None:
        now = format_instant(self._clock.now())
        error = outcome.error
        changed = row.state != outcome.state.value or row.last_error != (error.message if error else None)
        row = replace(
            row,
            state=outcome.state.value,
            wanted_seq=outcome.wanted_seq,
            bytes_left=outcome.bytes_left,
            attention="\n".join(outcome.attention),
            last_error=error.message if error else None,
            last_error_remedy=error.remedy if error else None,
            last_error_reason=error.reason if error else None,
            last_error_time=(row.last_error_time if not changed and error else now) if error else None,
        )
        if outcome.state is MirrorState.UPDATED or (
            outcome.state is MirrorState.CURRENT and not row.last_success
        ):
            row = replace(row, last_success=now)
        self._mirrors.put(row)
        _tell(outcome, changed=changed)


def _tell(outcome: MirrorOutcome, *, changed: bool) -> None:
    facts = {"dataset": outcome.dataset, "seq": outcome.seq}
    if outcome.error is not None:
        return  # whoever asked for the pass tells it, once
    if outcome.state is MirrorState.UPDATED:
        log.info("mirror brought up to date", **facts, path=str(outcome.path))
    elif changed:
        log.info("mirror", **facts, state=outcome.state.value)
    for line in outcome.attention if changed or outcome.state is MirrorState.UPDATED else ():
        log.warning("mirror needs attention", **facts, what=line)


def mirror_key(path: Path, dataset: DatasetId) -> str:
    """The short name under which a mirror's records stand."""
    return hashlib.sha256(f"{path}\0{dataset}".encode()).hexdigest()[:24]
