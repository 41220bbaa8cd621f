"""Who holds what of an own dataset, from the verified lane: deliveries and the receivers' own words for them.

    found = receipts(ledger, dataset)
    found.rows                                  # by version, receiver and node

Rules: nothing is asked of anybody; what is told is in the log, under this partner's own policies. A
delivery without an acknowledgement is one that the receiver has not confirmed, whatever the hub says. An
acknowledgement that came without the receiver's signed envelope counts as the hub's word alone.
"""

from dataclasses import dataclass, replace
from typing import Any

from core.names import DatasetId
from node.witness.ledger import Kept, Ledger


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receiver's hold on one version. Instants are RFC 3339 text.

    `delivered` None: acknowledged without a delivery of this hub (by disk). `acknowledged` None: not
    confirmed (yet). `signed`: this node has the receiver's signed envelope.
    """

    version: int | None
    manifest_sha256: str
    partner: str
    node: str | None = None
    delivered: str | None = None
    policy_seq: int | None = None
    rule: str | None = None
    acknowledged: str | None = None
    signed: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {name: getattr(self, name) for name in self.__slots__}


def receipts(ledger: Ledger, dataset: DatasetId) -> list[Receipt]:
    """Every hold on every version of `dataset`, the newest version first."""
    versions: dict[str, int] = {}
    policies: dict[str, int] = {}
    holds: dict[tuple[str, str], list[Receipt]] = {}
    for each in ledger.lane(dataset):
        if each.type == "version" and each.statement_sha256:
            versions[each.statement_sha256] = _seq(each) or len(versions) + 1
        elif each.type == "policy" and each.statement_sha256:
            policies[each.statement_sha256] = _seq(each) or len(policies) + 1
        elif each.type == "delivery":
            made = _delivered(each, versions)
            holds.setdefault((made.manifest_sha256, made.partner), []).append(made)
        elif each.type == "acknowledgement":
            _acknowledge(each, versions, policies, holds)
    found = [each for rows in holds.values() for each in rows]
    return sorted(found, key=lambda r: (-(r.version or 0), r.partner, r.node or ""))


def _delivered(each: Kept, versions: dict[str, int]) -> Receipt:
    manifest, detail = each.statement_sha256 or "", each.detail
    seq, rule = detail.get("policy_seq"), detail.get("rule")
    return Receipt(
        version=versions.get(manifest),
        manifest_sha256=manifest,
        partner=str(detail.get("partner") or each.value["actor"]),
        node=_text(detail.get("node")),
        delivered=str(each.value["time"]),
        policy_seq=seq if isinstance(seq, int) else None,
        rule=_text(rule),
    )


def _acknowledge(
    each: Kept,
    versions: dict[str, int],
    policies: dict[str, int],
    holds: dict[tuple[str, str], list[Receipt]],
) -> None:
    """Note it at the delivery to that node, or to its partner; each node of a partner confirms for itself."""
    detail = each.detail
    manifest, partner = str(detail.get("version", "")), str(each.value["actor"])
    node, time = _text(detail.get("node")), str(each.value["time"])
    rows = holds.setdefault((manifest, partner), [])
    policy = policies.get(str(detail.get("policy", "")))
    for place, row in enumerate(rows):
        if row.node == node:
            if row.acknowledged is None:
                rows[place] = replace(row, acknowledged=time, signed=each.statement is not None)
            return
    delivery = next((row for row in rows if row.delivered is not None), None)
    rows.append(
        Receipt(
            version=versions.get(manifest),
            manifest_sha256=manifest,
            partner=partner,
            node=node,
            delivered=delivery.delivered if delivery else None,
            policy_seq=policy or (delivery.policy_seq if delivery else None),
            rule=delivery.rule if delivery else None,
            acknowledged=time,
            signed=each.statement is not None,
        )
    )


def _seq(each: Kept) -> int | None:
    seq = each.detail.get("seq")
    return seq if isinstance(seq, int) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
