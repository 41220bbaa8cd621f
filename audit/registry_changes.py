"""What one registry statement changed against the one before, in words.

    changes(None, first.registry)          # ("the federation begins: 1 administrator, 0 partners", …)
    changes(before.registry, registry)     # ("th-dmr joins, with node main", "la-dgm is revoked")

Keys are named by the first 16 digits of their Ed25519 half's id: enough to compare by eye with the evidence.
"""

from collections.abc import Iterator

from audit.plain import joined
from security.members import ACTIVE, RegistryPartner
from security.registry import Registry

_STATES = {"active": "is active again", "suspended": "is suspended", "revoked": "is revoked"}


def key_name(keyid: str) -> str:
    """A key id, shortened for people."""
    return keyid[:16]


def changes(before: Registry | None, after: Registry) -> tuple[str, ...]:
    """All that changed, one sentence each; a plain renewal says that it is one."""
    if before is None:
        return (
            f"the federation {after.federation} begins; its registry is signed by {_threshold(after)}",
            *(f"its log is {log.origin}" for log in after.logs),
            *(told for partner in after.partners for told in _joined(partner)),
            *(f"{auditor.id} is an auditor" for auditor in after.auditors),
        )
    told: list[str] = []
    for partner in after.partners:
        known = before.partner(partner.id)
        told += _joined(partner) if known is None else _partner_changes(known, partner)
    told += list(_auditor_changes(before, after))
    if before.administrators != after.administrators:
        told.append(f"from here on the registry is signed by {_threshold(after)}")
    if before.hub_keys != after.hub_keys:
        told.append("the hub has other keys for its receipts")
    told += [
        f"the log goes on as {log.origin}"
        + ("" if log.continues is None else f", in continuation of {log.continues[0]}")
        for log in after.logs
        if log not in before.logs
    ]
    told += [f"the log {log.origin} is no longer listed" for log in before.logs if log not in after.logs]
    if before.cas != after.cas:
        told.append("the certificate authorities changed")
    return tuple(told) or ("renewed; nothing else changed",)


def _threshold(registry: Registry) -> str:
    keys, needed = len(registry.administrators.keys), registry.administrators.threshold
    return "its one administrator" if keys == 1 else f"{needed} of {keys} administrators"


def _joined(partner: RegistryPartner) -> Iterator[str]:
    nodes = [node.name for node in partner.nodes]
    with_nodes = f", with node{'s' * (len(nodes) > 1)} {joined(nodes)}" if nodes else ""
    keys = ", ".join(key_name(key.keyids[0]) for key in partner.signing_keys)
    signs = f", signing with {keys}" if keys else ""
    yield f"{partner.id} joins{with_nodes}{signs}"
    if partner.state != ACTIVE:
        yield f"{partner.id} {_STATES[partner.state]}"


def _partner_changes(before: RegistryPartner, after: RegistryPartner) -> Iterator[str]:
    who = after.id
    if before.state != after.state:
        yield f"{who} {_STATES[after.state]}"
    for key in after.signing_keys:
        if key not in before.signing_keys:
            yield f"{who} has another signing key, {key_name(key.keyids[0])}"
    for key in before.signing_keys:
        if key not in after.signing_keys:
            yield f"{who} no longer signs with {key_name(key.keyids[0])}"
    for node in after.nodes:
        known = before.node(node.name)
        if known is None:
            yield f"{who} has another node, {node.name}"
        elif known.witness_key != node.witness_key:
            yield f"node {node.name} of {who} has another witness key"
    for node in before.nodes:
        if after.node(node.name) is None:
            yield f"{who} no longer has the node {node.name}"
    if before.names != after.names:
        yield f"{who} is now called {' · '.join(dict.fromkeys(after.names.values()))}"


def _auditor_changes(before: Registry, after: Registry) -> Iterator[str]:
    for auditor in after.auditors:
        known = before.auditor(auditor.id)
        called = " · ".join(dict.fromkeys(auditor.names.values()))
        if known is None:
            yield f"{auditor.id} ({called}) becomes an auditor"
        elif known.state != auditor.state:
            yield f"{auditor.id} {_STATES[auditor.state]} as an auditor"
        elif known.names != auditor.names:
            yield f"the auditor {auditor.id} is now called {called}"
