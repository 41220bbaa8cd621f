"""The node as a witness of the hub's log: it checks all of it, keeps what it saw, and only then cosigns.

    witness = Witness(...)
    seen = witness.run(hub)                     # bounded work; goes on at the next call where it is behind
    seen.behind, seen.standing

Rules, in this order: the newest checkpoint is signed by the registry's current log; it continues the last
one seen; the entries up to it give its root; all of that is on the disk; only then is it cosigned, with a
key that is used for nothing else, and handed over. Never is a checkpoint cosigned that is smaller than, or
inconsistent with, what was cosigned before under the same origin, whatever was killed or decided in
between. The other witnesses' cosignatures are held against what this node has seen. What an honest hub does
not do is an alarm (`node.alarms`).

    entries, own_lane, statements   what is in the leaves        histories, ledger   what is kept
    peers                           the other witnesses          continuation, growth   what is no attack
"""

from node.witness.histories import Histories
from node.witness.ledger import Ledger
from node.witness.witness import Witness, WitnessReport

__all__ = ["Histories", "Ledger", "Witness", "WitnessReport"]
