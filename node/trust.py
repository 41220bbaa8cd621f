"""Whom this node believes: the registry chain since it joined, kept as signed envelopes.

    <state_dir>/trust/registry/00000003.json   DSSE envelopes, byte for byte as signed
    <state_dir>/trust/first                    the id of the first one, from the join file

Rules: the first statement is trusted by its id from the join file and by nothing else; every further
one must be the successor of the last and signed as that one demands, so rollback, fork and jump are
refused and what was believed stays. A statement that is damaged on disk, other than the first, is fetched
again (the damaged file is kept as `….json.damaged`); until the chain is as long as it was, nothing is
believed. Nothing is believed beyond `expires`. A registry whose entry for this node lacks this node's keys is
an alarm.

    trust = TrustStore(state_dir, clock)
    trust.refresh(hub)                          # pull what is newer, verify each step
    keys = trust.keys_of("cn-cgs", pinned=4)    # who may have signed a manifest that pins registry 4
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from core import durable
from core.clock import Clock, format_instant
from core.errors import Corrupt, InvalidInput, SynclineError, Unavailable, Untrusted
from core.limits import LIMITS, Limits
from core.logs import get_logger
from core.names import NodeName, PartnerId
from node.materialise import system_errors
from security import registry as registries
from security.digests import Sha256Hex
from security.envelope import parse as parse_envelope
from security.keys import PublicKey
from security.registry import VerifiedRegistry
from sync.ports import HubApi

log = get_logger("node.trust")


class TrustStore:
    """The chain on disk, verified again from its start whenever it is opened."""

    def __init__(self, state_dir: Path, clock: Clock, limits: Limits = LIMITS) -> None:
        self._folder = state_dir / "trust" / "registry"
        self._anchor = state_dir / "trust" / "first"
        self._clock = clock
        self._limits = limits
        self._chain: dict[int, VerifiedRegistry] = {}
        self._known_seq = 0  # of the newest statement that stood here, damaged or not
        self._load()

    @classmethod
    def establish(
        cls, state_dir: Path, clock: Clock, envelope: bytes, expected_id: Sha256Hex, limits: Limits = LIMITS
    ) -> "TrustStore":
        """Begin to believe, or continue: `envelope` has the id that the join file names.

        Raises `Untrusted` when it has not, or when this node already believes in another chain.
        """
        first = registries.verify_first(envelope, expected_id)
        store = cls(state_dir, clock, limits)
        if store._chain:
            known = store._chain.get(first.registry.seq)
            if known is None or known.id != first.id:
                raise Untrusted(
                    "the join file names another federation's registry than the one this node believes in",
                    remedy=f"use an empty state_dir for another federation; this one is {state_dir}",
                    reason="FORK",
                )
            return store
        with system_errors(f"keeping the registry in {state_dir}"):
            for folder in (store._anchor.parent, store._folder):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        store._keep(first)
        with system_errors(f"keeping the registry in {state_dir}"):
            durable.write_file(store._anchor, f"{first.registry.seq} {first.id}\n".encode())
        return store

    def newest(self) -> VerifiedRegistry:
        """The newest statement, expired or not. Raises `Unavailable` (NOT_ENROLLED) before joining."""
        if not self._chain:
            raise Unavailable(
                "this node has not joined a federation yet",
                remedy="ask the hub's operator for a join file and run: syncline-node join FILE",
                reason="NOT_ENROLLED",
            )
        return self._chain[max(self._chain)]

    def current(self) -> VerifiedRegistry:
        """The newest statement. Raises `Unavailable`: REGISTRY_EXPIRED when it has run out, REGISTRY_DAMAGED
        while what followed it is damaged on disk and has not been fetched again."""
        newest = self.newest()
        if newest.registry.seq < self._known_seq:
            raise Unavailable(
                f"registry statement {newest.registry.seq + 1} in {self._folder} is damaged",
                remedy="the next syncline-node sync, or the daemon, fetches it again; check the disk",
                reason="REGISTRY_DAMAGED",
            )
        if newest.registry.expires <= self._clock.now():
            raise Unavailable(
                f"the registry of {newest.registry.federation} (statement {newest.registry.seq}) expired on "
                f"{format_instant(newest.registry.expires)}",
                remedy="check this clock; the hub's operator signs a new one: syncline-hub registry sign",
                reason="REGISTRY_EXPIRED",
            )
        return newest

    def chain(self) -> Sequence[VerifiedRegistry]:
        """Everything believed, oldest first, without gaps."""
        return [self._chain[seq] for seq in sorted(self._chain)]

    def at(self, seq: int) -> VerifiedRegistry | None:
        """The statement `seq`, if it is in the chain."""
        return self._chain.get(seq)

    def update(self, envelopes: Sequence[bytes]) -> int:
        """Believe the successors in `envelopes`, each verified by the one before; how many were new.

        Statements that are known already must be byte for byte the same payload. Raises `Untrusted`
        (ROLLBACK, FORK, GAP, THRESHOLD, …): what was believed before the faulty one stays.
        """
        added = 0
        for envelope in envelopes:
            newest = self.newest()
            if self._is_known(envelope):
                continue
            verified = registries.verify_next(newest, envelope)
            self._keep(verified)
            added += 1
        return added

    def refresh(self, hub: HubApi) -> int:
        """Pull and believe what is newer than the newest; how many statements were new."""
        newest = self.newest()
        if newest.registry.seq < self._known_seq:
            log.warning(
                "a registry statement on disk is damaged and is fetched again",
                seq=newest.registry.seq + 1,
                folder=str(self._folder),
            )
        envelopes = hub.list_registry(newest.registry.seq) or self._offered(hub)
        if not envelopes:
            raise Untrusted(
                f"the hub does not know registry statement {newest.registry.seq}, which it gave us before",
                remedy="the hub was rolled back or replaced: ask its operator before anything else",
                reason="ROLLBACK",
            )
        added = self.update(envelopes)
        if (seq := self.newest().registry.seq) < self._known_seq:
            raise Untrusted(
                f"the hub knows registry statement {seq} as its last, this node had {self._known_seq}",
                remedy="the hub was rolled back or replaced: ask its operator before anything else",
                reason="ROLLBACK",
            )
        return added

    def _offered(self, hub: HubApi) -> Sequence[bytes]:
        """What the hub has once it was offered all that it lacks: a hub that was restored takes it in.

        The administrators have signed it, so a hub that takes it in knows no other; it stays to be seen what
        else it has lost. Nothing where it takes nothing.
        """
        newest = self.newest().registry.seq
        known = hub.get_hub_info().registry_seq
        lacking = [statement.envelope for statement in self.chain() if statement.registry.seq > known]
        try:
            hub.offer_registry(lacking)
        except (Untrusted, InvalidInput) as error:
            log.error("the hub lacks registry statements and refuses them", problem=error.message)
            return ()
        log.warning("the hub lacked registry statements and has taken them in", count=len(lacking))
        return hub.list_registry(newest)

    def keys_of(self, partner: PartnerId, pinned: int | None = None) -> tuple[PublicKey, ...]:
        """The keys with which `partner` may have signed: today's, and those of the registry `pinned`.

        Empty when nobody of that name belongs to the federation.
        """
        keys: dict[PublicKey, None] = {}
        for statement in (self.current(), self._chain.get(pinned) if pinned is not None else None):
            member = statement.registry.partner(partner) if statement is not None else None
            if member is not None:
                keys.update(dict.fromkeys(member.signing_keys))
        return tuple(keys)

    def keys_ever(self, partner: PartnerId) -> tuple[PublicKey, ...]:
        """Every key that `partner` has had in the chain: what pins no registry may be that old."""
        self.current()  # nothing is believed when the registry has expired
        members = (statement.registry.partner(partner) for statement in reversed(self.chain()))
        return tuple(
            dict.fromkeys(key for member in members if member is not None for key in member.signing_keys)
        )

    def check_own_entry(self, partner: PartnerId, node: NodeName, signing: PublicKey, witness: bytes) -> None:
        """Alarm when the registry's entry for this node is not its keys. Raises `Untrusted` (OWN_ENTRY)."""
        registry = self.newest().registry
        member = registry.partner(partner)
        remedy = (
            "somebody else may sign in your name: speak to the hub's operator and the administrators, "
            "by a channel other than the hub"
        )
        if member is None:
            raise Untrusted(
                f"registry statement {registry.seq} does not list {partner}",
                remedy=remedy,
                reason="OWN_ENTRY",
            )
        if signing not in member.signing_keys:
            raise Untrusted(
                f"registry statement {registry.seq} does not list this node's signing key for {partner}",
                remedy=remedy,
                reason="OWN_ENTRY",
            )
        own = next((each for each in member.nodes if each.name == node), None)
        if own is None or own.witness_key != witness:
            raise Untrusted(
                f"registry statement {registry.seq} lists another witness key for {partner}'s node {node}",
                remedy=remedy,
                reason="OWN_ENTRY",
            )

    def roots_pem(self) -> bytes:
        """The federation's certificate authorities, PEM, as the newest statement lists them."""
        return self.newest().registry.all_cas_pem()

    def _is_known(self, envelope: bytes) -> bool:
        statement_id = parse_envelope(envelope, self._limits).id
        return any(each.id == statement_id for each in self._chain.values())

    def _keep(self, verified: VerifiedRegistry) -> None:
        path = self._folder / f"{verified.registry.seq:08}.json"
        with system_errors(f"keeping the registry in {self._folder}"):
            if verified.registry.seq <= self._known_seq and path.exists():
                durable.rename(path, path.with_name(f"{path.name}.damaged"))
            durable.write_file(path, verified.envelope)
        self._chain[verified.registry.seq] = verified

    def _load(self) -> None:
        if not self._anchor.exists():
            return  # an interrupted first join begins again
        seq_text, _, first_id = self._anchor.read_text("ascii").strip().partition(" ")
        try:
            first = int(seq_text)
            anchor = registries.verify_first(self._read(first), first_id)
            self._chain[first] = anchor
            self._known_seq = max((first, *self._numbers()))
            for seq in range(first + 1, self._known_seq + 1):
                try:
                    self._chain[seq] = registries.verify_next(self._chain[seq - 1], self._read(seq))
                except (FileNotFoundError, ValueError, SynclineError):
                    return  # damaged: fetched again by `refresh`, and nothing is believed until then
        except (OSError, ValueError, SynclineError) as error:
            cause = error.message if isinstance(error, SynclineError) else error
            raise Corrupt(
                f"the registry chain in {self._folder} does not verify: {cause}",
                remedy="restore the folder from a backup, or join again with a new join file",
            ) from error

    def _numbers(self) -> Iterator[int]:
        for path in self._folder.iterdir():
            if path.suffix == ".json" and path.stem.isascii() and path.stem.isdigit():
                yield int(path.stem)

    def _read(self, seq: int) -> bytes:
        path = self._folder / f"{seq:08}.json"
        if path.stat().st_size > self._limits.envelope_bytes_max:
            raise ValueError(f"{path.name} is too large")
        return path.read_bytes()
