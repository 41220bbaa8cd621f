"""What the report says of the node itself, looked at when it is asked for: disks, rates, ages of keys.

Rules: looking is cheap and writes nothing where nothing changed; a disk below its reserve is a fault of the
whole node, gone as soon as there is room; a disk that is merely low is told by its figures, and no fault.

    vitals = Vitals(session)
    vitals.refresh()                # before a report is sent or shown
    vitals.room_came_back()         # once, after a disk was full: what waited for room may go on
"""

import threading
from pathlib import Path

from core.clock import format_instant
from core.errors import SynclineError
from core.logs import get_logger
from node.disks import Disks
from node.moving import DOWN, UP
from node.room import no_room
from node.session import Session
from node.status import DISK, DiskStatus, TransferStatus
from security.keys import PublicKey

log = get_logger("node.vitals")


class Vitals:
    """Of one session. Methods may be called from any thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._disks = Disks(session.settings.node.state_dir, session.room, session.clock)
        self._lock = threading.Lock()
        self._was_full = False
        self._came_back = False
        self._key: tuple[PublicKey, int, str | None] | None = None

    def refresh(self) -> None:
        """Bring the report up to date."""
        with self._lock:
            self._look_at_disks()
            self.show_rates()
            self._session.board.facts(signing_key_since=self._signing_key_since())

    def show_rates(self) -> None:
        """Bring the rates up to date."""
        meter = self._session.meter
        transfer = TransferStatus(up_bytes_s=meter.rate(UP), down_bytes_s=meter.rate(DOWN))
        self._session.board.rates(
            transfer, lambda dataset: meter.rate(UP, dataset) + meter.rate(DOWN, dataset)
        )

    def room_came_back(self) -> bool:
        """Whether a disk was full and is no longer, told once."""
        with self._lock:
            came, self._came_back = self._came_back, False
            return came

    def _look_at_disks(self) -> None:
        session, paths = self._session, self._paths()
        found = self._disks.look(paths)
        session.board.facts(disks=found)
        kept = session.limits.disk_reserve_bytes
        full = [each for each in found if each.free_bytes < kept]
        if full:
            self._was_full = True
            error = no_room(paths[full[0].name], _doing(full[0]), full[0].free_bytes, 0, kept)
            if session.board.fault(DISK, error):
                log.error(error.message, remedy=error.remedy)
        elif session.board.clear(DISK) or self._was_full:
            self._was_full, self._came_back = False, True
            log.info("there is room on the disks again")

    def _paths(self) -> dict[str, Path]:
        settings = self._session.settings
        mirrors = {f"mirror {place}": each.path for place, each in enumerate(settings.subscribe, 1)}
        return {"state": settings.node.state_dir, **mirrors}

    def _signing_key_since(self) -> str | None:
        """When the registry first listed the key that this node signs with, as far back as it is known."""
        session, public = self._session, self._session.identity.signing.public
        try:
            newest = session.trust.newest().registry.seq
        except SynclineError:
            return None  # the greeting says why
        if self._key is None or self._key[:2] != (public, newest):
            since = None
            for statement in reversed(session.trust.chain()):
                member = statement.registry.partner(session.settings.partner)
                if member is None or public not in member.signing_keys:
                    break
                since = format_instant(statement.registry.created)
            self._key = (public, newest, since)
        return self._key[2]


def _doing(disk: DiskStatus) -> str:
    return "publishing and mirroring" if disk.name == "state" else "mirroring"
