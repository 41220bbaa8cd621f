"""TLS certificates for enrolled nodes: short-lived, one for each TLS key, the same again when asked again.

Renewing needs no certificate, only the node's signing key: it works after expiry, too.

    pem = certificates.for_enrolment(number, partner, node, csr_der)
    pem = certificates.renew(envelope, csr_der)
"""

import sqlalchemy as sa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy.dialects.sqlite import insert

from core.clock import format_instant
from core.errors import Denied, Unavailable, Untrusted
from core.names import NodeName, PartnerId
from hub.services.context import Context
from hub.services.registry import RegistryService
from hub.storage import schema
from security.certificates import (
    CertificateAuthority,
    check_csr,
    issue_node_certificate,
    renewal_due,
    spiffe_id,
    validity,
)
from security.digests import sha256_hex
from security.join import claimed_identity, verify_renewal


class NodeCertificates:
    """Issues them; what was issued is what `RegistryService.require_active` lets in."""

    def __init__(self, context: Context, registry: RegistryService) -> None:
        self._context = context
        self._registry = registry

    def authority(self) -> CertificateAuthority:
        """The certificate authority. Raises `Unavailable` (KEY_MISSING) where its key was moved away."""
        if self._context.authority is None:
            raise Unavailable(
                "the certificate authority's key is not at hand",
                remedy=f"put back {self._context.layout.ca_key}",
                reason="KEY_MISSING",
            )
        return self._context.authority

    def for_enrolment(self, number: int, partner: PartnerId, node: NodeName, csr_der: bytes) -> bytes:
        """A chain (PEM) for the key in `csr_der`: the one issued before, if half of its life is left."""
        key = check_csr(csr_der)
        tls_key_sha256 = sha256_hex(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        now = self._context.clock.now()
        table = schema.certificates
        with self._context.database.write() as connection:
            row = connection.execute(
                sa.select(table).where(table.c.tls_key_sha256 == tls_key_sha256)
            ).one_or_none()
            if row is not None and row.enrolment != number:
                raise Untrusted("this TLS key belongs to another enrolment", reason="DUPLICATE_KEY")
            if row is not None and not renewal_due(row.pem, now):
                return row.pem
            spiffe = spiffe_id(self._context.federation.id, partner, node)
            pem = issue_node_certificate(self.authority(), csr_der, spiffe, now, self._context.limits)
            values = {
                "enrolment": number,
                "pem": pem,
                "issued": format_instant(now),
                "expires": format_instant(validity(pem)[1]),
            }
            connection.execute(
                insert(table)
                .values(tls_key_sha256=tls_key_sha256, **values)
                .on_conflict_do_update(index_elements=["tls_key_sha256"], set_=values)
            )
        return pem

    def renew(self, envelope: bytes, csr_der: bytes) -> bytes:
        """A new chain (PEM) for an enrolled node, proven by its signing key. Raises `Denied`, `Untrusted`."""
        federation, partner, node = claimed_identity(envelope, self._context.limits)
        state = self._registry.membership()
        member = state.members.get((partner, node))
        if federation != self._context.federation.id or member is None or not state.active(partner):
            # One answer for strangers, the suspended and the unknown: who asks has not proven anything yet.
            raise Denied(
                f"no certificate for node {node} of {partner}",
                remedy="ask the hub's operator; join again with a new join file if need be",
                reason="NOT_ENROLLED",
            )
        renewal = verify_renewal(envelope, csr_der, [member.signing_key], self._context.limits)
        offset = abs((self._context.clock.now() - renewal.created).total_seconds())
        if offset > self._context.limits.certificate_valid_s:
            raise Untrusted(
                "the renewal was signed too long ago, or in the future",
                remedy="check this machine's clock",
                reason="STALE",
            )
        return self.for_enrolment(member.enrolment, partner, node, csr_der)
