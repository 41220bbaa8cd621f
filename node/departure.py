"""A node leaves its federation: said once, in writing, and kept until it joins again.

    keys/departure.json      what this node has signed; written before the hub is told

Rules: the statement is made once, so that repeating the command sends the same bytes; the certificate goes
when the hub has accepted it. Keys, state, published folders and mirrors stay where they are.

    envelope = say(keys, departure, signing_key)
    settle(keys)                            # the hub has accepted it
    check_not_left(keys)                    # raises Denied (LEFT)
    forget(keys)                            # joining again
"""

from pathlib import Path

from core import durable
from core.errors import Denied
from node.materialise import system_errors
from security import envelope as dsse
from security.departure import Departure, build_departure
from security.keys import Signer

CERTIFICATE = "tls.crt"
_STATEMENT = "departure.json"


def said(keys: Path) -> Departure | None:
    """What this node has said, whether or not the hub has heard it."""
    try:
        envelope = (keys / _STATEMENT).read_bytes()
    except FileNotFoundError:
        return None
    return Departure.from_payload(dsse.parse(envelope).payload)


def say(keys: Path, departure: Departure, key: Signer) -> bytes:
    """The signed statement; the one that was made before, where there is one."""
    path = keys / _STATEMENT
    with system_errors(f"writing {path}"):
        if not path.exists():
            durable.write_file(path, build_departure(departure, key), mode=0o600)
        return path.read_bytes()


def settle(keys: Path) -> None:
    """The hub has accepted it: the certificate opens nothing any more, and its key is of no use."""
    with system_errors(f"removing the certificate in {keys}"):
        for path in (keys / CERTIFICATE, *keys.glob("tls-*.pem")):
            path.unlink(missing_ok=True)


def forget(keys: Path) -> None:
    """A new join file is at hand."""
    with system_errors(f"removing {keys / _STATEMENT}"):
        (keys / _STATEMENT).unlink(missing_ok=True)


def check_not_left(keys: Path) -> None:
    """Raises `Denied` (LEFT) where this node left and has not joined again."""
    departure = said(keys)
    if departure is not None and not (keys / CERTIFICATE).exists():
        raise Denied(
            f"this node left {departure.federation} on {departure.created:%Y-%m-%d}",
            remedy="to come back, ask the hub's operator for a join file and run: syncline-node join FILE",
            reason="LEFT",
        )
