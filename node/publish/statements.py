"""Sign, journal, send, and take the answer: the owner's statements on their way to the hub.

Rules: a statement is kept before it is sent, and sent again byte for byte until the hub answers; so a lost
answer never leads to two statements of one number. A fenced one (`Conflict`, FENCED) stays in the journal:
a person decides. Chunks that the hub lost meanwhile are offered again; where they are not to be had any
more, the version is recorded without its bytes, as evidence, and the next one brings what the folder holds.

    statements = Statements(records, hub, signer, limits)
    statements.settle(reoffer)                 # what an earlier run left unanswered
    statements.policy(rules, now)
    statements.version(manifest, root, facts, changes, reoffer)
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from core.errors import Unavailable
from core.limits import LIMITS, Limits
from core.logs import get_logger
from node.publish.records import Head, Journalled, ListChange, PublishRecords
from security import envelope as dsse
from security import policy as policies
from security.keys import Signer
from security.rules import Rule
from sync import manifest as manifests
from sync.manifest import Manifest
from sync.ports import HubApi, PolicyExtract

_log = get_logger("node.publish")

#: Offers the bytes of the journalled version again; False when some are not to be had any more.
Reoffer = Callable[[], bool]

_REOFFERS_MAX = 3


class Statements:
    """One dataset's statements."""

    def __init__(self, records: PublishRecords, hub: HubApi, signer: Signer, limits: Limits = LIMITS) -> None:
        self._records = records
        self._hub = hub
        self._signer = signer
        self._limits = limits

    def settle(self, reoffer: Reoffer) -> bool:
        """Send what waits for an answer; whether there was anything."""
        policy = self._records.journalled("policy")
        if policy is not None:
            self._send_policy(policy)
        version = self._records.journalled("version")
        if version is not None:
            self._send_version(version, reoffer)
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
        self._hub.commit_version(head.manifest_envelope, root)
        self._records.accept_content()

    def _send_policy(self, statement: Journalled) -> None:
        self._hub.publish_policy(PolicyExtract(statement.envelope, statement.extra or b"[]"))
        self._records.accept_policy(statement)
        _log.info("policy accepted", dataset=self._records.dataset, seq=statement.seq)

    def _send_version(self, statement: Journalled, reoffer: Reoffer) -> None:
        root = statement.extra
        for attempt in range(_REOFFERS_MAX):
            try:
                self._hub.commit_version(statement.envelope, root)
                break
            except Unavailable as error:
                if error.reason != "MISSING_CHUNKS":
                    raise
                _log.warning(
                    "the hub lacks chunks of a version", dataset=self._records.dataset, seq=statement.seq
                )
                if not reoffer() or attempt == _REOFFERS_MAX - 1:
                    self._hub.commit_version(statement.envelope, None)
                    root = None
                    break
        self._records.accept_version(statement, has_content=root is not None)
        _log.info(
            "version accepted",
            dataset=self._records.dataset,
            seq=statement.seq,
            manifest=statement.id,
            files=statement.facts["files"],
            bytes=statement.facts["bytes"],
            withheld=root is None,
        )
