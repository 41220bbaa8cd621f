"""Send again, in order, what a restored hub has lost of a dataset.

Rules: only where the administrators have signed that the log continues another (`logs[]`), else a hub that
lacks what it accepted stays an alarm; only statements that this node has kept, byte for byte as they were
signed, in one chain from what the hub has to what it had accepted last. Bytes follow with the next pass: old
versions come without them, as evidence, and the newest one's are offered again.

    GivingBack(state, records, receipts, trust, hub, limits).run(keys)      # how many statements were sent
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import SynclineError
from core.limits import Limits
from core.logs import get_logger
from core.names import DatasetId
from node.publish import recover
from node.publish.receipts import ReceiptStore
from node.publish.records import Head, PublishRecords
from node.state import NodeState
from node.trust import TrustStore
from security import envelope as dsse
from security.keys import PublicKey
from security.policy import Policy
from sync.manifest import parse_manifest
from sync.ports import HubApi, PolicyExtract

_log = get_logger("node.publish")


def is_owed(state: NodeState, trust: TrustStore, dataset: DatasetId) -> bool:
    """Whether the hub was restored, and nobody has looked yet what it lacks of the dataset."""
    log = trust.newest().registry.logs[-1]
    return log.continues is not None and state.get_meta(_done(dataset)) != log.origin


def _done(dataset: DatasetId) -> str:
    return f"given_back:{dataset}"


@dataclass(frozen=True, slots=True)
class GivingBack:
    """Of one dataset."""

    state: NodeState
    records: PublishRecords
    receipts: ReceiptStore
    trust: TrustStore
    hub: HubApi
    limits: Limits

    def run(self, keys: Sequence[PublicKey]) -> int:
        """Once for each continued log. `keys`: with which the owner has ever signed.

        Raises `Conflict` (HUB_TURNED_BACK) when something that the hub lacks is not here either.
        """
        dataset = self.records.dataset
        if not is_owed(self.state, self.trust, dataset):
            return 0
        head = self.records.head()
        sent = 0 if head is None else self._give(head, keys)
        self.state.set_meta(_done(dataset), self.trust.newest().registry.logs[-1].origin)
        return sent

    def _give(self, head: Head, keys: Sequence[PublicKey]) -> int:
        dataset = self.records.dataset
        found = recover.find_head(self.hub, dataset, keys, self.limits)
        if not recover.is_behind(found, head):
            return 0
        has_policy = found.policy.policy.seq if found and found.policy else 0
        has_version = found.manifest.manifest.seq if found and found.manifest else 0
        policies = self._chain(head.policy_seq, head.policy_id, has_policy, self._policy)
        versions = self._chain(head.manifest_seq, head.manifest_id, has_version, self._version)
        if policies is None or versions is None:
            raise recover.hub_turned_back(dataset, has_version, head.manifest_seq)
        for envelope, rules in policies:
            self.hub.publish_policy(PolicyExtract(envelope, rules))
        if versions:
            self.records.lose_content()  # before the hub has the newest one: a crash here costs an upload
        for envelope, _ in versions:
            self.hub.commit_version(envelope, None)
        _log.warning(
            "the hub was restored and has taken again what it had lost",
            dataset=dataset,
            policies=len(policies),
            versions=len(versions),
        )
        return len(policies) + len(versions)

    def _chain(
        self,
        seq: int,
        id_: str | None,
        after: int,
        read: "Callable[[int, str], tuple[bytes, bytes, str | None] | None]",
    ) -> list[tuple[bytes, bytes]] | None:
        """The statements after number `after` up to the head, oldest first; None when one is not here."""
        chain: list[tuple[bytes, bytes]] = []
        while seq > after:
            found = None if id_ is None else read(seq, id_)
            if found is None:
                return None
            envelope, extra, id_ = found
            chain.append((envelope, extra))
            seq -= 1
        return chain[::-1]

    def _policy(self, seq: int, id_: str) -> tuple[bytes, bytes, str | None] | None:
        kept = self.receipts.policy(self.records.dataset, seq, id_)
        if kept is None:
            return None
        envelope, rules = kept
        try:
            parsed = dsse.parse(envelope, self.limits)
            policy = Policy.from_payload(parsed.payload, self.limits)
        except SynclineError:
            return None  # damaged
        return (envelope, rules, policy.prev) if parsed.id == id_ else None

    def _version(self, seq: int, id_: str) -> tuple[bytes, bytes, str | None] | None:
        envelope = self.receipts.version(self.records.dataset, seq, id_)
        if envelope is None:
            return None
        try:
            parsed = dsse.parse(envelope, self.limits)
            manifest = parse_manifest(parsed.payload, self.records.dataset, self.limits)
        except SynclineError:
            return None
        return (envelope, b"", manifest.prev) if parsed.id == id_ else None
