"""A head whose list of files is not known here: its bytes are withheld, and the state that had it was lost.

Rules: what the folder holds is compared with the digest that was signed; the same content is never signed
twice. Until the list is known, files fewer than were signed count as removed, so that a folder that came
back from a backup in part waits for a person.

    if is_unlisted(records, head):
        removals(head, observed)                    # for the guard
        holds_the_same(head, dataset, summary)      # nothing is to be signed
"""

from core.limits import LIMITS, Limits
from core.names import DatasetId
from node.publish.observe import Observed
from node.publish.records import Head, PublishRecords
from node.publish.scratch import Counts
from node.publish.versions import Summary
from security import envelope as dsse
from sync.manifest import Manifest, parse_manifest


def is_unlisted(records: PublishRecords, head: Head) -> bool:
    """Whether a version was accepted of which this state knows no file."""
    return bool(head.manifest_seq) and not head.has_content and not records.has_list()


def removals(head: Head, observed: Observed) -> Counts:
    """The least that is gone: how far the folder falls short of what was signed."""
    return Counts(max(0, head.files - observed.files), max(0, head.bytes - observed.bytes))


def holds_the_same(head: Head, dataset: DatasetId, summary: Summary, limits: Limits = LIMITS) -> bool:
    """Whether `summary` is of the content that the head's manifest signs."""
    manifest = signed(head, dataset, limits)
    return manifest is not None and manifest.inventory_sha256 == summary.inventory_sha256


def signed(head: Head, dataset: DatasetId, limits: Limits = LIMITS) -> Manifest | None:
    """The head's manifest, which was verified when it was taken in; None before a first version."""
    if head.manifest_envelope is None:
        return None
    return parse_manifest(dsse.parse(head.manifest_envelope, limits).payload, dataset, limits)
