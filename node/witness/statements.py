"""What this partner has signed, and what receivers have: known from the own state, or fetched and verified.

    statements.gather(version_records)          # fetch what is not known, a dataset at a time
    statements.why_foreign(record)              # None: it is the partner's own
    statements.policy(dataset, id)              # with all its rules; None when no own key signed it

Rules: an own version is the head or the journal of this node's state, or an envelope that the partner's
keys signed; for a dataset that this node publishes, what is newer than its head counts with keys that this
node has had, and with no other key of that name. What the hub does not give counts as not signed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.errors import Denied, InvalidInput, Untrusted
from core.limits import Limits
from core.names import DatasetId, PartnerId, owner_of
from node.publish.records import PublishRecords
from node.state import NodeState
from node.trust import TrustStore
from node.witness.ledger import Kept, Ledger, OwnPolicy
from security import envelope as dsse
from security.keys import PublicKey
from security.policy import verify_policy
from sync.acknowledgement import VerifiedAcknowledgement, verify_acknowledgement
from sync.manifest import verify_manifest
from sync.ports import HubApi


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """`mine`: every signing key that this node has had; `ours`: every one of the partner, in any registry."""

    mine: tuple[PublicKey, ...]
    ours: tuple[PublicKey, ...]

    @property
    def all(self) -> tuple[PublicKey, ...]:
        """Both, each once."""
        return tuple(dict.fromkeys((*self.mine, *self.ours)))


class OwnStatements:
    """Fetches each statement once a page."""

    def __init__(
        self,
        partner: PartnerId,
        state: NodeState,
        ledger: Ledger,
        trust: TrustStore,
        hub: HubApi,
        keys: OwnKeys,
        limits: Limits,
    ) -> None:
        self._partner = partner
        self._state = state
        self._ledger = ledger
        self._trust = trust
        self._hub = hub
        self._keys = keys
        self._limits = limits
        self._envelopes: dict[str, bytes] = {}
        self._known: set[str] = set()

    def envelope(self, statement_id: str | None) -> bytes | None:
        """What the hub gave under that id in this page."""
        return self._envelopes.get(statement_id or "")

    def gather(self, versions: Iterable[Kept]) -> None:
        """Fetch the manifests of records that this node's state does not know."""
        wanted: dict[str, dict[str, int]] = {}
        for each in versions:
            if owner_of(DatasetId(each.object)) == self._partner and not self._is_known(each):
                seq = each.detail.get("seq")
                first = seq if isinstance(seq, int) and seq > 0 else 1
                wanted.setdefault(each.object, {})[each.statement_sha256 or ""] = first
        for dataset, ids in wanted.items():
            missing = set(ids)
            try:
                for envelope in self._hub.list_versions(DatasetId(dataset), min(ids.values())):
                    found = dsse.parse(envelope, self._limits).id
                    if found in missing:
                        self._envelopes[found] = envelope
                        missing.discard(found)
                    if not missing:
                        break
            except (Denied, InvalidInput):
                continue  # the hub knows of no such dataset, and logs a version of it

    def why_foreign(self, each: Kept) -> str | None:
        """Why the version in a record is not this partner's; None when it is."""
        if owner_of(DatasetId(each.object)) != self._partner:
            return "the dataset is another's"
        if self._is_known(each):
            return None
        envelope = self.envelope(each.statement_sha256)
        if envelope is None:
            return "the hub does not give the signed manifest"
        head = PublishRecords(self._state, DatasetId(each.object)).head()
        if head is not None and head.manifest_id == each.statement_sha256:
            return None  # accepted a moment ago
        try:
            ours = verify_manifest(envelope, self._keys.all, DatasetId(each.object), self._limits)
        except Untrusted as error:
            return error.message
        if head is None or not head.manifest_seq:
            return None
        if ours.manifest.seq == head.manifest_seq:
            return f"this node's own version {head.manifest_seq} is another"
        if ours.manifest.seq > head.manifest_seq and not self._is_mine(envelope):
            return f"version {ours.manifest.seq} has the partner's name, and no key of this node signed it"
        return None

    def policy(self, dataset: DatasetId, policy_id: str) -> OwnPolicy | None:
        """The partner's own policy of that id; None when there is none that its keys signed."""
        known = self._ledger.policy(policy_id)
        if known is not None:
            return known if known.dataset == dataset else None
        if owner_of(dataset) != self._partner:
            return None
        for envelope, disclosures in self._candidates(dataset, policy_id):
            self._envelopes[policy_id] = envelope
            try:
                verified = verify_policy(
                    envelope,
                    disclosures,
                    self._keys.all,
                    complete=True,
                    dataset=dataset,
                    limits=self._limits,
                )
            except Untrusted:
                return None
            found = OwnPolicy(policy_id, dataset, verified.policy.seq, envelope, disclosures)
            self._ledger.keep_policy(found)
            return found
        return None

    def acknowledged(self, each: Kept) -> VerifiedAcknowledgement:
        """The receiver's own word in a record. Raises `Untrusted`."""
        assert each.statement is not None
        receiver = PartnerId(str(each.value["actor"]))
        said = verify_acknowledgement(each.statement, self._trust.keys_ever(receiver), receiver, self._limits)
        if said.id != each.statement_sha256 or said.acknowledgement.dataset != each.object:
            raise Untrusted("the statement is another than the record says", reason="WRONG_STATEMENT")
        return said

    def _candidates(self, dataset: DatasetId, policy_id: str) -> Iterator[tuple[bytes, bytes]]:
        records = PublishRecords(self._state, dataset)
        head, waiting = records.head(), records.journalled("policy")
        if head is not None and head.policy_id == policy_id and head.policy_envelope and head.disclosures:
            yield head.policy_envelope, head.disclosures
        if waiting is not None and waiting.id == policy_id and waiting.extra:
            yield waiting.envelope, waiting.extra
        try:
            for each in self._hub.list_policies(dataset, 1):
                if dsse.parse(each.envelope, self._limits).id == policy_id:
                    yield each.envelope, each.disclosures
        except (Denied, InvalidInput):
            return

    def _is_known(self, each: Kept) -> bool:
        """Whether this node's own state has signed it.

        It publishes beside this: what waits is looked at first, since it moves to the head and never back;
        and what was the head once is remembered, since the next version may stand there by now.
        """
        if each.statement_sha256 is None:
            return False
        if each.statement_sha256 not in self._known:
            records = PublishRecords(self._state, DatasetId(each.object))
            waiting = records.journalled("version")
            head = records.head()
            if waiting is not None:
                self._known.add(waiting.id)
            if head is not None and head.manifest_id:
                self._known.add(head.manifest_id)
        return each.statement_sha256 in self._known

    def _is_mine(self, envelope: bytes) -> bool:
        return _signed_by(envelope, self._keys.mine, self._limits)


def _signed_by(envelope: bytes, keys: Sequence[PublicKey], limits: Limits) -> bool:
    try:
        dsse.verify(envelope, dsse.MANIFEST, keys, 1, limits)
    except Untrusted:
        return False
    return True
