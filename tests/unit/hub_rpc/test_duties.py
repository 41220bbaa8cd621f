"""What the hub signs by itself: registry and server certificate, in time, and loudly when it cannot."""

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from core.limits import LIMITS
from hub.config import HubSettings, HubTable
from hub.layout import Layout
from hub.rpc.credentials import ServerIdentity
from hub.services.context import Federation
from hub.services.hub import Hub
from hub.signing_duties import SigningDuties
from security.certificates import validity
from security.keys import SigningKey

BEGIN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Clock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.moment = BEGIN

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class Desk:
    """A hub's directory with its duties, at a clock of its own."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self.layout = Layout(directory)
        self.administrators: Sequence[SigningKey] = [SigningKey.generate()]
        federation = Federation("f", "127.0.0.1:7443", "hub.example.org:7444")
        Hub.found(self.layout, federation, administrators=self.administrators, clock=self.clock)
        self.settings = HubSettings(
            hub=HubTable(
                name="F",
                federation="f",
                directory=str(directory),
                address=federation.address,
                enrol_address=federation.enrol_address,
            )
        )

    def perform(self, settings: HubSettings | None = None) -> list[Any]:
        used = settings or self.settings
        with (
            structlog.testing.capture_logs() as logs,
            Hub.open(self.layout, federation=used.federation, clock=self.clock) as hub,
        ):
            SigningDuties(hub, used, lambda: self.administrators, self.clock, LIMITS).perform()
            self.registry = hub.registry.current().registry
        return logs


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "hub")


def test_nothing_is_signed_before_it_is_due(desk: Desk) -> None:
    certificate = desk.layout.server_certificate.read_bytes()
    desk.perform()
    assert desk.registry.seq == 1
    assert desk.layout.server_certificate.read_bytes() == certificate


def test_a_registry_is_renewed_after_a_month(desk: Desk) -> None:
    desk.clock.sleep(LIMITS.registry_renew_after_s + 1)
    desk.perform()
    assert desk.registry.seq == 2
    assert desk.registry.expires > desk.clock.now() + timedelta(days=89)
    desk.perform()
    assert desk.registry.seq == 2


def test_without_administrators_keys_the_log_says_what_to_do(desk: Desk) -> None:
    desk.administrators = []
    desk.clock.sleep(LIMITS.registry_renew_after_s + 1)
    [warning] = [line for line in desk.perform() if line["log_level"] == "warning"]
    assert "registry sign --keys" in warning["remedy"]
    assert desk.registry.seq == 1


def test_the_servers_certificate_is_renewed_at_half_of_its_life_with_the_same_key(desk: Desk) -> None:
    key = desk.layout.server_key.read_bytes()
    identity = ServerIdentity(desk.layout)
    desk.clock.sleep(LIMITS.certificate_valid_s * 0.6)
    desk.perform()
    begin, end = validity(desk.layout.server_certificate.read_bytes())
    assert begin <= desk.clock.now() < end
    assert end - desk.clock.now() > timedelta(days=13)
    assert desk.layout.server_key.read_bytes() == key
    identity.refresh()
    assert identity.problem == ""


def test_a_new_address_in_the_settings_gets_a_certificate_that_names_it(desk: Desk) -> None:
    moved = desk.settings.hub.model_copy(update={"address": "new.example.org:7443"})
    desk.perform(desk.settings.model_copy(update={"hub": moved}))
    names = ssl._ssl._test_decode_cert(str(desk.layout.server_certificate))["subjectAltName"]  # type: ignore[attr-defined]
    assert ("DNS", "new.example.org") in names


@pytest.mark.parametrize("lost", ["server_key", "server_certificate"])
def test_a_lost_server_key_or_certificate_is_made_anew(desk: Desk, lost: str) -> None:
    getattr(desk.layout, lost).unlink()
    desk.perform()
    ServerIdentity(desk.layout)


def test_a_broken_certificate_keeps_the_old_one_loudly(desk: Desk) -> None:
    # gRPC keeps the old certificate in silence when its fetcher fails; the log must not.
    identity = ServerIdentity(desk.layout)
    good = desk.layout.server_certificate.read_bytes()
    desk.layout.server_certificate.write_bytes(b"-----BEGIN CERTIFICATE-----\nrubbish\n")
    with structlog.testing.capture_logs() as logs:
        identity.refresh()
        identity.refresh()
    assert [line["log_level"] for line in logs] == ["error", "error"]
    assert identity.problem
    desk.layout.server_certificate.write_bytes(good)
    identity.refresh()
    assert identity.problem == ""


def test_a_failing_duty_does_not_stop_the_others(desk: Desk) -> None:
    desk.administrators = [SigningKey.generate()]  # not an administrator of this federation
    desk.clock.sleep(LIMITS.registry_renew_after_s + 1)
    logs = desk.perform()
    assert "error" in [line["log_level"] for line in logs]
    assert validity(desk.layout.server_certificate.read_bytes())[1] > desk.clock.now()
