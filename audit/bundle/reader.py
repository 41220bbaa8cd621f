"""Reads a bundle, a folder or a .zip, and checks all of it (docs/formats/bundle.md).

    dossier, findings = load_bundle(Path("evidence.zip"), anchor)

Order: the registry, then the log, then the bag in one pass over all its files, then what each owner signed,
then the records in the log's order, and last what they say of each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from audit.bundle.bag import CheckedBag, check_bag
from audit.bundle.datasets import Read, read_datasets
from audit.bundle.departures import Departures
from audit.bundle.events import Acknowledgements, Events, Statements
from audit.bundle.lanes import Lanes
from audit.bundle.records import RecordFiles
from audit.bundle.scope import check_scope, read_scope
from audit.bundle.tree import Tree, is_zip, open_tree
from audit.bundle.versions import check_versions
from audit.dossier import BUNDLE, DatasetDossier, Dossier, Position, Scope
from audit.evidence import read_keys, read_log, read_registries
from audit.findings import Finding, failed
from audit.gathering import Gathering
from audit.logged import LogView, check_registry_leaves, open_log
from audit.statements import Chain, check_keys, check_registry
from audit.witnesses import check_witnesses
from core.errors import Untrusted
from core.limits import LIMITS, Limits
from core.names import PartnerId
from core.progress import Progress
from security.tlog.quorum import needed


def is_bundle(path: Path) -> bool:
    """Whether a bag stands at `path`."""
    if path.is_file():
        return path.suffix.lower() == ".zip" or is_zip(path)
    return (path / "bagit.txt").is_file()


@dataclass(slots=True)
class _Bundle:
    tree: Tree
    limits: Limits
    chain: Chain
    view: LogView | None
    positions: dict[int, Position]
    scope: Scope | None
    gathered: Gathering = field(default_factory=Gathering)


def load_bundle(
    path: Path,
    anchor: str | None,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
    *,
    with_content: bool = True,
) -> tuple[Dossier, list[Finding]]:
    """The bundle at `path`. Without `with_content` nothing is hashed that is not a statement or a proof.

    Raises `InvalidInput` for no bundle, or one beyond what limits allow.
    """
    try:
        tree = open_tree(path, limits)
        return _load(path, tree, anchor, limits, progress, with_content=with_content)
    except Untrusted as error:
        return Dossier(path, BUNDLE, None, ()), [failed("bag", error.message, error.remedy)]


def _load(
    path: Path,
    tree: Tree,
    anchor: str | None,
    limits: Limits,
    progress: Progress | None,
    *,
    with_content: bool,
) -> tuple[Dossier, list[Finding]]:
    bag = check_bag(tree, limits, progress) if with_content else CheckedBag()
    chain, findings = check_registry(read_registries(tree, "data/registry", limits), anchor, limits)
    evidence = read_log(tree, "data/log", limits)
    view, finding = open_log(evidence.checkpoint, chain, limits)
    findings.append(finding)
    positions, finding = check_registry_leaves(view, evidence.registry_proofs, chain)
    findings += [finding, check_keys(read_keys(tree, "data/keys"), chain, evidence.policy)]
    seen, known, finding = check_witnesses(view, chain, positions)
    findings.append(finding)
    scope, wrong = read_scope(tree, limits)
    bundle = _Bundle(tree, limits, chain, view, positions, scope)
    read = read_datasets(tree, chain, bundle.gathered, limits)
    records, events, whole = _follow(bundle, read)
    datasets = _datasets(bundle, read, records, events, bag if with_content else None)
    findings += [*bundle.gathered.findings(), *bag.findings]
    findings.append(wrong or check_scope(scope, chain, view, datasets, events.outside))
    dossier = Dossier(
        path=path,
        kind=BUNDLE,
        federation=chain[-1].registry.federation if chain else None,
        registries=chain,
        registry_positions=positions,
        checkpoint=None if view is None else view.seen,
        cosigned=seen,
        witnesses_known=known,
        quorum=needed(known),
        records=records,
        whole_lanes=whole,
        whole_log=view is not None and len(records) + len(positions) == view.checkpoint.size,
        datasets=datasets,
        scope=scope,
        prefix_root=lambda size: _prefix_root(view, records, size),
    )
    return dossier, findings


def _follow(bundle: _Bundle, read: Sequence[Read]) -> tuple[RecordFiles, Events, tuple[PartnerId, ...]]:
    """The records in the log's order, through everything that follows them."""
    statements = Statements()
    for dataset in read:
        statements.manifests.update({each.manifest.id: each.manifest for each in dataset.versions})
        statements.policies.update({each.id: each for each in dataset.policies})
    records = RecordFiles(bundle.tree, bundle.view, bundle.limits)
    events = Events(bundle.chain, bundle.positions, statements, bundle.scope, bundle.tree, bundle.limits)
    lanes = Lanes(bundle.scope)
    departures = Departures(bundle.tree, bundle.chain, bundle.positions, bundle.limits)
    for record in records.verify(bundle.gathered):
        lanes.add(record, bundle.gathered)
        events.add(record, bundle.gathered)
        departures.add(record, bundle.gathered)
    events.finish([each.dataset for each in read], bundle.gathered, logged=bundle.view is not None)
    departures.finish(bundle.gathered, logged=bundle.view is not None)
    return records, events, lanes.finish(bundle.gathered)


def _datasets(
    bundle: _Bundle, read: Sequence[Read], records: RecordFiles, events: Events, bag: CheckedBag | None
) -> tuple[DatasetDossier, ...]:
    made: list[DatasetDossier] = []
    for dataset in read:
        versions = check_versions(
            dataset, events, bundle.view, bundle.chain, bundle.positions, bundle.scope, bag,
            bundle.tree, bundle.gathered, bundle.limits,
        )  # fmt: skip
        count = events.acknowledged.get(dataset.dataset, 0)
        acknowledgements = Acknowledgements(
            bundle.tree, dataset.dataset, records, count, bundle.chain, bundle.limits
        )
        places = {id_: record.position for id_, record in events.policies.items()}
        positions = {each.id: places[each.id] for each in dataset.policies if each.id in places}
        made.append(DatasetDossier(dataset.dataset, versions, dataset.policies, positions, acknowledgements))
    return tuple(made)


def _prefix_root(view: LogView | None, records: RecordFiles, size: int) -> bytes | None:
    found = None if view is None else view.prefixes.get(size)
    return found if found is not None else records.prefix_root(size)
