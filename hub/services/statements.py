"""What a statement must satisfy beyond its signatures: whose it is, what it follows, what it pins.

Each check raises what its caller is to do; none of them writes, but `claim`.

    dataset = claimed_dataset(caller, envelope, dsse.POLICY, limits)      # believed only once it is verified
    check_publisher(connection, caller, dataset)
    check_next(head(connection, schema.policies, dataset), verified.link, "policy of …")
"""

from typing import Any

import sqlalchemy as sa

from core.clock import parse_instant
from core.errors import Conflict, Denied, InvalidInput, Untrusted
from core.limits import Limits
from core.names import DatasetId, NodeName, PartnerId, check_dataset, owner_of
from hub.services.context import Caller, Context
from hub.storage import schema
from security import envelope as dsse
from security.canonical import parse_strict
from security.statement import Link
from sync.manifest import Manifest
from sync.ports import Accepted


def check_speaker(
    context: Context, caller: Caller, speaker: tuple[str, PartnerId, NodeName], what: str
) -> None:
    """Demand that a node's word about itself comes from that node. `what` names it.

    `speaker`: federation, partner and node, as the statement says. Raises `Untrusted` (WRONG_SIGNER).
    """
    if speaker != (context.federation.id, caller.partner, caller.node):
        raise Untrusted(
            f"{what} of node {speaker[2]} of {speaker[1]} came from {caller.node} of {caller.partner}",
            reason="WRONG_SIGNER",
        )


def check_size(limits: Limits, *statements: bytes) -> None:
    """Refuse what exceeds `envelope_bytes_max` before it is parsed."""
    largest = max(map(len, statements))
    if largest > limits.envelope_bytes_max:
        raise InvalidInput(f"a statement of {largest} bytes exceeds {limits.envelope_bytes_max}")


def claimed_dataset(caller: Caller, envelope: dsse.Envelope, payload_type: str, limits: Limits) -> DatasetId:
    """The dataset that a statement claims to be about, one of the caller's. Only its verification makes
    that true."""
    if envelope.payload_type != payload_type:
        raise Untrusted(
            f"expected a statement of type {payload_type}, not {envelope.payload_type}",
            reason="WRONG_PAYLOAD_TYPE",
        )
    fields = parse_strict(envelope.payload, limits)
    claimed: Any = fields.get("dataset")
    if payload_type == dsse.MANIFEST:
        match fields.get("subject"):
            case [{"name": name}]:
                claimed = name
            case _:
                claimed = None
    if not isinstance(claimed, str):
        raise Untrusted("the statement names no dataset", reason="MALFORMED")
    dataset = check_dataset(claimed)
    if owner_of(dataset) != caller.partner:
        raise Denied(
            f"{dataset} belongs to {owner_of(dataset)}; {caller.partner} cannot publish it",
            remedy="publish under your own agency's id",
            reason="NOT_OWNER",
        )
    return dataset


def check_publisher(connection: sa.Connection, caller: Caller, dataset: DatasetId) -> None:
    """A dataset belongs to the node that first published it. Raises `Conflict` (FENCED) for another."""
    table = schema.datasets
    node = connection.execute(sa.select(table.c.node).where(table.c.dataset == dataset)).scalar_one_or_none()
    if node is not None and node != caller.node:
        raise Conflict(
            f"{dataset} is published by {caller.partner}'s node {node}, not by {caller.node}",
            remedy=f"remove it from {caller.node}'s [[publish]], or give the data another name",
            reason="FENCED",
        )


def claim(connection: sa.Connection, caller: Caller, dataset: DatasetId) -> None:
    """Make the caller the dataset's publisher, if there is none."""
    table = schema.datasets
    if connection.execute(sa.select(table.c.node).where(table.c.dataset == dataset)).one_or_none() is None:
        connection.execute(table.insert().values(dataset=dataset, owner=caller.partner, node=caller.node))


def head(connection: sa.Connection, table: sa.Table, dataset: DatasetId) -> Link | None:
    """The newest statement of a dataset's chain in `table` (its `prev` is not looked up)."""
    row = connection.execute(
        sa.select(table.c.seq, table.c.id)
        .where(table.c.dataset == dataset)
        .order_by(table.c.seq.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Link(row.seq, None, row.id)


def check_next(newest: Link | None, new: Link, what: str) -> None:
    """Compare-and-swap: `new` must name the head. Whoever does not has not seen what was accepted since."""
    seq, id_ = (0, None) if newest is None else (newest.seq, newest.id)
    if new.seq != seq + 1 or new.prev != id_:
        raise Conflict(
            f"{what}: number {new.seq} does not follow the hub's newest, number {seq}",
            remedy="another node with these keys, or an older copy of this one, publishes: stop one of them",
            reason="FENCED",
        )


def check_pins(connection: sa.Connection, manifest: Manifest) -> None:
    """The policy and the registry that a manifest pins were accepted here. Raises `Untrusted`."""
    policies, statements = schema.policies, schema.registry_statements
    policy = connection.execute(
        sa.select(policies.c.id).where(
            policies.c.dataset == manifest.dataset, policies.c.seq == manifest.policy_seq
        )
    ).scalar_one_or_none()
    if policy != manifest.policy_sha256:
        raise Untrusted(
            f"{manifest.dataset}: the manifest pins policy {manifest.policy_seq}, which is not accepted here",
            remedy="publish the policy first",
            reason="UNKNOWN_POLICY",
        )
    registry = connection.execute(
        sa.select(statements.c.id).where(statements.c.seq == manifest.registry_seq)
    ).scalar_one_or_none()
    if registry != manifest.registry_sha256:
        raise Untrusted(
            f"{manifest.dataset}: the manifest pins registry {manifest.registry_seq}, unknown to this hub",
            remedy="stop and tell the operator: node and hub may have seen two histories",
            reason="UNKNOWN_REGISTRY",
        )


def accepted(row: sa.Row[Any]) -> Accepted:
    """What was answered when a row was written."""
    return Accepted(row.leaf, parse_instant(row.accepted))
