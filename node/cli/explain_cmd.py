"""`explain DATASET PARTNER ACTION`: may they, and by which rule of which policy?"""

from contextlib import closing
from typing import Annotated

import typer

from core.clock import SystemClock
from core.commands import ConfigOption, JsonOption, emit_json, say
from core.names import DatasetId, PartnerId, check_dataset, check_partner, owner_of
from node import identity as identities
from node.cli.opening import Opened, open_node
from node.explain import explain_own
from node.session import connect_by_grpc
from node.trust import TrustStore
from security.rules import check_action
from sync.ports import Explanation


def explain(
    ctx: typer.Context,
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="<partner>/<name>, or the name of an own one.")
    ],
    partner: Annotated[str, typer.Argument(metavar="PARTNER", help="A partner's id.")],
    action: Annotated[str, typer.Argument(metavar="ACTION", help="discover or read.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Explain a decision: the rule and the policy version that decide.

    For an own dataset this is read from the own signed policy, offline; for others the hub is asked, which
    tells a partner about itself only.
    """
    opened = open_node(ctx, config, folders=False, log_level="error")
    own = opened.settings.partner
    name = check_dataset(dataset if "/" in dataset else f"{own}/{dataset}")
    who = check_partner(partner)
    check_action(action)
    if owner_of(name) == own:
        answer, source = explain_own(opened.state_dir, name, who, action, SystemClock().now()), "own policy"
        if not answer.policy_seq:
            opened.settings.published(name)  # without a policy, a name that is not published is a mistake
    else:
        answer, source = _ask_hub(opened, name, who, action), "hub"
    if as_json:
        emit_json(
            {
                "dataset": name,
                "partner": who,
                "action": action,
                "allowed": answer.allowed,
                "rule": answer.rule_uid,
                "policy_seq": answer.policy_seq,
                "reason": answer.reason,
                "source": source,
            }
        )
        return
    say(f"{who} {'may' if answer.allowed else 'may not'} {action} {name}: {answer.reason}")
    if answer.policy_seq:
        rule = f"rule {answer.rule_uid} of " if answer.rule_uid else ""
        say(f"  by {rule}policy {answer.policy_seq} ({source})")


def _ask_hub(opened: Opened, dataset: DatasetId, partner: PartnerId, action: str) -> Explanation:
    identity = identities.load(opened.state_dir, opened.passphrase)
    trust = TrustStore(opened.state_dir, SystemClock())
    with closing(connect_by_grpc(opened.settings, identity, trust)) as hub:
        return hub.explain_access(dataset, partner, action)
