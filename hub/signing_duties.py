"""What a running hub does by itself, in time: next registry, own TLS certificate, the hour's refusals.

A registry is renewed a month after it was signed, two before it expires, if the administrators' keys are at
hand; else the log says so every time, and `syncline-hub status` too. The server's certificate is issued anew
at half of its life: one file is replaced by one rename, and the next connection is served with it. Each hour
one leaf of the log counts the refusals, so that the log grows and no witness takes it for frozen.

    duties = SigningDuties(hub, settings, administrator_keys, clock, limits)
    duties.perform()                     # at start, and every `EVERY_S`; never raises
"""

from datetime import datetime

from cryptography import x509

from core import durable
from core.clock import Clock, format_instant
from core.errors import SynclineError
from core.limits import Limits
from core.logs import get_logger
from hub.administrators import keep_registry
from hub.config import HubSettings
from hub.layout import Layout
from hub.services.context import AdministratorKeys
from hub.services.hub import Hub
from security.certificates import CertificateAuthority, issue_server_certificate, renewal_due, validity
from security.keystore import load_tls_key

EVERY_S = 60.0

_log = get_logger("hub.duties")


class SigningDuties:
    """Performs what is due. Not for use by two threads at once."""

    def __init__(
        self,
        hub: Hub,
        settings: HubSettings,
        administrator_keys: AdministratorKeys,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._hub = hub
        self._settings = settings
        self._administrator_keys = administrator_keys
        self._clock = clock
        self._limits = limits

    def perform(self) -> None:
        """Whatever is due now. Each failure is logged with its remedy and tried again next time."""
        for duty in (
            self._renew_registry,
            self._keep_registry,
            self._renew_certificate,
            self._hub.log.perform,
        ):
            try:
                duty()
            except SynclineError as error:
                _log.error(
                    "a duty failed; it will be tried again", problem=error.message, remedy=error.remedy
                )
            except Exception:  # noqa: BLE001 - the hub goes on; the log has the traceback
                _log.error("bug in a duty; it will be tried again", exc_info=True)

    def _renew_registry(self) -> None:
        if not self._hub.registry.renewal_due():
            return
        expires = self._hub.registry.current().registry.expires
        keys = self._administrator_keys()
        if not keys:
            _log.warning(
                "the registry is due for renewal and the administrators' keys are not at hand",
                expires=format_instant(expires),
                remedy="run `syncline-hub registry sign --keys DIR` with them; after that day nodes stop",
            )
            return
        self._hub.registry.renew(keys)
        renewed = self._hub.registry.current().registry
        _log.info("registry renewed", seq=renewed.seq, expires=format_instant(renewed.expires))

    def _keep_registry(self) -> None:
        """Also what was signed at once because the keys are at hand."""
        keep_registry(self._settings.admin_keys, self._hub.registry.list_from)

    def _renew_certificate(self) -> None:
        layout = self._settings.layout
        now = self._clock.now()
        if certificate_fits(layout, self._settings, now):
            return
        if layout.server_key.exists():
            issue_certificate(layout, self._settings, now, self._limits)
        else:
            self._hub.renew_server_certificate()  # with a new key
        _, expires = validity(layout.server_certificate.read_bytes())
        _log.info("the hub's own certificate was renewed", expires=format_instant(expires))


def certificate_fits(layout: Layout, settings: HubSettings, now: datetime) -> bool:
    """The server's certificate is in the first half of its life and names the hub's addresses."""
    if not layout.server_key.exists() or not layout.server_certificate.exists():
        return False
    pem = layout.server_certificate.read_bytes()
    names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    named = {str(name) for name in names.value.get_values_for_type(x509.DNSName)}
    named |= {str(name) for name in names.value.get_values_for_type(x509.IPAddress)}
    return not renewal_due(pem, now) and settings.hosts <= named


def issue_certificate(layout: Layout, settings: HubSettings, now: datetime, limits: Limits) -> None:
    """A new certificate for the hub's key and addresses, in place of the old one."""
    authority = CertificateAuthority(
        load_tls_key(layout.ca_key), x509.load_pem_x509_certificate(layout.ca_certificate.read_bytes())
    )
    pem = issue_server_certificate(
        authority,
        load_tls_key(layout.server_key).public_key(),
        [settings.hub.address, settings.hub.enrol_address],
        settings.hub.federation,
        now,
        limits,
    )
    durable.write_file(layout.server_certificate, pem)
