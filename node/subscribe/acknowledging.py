"""The acknowledgement of a version that was applied: signed once, kept, and sent until the hub has it.

envelope = build_for(tools, grant, now)
if send(tools, row): row = replace(row, acknowledged=True)
"""

from datetime import datetime

from core.errors import Denied, Unavailable, Untrusted
from core.logs import get_logger
from node.mirror_state import MirrorRow
from node.subscribe.chain import Grant
from node.subscribe.tools import Tools
from sync.acknowledgement import Acknowledgement, build

log = get_logger("node.subscribe")


def build_for(tools: Tools, grant: Grant, now: datetime) -> bytes:
    """The signed acknowledgement of the granted version."""
    return build(
        Acknowledgement(
            dataset=grant.manifest.manifest.dataset,
            manifest_sha256=grant.manifest.id,
            policy_sha256=grant.policy.id,
            partner=tools.partner,
            node=tools.node,
            created=now,
        ),
        tools.signer,
        tools.limits,
    )


def send(tools: Tools, row: MirrorRow) -> bool:
    """Send the acknowledgement that is owed; whether the hub has it now. A hub that is away gets it later.

    A hub whose log continues another was restored, and may have lost it: it gets it once more, byte for
    byte; one that has it answers with the first one's leaf.
    """
    mirrors, key = tools.mirrors, row.key
    current = tools.trust.current().registry.logs[-1]
    again = current.continues is not None and mirrors.acknowledged_in(key) != current.origin
    if row.acknowledgement is None or (row.acknowledged and not again):
        return False
    try:
        tools.hub.acknowledge(row.acknowledgement)
    except (Unavailable, Denied, Untrusted) as error:
        # What a restored hub lacks (the version, its policy) its owner sends again: then it takes this.
        if isinstance(error, Untrusted) and not (again and error.reason == "UNKNOWN_POLICY"):
            raise
        log.info("acknowledgement waits", dataset=row.dataset, error=error.message)
        return False
    if again:
        mirrors.set_acknowledged_in(key, current.origin)
    return True
