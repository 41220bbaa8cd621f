"""Sign, journal, send, and take the answer: the owner's statements on their way to the hub.

Rules: a statement is kept before it is sent, and sent again byte for byte until the hub answers; so a lost
answer never leads to two statements of one number. A fenced one (`Conflict`, FENCED) stays in the journal:
a person decides. The hub's receipt is checked, and durable beside the statement, before the acceptance is
remembered; without one (a hub of the first release) all goes on. Chunks that the hub lost meanwhile are
offered again; where they are not to be had any more, the version is recorded without its bytes, as evidence,
and the next one brings what the folder holds.

    statements = Statements(records, receipts, trust, hub, signer, limits)
    statements.settle(reoffer)                 # what an earlier run left unanswered
    statements.policy(rules, now)
    statements.version(manifest, root, facts, changes, reoffer)
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from core.errors import Unavailable, Untrusted
from core.limits import LIMITS, Limits
from core.logs import get_logger
from node.publish.receipts import ReceiptStore
from node.publish.records import Head, Journalled, ListChange, PublishRecords
from node.trust import TrustStore
from security import envelope as dsse
from security import policy as policies
from security.keys import Signer
from security.rules import Rule
from sync import manifest as manifests
from sync.manifest import Manifest
from sync.ports import Accepted, HubApi, PolicyExtract
from sync.receipt import verify_receipt

_log = get_logger("node.publish")

#: Offers the bytes of the journalled version again; False when some are not to be had any more.
Reoffer = Callable[[], bool]

_REOFFERS_MAX = 3


class Statements:
    """One dataset's statements."""

    def __init__(
        self,
        records: PublishRecords,
        receipts: ReceiptStore,
        trust: TrustStore,
        hub: HubApi,
        signer: Signer,
        limits: Limits = LIMITS,
    ) -> None:
        self._records = records
        self._receipts = receipts
        self._trust = trust
        self._hub = hub
        self._signer = signer
        self._limits = limits

    def settle(self, reoffer: Reoffer) -> bool:
        """Send what waits for an answer; whether there was anything."""
        policy = self._records.journalled("policy")
        version = self._records.journalled("version")
        try:
            if policy is not None:
                self._send_policy(policy)
            if version is not None:
                self._send_version(version, reoffer)
        except Untrusted as error:
            waiting = [each for each in (policy, version) if each is not None]
            if error.reason != "UNKNOWN_SIGNER" or all(self._is_by_our_key(each) for each in waiting):
                raise
            # Signed before this node's key changed, and never accepted: what was is known by any key of ours.
            _log.warning("signed anew with the new key", dataset=self._records.dataset)
            self._records.forget_journal()
            return False
        return policy is not None or version is not None

    def policy(self, rules: Sequence[Rule], head: Head, now: datetime) -> None:
        """Sign and hand over the successor of the head's policy."""
        seq = head.policy_seq + 1
        envelope, disclosures = policies.build(
            self._records.dataset, seq, head.policy_id, now, rules, None, self._signer, self._limits
        )
        statement = Journalled(
            "policy", seq, dsse.parse(envelope, self._limits).id, envelope, disclosures, {}
        )
        self._records.journal(statement)
        self._send_policy(statement)

    def version(
        self,
        manifest: Manifest,
        root: bytes | None,
        facts: dict[str, Any],
        changes: Iterable[ListChange],
        reoffer: Reoffer,
    ) -> str:
        """Sign and commit a version whose bytes are durable at the hub (or withheld, `root` None); its id."""
        envelope = manifests.build(manifest, self._signer, self._limits)
        statement = Journalled(
            "version", manifest.seq, dsse.parse(envelope, self._limits).id, envelope, root, facts
        )
        self._records.journal(statement, changes)
        self._send_version(statement, reoffer)
        return statement.id

    def content(self, head: Head, root: bytes) -> None:
        """Add the bytes, durable at the hub, to the version that is the head."""
        assert head.manifest_envelope is not None
        assert head.manifest_id is not None
        accepted = self._hub.commit_version(head.manifest_envelope, root)
        self._keep_receipt(head.manifest_seq, head.manifest_id, head.manifest_envelope, accepted)
        self._records.accept_content()

    def _is_by_our_key(self, statement: Journalled) -> bool:
        return self._signer.public.keyids[0] in dsse.parse(statement.envelope, self._limits).signatures

    def _send_policy(self, statement: Journalled) -> None:
        rules = statement.extra or b"[]"
        self._hub.publish_policy(PolicyExtract(statement.envelope, rules))
        dataset = self._records.dataset
        self._receipts.keep_policy(dataset, statement.seq, statement.id, statement.envelope, rules)
        self._records.accept_policy(statement)
        _log.info("policy accepted", dataset=self._records.dataset, seq=statement.seq)

    def _send_version(self, statement: Journalled, reoffer: Reoffer) -> None:
        accepted, has_content = self._commit(statement, reoffer)
        self._keep_receipt(statement.seq, statement.id, statement.envelope, accepted)
        self._records.accept_version(statement, has_content=has_content)
        _log.info(
            "version accepted",
            dataset=self._records.dataset,
            seq=statement.seq,
            manifest=statement.id,
            files=statement.facts["files"],
            bytes=statement.facts["bytes"],
            withheld=not has_content,
        )

    def _commit(self, statement: Journalled, reoffer: Reoffer) -> tuple[Accepted, bool]:
        """The hub's acceptance, and whether of the bytes too."""
        root = statement.extra
        for left in reversed(range(_REOFFERS_MAX)):
            try:
                return self._hub.commit_version(statement.envelope, root), root is not None
            except Unavailable as error:
                if error.reason != "MISSING_CHUNKS":
                    raise
                _log.warning(
                    "the hub lacks chunks of a version", dataset=self._records.dataset, seq=statement.seq
                )
                if not reoffer() or not left:
                    break
        return self._hub.commit_version(statement.envelope, None), False

    def _keep_receipt(self, seq: int, manifest_id: str, envelope: bytes, accepted: Accepted) -> None:
        """Keep an accepted version with its receipt, if that holds. Raises `Untrusted`."""
        dataset = self._records.dataset
        if accepted.receipt is None:
            _log.info("the hub gave no receipt: it runs an older release", dataset=dataset, seq=seq)
        else:
            self._check_receipt(seq, manifest_id, accepted.receipt, accepted.leaf_index)
        self._receipts.keep_version(dataset, seq, manifest_id, envelope, accepted.receipt)

    def _check_receipt(self, seq: int, manifest_id: str, receipt: bytes, leaf_index: int) -> None:
        dataset = self._records.dataset
        try:
            found = verify_receipt(receipt, self._trust.current().registry, self._limits)
            found.check(dataset, manifest_id, leaf_index)
        except Untrusted as error:
            raise Untrusted(
                f"the hub's receipt for version {seq} of {dataset} does not hold: {error.message}",
                remedy="the version is safe and is sent again; report it to the hub's operator",
                reason=error.reason,
            ) from error
