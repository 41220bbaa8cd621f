"""Policies and versions: accepted once, in order, from the one node that publishes them.

A commit is one transaction: statement, log leaf, revision. Same bytes again get the same answer. `prev` is compared and
swapped, so a restored or doubled node is fenced (`Conflict`, reason FENCED), never merged.
"""

from dataclasses import dataclass
from datetime import datetime

from core.names import DatasetId, NodeName
from hub.services.context import Caller, Context
from hub.services.registry import RegistryService
from hub.services.sharing import SharingService
from hub.services.translog import TransparencyLog
from sync.ports import Accepted, Listing, PolicyExtract, VersionDetail


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """One dataset, for the operator. `version_seq` 0 before a first version."""

    dataset: DatasetId
    node: NodeName
    title: dict[str, str]
    policy_seq: int
    version_seq: int
    versions: int
    files: int
    bytes: int
    has_content: bool
    accepted: datetime | None


class CatalogueService:
    """The datasets: policies, versions, listings, acknowledgements."""

    def __init__(
        self, context: Context, registry: RegistryService, sharing: SharingService, translog: TransparencyLog
    ) -> None:
        raise NotImplementedError

    def publish_policy(self, caller: Caller, policy: PolicyExtract) -> Accepted:
        """Put a policy in force. Raises `Untrusted`, `Denied` (not the owner), `Conflict` (FENCED)."""
        raise NotImplementedError

    def commit_version(self, caller: Caller, envelope: bytes, root: bytes | None) -> Accepted:
        """Commit a manifest; with `root` also its content. See `sync.ports.HubApi.commit_version`.

        Raises `Untrusted`, `Denied`, `Conflict` (FENCED), `Corrupt` (recipe and inventory disagree),
        `Unavailable` (MISSING_CHUNKS).
        """
        raise NotImplementedError

    def list_datasets(self, caller: Caller, if_none_match: str | None = None) -> Listing | None:
        """All that the caller may discover; None when `if_none_match` still is its etag. The wire pages it."""
        raise NotImplementedError

    def get_version(self, caller: Caller, dataset: DatasetId, manifest_id: str) -> VersionDetail:
        """One version (`manifest_id` in hex). `root` only with `read` and content. Raises `Denied` (NOT_FOUND)."""
        raise NotImplementedError

    def list_versions(
        self, caller: Caller, dataset: DatasetId, from_seq: int, limit: int | None = None
    ) -> list[bytes]:
        """Manifest envelopes in order from `from_seq`, at most `limit` (None: page_count_max)."""
        raise NotImplementedError

    def list_policies(
        self, caller: Caller, dataset: DatasetId, from_seq: int, limit: int | None = None
    ) -> list[PolicyExtract]:
        """Policies in order from `from_seq`, each with the caller's disclosures."""
        raise NotImplementedError

    def acknowledge(self, caller: Caller, envelope: bytes) -> int:
        """Record a subscriber's acknowledgement once; its leaf's index."""
        raise NotImplementedError

    def datasets(self) -> list[DatasetSummary]:
        """Every dataset, for the operator."""
        raise NotImplementedError
