"""The manifest of the next version: what the settings say about the data, and what the pass found.

manifest = describe(section, partner, head, summary, policy pin, registry, now)
described(section)          # changes when a new version must be signed though no file changed
"""

from datetime import datetime

from core.errors import InvalidInput
from core.names import PartnerId
from node.config import PublishSection
from node.publish.records import Head
from node.publish.versions import Summary
from security.canonical import canonical
from security.digests import sha256_hex
from security.registry import VerifiedRegistry
from sync.manifest import License, Manifest


def licence(section: PublishSection) -> License:
    """The licence with its text's digest. Raises `InvalidInput` when the text cannot be read."""
    text_sha256 = None
    if section.license_file is not None:
        try:
            text_sha256 = sha256_hex(section.license_file.read_bytes())
        except OSError as error:
            raise InvalidInput(
                f"license_file {section.license_file} of {section.dataset} cannot be read: {error.strerror}",
                remedy="restore the file, or correct its path",
            ) from error
    return License(expression=section.license, text_sha256=text_sha256, attribution=section.attribution)


def describe(
    section: PublishSection,
    partner: PartnerId,
    head: Head,
    summary: Summary,
    registry: VerifiedRegistry,
    now: datetime,
) -> Manifest:
    """The successor of `head`, unsigned. The policy must have been accepted before."""
    assert head.policy_id is not None, "the policy goes first"
    return Manifest(
        dataset=section.id(partner),
        inventory_sha256=summary.inventory_sha256,
        seq=head.manifest_seq + 1,
        prev=head.manifest_id,
        created=now,
        owner=partner,
        rights_holder=section.rights_holder,
        license=licence(section),
        title=section.title,
        theme=section.theme,
        policy_seq=head.policy_seq,
        policy_sha256=head.policy_id,
        registry_seq=registry.registry.seq,
        registry_sha256=registry.id,
        files=summary.files,
        bytes=summary.bytes,
        producer=section.producer,
        classification=section.classification,
    )


def described(section: PublishSection) -> str:
    """A digest of all that the settings say in a manifest."""
    return _digest(
        section.rights_holder,
        licence(section),
        dict(section.title),
        section.theme,
        section.producer,
        section.classification,
    )


def described_in(manifest: Manifest) -> str:
    """The same digest, of a manifest that was signed before."""
    return _digest(
        manifest.rights_holder,
        manifest.license,
        dict(manifest.title),
        manifest.theme,
        manifest.producer,
        manifest.classification,
    )


def _digest(
    rights_holder: str,
    license_: License,
    title: dict[str, str],
    theme: str,
    producer: str | None,
    classification: str | None,
) -> str:
    terms = [license_.expression, license_.text_sha256, license_.attribution]
    return sha256_hex(canonical([rights_holder, terms, title, theme, producer, classification]))
