"""Making a federation: its CA, the hub's own keys and certificate, the first registry, an empty database.

Everything is written into a new directory; what exists is never overwritten.
"""

from collections.abc import Sequence

from core import durable
from core.clock import Clock, format_instant
from core.errors import Conflict
from core.limits import Limits
from hub.layout import Layout
from hub.services.context import Federation
from hub.storage import schema
from hub.storage.database import Database
from security.certificates import CertificateAuthority, create_ca, generate_tls_key, issue_server_certificate
from security.envelope import parse
from security.keys import Signer, SigningKey, WitnessKey
from security.keystore import save_signing_key, save_tls_key, save_witness_key
from security.registry import (
    Administrators,
    RegistryLog,
    VerifiedRegistry,
    first_registry,
    sign_registry,
    verify_first,
)


def found(
    layout: Layout,
    federation: Federation,
    *,
    administrators: Sequence[Signer],
    threshold: int,
    clock: Clock,
    limits: Limits,
) -> tuple[Database, VerifiedRegistry]:
    """Write keys and certificates, make the database; the first registry is still to be appended to it.

    Raises `Conflict` (ALREADY_EXISTS) when there is a hub in the directory.
    """
    if layout.database.exists() or layout.keys.exists():
        raise Conflict(
            f"{layout.directory} holds a hub already",
            remedy="choose an empty directory",
            reason="ALREADY_EXISTS",
        )
    layout.directory.mkdir(parents=True, exist_ok=True)
    layout.keys.mkdir(mode=0o700)
    layout.store.mkdir(mode=0o700, exist_ok=True)
    authority, hub_key, log_key = _make_keys(layout, federation, clock, limits)
    log = RegistryLog(f"{federation.id}/log", log_key.public)
    registry = first_registry(
        federation.id,
        Administrators(tuple(key.public for key in administrators), threshold),
        [hub_key.public],
        [log],
        [authority.der],
        clock.now(),
        limits,
    )
    envelope = sign_registry(registry, administrators, limits)
    verified = verify_first(envelope, parse(envelope, limits).id, limits)
    database = Database.open(layout.database, create=True)
    layout.database.chmod(0o600)
    durable.fsync_dir(layout.directory)
    with database.write() as connection:
        connection.execute(
            schema.federation.insert().values(
                one=1,
                id=federation.id,
                address=federation.address,
                enrol_address=federation.enrol_address,
                created=format_instant(clock.now()),
            )
        )
    return database, verified


def issue_server(
    layout: Layout, authority: CertificateAuthority, federation: Federation, clock: Clock, limits: Limits
) -> None:
    """A new key and certificate for the two TLS ports, replacing the old ones (key first, then
    certificate)."""
    key = generate_tls_key()
    layout.server_key.unlink(missing_ok=True)
    save_tls_key(layout.server_key, key)
    pem = issue_server_certificate(
        authority,
        key.public_key(),
        [federation.address, federation.enrol_address],
        federation.id,
        clock.now(),
        limits,
    )
    durable.write_file(layout.server_certificate, pem)


def _make_keys(
    layout: Layout, federation: Federation, clock: Clock, limits: Limits
) -> tuple[CertificateAuthority, SigningKey, WitnessKey]:
    authority = create_ca(federation.id, clock.now(), limits)
    save_tls_key(layout.ca_key, authority.key)
    durable.write_file(layout.ca_certificate, authority.pem, exclusive=True)
    hub_key, log_key = SigningKey.generate(), WitnessKey.generate()
    save_signing_key(layout.hub_key, hub_key)
    save_witness_key(layout.log_key, log_key)
    issue_server(layout, authority, federation, clock, limits)
    return authority, hub_key, log_key
