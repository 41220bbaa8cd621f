"""Who vouches for the checkpoint: cosignatures of the registry's witnesses, and of nobody who was put out.

    seen, known, finding = check_witnesses(view, chain, positions)

Rules: a witness is a node of an active partner in the registry that was in force when the checkpoint was
signed. Its line must verify. A line that verifies under a key that had been revoked or replaced by then fails
by name: somebody uses a key that he must not have. Lines of keys that nobody knows are ignored, as C2SP has
it. A quorum is told, not required: without any cosignature it is not known whether others saw the same log.
"""

from collections.abc import Mapping, Sequence

from audit.dossier import Position, WitnessSeen
from audit.findings import Finding, failed, passed, unchecked
from audit.logged import LogView
from core.errors import Untrusted
from core.names import PartnerId
from security.registry import REVOKED, Registry, VerifiedRegistry
from security.tlog.cosignature import Cosigned, Witness, cosigners
from security.tlog.quorum import needed
from security.tlog.witnesses import witness_name, witnesses_of

_CHECK = "witnesses"


def check_witnesses(
    view: LogView | None, chain: Sequence[VerifiedRegistry], positions: Mapping[int, Position]
) -> tuple[tuple[WitnessSeen, ...], int, Finding]:
    """Who cosigned, how many could have, and what to think of it."""
    if view is None:
        return (), 0, unchecked(_CHECK, "without a checkpoint there is nothing that a witness saw")
    last = view.position(view.checkpoint.size - 1)
    in_force = [each for each in chain if positions.get(each.registry.seq, last) <= last]
    if not in_force:
        return (), 0, unchecked(_CHECK, "no registry was in force when the checkpoint was signed")
    registry = in_force[-1].registry
    current = witnesses_of(registry)
    former = _former(in_force[:-1], registry)
    try:
        misused = cosigners(view.note, former)
        cosigned = cosigners(view.note, current)
    except Untrusted as error:
        return (
            (),
            len(current),
            failed(
                _CHECK,
                error.message,
                "do not rely on this checkpoint: one of its lines was forged or damaged",
            ),
        )
    if misused:
        names = ", ".join(each.witness.name for each in misused)
        return (
            (),
            len(current),
            failed(
                _CHECK,
                f"{names}: the key was revoked or replaced before this checkpoint, and yet cosigned it",
                "do not rely on this checkpoint; tell the federation's administrators that the key is in use",
            ),
        )
    seen = tuple(_seen(each) for each in cosigned)
    return seen, len(current), _told(seen, len(current))


def _former(before: Sequence[VerifiedRegistry], now: Registry) -> tuple[Witness, ...]:
    # Suspended partners are neither: a suspension ends, and takes nobody's key away.
    kept = {
        (partner.id, node.name, node.witness_key)
        for partner in now.partners
        if partner.state != REVOKED
        for node in partner.nodes
    }
    found: dict[Witness, None] = {}
    revoked = [partner for partner in now.partners if partner.state == REVOKED]
    for partner in (*(each for one in before for each in one.registry.partners), *revoked):
        for node in partner.nodes:
            if (partner.id, node.name, node.witness_key) not in kept:
                found[Witness(witness_name(now.federation, partner.id, node.name), node.witness_key)] = None
    return tuple(found)


def _seen(cosigned: Cosigned) -> WitnessSeen:
    partner, _, node = cosigned.witness.name.partition("/")[2].rpartition("/")
    return WitnessSeen(cosigned.witness.name, PartnerId(partner), node, cosigned.at)


def _told(seen: Sequence[WitnessSeen], known: int) -> Finding:
    if not seen:
        return passed(
            _CHECK,
            f"none of {known} has cosigned yet: told, not demanded (--require-witnesses demands a quorum)",
        )
    quorum = needed(known)
    reached = "a quorum" if len(seen) >= quorum else f"a quorum would be {quorum}"
    names = ", ".join(each.name.partition("/")[2] for each in seen[:10])
    more = f" and {len(seen) - 10} more" if len(seen) > 10 else ""
    return passed(_CHECK, f"{len(seen)} of {known} cosigned, {reached}: {names}{more}")


def check_quorum(seen: Sequence[WitnessSeen], known: int) -> Finding:
    """What `--require-witnesses` demands: a quorum under the checkpoint."""
    quorum = max(1, needed(known))
    if len(seen) >= quorum:
        return passed("quorum", f"{len(seen)} of {known} witnesses cosigned, {quorum} are needed")
    return unchecked(
        "quorum",
        f"{len(seen)} of {known} witnesses cosigned this checkpoint, {quorum} are needed",
        "take evidence that is some minutes older than the newest version, or compare that of several"
        " partners: give all their paths",
    )
