"""Who may witness a federation's log, under which name and key: the nodes of its active partners.

witnesses_of(registry)                 # for `cosignature.cosigners`
witness_name("mekong", "la-dgm", "main")
"""

from security.registry import Registry
from security.tlog.cosignature import Witness


def witness_name(federation: str, partner: str, node: str) -> str:
    """A node's key name in signed notes."""
    return f"{federation}/{partner}/{node}"


def witnesses_of(registry: Registry) -> tuple[Witness, ...]:
    """Every node of every active partner."""
    return tuple(
        Witness(witness_name(registry.federation, partner.id, node.name), node.witness_key)
        for partner in registry.partners
        if partner.active
        for node in partner.nodes
    )
