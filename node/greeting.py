"""The beginning of everything that needs the hub: a valid certificate, a known clock, the newest registry.

    reception = Reception(session)
    hub = reception.greet()                     # raises what stands in the way, after noting it
    reception.lost_contact()                    # a call failed: greet anew next time

Rules: a certificate past its half-life is renewed, and one that cannot be renewed is a fault as long as it is
valid; a clock that is off is a fault and stops nothing; an expired registry stops everything; an entry in it
that is not this node's keys is an alarm. A change of keys that waits is told, and taken up when the registry
lists the new key.
"""

import threading
from contextlib import suppress
from datetime import datetime, timedelta

from core.clock import format_instant
from core.errors import Denied, SynclineError, Unavailable, Untrusted
from core.logs import get_logger
from core.names import NodeName
from node import enrol, rotate
from node.session import Hub, Session
from sync.ports import HubInfo

_GREETING_VALID_S = 20.0

log = get_logger("node.greeting")


class Reception:
    """Greets the hub, for several workers at once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._told: set[bytes] = set()  # changes of keys that this hub has heard of
        self._greeting = threading.Lock()
        self._greeted_at: float | None = None

    def greet(self) -> Hub:
        """The hub, connected and believed: certificate, clock and registry are in order.

        A greeting counts for some seconds, so that several workers share one. Raises what stands in the way,
        after noting it.
        """
        with self._greeting:
            now = self._session.clock.monotonic()
            if (
                self._greeted_at is not None
                and now - self._greeted_at < _GREETING_VALID_S
                and not self._news()
            ):
                return self._session.hub()
            self._greeted_at = None
            try:
                hub = self._greet()
            except SynclineError as error:
                self.fault("hub", error)
                self._session.retire_connection()  # what still moves on the old one may finish
                raise
            self.clear("hub")
            self._greeted_at = self._session.clock.monotonic()
            return hub

    def lost_contact(self) -> None:
        """A call failed: the next greeting is a real one."""
        self._greeted_at = None

    def room_changed(self) -> None:
        """Something was published: where there is a quota, less of it is left."""
        if self._session.board.report.hub.quota_bytes is not None:
            with suppress(SynclineError):  # the next greeting tells
                self._note_quota(self._session.hub().get_hub_info())

    def _greet(self) -> Hub:
        session = self._session
        self._renew_certificate()
        hub = session.hub()
        before = session.clock.now()
        try:
            info = hub.get_hub_info()
        except Denied as error:
            if error.reason != "REPLACED":
                raise
            hub = self._connect_again(error)
            before = session.clock.now()
            info = hub.get_hub_info()
        self._note_clock(info, before)
        self._note_quota(info)
        session.board.hub(version=info.version, last_contact=format_instant(session.clock.now()))
        self._update_registry(hub)
        return hub

    def _renew_certificate(self) -> None:
        session = self._session
        try:
            renewed = enrol.renew_if_due(
                state_dir=session.settings.node.state_dir,
                clock=session.clock,
                limits=session.limits,
                passphrase=session.passphrase,
            )
        except SynclineError as error:
            _, expires = session.identity.tls().validity
            self.fault("certificate", error)
            if expires <= session.clock.now():
                raise
        else:
            self.clear("certificate")
            if renewed:
                log.info("the certificate was renewed")
                session.retire_connection()
        begins, expires = session.identity.tls().validity
        issued = begins + timedelta(seconds=session.limits.certificate_backdate_s)
        session.board.facts(
            certificate_since=format_instant(issued), certificate_expires=format_instant(expires)
        )

    def _connect_again(self, refused: Denied) -> Hub:
        """A hub that was restored has forgotten this node's newest certificate, and gives another; to a node
        that was replaced, whose signing key is no longer the one, it gives none."""
        session = self._session
        try:
            enrol.renew(
                state_dir=session.settings.node.state_dir,
                clock=session.clock,
                limits=session.limits,
                passphrase=session.passphrase,
            )
        except (Denied, Untrusted):
            raise refused from None
        log.warning("the hub did not know this node's certificate, and has given another")
        session.retire_connection()
        return session.hub()

    def _note_clock(self, info: HubInfo, before: datetime) -> None:
        session = self._session
        middle = before + (session.clock.now() - before) / 2
        offset_s = (info.time - middle).total_seconds()
        session.board.hub(clock_offset_s=round(offset_s, 1))
        if abs(offset_s) > session.limits.clock_offset_warn_s:
            direction = "behind" if offset_s > 0 else "ahead of"
            error = Unavailable(
                f"this machine's clock is {abs(offset_s):.0f} s {direction} the hub's",
                remedy="synchronise it (timedatectl set-ntp true), or tell the operator if it is the hub's",
                reason="CLOCK_OFFSET",
            )
            self.fault("clock", error)
        else:
            self.clear("clock")

    def _note_quota(self, info: HubInfo) -> None:
        """Say early that the room at the hub comes to its end: an upload beyond it is refused."""
        board = self._session.board
        was_low = board.report.hub.is_quota_low
        used = None if info.quota_bytes is None else info.used_bytes
        board.hub(used_bytes=used, quota_bytes=info.quota_bytes)
        if board.report.hub.is_quota_low and not was_low:
            log.warning(
                "the room that the hub keeps for this agency is nearly used",
                used_bytes=used,
                quota_bytes=info.quota_bytes,
                remedy="ask its operator for more before new versions are refused",
            )

    def _update_registry(self, hub: Hub) -> None:
        session = self._session
        added = session.trust.refresh(hub)
        self._settle_keys()
        if self._tell_of_keys(hub):
            added += session.trust.refresh(hub)
            self._settle_keys()
        newest = session.trust.current().registry
        session.board.facts(
            federation=newest.federation,
            registry_seq=newest.seq,
            registry_expires=format_instant(newest.expires),
        )
        if added:
            log.info("the registry has changed", seq=newest.seq)
        settings, identity = session.settings, session.identity
        try:
            session.trust.check_own_entry(
                settings.partner,
                NodeName(settings.node.name),
                identity.signing.public,
                identity.witness.public,
            )
        except SynclineError as error:
            self.fault("registry", error)  # an alarm; what others signed is still to be had
        else:
            self.clear("registry")

    def _news(self) -> bool:
        """Whether a change of keys waits that this hub has not heard of."""
        envelope = rotate.waiting(self._session.settings.node.state_dir)
        return envelope is not None and envelope not in self._told

    def _tell_of_keys(self, hub: Hub) -> bool:
        """Tell the hub of a change of keys that waits, and one that was restored of all before; whether the
        registry has changed by it."""
        state_dir = self._session.settings.node.state_dir
        told = rotate.done(state_dir) if self._session.trust.newest().registry.logs[-1].continues else []
        envelope = rotate.waiting(state_dir)
        changed = False
        try:
            for each in (*told, *((envelope,) if envelope is not None else ())):
                if each not in self._told:
                    self._told.add(each)
                    changed = hub.rotate_keys(each)
        except SynclineError as error:
            self.fault("keys", error)  # the old key still counts
            return False
        self.clear("keys")
        return changed and envelope is not None

    def _settle_keys(self) -> None:
        """Sign with the new key as soon as the registry lists it."""
        session = self._session
        identity = rotate.settle(
            session.settings.node.state_dir,
            session.identity,
            session.trust.newest().registry,
            session.settings.partner,
        )
        if identity is not session.identity:
            rotate.own_keys(session.state, session.identity.signing.public)
            session.identity = identity
            rotate.own_keys(session.state, identity.signing.public)
            log.warning("this node signs with its new key from here on")

    def fault(self, what: str, error: SynclineError) -> None:
        """Note what concerns the whole node; the log hears of it when it is news."""
        if self._session.board.fault(what, error):
            log.warning(error.message, about=what, remedy=error.remedy)

    def clear(self, what: str) -> None:
        """Note that it is gone."""
        if self._session.board.clear(what):
            log.info("in order again", about=what)
