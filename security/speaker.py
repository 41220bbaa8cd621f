"""Who a node's own statement says it is: federation, partner and node, at the head of its payload.

    federation, partner, node = read_speaker(fields, "rotation")

Only the statement's signatures make it true.
"""

from core.errors import InvalidInput, Untrusted
from core.names import NodeName, PartnerId, check_node, check_partner
from security.certificates import check_federation
from security.fields import Fields


def read_speaker(fields: Fields, what: str) -> tuple[str, PartnerId, NodeName]:
    """The three names, in legal form. `what` names the statement. Raises `Untrusted` (MALFORMED)."""
    try:
        return (
            check_federation(fields.text("federation")),
            check_partner(fields.text("partner")),
            check_node(fields.text("node")),
        )
    except InvalidInput as error:
        raise Untrusted(f"{what}: {error.message}", reason="MALFORMED") from None
