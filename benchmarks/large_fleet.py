"""A hub directory with a fleet of any size, made in a minute: to measure pages, not to show them.

Real: the federation, every enrolment through the hub's services (keys, join statements, certificates), the
registry that lists all of them, users and sessions. Each leaf opens and stands in its owner's lane.
Made up and written straight into the tables: policies, versions, deliveries and acknowledgements, whose
statements have their true form and **signatures of zeros** (a thousand keys would sign for minutes; no page
asks for them, `fsck` would refuse them), no content behind the versions, and samples, facts and transfers.

    fleet = seed(Path("hub"), nodes=1000, datasets=10_000, days=14, ports=(7443, 7444, 7446))
    fleet.nodes[0].partner, fleet.cookies[0]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.large_history import write_history
from benchmarks.large_tables import Tables
from core import durable
from core.clock import SystemClock
from core.names import NodeName, PartnerId
from deploy.demo.fleet.member import hand_in
from deploy.demo.fleet.set_clock import SetClock
from hub.config import document
from hub.layout import Layout
from hub.services.context import Federation
from hub.services.hub import Hub
from hub.storage.database import Database
from security.certificates import generate_tls_key
from security.keys import SigningKey, WitnessKey

FEDERATION = "large-geo"
NODE = NodeName("main")
USERS = 4
_AGE = timedelta(days=7)  # of the enrolments: half of a certificate's life
_PASSWORD = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class Node:
    """An enrolled node and its keys."""

    partner: PartnerId
    signing: SigningKey
    key_pem: bytes
    chain_pem: bytes


@dataclass(frozen=True, slots=True)
class LargeFleet:
    """What was made. `cookies`: one signed-in session each."""

    layout: Layout
    address: str
    web: str
    nodes: tuple[Node, ...]
    tables: Tables
    cookies: tuple[str, ...]
    leaves: int


def seed(directory: Path, *, nodes: int, datasets: int, days: float, ports: Sequence[int]) -> LargeFleet:
    """`ports`: for nodes, enrolment, pages. Each partner has one node; the datasets are dealt in turn."""
    address, enrol, web = (f"127.0.0.1:{port}" for port in ports)
    now = SystemClock().now().replace(microsecond=0)
    clock, administrator, layout = SetClock(now - _AGE), SigningKey.generate(), Layout(directory)
    layout.directory.mkdir(parents=True)
    federation = Federation(FEDERATION, address, enrol)
    Hub.found(layout, federation, administrators=[administrator], clock=clock)
    text = document("Many agencies", FEDERATION, address, enrol, "", web)
    durable.write_file(layout.settings, text.encode(), mode=0o640, exclusive=True)
    with Hub.open(layout, clock=clock) as hub:
        enrolled = _enrol(hub, [PartnerId(f"xa-n{number:04}") for number in range(nodes)], administrator)
        registry = hub.registry.current()
        clock.go(now)
        cookies: list[str] = []
        for number in range(USERS):
            hub.users.add(f"user{number}", _PASSWORD, {"operator", "auditor"})
            cookies.append(f"syncline-session={hub.sessions.begin(f'user{number}')}")
    database = Database.open(layout.database)
    try:
        tables = Tables(database, [each.partner for each in enrolled], registry, datasets)
        leaves = tables.write(now - _AGE + timedelta(minutes=1), now - timedelta(minutes=1))
        write_history(database, tables, now, days)
    finally:
        database.close()
    return LargeFleet(layout, address, web, enrolled, tables, tuple(cookies), leaves)


def _enrol(hub: Hub, partners: Sequence[PartnerId], administrator: SigningKey) -> tuple[Node, ...]:
    """Invited, joined, approved; one registry for all of them; then their certificates."""
    joined: list[tuple[PartnerId, SigningKey, bytes, str, str]] = []
    for partner in partners:
        signing, witness, tls = SigningKey.generate(), WitnessKey.generate(), generate_tls_key()
        names = {"en": f"Agency {partner}"}
        join_id, token = hand_in(hub, partner, names, NODE, (signing, witness), tls)
        hub.enrolment.approve(partner, join_id, node=NODE)
        pem = tls.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        joined.append((partner, signing, pem, join_id, token))
    hub.registry.sign_pending([administrator])
    made: list[Node] = []
    for partner, signing, pem, join_id, token in joined:
        chain = hub.enrolment.get(join_id, token)[1]
        assert chain is not None
        made.append(Node(partner, signing, pem, chain))
    return tuple(made)
