"""Nodes change their signing keys: asked by the node, signed by the administrators, told to the log.

* Both keys have signed, and the old one is this node's key now; a certificate alone changes nothing.
* The new key has never been anybody's, not even half of it.
* The old key counts until a registry lists the new one and drops it; then new statements need the new key.
* The same request again gets the same answer. A hub that was restored from an older copy, and has taken in a
  later registry that lists the new key already, learns from the request whose it is.

    rotation.request(caller, envelope)        # True: the registry lists the new key
"""

import sqlalchemy as sa

from core.errors import Conflict, Unavailable, Untrusted
from core.logs import get_logger
from hub.services import acts
from hub.services.context import Caller, Context
from hub.services.membership import Membership
from hub.services.registry import RegistryService
from hub.services.statements import check_size, check_speaker
from hub.services.translog import Record, TransparencyLog
from security.keys import PublicKey
from security.rotation import Rotation, VerifiedRotation, verify_rotation

_log = get_logger("hub.rotation")


class RotationService:
    """Takes the requests."""

    def __init__(self, context: Context, registry: RegistryService, translog: TransparencyLog) -> None:
        self._context = context
        self._database = context.database
        self._registry = registry
        self._translog = translog

    def request(self, caller: Caller, envelope: bytes) -> bool:
        """Ask for the keys in `envelope`; whether the registry lists them already.

        Raises `Untrusted` (WRONG_SIGNER, DUPLICATE_KEY, …), `Conflict` (OTHER_KEY) when the old key is not
        this node's any more.
        """
        self._registry.require_active(caller)
        check_size(self._context.limits, envelope)
        verified = verify_rotation(envelope, self._context.limits)
        if self._place(caller, verified):
            return True
        keys = self._context.administrator_keys()
        if not keys:
            return False
        try:
            self._registry.sign_pending(keys)
        except Unavailable as error:
            _log.warning("a change of keys waits for the administrators", problem=error.message)
            return False
        return True

    def _place(self, caller: Caller, verified: VerifiedRotation) -> bool:
        """Queue it, unless it is done already; whether it is."""
        said = verified.rotation
        speaker = said.federation, said.partner, said.node
        check_speaker(self._context, caller, speaker, "a change of keys")
        with self._database.write() as connection:
            state = self._registry.membership(connection)
            member = self._registry.member(caller, state)
            if member.signing_key == said.new:
                return True
            if _is_done(state, said) and member.signing_key != said.old:
                return True  # and changed again since
            if member.signing_key != said.old:
                raise Conflict(
                    f"the key that this replaces is not that of node {caller.node} of {caller.partner}",
                    remedy="another copy of this node may have changed its keys: stop one of them",
                    reason="OTHER_KEY",
                )
            if _is_done(state, said):
                acts.take_key(connection, member.enrolment, said.new)
                return True
            _check_new(state, said.new)
            if acts.queue_rotation(connection, member.enrolment, verified, self._context.clock):
                self._log_act(connection, caller, verified)
            return False

    def _log_act(self, connection: sa.Connection, caller: Caller, verified: VerifiedRotation) -> None:
        self._translog.append(
            connection,
            Record(
                type="act",
                actor=caller.partner,
                object=caller.partner,
                owner=caller.partner,
                statement_sha256=verified.id,
                detail={"act": "rotate-keys", "node": caller.node},
            ),
        )


def _is_done(state: Membership, said: Rotation) -> bool:
    """Some registry has listed the new key for this partner, and the newest does not list the old one."""
    entry = state.registry.registry.partner(said.partner)
    assert entry is not None
    return said.new in state.keys_ever[said.partner] and said.old not in entry.signing_keys


def _check_new(state: Membership, new: PublicKey) -> None:
    known = (key for keys in state.keys_ever.values() for key in keys)
    if not all(new.shares_nothing_with(key) for key in known):
        raise Untrusted("this signing key, or half of it, was in the registry before", reason="DUPLICATE_KEY")
