"""The registry chain as a node believes it: TUF's attacks, by name."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from core import durable
from core.errors import Corrupt, Unavailable, Untrusted
from core.names import NodeName, PartnerId
from node.trust import TrustStore
from security.certificates import create_ca
from security.envelope import parse
from security.keys import SigningKey, WitnessKey
from security.registry import (
    Administrators,
    Registry,
    VerifiedRegistry,
    first_registry,
    sign_registry,
    verify_first,
    verify_next,
)
from tests.simulation.clock import ManualClock

OWN, NODE = PartnerId("la-dgm"), NodeName("main")


class Administration:
    """Signs registries of one federation."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.key = SigningKey.generate()
        self.chain: list[bytes] = []
        ca = create_ca("test-geo", clock.now())
        registry = first_registry(
            "test-geo", Administrators((self.key.public,), 1), [self.key.public], [], [ca.der], clock.now()
        )
        self.verified: VerifiedRegistry = self._sign(registry)

    def _sign(self, registry: Registry) -> VerifiedRegistry:
        envelope = sign_registry(registry, [self.key])
        self.chain.append(envelope)
        if len(self.chain) == 1:
            return verify_first(envelope, parse(envelope).id)
        return verify_next(self.verified, envelope)

    def next(self) -> bytes:
        self.clock.advance(60)
        self.verified = self._sign(self.verified.successor(self.clock.now()))
        return self.chain[-1]

    def forged(self) -> bytes:
        return sign_registry(self.verified.successor(self.clock.now()), [SigningKey.generate()])


class FakeHub:
    """What a hub knows of the registry. `takes`: whether it takes in what it lacks."""

    def __init__(self, chain: list[bytes], *, takes: bool = False) -> None:
        self.chain = list(chain)
        self.takes = takes

    def get_hub_info(self) -> SimpleNamespace:
        return SimpleNamespace(registry_seq=len(self.chain))

    def offer_registry(self, envelopes: list[bytes]) -> int:
        if not self.takes:
            raise Untrusted("this is another second statement", reason="FORK")
        self.chain += envelopes
        return len(self.chain)

    def list_registry(self, from_seq: int) -> list[bytes]:
        return self.chain[from_seq - 1 :]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def administration(clock: ManualClock) -> Administration:
    return Administration(clock)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock, administration: Administration) -> TrustStore:
    first = administration.chain[0]
    return TrustStore.establish(tmp_path, clock, first, parse(first).id)


def test_the_chain_is_kept_and_verified_again(
    tmp_path: Path, clock: ManualClock, administration: Administration, store: TrustStore
) -> None:
    administration.next()
    administration.next()
    assert store.refresh(FakeHub(administration.chain)) == 2  # type: ignore[arg-type]
    assert store.refresh(FakeHub(administration.chain)) == 0  # type: ignore[arg-type]
    again = TrustStore(tmp_path, clock)
    assert [each.envelope for each in again.chain()] == administration.chain


def test_wrong_threshold_a_registry_that_no_administrator_signed(
    administration: Administration, store: TrustStore
) -> None:
    with pytest.raises(Untrusted):
        store.update([administration.forged()])
    assert store.current().registry.seq == 1


def test_fast_forward_a_jump_is_refused(administration: Administration, store: TrustStore) -> None:
    administration.next()
    with pytest.raises(Untrusted) as refused:
        store.update([administration.next()])
    assert refused.value.reason == "GAP"


def test_fork_another_registry_of_the_same_number(administration: Administration, store: TrustStore) -> None:
    base = administration.verified
    store.update([administration.next()])
    administration.clock.advance(5)
    other = sign_registry(base.successor(administration.clock.now()), [administration.key])
    with pytest.raises(Untrusted) as refused:
        store.update([other])
    assert refused.value.reason == "FORK"


def test_rollback_a_hub_that_forgot_what_it_gave(administration: Administration, store: TrustStore) -> None:
    store.update([administration.next()])
    with pytest.raises(Untrusted) as refused:
        store.refresh(FakeHub(administration.chain[:1]))  # type: ignore[arg-type]
    assert refused.value.reason == "ROLLBACK"
    assert store.current().registry.seq == 2


def test_a_restored_hub_is_offered_what_it_lacks(administration: Administration, store: TrustStore) -> None:
    store.update([administration.next(), administration.next()])
    hub = FakeHub(administration.chain[:1], takes=True)
    assert store.refresh(hub) == 0  # type: ignore[arg-type]
    assert hub.chain == administration.chain, "exactly what it lacked, in order"
    assert store.current().registry.seq == 3


def test_freeze_an_expired_registry_is_not_believed(clock: ManualClock, store: TrustStore) -> None:
    clock.advance(90 * 24 * 3600)
    with pytest.raises(Unavailable) as refused:
        store.keys_of(OWN)
    assert refused.value.reason == "REGISTRY_EXPIRED" and refused.value.remedy


def test_another_federations_join_file_is_refused(
    tmp_path: Path, clock: ManualClock, store: TrustStore
) -> None:
    other = Administration(clock).chain[0]
    with pytest.raises(Untrusted, match="another federation"):
        TrustStore.establish(tmp_path, clock, other, parse(other).id)


def test_an_altered_chain_on_disk_is_noticed_and_fetched_again(
    tmp_path: Path, clock: ManualClock, administration: Administration, store: TrustStore
) -> None:
    for _ in range(3):
        store.update([administration.next()])
    altered = tmp_path / "trust/registry/00000003.json"
    altered.write_bytes(administration.chain[0])
    again = TrustStore(tmp_path, clock)
    with pytest.raises(Unavailable) as refused:
        again.current()  # statement 2 alone is old: who was revoked since would be believed
    assert refused.value.reason == "REGISTRY_DAMAGED"
    again.refresh(FakeHub(administration.chain))  # type: ignore[arg-type]
    assert again.current().registry.seq == 4
    assert altered.with_name("00000003.json.damaged").read_bytes() == administration.chain[0]
    assert [each.envelope for each in TrustStore(tmp_path, clock).chain()] == administration.chain


def test_a_damaged_chain_does_not_let_the_hub_go_back(
    tmp_path: Path, clock: ManualClock, administration: Administration, store: TrustStore
) -> None:
    for _ in range(2):
        store.update([administration.next()])
    (tmp_path / "trust/registry/00000003.json").write_text("{")
    again = TrustStore(tmp_path, clock)
    with pytest.raises(Untrusted) as refused:
        again.refresh(FakeHub(administration.chain[:2]))  # type: ignore[arg-type]
    assert refused.value.reason == "ROLLBACK"
    with pytest.raises(Unavailable):
        TrustStore(tmp_path, clock).current()


def test_a_damaged_first_statement_needs_a_person(
    tmp_path: Path, clock: ManualClock, administration: Administration, store: TrustStore
) -> None:
    store.update([administration.next()])
    (tmp_path / "trust/registry/00000001.json").write_bytes(administration.chain[1])
    with pytest.raises(Corrupt):
        TrustStore(tmp_path, clock)


def test_an_alarm_when_our_own_entry_is_not_our_keys(store: TrustStore) -> None:
    with pytest.raises(Untrusted) as alarm:
        store.check_own_entry(OWN, NODE, SigningKey.generate().public, WitnessKey.generate().public)
    assert alarm.value.reason == "OWN_ENTRY" and "somebody else may sign" in alarm.value.remedy


def test_nothing_is_believed_before_joining(tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(Unavailable) as refused:
        TrustStore(tmp_path / "new", clock).current()
    assert refused.value.reason == "NOT_ENROLLED"


def test_a_full_disk_is_told_with_a_remedy_and_the_chain_stays(
    administration: Administration, store: TrustStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(step: str, path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    before = store.current().id
    monkeypatch.setattr(durable, "fault_hook", full)
    with pytest.raises(Unavailable) as caught:
        store.update([administration.next()])
    assert caught.value.reason == "DISK_FULL"
    assert store.current().id == before
