"""Checks what a bundle's records say against the statements in it: versions, policies, deliveries, receipts.

    events = Events(chain, positions, statements, scope, tree)
    for record in records: events.add(record, gathered)
    events.versions[manifest_id]               # the record of a version
    events.finish(gathered)

Rules: one pass in the log's order, so that at each delivery it is known which policy was in force. Memory
grows with the versions and policies, not with deliveries and acknowledgements.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from audit.bundle.tree import Tree
from audit.dossier import LoggedAcknowledgement, LoggedRecord, Position, Scope
from audit.findings import Finding, Result, failed, unchecked
from audit.gathering import Gathering
from audit.leaves import check_delivery, expected_policy, expected_version
from audit.positions import check_statement_position
from audit.statements import owner_keys
from core.errors import InvalidInput, SynclineError, Untrusted
from core.limits import LIMITS, Limits
from core.names import DatasetId, PartnerId, check_partner
from security import envelope as dsse
from security.policy import VerifiedPolicy
from security.registry import Registry, VerifiedRegistry
from sync.acknowledgement import VerifiedAcknowledgement, verify_acknowledgement
from sync.manifest import VerifiedManifest

_FALSE = "stop; keep this evidence, and show it to the federation's administrators"


@dataclass(slots=True)
class Statements:
    """The verified statements of a bundle, by id; policies also by dataset and number."""

    manifests: dict[str, VerifiedManifest] = field(default_factory=dict[str, VerifiedManifest])
    policies: dict[str, VerifiedPolicy] = field(default_factory=dict[str, VerifiedPolicy])

    def policy(self, dataset: str, seq: object) -> VerifiedPolicy | None:
        """A policy by its number."""
        return next(
            (
                each
                for each in self.policies.values()
                if (each.policy.dataset, each.policy.seq) == (dataset, seq)
            ),
            None,
        )


class Events:
    """What happened, in the log's order."""

    def __init__(
        self,
        chain: Sequence[VerifiedRegistry],
        positions: Mapping[int, Position],
        statements: Statements,
        scope: Scope | None,
        tree: Tree,
        limits: Limits = LIMITS,
    ) -> None:
        self._chain = chain
        self._positions = positions
        self._statements = statements
        self._scope = scope
        self._tree = tree
        self._limits = limits
        self._in_force: dict[str, tuple[int, str]] = {}
        self.versions: dict[str, LoggedRecord] = {}
        self.policies: dict[str, LoggedRecord] = {}
        self.acknowledged: dict[str, int] = {}
        #: Deliveries of datasets that the bundle is not about: a lane has all of its owner's.
        self.outside = 0

    def add(self, record: LoggedRecord, gathered: Gathering) -> None:
        """The next record, by index."""
        handle: dict[str, Callable[[LoggedRecord], Iterator[Finding]]] = {
            "version": self._version,
            "policy": self._policy,
            "delivery": self._delivery,
            "acknowledgement": self._acknowledgement,
        }
        found = handle.get(record.type)
        if found is not None:
            for finding in found(record):
                gathered.add(finding)

    def _version(self, record: LoggedRecord) -> Iterator[Finding]:
        identity = record.statement_sha256 or ""
        manifest = self._statements.manifests.get(identity)
        if manifest is None:
            if self._expected_here(record.object):
                words = f"leaf {record.index} records a version of {record.object} that is not in the bundle"
                yield unchecked("version leaf", words, "ask who made the bundle for it")
            return
        if identity in self.versions:
            yield failed("version leaf", f"leaf {record.index} records a version a second time", _FALSE)
            return
        if wrong := expected_version(manifest).difference(record):
            yield failed("version leaf", f"leaf {record.index} records something else: {wrong}", _FALSE)
            return
        self.versions[identity] = record

    def _policy(self, record: LoggedRecord) -> Iterator[Finding]:
        identity, seq = record.statement_sha256 or "", record.detail.get("seq")
        self._in_force[record.object] = (seq if isinstance(seq, int) else 0, identity)
        policy = self._statements.policies.get(identity)
        if policy is None:
            if self._expected_here(record.object):
                words = (
                    f"leaf {record.index} records policy {seq} of {record.object}, which is not in the bundle"
                )
                yield unchecked("policy leaf", words, "ask who made the bundle for it")
            return
        if wrong := expected_policy(policy).difference(record):
            yield failed("policy leaf", f"leaf {record.index} records something else: {wrong}", _FALSE)
            return
        self.policies.setdefault(identity, record)
        yield from self._signed_then(policy.envelope, dsse.POLICY, record.actor, record.position)

    def _delivery(self, record: LoggedRecord) -> Iterator[Finding]:
        owner = record.object.partition("/")[0]
        whole = self._scope is not None and owner in self._scope.lanes and self._scope.since is None
        in_force, seq = self._in_force.get(record.object), record.detail.get("policy_seq")
        cited = record.detail.get("policy_sha256")
        if in_force is None and whole:
            words = f"delivery not allowed: leaf {record.index} stands before any policy of {record.object}"
            yield failed("deliveries", words, _FALSE)
            return
        if whole and record.statement_sha256 not in self.versions and self._expected_here(record.object):
            words = f"leaf {record.index} delivers a version of {record.object} that was not logged before it"
            yield failed("deliveries", words, _FALSE)
            return
        known = None if in_force is None else self._statements.policies.get(in_force[1])
        newer = in_force is not None and isinstance(seq, int) and seq > in_force[0]
        if in_force is None or (newer and not whole):
            # The policy's own record is not among those that are opened here.
            by_id = self._statements.policies.get(str(cited))
            known = by_id if cited is not None else self._statements.policy(record.object, seq)
        elif seq != in_force[0]:
            words = (
                f"delivery not allowed: leaf {record.index} names policy {seq}, {in_force[0]} was in force"
            )
            yield failed("deliveries", words, _FALSE)
            return
        audience = self._scope.audience if self._scope is not None else None
        finding = check_delivery(record, known, self._registry_at(record.position), audience)
        if finding.result is Result.UNCHECKED and self._is_outside(record.object):
            self.outside += 1
            return
        yield finding

    def _acknowledgement(self, record: LoggedRecord) -> Iterator[Finding]:
        name = acknowledgement_name(record.object, record.index)
        data = self._tree.read(name, self._limits.envelope_bytes_max)
        if data is None:
            return
        self.acknowledged[record.object] = self.acknowledged.get(record.object, 0) + 1
        try:
            verified = self._acknowledged(data, record)
        except SynclineError as error:
            words = f"leaf {record.index}: {error.message}"
            yield failed("acknowledgement leaf", words, error.remedy or _FALSE)
            return
        yield from self._signed_then(verified.envelope, dsse.ACKNOWLEDGEMENT, record.actor, record.position)

    def _acknowledged(self, data: bytes, record: LoggedRecord) -> VerifiedAcknowledgement:
        verified = read_acknowledgement(data, record, self._chain, self._limits)
        said, detail = verified.acknowledgement, record.detail
        pairs = [
            (verified.id, record.statement_sha256),
            (said.dataset, record.object),
            (said.node, detail.get("node")),
            (said.manifest_sha256, detail.get("version")),
            (said.policy_sha256, detail.get("policy")),
        ]
        if any(one != other for one, other in pairs):
            raise Untrusted("the leaf records another acknowledgement", reason="WRONG_RECORD")
        return verified

    def finish(self, datasets: Sequence[DatasetId], gathered: Gathering, *, logged: bool) -> None:
        """Acknowledgements that no leaf records; `logged`: the log is at hand."""
        told = failed if logged else unchecked
        for dataset in datasets:
            names = self._tree.names(f"data/datasets/{dataset}/acknowledgements")
            if (left := sum(1 for _ in names) - self.acknowledged.get(dataset, 0)) > 0:
                words = f"{dataset}: {left} acknowledgements whose leaf is not here"
                gathered.add(told("acknowledgement leaf", words, "ask who made the bundle why"))

    def _signed_then(
        self, envelope: bytes, payload_type: str, signer: str, place: Position
    ) -> Iterator[Finding]:
        finding = check_statement_position(
            envelope, payload_type, PartnerId(signer), place, self._chain, self._positions, self._limits
        )
        if finding.result is not Result.PASSED:
            yield finding

    def _registry_at(self, place: Position) -> Registry | None:
        if any(each.registry.seq not in self._positions for each in self._chain):
            return None
        before = [each.registry for each in self._chain if self._positions[each.registry.seq] < place]
        return before[-1] if before else None

    def _is_outside(self, dataset: str) -> bool:
        return self._scope is not None and dataset not in self._scope.datasets

    def _expected_here(self, dataset: str) -> bool:
        return self._scope is None or (dataset in self._scope.datasets and self._scope.since is None)


class Acknowledgements(Collection[LoggedAcknowledgement]):
    """The acknowledgements of a dataset that its records prove, read from their files each time."""

    def __init__(
        self,
        tree: Tree,
        dataset: DatasetId,
        records: Collection[LoggedRecord],
        count: int,
        chain: Sequence[VerifiedRegistry],
        limits: Limits,
    ) -> None:
        self._tree = tree
        self._dataset = dataset
        self._records = records
        self._count = count
        self._chain = chain
        self._limits = limits

    def __len__(self) -> int:
        return self._count

    def __contains__(self, one: object) -> bool:
        return any(each == one for each in self)

    def __iter__(self) -> Iterator[LoggedAcknowledgement]:
        if not self._count:
            return
        for record in self._records:
            if record.type != "acknowledgement" or record.object != self._dataset:
                continue
            data = self._tree.read(
                acknowledgement_name(self._dataset, record.index), self._limits.envelope_bytes_max
            )
            if data is not None:
                try:
                    verified = read_acknowledgement(data, record, self._chain, self._limits)
                except SynclineError:
                    continue
                yield LoggedAcknowledgement(record.index, verified)


def acknowledgement_name(dataset: str, index: int) -> str:
    """Where an acknowledgement stands in a bundle."""
    return f"data/datasets/{dataset}/acknowledgements/{index:012}.json"


def read_acknowledgement(
    data: bytes, record: LoggedRecord, chain: Sequence[VerifiedRegistry], limits: Limits
) -> VerifiedAcknowledgement:
    """By any key that its partner ever had; when that key was valid is the position's. Raises `Untrusted`."""
    try:
        partner = check_partner(record.actor)
    except InvalidInput as error:
        raise Untrusted(error.message, reason="MALFORMED") from None
    return verify_acknowledgement(data, owner_keys(tuple(chain), partner), partner, limits)
