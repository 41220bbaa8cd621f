"""`receipts DATASET`: who holds which version since when, by which rule, acknowledged or not; asks nobody."""

from contextlib import closing
from typing import Annotated

import typer

from core.commands import ConfigOption, JsonOption, emit_json, say
from core.errors import InvalidInput
from core.names import check_dataset, owner_of
from core.terminal import table
from node.cli.opening import open_node
from node.state import NodeState
from node.status import load_report
from node.witness.ledger import Ledger
from node.witness.receipts import Receipt
from node.witness.receipts import receipts as receipts_of


def receipts(
    ctx: typer.Context,
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="An own one, with or without the partner.")
    ],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show who holds an own dataset: which version, since when, under which policy, acknowledged or not.

    From the log's records that this node has verified; works offline.
    """
    opened = open_node(ctx, config, folders=False, log_level="error")
    own = opened.settings.partner
    name = check_dataset(dataset if "/" in dataset else f"{own}/{dataset}")
    if owner_of(name) != own:
        raise InvalidInput(
            f"{name} is not this partner's: only an owner sees who holds its data",
            remedy="see `syncline-node status` for what this node holds",
        )
    with closing(NodeState(opened.state_dir, read_only=True)) as state:
        ledger = Ledger(state)
        taken = ledger.taken
        found = receipts_of(ledger, name) if ledger.is_there else []
        is_known = bool(found) or any(True for _ in (ledger.lane(name) if ledger.is_there else ()))
    if not is_known and name.partition("/")[2] not in {each.dataset for each in opened.settings.publish}:
        raise InvalidInput(
            f"{name} is neither published here, nor in what this node has read of the log",
            remedy="see `syncline-node status` for what it publishes",
        )
    report = load_report(opened.state_dir)
    size = report.witness.size if report is not None and report.witness is not None else taken
    if as_json:
        emit_json(
            {"dataset": name, "receipts": [each.as_json() for each in found], "read": taken, "entries": size}
        )
        return
    if found:
        columns = ("version", "partner", "node", "delivered", "policy", "rule", "acknowledged")
        say(table(columns, [_row(each) for each in found]))
    else:
        say(f"Nobody holds {name}, as far as the log's {taken} entries tell that this node has read.")
    if taken < size:
        say(f"\nThis node has read {taken} of the log's {size} entries: later ones are not in this list yet.")


def _row(each: Receipt) -> tuple[object, ...]:
    acknowledged = each.acknowledged or "no"
    if each.acknowledged and not each.signed:
        acknowledged += " (as the hub says)"
    return (
        each.version, each.partner, each.node, each.delivered or "not by this hub", each.policy_seq,
        each.rule, acknowledged,
    )  # fmt: skip
