"""Becoming a member: from a join file to keys, a certificate and the first registry.

    outcome = join(Path("la-dgm.join"), partner="la-dgm", node="main", hub_address=None, state_dir=..., clock=...)
    print(outcome.fingerprint)                       # the operator reads it back
    outcome = wait(state_dir=..., clock=..., timeout_s=None)
    renew_if_due(state_dir=..., clock=...)           # True when there is a new certificate: rebuild the channel
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from core.clock import Clock
from core.limits import LIMITS, Limits
from core.names import NodeName, PartnerId


class EnrolmentState(Enum):
    """Where an enrolment stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class JoinFile:
    """What `syncline-hub invite` wrote, checked. `registry` is a DSSE envelope of id `registry_id`."""

    federation: str
    partner: PartnerId
    names: dict[str, str]
    node: NodeName
    hub: str
    enrol: str
    registry: bytes
    registry_id: str
    ca_pem: bytes
    token: bytes
    expires: datetime


@dataclass(frozen=True, slots=True)
class JoinOutcome:
    """Where the enrolment stands; `fingerprint` is 16 groups of 4 hex digits."""

    state: EnrolmentState
    fingerprint: str
    federation: str
    partner: PartnerId
    node: NodeName
    hub: str


def read_join_file(path: Path, limits: Limits = LIMITS) -> JoinFile:
    """Read and check a join file. Raises `InvalidInput`, or `Untrusted` when it was altered."""
    raise NotImplementedError


def join(
    join_file: Path,
    *,
    partner: PartnerId,
    node: NodeName,
    hub_address: str | None,
    state_dir: Path,
    clock: Clock,
    limits: Limits = LIMITS,
    passphrase: bytes | None = None,
    config_path: Path | None = None,
) -> JoinOutcome:
    """Ask to become a member; repeating it is safe. Writes `[hub] address` into `config_path` if missing."""
    raise NotImplementedError


def wait(
    *, state_dir: Path, clock: Clock, limits: Limits = LIMITS, passphrase: bytes | None = None,
    timeout_s: float | None = None, poll_s: float = 2.0,
) -> JoinOutcome:  # fmt: skip
    """Ask until approved or rejected (`timeout_s` 0: ask once); stores the certificate."""
    raise NotImplementedError


def renew_if_due(
    *, state_dir: Path, clock: Clock, limits: Limits = LIMITS, passphrase: bytes | None = None
) -> bool:
    """Renew the certificate past its half-life, or expired. True when there is a new one."""
    raise NotImplementedError
