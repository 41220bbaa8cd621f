"""The log's proofs of this node's own versions and policies, fetched once a checkpoint covers them.

    collector = Collector(partner, state, trust, hub, clock, limits)
    collector.run([dataset, ...])      # how many are proven now; the others later

Rules: publishing never waits for it; one question for the checkpoint, then one for each statement that it
covers. The proof must agree with the receipt: the leaf that the hub promised, at the place that it promised;
else it has rewritten its log, which is an alarm with both (`Untrusted`, ALARM). What the hub cannot give yet
is left for later.
"""

from collections.abc import Iterable, Mapping

from core.clock import Clock
from core.errors import Denied, Unavailable, Untrusted
from core.limits import LIMITS, Limits
from core.logs import get_logger
from core.names import DatasetId, PartnerId
from node.alarms import DROPPED_LEAF, Alarm, Alarms
from node.proofs import (
    NOT_COVERED,
    ProvenVersion,
    Subject,
    claimed_policy_seq,
    leaf_of,
    proof_files,
    verify_evidence,
)
from node.publish.receipts import ReceiptStore, Waiting
from node.publish.records import Head, PublishRecords
from node.state import NodeState
from node.trust import TrustStore
from security import envelope as dsse
from security.policy import VerifiedPolicy, verify_policy
from security.tlog.checkpoint import parse_checkpoint
from security.tlog.note import parse_note
from security.tlog.position import position
from sync.manifest import parse_manifest, verify_manifest
from sync.ports import Evidence, HubApi
from sync.receipt import Receipt, verify_receipt

_log = get_logger("node.publish")


class Collector:
    """One node's."""

    def __init__(
        self,
        partner: PartnerId,
        state: NodeState,
        trust: TrustStore,
        hub: HubApi,
        clock: Clock,
        limits: Limits = LIMITS,
    ) -> None:
        self._partner = partner
        self._state = state
        self._store = ReceiptStore(state.state_dir)
        self._trust = trust
        self._hub = hub
        self._clock = clock
        self._limits = limits

    def run(self, datasets: Iterable[DatasetId]) -> int:
        """Complete what can be; how many. Raises `Untrusted` for what does not hold."""
        waiting = {dataset: found for dataset in datasets if (found := list(self._store.waiting(dataset)))}
        if not waiting:
            return 0
        try:
            covered = self._covered(max(self._place(each) for found in waiting.values() for each in found))
            return sum(self._dataset(dataset, found, covered) for dataset, found in waiting.items())
        except Unavailable as error:
            _log.debug("proofs of own versions come later", error=error.message)
            return 0

    def _dataset(self, dataset: DatasetId, waiting: list[Waiting], covered: int) -> int:
        """Every statement of one dataset."""
        head = PublishRecords(self._state, dataset).head()
        if head is None or head.policy_envelope is None:
            return 0
        policy = self._policy(dataset, head)
        done = 0
        for each in waiting:
            if self._place(each) >= covered:
                continue
            try:
                done += self._policy_of(each, head, policy) if each.is_policy else self._version(each, policy)
            except (Unavailable, Denied) as error:
                if error.reason not in (NOT_COVERED, "NOT_FOUND"):
                    raise
        return done

    def _version(self, waiting: Waiting, policy: VerifiedPolicy) -> bool:
        envelope = waiting.read("manifest.json")
        if envelope is None:
            return False
        proven = self._prove(waiting.dataset, envelope, policy)
        if proven is None:
            return False
        files = proof_files(proven, quorum=0)
        receipt = self._receipt(waiting)
        if receipt is not None and not self._check_promise(receipt, proven, files):
            return False
        self._store.complete(waiting, files)
        return True

    def _policy_of(self, waiting: Waiting, head: Head, policy: VerifiedPolicy) -> bool:
        """The policy in force is proven with the newest version; those before it stand in the lane."""
        if waiting.seq != head.policy_seq or head.manifest_envelope is None:
            return False
        proven = self._prove(waiting.dataset, head.manifest_envelope, policy)
        if proven is None:
            return False
        self._store.complete(waiting, _without_version(proof_files(proven, quorum=0)))
        return True

    def _prove(self, dataset: DatasetId, envelope: bytes, policy: VerifiedPolicy) -> ProvenVersion | None:
        """The evidence for a version of this partner's own; None while it is about another policy."""
        claimed = parse_manifest(dsse.parse(envelope, self._limits).payload, dataset, self._limits)
        keys = self._trust.keys_of(self._partner, claimed.registry_seq)
        manifest = verify_manifest(envelope, keys, dataset, self._limits)
        evidence = self._hub.get_evidence(dataset, manifest.id)
        self._learn_registry(evidence)
        if claimed_policy_seq(evidence, self._limits) != policy.policy.seq:
            return None
        try:
            return verify_evidence(evidence, Subject(manifest, policy), self._trust.chain(), self._limits)
        except Untrusted as error:
            raise Untrusted(
                f"version {manifest.manifest.seq} of {dataset}: {error.message}",
                remedy=error.remedy or "report it to the hub's operator",
                reason=error.reason,
            ) from error

    def _policy(self, dataset: DatasetId, head: Head) -> VerifiedPolicy:
        assert head.policy_envelope is not None
        return verify_policy(
            head.policy_envelope,
            head.disclosures or b"[]",
            self._trust.keys_ever(self._partner),
            complete=True,
            dataset=dataset,
            limits=self._limits,
        )

    def _learn_registry(self, evidence: Evidence) -> None:
        newest = max((leaf.registry_seq for leaf in evidence.leaves), default=0)
        if newest > self._trust.newest().registry.seq:
            self._trust.refresh(self._hub)

    def _covered(self, index: int) -> int:
        """How many leaves the newest checkpoint has; the hub waits for one that covers leaf `index`."""
        view = self._hub.get_checkpoint(index + 1)
        return parse_checkpoint(parse_note(view.note, self._limits).text).size

    def _receipt(self, waiting: Waiting) -> Receipt | None:
        envelope = waiting.read("receipt.json")
        if envelope is None:
            return None
        for statement in reversed(self._trust.chain()):
            try:
                return verify_receipt(envelope, statement.registry, self._limits)
            except Untrusted:
                continue  # signed by a hub key that the registry does not list any more
        return None

    def _check_promise(self, receipt: Receipt, proven: ProvenVersion, files: Mapping[str, bytes]) -> bool:
        """Whether the log has what the receipt promised. Raises `Untrusted` until a person has decided."""
        logs, origin = proven.registry.logs, proven.checkpoint.origin
        if position(logs, origin, receipt.leaf_index) != position(logs, receipt.log, receipt.leaf_index):
            return True  # promised by a log that was continued without this leaf: lost, and logged again
        if (proven.version.index, leaf_of(proven.version)) == (receipt.leaf_index, receipt.leaf):
            return True
        alarm = Alarm.of(
            DROPPED_LEAF,
            f"{receipt.log}:{receipt.leaf_index}:{receipt.manifest_sha256}",
            f"the hub's receipt for a version of {receipt.dataset} promised leaf {receipt.leaf_index}, and"
            " its log has another one there: it was rewritten",
            "compare it with other partners, by a channel other than the hub",
            self._clock.now(),
            dataset=receipt.dataset,
            manifest_sha256=receipt.manifest_sha256,
            leaf_index=receipt.leaf_index,
        )
        kept = {name: files[name] for name in ("checkpoint", "version.opening.json", "version.tlog-proof")}
        alarms = Alarms(self._state.state_dir)
        alarms.sound(alarm, {"receipt.json": receipt.envelope, **kept})
        if any(each.id == alarm.id for each in alarms.all() if not each.is_open):
            return False
        raise alarm.error()

    def _place(self, waiting: Waiting) -> int:
        """Where the hub says that the statement was logged; -1 where it did not say, or in a log before."""
        receipt = self._receipt(waiting)
        current = self._trust.newest().registry.logs[-1].origin
        return receipt.leaf_index if receipt is not None and receipt.log == current else -1


def _without_version(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if not name.startswith("version.")}
