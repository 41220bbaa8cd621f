"""A node changes its signing key: asked once, told until it is done, switched by one rename.

    keys/signing.pem                   the key that counts
    keys/signing-next.pem              the new one, until the registry lists it
    keys/rotation.json                 the request, as both keys have signed it
    trust/rotations/00000001.json …    requests that are done: a hub that was restored is told again
    trust/rotations/told               how many of them the person who asked has been told of

Rules: the old key signs until this node's own verified registry lists the new one; then the new private key
takes the old one's place by one rename, and the old one is gone. Each step may be interrupted and repeated. A
new key is made once: asking again asks for the same one, and asking when it has been changed
meanwhile tells that.

    request(state_dir, identity, …)                     # the command
    identity = settle(state_dir, identity, registry)    # at each greeting; the new identity once it is listed
    waiting(state_dir)                                  # the request to tell the hub, or None
"""

import json
from datetime import datetime, timedelta
from pathlib import Path

from core import durable
from core.names import NodeName, PartnerId
from node import identity as identities
from node.identity import NodeIdentity
from node.materialise import system_errors
from node.state import NodeState
from security import keystore
from security.keys import PublicKey, SigningKey
from security.registry import Registry
from security.rotation import Rotation, build_rotation, verify_rotation

NEXT_KEY = "signing-next.pem"
_KEY = "signing.pem"
_REQUEST = "rotation.json"
_DONE = "rotations"
_TOLD = "told"
_ASKED_LATELY = timedelta(days=30)
_OWN_KEYS = "own_signing_keys"


def request(
    state_dir: Path,
    identity: NodeIdentity,
    federation: str,
    partner: PartnerId,
    node: NodeName,
    now: datetime,
) -> PublicKey:
    """Make a new key and sign the request for it, unless one waits already; the new public key."""
    found = waiting(state_dir)
    if found is not None:
        return verify_rotation(found).rotation.new
    path = identity.directory / NEXT_KEY
    with system_errors(f"keeping the new key in {identity.directory}"):
        if not path.exists():
            keystore.save_signing_key(path, SigningKey.generate(), identity.passphrase)
        new = keystore.load_signing_key(path, identity.passphrase)
        asked = Rotation(federation, partner, node, now, identity.signing.public, new.public)
        envelope = build_rotation(asked, identity.signing, new)
        durable.write_file(identity.directory / _REQUEST, envelope, mode=0o600)
    return new.public


def waiting(state_dir: Path) -> bytes | None:
    """The request that waits for the administrators; None when none does."""
    folder = state_dir / "keys"
    if not (folder / NEXT_KEY).exists():
        return None
    try:
        return (folder / _REQUEST).read_bytes()
    except FileNotFoundError:
        return None


def settle(state_dir: Path, identity: NodeIdentity, registry: Registry, partner: PartnerId) -> NodeIdentity:
    """Take the new key if the (verified) `registry` lists it; the identity from here on."""
    envelope = waiting(state_dir)
    if envelope is None:
        return identity
    entry = registry.partner(partner)
    if entry is None or verify_rotation(envelope).rotation.new not in entry.signing_keys:
        return identity
    with system_errors(f"changing the key in {identity.directory}"):
        _keep_done(state_dir, envelope)
        durable.rename(identity.directory / NEXT_KEY, identity.directory / _KEY)
        (identity.directory / _REQUEST).unlink()
    return identities.load(state_dir, identity.passphrase)


def done(state_dir: Path) -> list[bytes]:
    """Every request that is done, oldest first."""
    folder = state_dir / "trust" / _DONE
    return [path.read_bytes() for path in sorted(folder.glob("*.json"))] if folder.is_dir() else []


def untold(state_dir: Path, present: PublicKey, now: datetime) -> Rotation | None:
    """The change of lately by which `present` came, if nobody who asked has been told that it is done."""
    known = done(state_dir)
    if not known or _told(state_dir) >= len(known):
        return None
    last = verify_rotation(known[-1]).rotation
    return last if last.new == present and now - last.created < _ASKED_LATELY else None


def tell(state_dir: Path) -> None:
    """Whoever asked for the changes that are done has been told."""
    folder = state_dir / "trust" / _DONE
    if folder.is_dir():
        with system_errors(f"writing in {folder}"):
            durable.write_file(folder / _TOLD, b"%d\n" % len(done(state_dir)))


def _told(state_dir: Path) -> int:
    try:
        return int((state_dir / "trust" / _DONE / _TOLD).read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return 0


def next_key(identity: NodeIdentity) -> SigningKey | None:
    """The new key while the registry may or may not list it: to prove who this node is, and nothing else."""
    path = identity.directory / NEXT_KEY
    return keystore.load_signing_key(path, identity.passphrase) if path.exists() else None


def own_keys(state: NodeState, present: PublicKey) -> tuple[PublicKey, ...]:
    """Every signing key that this node has had, the present one first; remembered when it is new."""
    known = json.loads(state.get_meta(_OWN_KEYS) or "[]")
    if present.to_json() not in known:
        known.append(present.to_json())
        state.set_meta(_OWN_KEYS, json.dumps(known))
    return tuple(PublicKey.from_json(each) for each in reversed(known))


def _keep_done(state_dir: Path, envelope: bytes) -> None:
    folder = state_dir / "trust" / _DONE
    known = done(state_dir)
    if envelope in known:
        return  # interrupted here before
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    durable.write_file(folder / f"{len(known) + 1:08}.json", envelope)
