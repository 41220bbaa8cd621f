"""The chain rule that every signed thing shares: one line of statements a subject, no way back.

`seq` counts 1, 2, 3 …; `prev` is the id of the statement before (null in the first); the id is the
SHA-256 of the payload. What is refused, by reason:

    ROLLBACK       an older statement than the head, or the head again
    FORK           another statement with the head's own seq: somebody signed twice
    GAP            a jump ahead: statements between are missing (also a fast-forward attack)
    BROKEN_CHAIN   the right seq, but prev is not the head's id

    if same(head, new): ...              # a repeat is answered, not appended
    check_successor(head, new, "policy of la-dgm/geology-1m")
"""

from dataclasses import dataclass

from core.errors import Untrusted
from security.digests import Sha256Hex


@dataclass(frozen=True, slots=True)
class Link:
    """A statement's place in its chain."""

    seq: int
    prev: Sha256Hex | None
    id: Sha256Hex


def same(head: Link | None, new: Link) -> bool:
    """Whether `new` is the head itself, byte for byte."""
    return head is not None and head.id == new.id


def check_successor(head: Link | None, new: Link, what: str) -> None:
    """Demand that `new` directly follows `head` (None: that it is a first). Raises `Untrusted`."""
    if new.seq < 1:
        raise Untrusted(f"{what}: number {new.seq} is none; a chain begins with 1", reason="MALFORMED")
    head_seq = 0 if head is None else head.seq
    head_id = None if head is None else head.id
    if new.seq == head_seq and new.id != head_id:
        raise Untrusted(
            f"{what}: two different statements with number {new.seq}",
            remedy="stop; a copy of the signing key may be in use elsewhere: report this to the operator",
            reason="FORK",
        )
    if new.seq <= head_seq:
        raise Untrusted(f"{what}: number {new.seq} is not newer than {head_seq}", reason="ROLLBACK")
    if new.seq > head_seq + 1:
        raise Untrusted(
            f"{what}: number {new.seq} does not follow {head_seq}",
            remedy="fetch the statements between them",
            reason="GAP",
        )
    if new.prev != head_id:
        raise Untrusted(
            f"{what}: number {new.seq} does not name the statement before it", reason="BROKEN_CHAIN"
        )
