"""Which key was valid when, by the log's order: evidence outlives revoked and rotated keys, and clocks lie.

    check_manifest_position(manifest, record, chain, positions)

Rules: a manifest's signature counts if the registry that it pins lists the key for the owner, was logged
before it, and the version's leaf precedes the leaf of the first later registry that no longer lists that key
or revokes the partner. Policies and acknowledgements pin no registry: the one in force at their leaf decides.
"""

from collections.abc import Mapping, Sequence

from audit.dossier import Position
from audit.findings import Finding, failed, passed, unchecked
from core.errors import Untrusted
from core.limits import LIMITS, Limits
from core.names import PartnerId
from security import envelope as dsse
from security.keys import PublicKey
from security.members import REVOKED
from security.registry import Registry, VerifiedRegistry
from sync.manifest import VerifiedManifest

_CHECK = "position"
_WITHDRAWN = "do not rely on what this key signed; ask the owner to publish again with a valid key"


def check_manifest_position(
    manifest: VerifiedManifest,
    place: Position | None,
    chain: Sequence[VerifiedRegistry],
    positions: Mapping[int, Position],
    limits: Limits = LIMITS,
) -> Finding:
    """The version was logged while its key was the owner's."""
    said = manifest.manifest
    if place is None:
        return unchecked(
            _CHECK, "without the version's proof it is not known whether its key was still valid"
        )
    if any(each.registry.seq not in positions for each in chain):
        return unchecked(_CHECK, "without the registry's proofs it is not known when keys were withdrawn")
    pinned = next((each for each in chain if each.registry.seq == said.registry_seq), None)
    if pinned is None or positions[pinned.registry.seq] >= place:
        return failed(
            _CHECK,
            f"version {said.seq} was logged before the registry statement {said.registry_seq} that it names",
            _WITHDRAWN,
        )
    keys = keys_of(pinned.registry, said.owner)
    try:
        signer = dsse.verify(manifest.envelope, dsse.MANIFEST, keys, 1, limits).signers[0]
    except Untrusted as error:
        return failed(_CHECK, f"version {said.seq}: {error.message}", _WITHDRAWN)
    for later in chain:
        if later.registry.seq <= said.registry_seq or signer in keys_of(later.registry, said.owner):
            continue
        if positions[later.registry.seq] < place:
            return failed(
                _CHECK,
                f"version {said.seq} was logged after registry statement {later.registry.seq} had withdrawn"
                f" the key of {said.owner} that signed it",
                _WITHDRAWN,
            )
        return passed(
            _CHECK,
            f"version {said.seq} was logged before registry statement {later.registry.seq} withdrew its key",
        )
    return passed(_CHECK, f"version {said.seq} was logged while its key was valid, and it still is")


def check_statement_position(
    envelope: bytes,
    payload_type: str,
    signer: PartnerId,
    place: Position,
    chain: Sequence[VerifiedRegistry],
    positions: Mapping[int, Position],
    limits: Limits = LIMITS,
) -> Finding:
    """A policy or an acknowledgement was signed by a key that the registry in force at its leaf gave."""
    if any(each.registry.seq not in positions for each in chain):
        return unchecked(_CHECK, "without the registry's proofs it is not known when keys were withdrawn")
    before = [each for each in chain if positions[each.registry.seq] < place]
    keys = keys_of(before[-1].registry, signer) if before else ()
    try:
        dsse.verify(envelope, payload_type, keys, 1, limits)
    except Untrusted:
        return failed(
            _CHECK, f"a key that signed leaf {place[1]} was not a valid one of {signer} then", _WITHDRAWN
        )
    return passed(_CHECK, f"leaf {place[1]} was signed with a key of {signer} that was valid then")


def keys_of(registry: Registry, partner: PartnerId) -> Sequence[PublicKey]:
    """The keys with which `partner` may sign under `registry`; none for who is revoked or no member."""
    member = registry.partner(partner)
    return () if member is None or member.state == REVOKED else member.signing_keys
