"""The evidence of a version that stands: made good, and better while the witnesses' cosignatures come in.

A version is applied a second after its owner published it, before most witnesses have looked; and a mirror of
the first release holds no proofs at all. So what stands is asked for again, now and then, until a quorum has
cosigned the checkpoint beside it; then it rests.

    <record>/proven          {v, size, cosigned, quorum, tries, again}: what `.syncline/log/` holds
    <record>/policy.json policy-rules.json    under which it was received

Rules: what does not hold is refused and changes nothing; a hub that is away or has nothing better is asked
later; the policy under which a version was received stays the one beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.clock import format_instant, parse_instant
from core.errors import SynclineError, Unavailable
from core.limits import LIMITS, Limits
from node.subscribe.chain import ChainReader, Grant
from node.subscribe.proving import Proof, Prover
from node.subscribe.records import Record
from security.canonical import canonical, parse_strict
from security.fields import Fields
from sync.manifest import VerifiedManifest
from sync.ports import PolicyExtract, VersionDetail

_MARK = "proven"
_POLICY, _RULES = "policy.json", "policy-rules.json"
_TRIES_MAX = 10


@dataclass(frozen=True, slots=True)
class Kept:
    """Which evidence stands. `again`: when to look for better; None: never."""

    size: int
    cosigned: int
    quorum: int
    tries: int = 0
    again: datetime | None = None

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        again = None if self.again is None else format_instant(self.again)
        return canonical(
            {
                "v": 1,
                "size": self.size,
                "cosigned": self.cosigned,
                "quorum": self.quorum,
                "tries": self.tries,
                "again": again,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "Kept":
        """Read what `to_bytes` writes. Raises `SynclineError`."""
        fields = Fields(parse_strict(data), "proven")
        fields.version()
        again = fields.raw("again")
        size, cosigned, quorum, tries = (fields.integer(e) for e in ("size", "cosigned", "quorum", "tries"))
        return cls(size, cosigned, quorum, tries, None if again is None else parse_instant(str(again)))


def kept(record: Record) -> Kept | None:
    """What is known of the evidence that stands; None: there is none, or nobody can tell."""
    data = record.read(_MARK)
    try:
        return None if data is None else Kept.from_bytes(data)
    except SynclineError:
        return None


def is_due(record: Record, now: datetime) -> bool:
    """Whether it is time to ask for (better) evidence."""
    known = kept(record)
    return known is None or (known.again is not None and known.again <= now)


def keep_policy(record: Record, proof: Proof) -> None:
    """Remember under which policy the version is received."""
    record.keep(_POLICY, proof.grant.policy.envelope)
    record.keep(_RULES, proof.grant.disclosures)


def looked(record: Record, proof: Proof | None, now: datetime, limits: Limits = LIMITS) -> None:
    """Remember which evidence stands now (`proof` None: what stood before), and when to look for better."""
    before = kept(record)
    if proof is None and before is None:
        return  # due at the next pass
    tries = 0 if before is None else before.tries + 1
    if proof is not None:
        size, cosigned, quorum = proof.proven.checkpoint.size, proof.cosigned, proof.quorum
    else:
        assert before is not None
        size, cosigned, quorum = before.size, before.cosigned, before.quorum
    again = None
    if cosigned < quorum and tries < _TRIES_MAX:
        again = now + timedelta(seconds=2 * limits.report_every_s * 2**tries)
    record.keep(_MARK, Kept(size, cosigned, quorum, tries, again).to_bytes())


def better(
    record: Record,
    manifest: VerifiedManifest,
    reader: ChainReader,
    prover: Prover,
    regrant: Callable[[], Grant],
) -> Proof | None:
    """The evidence to put beside the version, None when what stands is no worse.

    Raises `Untrusted` for evidence that does not hold, `Unavailable`, `Denied`.
    """
    known = kept(record)
    envelope, rules = record.read(_POLICY), record.read(_RULES)
    if known is None or envelope is None or rules is None:
        return prover.prove(regrant(), regrant)
    received = VersionDetail(manifest.envelope, PolicyExtract(envelope, rules), None)

    def moved() -> Grant:
        raise Unavailable("the policy has changed since the version was received")

    proof = prover.prove(reader.grant(manifest, None, received), moved)
    return proof if proof.cosigned > known.cosigned else None
