"""What the work on every mirror stands on: this node, the hub, the disk, the log's prover."""

from dataclasses import dataclass
from pathlib import Path

from core.clock import Clock
from core.limits import Limits
from core.names import NodeName, PartnerId
from core.progress import Progress
from node.mirror_state import MirrorTable
from node.room import Room
from node.subscribe.proving import Prover
from node.trust import TrustStore
from security.keys import Signer
from sync.ports import HubApi


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every mirror's work stands on."""

    partner: PartnerId
    node: NodeName
    records: Path
    mirrors: MirrorTable
    trust: TrustStore
    hub: HubApi
    prover: Prover
    signer: Signer
    clock: Clock
    limits: Limits
    progress: Progress
    room: Room
