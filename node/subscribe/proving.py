"""Before a version becomes visible: the log's evidence for it, asked for, verified, and waited for.

    prover = Prover(hub, trust, partner, clock, limits, require_witnesses=False)
    proof = prover.prove(grant, regrant)        # Proof, or why not
    proof.files                                 # `.syncline/log/`

Rules: it is asked for after the content, because the delivery is logged before its first byte: one question a
version. A version of which every byte was here already has no delivery yet; one chunk of its inventory is
asked for then, so that whoever holds a version is on record. What is only not covered yet is asked for again
a few times in a pass and at the next one; what does not hold is refused, and nothing was applied. A policy
that has changed meanwhile is received anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from core.clock import Clock
from core.errors import Unavailable, Untrusted
from core.limits import LIMITS, Limits
from core.names import PartnerId
from node.proofs import (
    NOT_COVERED,
    ProvenVersion,
    Subject,
    claimed_policy_seq,
    proof_files,
    verify_evidence,
)
from node.subscribe.chain import Grant
from node.trust import TrustStore
from security.registry import Registry
from security.tlog.quorum import count, needed
from security.tlog.witnesses import witnesses_of
from sync.ports import Evidence, HubApi, LeafKind, OrdinalRange, RecipeStream

NO_QUORUM = "NO_QUORUM"

#: What a mirror waits for without being in trouble.
WAITS = frozenset({NOT_COVERED, NO_QUORUM})

_ASKS_MAX = 4


class OwnView(Protocol):
    """What this node has witnessed itself (`node.witnessed`)."""

    def check(self, proven: ProvenVersion) -> None:
        """Raises `Untrusted` for a checkpoint that contradicts it."""
        ...

    def witnesses(self, registry: Registry) -> int:
        """How many witnesses have cosigned lately."""
        ...


@dataclass(frozen=True, slots=True)
class Proof:
    """That a version may be applied: under which grant, by which evidence, who cosigned of how many."""

    grant: Grant
    proven: ProvenVersion
    files: Mapping[str, bytes]
    cosigned: int
    quorum: int


class Prover:
    """Asks one hub for evidence. `view`: this node's own history of the log, where it has one."""

    def __init__(
        self,
        hub: HubApi,
        trust: TrustStore,
        partner: PartnerId,
        clock: Clock,
        limits: Limits = LIMITS,
        *,
        require_witnesses: bool = False,
        view: OwnView | None = None,
    ) -> None:
        self._hub = hub
        self._trust = trust
        self._partner = partner
        self._clock = clock
        self._limits = limits
        self._require_witnesses = require_witnesses
        self._view = view

    def prove(self, grant: Grant, regrant: Callable[[], Grant]) -> Proof:
        """All that proves the version of `grant`; `regrant` receives the policy anew.

        Raises `Untrusted` for what does not hold, `Unavailable` (`WAITS`, or what the hub says), `Denied`.
        """
        pause_s = self._limits.retry_first_s
        for _ in range(_ASKS_MAX - 1):
            try:
                return self._once(grant)
            except _PolicyMovedError:
                grant = self._moved(grant, regrant)
            except Unavailable as error:
                if error.reason != NOT_COVERED:
                    raise
                self._clock.sleep(pause_s)
                pause_s *= 2
        try:
            return self._once(grant)
        except _PolicyMovedError:
            raise Unavailable(
                f"the policy of {grant.manifest.manifest.dataset} changes all the time",
                remedy="it is tried again",
                reason=NOT_COVERED,
            ) from None
        except Unavailable as error:
            raise _in_words(error, grant) from error

    def _once(self, grant: Grant) -> Proof:
        evidence = self._ask(grant)
        try:
            self._learn_registry(evidence)
            if claimed_policy_seq(evidence, self._limits) > grant.policy.policy.seq:
                raise _PolicyMovedError
            subject = Subject(grant.manifest, grant.policy, self._partner)
            proven = verify_evidence(evidence, subject, self._trust.chain(), self._limits)
            if self._view is not None:
                self._view.check(proven)
        except Untrusted as error:
            manifest = grant.manifest.manifest
            raise Untrusted(
                f"version {manifest.seq} of {manifest.dataset}: {error.message}",
                remedy=error.remedy
                or "nothing was applied, what you have stays; report it to the hub's operator and the owner",
                reason=error.reason,
            ) from error
        return self._judged(grant, proven)

    def _ask(self, grant: Grant) -> Evidence:
        dataset, manifest_id = grant.manifest.manifest.dataset, grant.manifest.id
        evidence = self._hub.get_evidence(dataset, manifest_id)
        if any(leaf.kind is LeafKind.DELIVERY for leaf in evidence.leaves):
            return evidence
        for _ in self._hub.read_blobs(dataset, manifest_id, RecipeStream.INVENTORY, [OrdinalRange(0, 1)]):
            pass
        return self._hub.get_evidence(dataset, manifest_id)

    def _learn_registry(self, evidence: Evidence) -> None:
        newest = max((leaf.registry_seq for leaf in evidence.leaves), default=0)
        if newest > self._trust.newest().registry.seq:
            self._trust.refresh(self._hub)

    def _judged(self, grant: Grant, proven: ProvenVersion) -> Proof:
        fresh = count(proven.cosigned, self._clock.now(), self._limits)
        registry = proven.registry
        # A quorum of none would be none at all; those who have cosigned this have been seen by now.
        seen = len(witnesses_of(registry)) if self._view is None else self._view.witnesses(registry)
        quorum = needed(max(1, seen, len(proven.cosigned)))
        if self._require_witnesses and fresh < quorum:
            manifest = grant.manifest.manifest
            raise Unavailable(
                f"version {manifest.seq} of {manifest.dataset} waits for witnesses: {fresh} of {quorum} have"
                " cosigned a checkpoint that covers it within a day",
                remedy="nodes cosign with every status report; if it stays so, ask the hub's operator which"
                " are away, or set require_witnesses = false under [trust]",
                reason=NO_QUORUM,
            )
        files = proof_files(proven, quorum=quorum if self._require_witnesses else 0)
        return Proof(grant, proven, files, fresh, quorum)

    @staticmethod
    def _moved(grant: Grant, regrant: Callable[[], Grant]) -> Grant:
        """The policy that is in force now; a hub that logged a newer one must also give it."""
        again = regrant()
        if again.policy.policy.seq <= grant.policy.policy.seq:
            dataset = grant.manifest.manifest.dataset
            raise Untrusted(
                f"the hub's log has a newer policy of {dataset} than number {again.policy.policy.seq},"
                " which it gives as the one in force",
                remedy="nothing was applied, what you have stays; report it to the owner",
                reason="WRONG_RECORD",
            )
        return again


class _PolicyMovedError(Exception):
    """The evidence is about a newer policy than the one that was received."""


def _in_words(error: Unavailable, grant: Grant) -> Unavailable:
    if error.reason != NOT_COVERED:
        return error
    manifest = grant.manifest.manifest
    return Unavailable(
        f"version {manifest.seq} of {manifest.dataset} waits for the hub's log: no checkpoint covers it yet",
        remedy="it is fetched, and applied as soon as one does; if it stays so, ask the hub's operator",
        reason=NOT_COVERED,
    )
