"""What became of datasets in a pass: shown on the status board, logged when it is news, and a `Result`.

results = mirrored(session, subscriber.sync(listing))
"""

from collections.abc import Sequence
from typing import Any

from core.clock import format_instant
from core.errors import SynclineError
from core.logs import get_logger
from core.names import DatasetId
from node.publish import PublishOutcome, PublishState, dataset_status, unlisted
from node.publish.records import PublishRecords
from node.results import Result
from node.session import Session
from node.subscribe import MirrorOutcome, MirrorState

log = get_logger("node.engine")


def publish_failed(session: Session, dataset: DatasetId, error: SynclineError) -> Result:
    """A pass over a dataset ended in `error`."""
    known = dataset_status(session.state, dataset)
    changes = {"state": known.state.value, "bytes_left": known.bytes_left}
    if session.board.published(dataset, error=error, **changes):
        log.error("publishing failed", dataset=dataset, error=error.message, remedy=error.remedy)
    return Result("publish", dataset, PublishState.FAILED.value, error=error, retry=True)


def published(session: Session, dataset: DatasetId, outcome: PublishOutcome) -> Result:
    """A pass over a dataset ended well, or waits for a person."""
    now = format_instant(session.clock.now())
    changes: dict[str, Any] = {
        "state": outcome.state.value,
        "seq": outcome.seq,
        "manifest_id": outcome.manifest_id,
        "files": outcome.files,
        "bytes": outcome.bytes,
        "bytes_left": 0,
        "held": outcome.held,
        "skipped": outcome.skipped,
        "attention": outcome.attention,
        "last_success": now,
    }
    if outcome.state is not PublishState.WAITING or outcome.manifest_id is not None:
        # Else the hub's head waits for a person, and the folder was not even looked at.
        changes["last_scan"] = now
    known = next((each for each in session.board.report.publish if each.dataset == dataset), None)
    if known is None or known.last_version is None or known.seq != outcome.seq:
        at_once = outcome.changed and known is not None and known.seq is not None
        changes["last_version"] = now if at_once else _signed_at(session, dataset)
    if outcome.changed:
        log.info(
            "published",
            dataset=dataset,
            seq=outcome.seq,
            files=outcome.files,
            bytes=outcome.bytes,
            sent_bytes=outcome.sent_bytes,
        )
    for line in outcome.attention:
        log.warning("a person must look", dataset=dataset, what=line)
    session.board.published(dataset, **changes)
    return Result(
        "publish",
        dataset,
        outcome.state.value,
        changed=outcome.changed,
        seq=outcome.seq,
        files=outcome.files,
        bytes=outcome.bytes,
        sent_bytes=outcome.sent_bytes,
        attention=outcome.attention,
        again_at=outcome.again_at,
        retry=outcome.unsettled,
    )


def _signed_at(session: Session, dataset: DatasetId) -> str | None:
    """When the newest version was signed: of a first one just now, of one learnt from the hub long ago."""
    head = PublishRecords(session.state, dataset).head()
    manifest = None if head is None else unlisted.signed(head, dataset, session.limits)
    return None if manifest is None else format_instant(manifest.created)


def mirrored(session: Session, outcomes: Sequence[MirrorOutcome]) -> list[Result]:
    """A pass over all mirrors ended so."""
    now = format_instant(session.clock.now())
    results: list[Result] = []
    for outcome in outcomes:
        changes: dict[str, Any] = {
            "path": str(outcome.path),
            "state": outcome.state.value,
            "seq": outcome.seq,
            "manifest_id": outcome.manifest_id,
            "wanted_seq": outcome.wanted_seq,
            "bytes_left": outcome.bytes_left,
            "acknowledged": outcome.acknowledged,
            "grant_ended": outcome.state is MirrorState.GRANT_ENDED,
            "attention": outcome.attention,
        }
        if outcome.error is None:
            changes["last_success"] = now
        if session.board.mirror(outcome.dataset, error=outcome.error, **changes) and outcome.error:
            error = outcome.error
            log.error("mirroring failed", dataset=outcome.dataset, error=error.message, remedy=error.remedy)
        arrived = outcome.state is MirrorState.UPDATED
        if arrived:
            log.info("a version has arrived", dataset=outcome.dataset, seq=outcome.seq)
        results.append(
            Result(
                "mirror",
                outcome.dataset,
                outcome.state.value,
                changed=arrived,
                seq=outcome.seq,
                attention=outcome.attention,
                error=outcome.error,
                retry=outcome.error is not None or outcome.waits or not outcome.acknowledged,
            )
        )
    session.board.keep_mirrors({str(each.dataset) for each in outcomes})
    return results
