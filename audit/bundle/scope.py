"""What a bundle says that it was made to hold, and whether it does.

scope, failed = read_scope(tree)
finding = check_scope(scope, chain, view, datasets)
"""

from collections.abc import Sequence

from audit.bundle.tree import Tree
from audit.dossier import DatasetDossier, Scope
from audit.findings import Finding, failed, passed, unchecked
from audit.logged import LogView
from core.clock import format_instant
from core.errors import InvalidInput, SynclineError
from core.limits import LIMITS, Limits
from core.names import check_dataset, check_partner
from security.canonical import parse_strict
from security.fields import Fields
from security.registry import VerifiedRegistry

_CHECK = "scope"
_ASK = "ask who made the bundle for it again"


def read_scope(tree: Tree, limits: Limits = LIMITS) -> tuple[Scope | None, Finding | None]:
    """`scope.json`, or why it is none."""
    data = tree.read("data/scope.json", limits.payload_bytes_max)
    if data is None:
        return None, unchecked(_CHECK, "scope.json is missing: what the bundle leaves out is not said", _ASK)
    try:
        return _parse(data, limits), None
    except SynclineError as error:
        return None, failed(_CHECK, f"scope.json: {error.message}", _ASK)


def check_scope(
    scope: Scope | None,
    chain: Sequence[VerifiedRegistry],
    view: LogView | None,
    datasets: Sequence[DatasetDossier],
    outside: int = 0,
) -> Finding:
    """The bundle is of the federation, the log and the datasets that it says; `outside` of its
    deliveries are of others.
    """
    if scope is None:
        return unchecked(_CHECK, "scope.json is missing", _ASK)
    here = {each.dataset for each in datasets}
    federation = chain[-1].registry.federation if chain else scope.federation
    if scope.federation != federation:
        return failed(_CHECK, f"it says {scope.federation}, and holds the registry of {federation}", _ASK)
    if view is not None and (scope.log, scope.tree_size) != (view.checkpoint.origin, view.checkpoint.size):
        return failed(
            _CHECK,
            f"it says {scope.log} with {scope.tree_size} leaves, and holds a checkpoint of"
            f" {view.checkpoint.origin} with {view.checkpoint.size}",
            _ASK,
        )
    if here != set(scope.datasets):
        odd = min(here ^ set(scope.datasets))
        return failed(
            _CHECK, f"{odd} is {'here and not named' if odd in here else 'named and not here'}", _ASK
        )
    versions = [version for each in datasets for version in each.versions]
    data = sum(version.has_content for version in versions)
    since = "" if scope.since is None else f", since {format_instant(scope.since)}"
    others = f"; {outside} deliveries of other datasets are not judged here" if outside else ""
    held = f"{len(here)} datasets, {len(versions)} versions, {data} with data"
    return passed(_CHECK, f"for {scope.audience}{since}: {held}{others}")


def _parse(data: bytes, limits: Limits) -> Scope:
    fields = Fields(parse_strict(data, limits), "scope", limits)
    fields.version()
    try:
        made = Scope(
            federation=fields.text("federation"),
            audience=fields.text("for"),
            lanes=tuple(
                check_partner(str(each)) for each in fields.array("lanes", limits.partners_count_max)
            ),
            datasets=tuple(
                check_dataset(str(each)) for each in fields.array("datasets", limits.bundle_records_count_max)
            ),
            since=fields.optional_instant("since"),
            log=fields.text("log"),
            tree_size=fields.integer("tree_size"),
        )
    except InvalidInput as error:
        raise fields.wrong("lanes and datasets", f"ids: {error.message}") from None
    fields.finish()
    return made
