"""Nodes on the hub's services, in one process: everything real but the network and the certificates."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog

from core.clock import Clock, SystemClock
from core.errors import Unavailable
from core.limits import Limits
from node import departure, enrol
from node import identity as identities
from node.config import NodeSettings, load_settings
from node.identity import NodeIdentity, TlsPair
from node.session import Session
from node.trust import TrustStore
from security import keystore
from tests.simulation.clock import ManualClock
from tests.simulation.federation import TestFederation, make_federation, sha256_of_payload

FAST = Limits(retry_first_s=0.01, retry_max_s=0.05, report_every_s=0.1)


@dataclass
class Member:
    """One agency's node on the disk, with its settings file."""

    federation: TestFederation
    partner: str
    home: Path
    is_hub_away: bool = False
    wrap: Callable[[Any], Any] = field(default=lambda hub: hub)

    @property
    def state_dir(self) -> Path:
        return self.home / "state"

    @property
    def config(self) -> Path:
        return self.home / "node.toml"

    @property
    def mirror(self) -> Path:
        return self.home / "mirror"

    def folder(self, name: str) -> Path:
        path = self.home / "data" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def configure(
        self, *, publish: dict[str, list[str]] | None = None, subscribe: bool = False, more: str = ""
    ) -> None:
        """`publish`: the readers of each dataset."""
        text = f'[node]\npartner = "{self.partner}"\nname = "main"\nstate_dir = "{self.state_dir}"\n'
        text += '[hub]\naddress = "hub.test:7443"\n'
        for name, readers in (publish or {}).items():
            text += (
                f'[[publish]]\ndataset = "{name}"\npath = "{self.folder(name)}"\ntitle = {{ en = "x" }}\n'
                'theme = "other"\nlicense = "CC-BY-4.0"\nrights_holder = "x"\nsettle_s = 0\n'
            )
            if readers:
                text += f"[[publish.share]]\nwith = {readers!r}\nallow = ['read']\n"
        if subscribe:
            self.mirror.mkdir(exist_ok=True)
            text += f'[[subscribe]]\ndataset = "*/*"\npath = "{self.mirror}"\n'
        self.config.write_text(text + more, "utf-8")

    def settings(self) -> NodeSettings:
        return load_settings(self.config, folders=False)

    def connect(self, settings: NodeSettings, identity: NodeIdentity, trust: TrustStore) -> Any:
        if self.is_hub_away:
            raise Unavailable("nobody answers at hub.test", remedy="wait", reason="UNREACHABLE")
        hub = self.federation.api(self.partner)
        hung_up = threading.Event()
        changes = self.federation.hub.changes

        @contextmanager
        def watch_changes() -> Iterator[Iterator[None]]:
            with changes.watch(hub.caller) as watcher:

                def rings() -> Iterator[None]:
                    while not hung_up.is_set():
                        changes.tick()
                        if watcher.wait(0.02):
                            yield None
                    raise Unavailable("hung up")

                yield rings()

        hub.watch_changes = watch_changes  # type: ignore[method-assign]
        hub.close = hung_up.set  # type: ignore[attr-defined]
        return self.wrap(hub)

    def session(self, clock: Clock | None = None) -> Session:
        return Session.open(
            self.settings(), clock=clock or self.federation.clock, connect=self.connect, limits=FAST
        )

    def content(self, dataset: str) -> dict[str, bytes]:
        root = self.mirror / dataset / "current"
        return {
            str(p.relative_to(root)): p.read_bytes()
            for p in sorted(root.rglob("*"))
            if p.is_file() and ".syncline" not in p.parts
        }


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[TestFederation]:
    made = make_federation(
        tmp_path, ("la-dgm", "th-dmr"), clock=ManualClock(SystemClock().now().replace(microsecond=0))
    )
    yield made
    made.close()


@pytest.fixture
def members(
    federation: TestFederation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Member]]:
    """`la-dgm` and `th-dmr`. Their certificates are taken as good."""
    made: dict[str, Member] = {}
    first = federation.hub.registry.list_from(1)[0]
    for partner, known in federation.members.items():
        home = tmp_path / partner
        home.mkdir()
        member = Member(federation, partner, home)
        identities.load_or_create(member.state_dir)
        keys = member.state_dir / "keys"
        for path in keys.iterdir():
            path.unlink()
        keystore.save_signing_key(keys / identities._SIGNING, known.signing, None)
        keystore.save_witness_key(keys / identities._WITNESS, known.witness, None)
        (keys / departure.CERTIFICATE).write_bytes(known.certificate)
        TrustStore.establish(member.state_dir, federation.clock, first, sha256_of_payload(first))
        made[partner] = member
    monkeypatch.setattr(
        NodeIdentity,
        "tls",
        lambda self: TlsPair(b"", (self.directory / departure.CERTIFICATE).read_bytes()),
    )
    monkeypatch.setattr(enrol, "renew_if_due", lambda **_: False)
    yield made
    structlog.reset_defaults()
