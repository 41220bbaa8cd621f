"""What the own signed policy decides: the newest that this node has signed. Contacts nobody.

    decision = explain_own(state_dir, "la-dgm/geology-1m", "cn-cgs", "read", clock.now())

What was signed but not yet accepted by the hub counts: it is the owner's word.
"""

from contextlib import closing
from datetime import datetime
from pathlib import Path

from core.names import DatasetId, PartnerId, owner_of
from node.publish.records import PublishRecords
from node.state import NodeState
from security.policy import decide, disclosures_from_json
from sync.ports import Explanation


def explain_own(
    state_dir: Path, dataset: DatasetId, partner: PartnerId, action: str, at: datetime
) -> Explanation:
    """May `partner` do `action` at `at`? By the policy that was signed last, whether or not it was sent."""
    with closing(NodeState(state_dir, read_only=True)) as state:
        records = PublishRecords(state, dataset)
        signed, head = records.journalled("policy"), records.head()
    seq, disclosures = 0, None
    if signed is not None:
        seq, disclosures = signed.seq, signed.extra
    elif head is not None:
        seq, disclosures = head.policy_seq, head.disclosures
    rules = [] if not disclosures else [each.rule for each in disclosures_from_json(disclosures)]
    decision = decide(owner_of(dataset), rules, seq, partner, action, at)
    return Explanation(decision.allowed, decision.rule_uid, decision.policy_seq, decision.reason)
