"""Checks a dataset's versions in a bundle: their chain, leaves, positions, policies, receipts and data.

versions = check_versions(read, events, view, chain, positions, scope, bag, tree, gathered)
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from audit.bundle.bag import CheckedBag
from audit.bundle.datasets import Read, ReadVersion
from audit.bundle.events import Events
from audit.bundle.tree import Tree
from audit.content import check_inventory
from audit.dossier import Position, Scope, VersionDossier, VersionReceipt
from audit.findings import Finding, failed, passed, unchecked
from audit.gathering import Gathering
from audit.logged import LogView
from audit.positions import check_manifest_position
from audit.receipts import check_receipt
from core.errors import Untrusted
from core.limits import LIMITS, Limits
from core.names import owner_of
from security.policy import VerifiedPolicy
from security.registry import VerifiedRegistry
from security.statement import Link, check_successor

_FALSE = "do not rely on it; ask who gave it to you, and tell the federation's administrators"
_ASK = "ask who made the bundle for it again"


def check_versions(
    read: Read,
    events: Events,
    view: LogView | None,
    chain: Sequence[VerifiedRegistry],
    positions: Mapping[int, Position],
    scope: Scope | None,
    bag: CheckedBag | None,
    tree: Tree,
    gathered: Gathering,
    limits: Limits = LIMITS,
) -> tuple[VersionDossier, ...]:
    """The versions of one dataset. `bag` None: data were not read."""
    since = None if scope is None else scope.since
    links = [each.manifest.link for each in read.versions]
    # Who does not say to open the owner's lane holds what it received, not everything: a mirror keeps few
    # versions, and the policies under which it got them.
    partial = scope is not None and owner_of(read.dataset) not in scope.lanes
    _chain(read.dataset, links, gathered, gaps=partial or since is not None)
    _chain(f"{read.dataset} policy", [each.link for each in read.policies], gathered, gaps=partial)
    _leaves(read, events, view, since, gathered)
    made: list[VersionDossier] = []
    last: Position | None = None
    for version in read.versions:
        manifest, record = version.manifest, events.versions.get(version.manifest.id)
        place = None if record is None else record.position
        gathered.add(check_manifest_position(manifest, place, chain, positions, limits), read.dataset)
        if place is not None and last is not None and place <= last:
            words = f"{read.dataset}: version {manifest.manifest.seq} was logged before the one before it"
            gathered.add(failed("chain", words, _FALSE))
        last = place or last
        _pinned_policy(read, version, events, place, gathered)
        receipt = _receipt(version, events, view, chain, tree, gathered, limits)
        has_content = _data(version, bag, tree, gathered)
        made.append(
            VersionDossier(
                manifest=manifest,
                inventory=tree.file(f"{version.folder}/inventory.sha256"),
                has_content=has_content,
                content=tree.path(f"{version.folder}/content") if has_content else None,
                record=record,
                receipt=receipt,
            )
        )
    return tuple(made)


def _chain(what: str, links: Sequence[Link], gathered: Gathering, *, gaps: bool = False) -> None:
    """Every number once, each naming the one before; without gaps, but where these are expected."""
    head: Link | None = None
    holds = True
    for link in links:
        if not gaps or (head is not None and link.seq <= head.seq + 1):
            try:
                check_successor(head, link, what)
            except Untrusted as error:
                holds = False
                gathered.add(failed("chain", error.message, error.remedy or _FALSE))
        head = link
    if head is not None and holds:
        gathered.add(passed("chain", f"{what}: {links[0].seq} to {head.seq}, each following the one before"))


def _leaves(
    read: Read, events: Events, view: LogView | None, since: datetime | None, gathered: Gathering
) -> None:
    """That a leaf records each statement. What was signed before `since` may have been logged before it."""
    if view is None:
        gathered.add(unchecked("version leaf", f"{read.dataset}: without the log no leaf can be proven"))
        return
    for version in read.versions:
        if version.manifest.id not in events.versions:
            what = f"version {version.manifest.manifest.seq}"
            gathered.add(_not_logged("version", f"{read.dataset} {what}"))
    for policy in read.policies:
        left_out = since is not None and policy.policy.created < since
        if policy.id not in events.policies and not left_out:
            gathered.add(_not_logged("policy", f"{read.dataset} policy {policy.policy.seq}"))


def _not_logged(kind: str, what: str) -> Finding:
    return unchecked(f"{kind} leaf", f"{what}: the leaf that records it is not here", _ASK)


def _pinned_policy(
    read: Read, version: ReadVersion, events: Events, place: Position | None, gathered: Gathering
) -> None:
    said = version.manifest.manifest
    pinned: VerifiedPolicy | None = next(
        (each for each in read.policies if each.policy.seq == said.policy_seq), None
    )
    what = f"{read.dataset} version {said.seq}"
    if pinned is None:
        words = f"{what}: policy {said.policy_seq}, which it names, is not here"
        gathered.add(unchecked("policy", words, _ASK))
        return
    if pinned.id != said.policy_sha256:
        words = f"{what} names another policy {said.policy_seq} than the one here"
        gathered.add(failed("policy", words, _FALSE))
        return
    record = events.policies.get(pinned.id)
    if record is not None and place is not None and record.position >= place:
        words = f"{what} names policy {said.policy_seq}, which was logged after it"
        gathered.add(failed("position", words, _FALSE))


def _receipt(
    version: ReadVersion,
    events: Events,
    view: LogView | None,
    chain: Sequence[VerifiedRegistry],
    tree: Tree,
    gathered: Gathering,
    limits: Limits,
) -> VersionReceipt | None:
    envelope = tree.read(f"{version.folder}/receipt.json", limits.envelope_bytes_max)
    if envelope is None or not chain:
        return None
    manifest = version.manifest
    receipt, finding = check_receipt(
        envelope, manifest, events.versions.get(manifest.id), view, chain, limits
    )
    gathered.add(finding, manifest.manifest.dataset)
    return receipt


def _data(version: ReadVersion, bag: CheckedBag | None, tree: Tree, gathered: Gathering) -> bool:
    """Inventory and files, as far as they travel along. Whether the files do."""
    said = version.manifest.manifest
    what = f"{said.dataset} version {said.seq}"
    has_content = any(True for _ in tree.folders(version.folder))
    if bag is None:
        return has_content
    tally = bag.contents.get(version.folder)
    has_inventory = "inventory.sha256" in tree.names(version.folder)
    if has_inventory:
        gathered.add(check_inventory(tree.file(f"{version.folder}/inventory.sha256"), said), what)
    if tally is not None:
        if not has_inventory:
            gathered.add(unchecked("inventory", f"{what}: inventory.sha256 is missing", _ASK))
        for finding in tally.findings(said):
            gathered.add(finding, what)
    return has_content
