"""The opened records of a bundle, as a stream: read from their files each time, never all held at once.

    records = RecordFiles(tree, view)
    for record in records.verify(gathered): ...         # proves each; what does not hold is left out
    for record in records: ...                           # again, those that hold

Rules: `data/log/records/<index, 12 digits>.opening.json` and `.tlog-proof` belong together; the stream
ascends by index. More records than `bundle_records_count_max` are refused.
"""

import re
from collections.abc import Collection, Iterator

from audit.bundle.tree import Tree
from audit.dossier import LoggedRecord
from audit.evidence import proof_bytes_max
from audit.findings import failed, passed, unchecked
from audit.gathering import Gathering
from audit.leaves import leaf_check
from audit.logged import LogView, prefix_root, read_record
from core.errors import InvalidInput, SynclineError, Untrusted
from core.limits import LIMITS, Limits
from security.canonical import parse_strict
from security.tlog.leaf import leaf_of
from security.tlog.opening_file import OpeningFile
from security.tlog.tlog_proof import parse_proof_file

FOLDER = "data/log/records"
_NAME = re.compile(r"([0-9]{12})\.(opening\.json|tlog-proof)", re.ASCII)
_OPENING = "opening.json"
_BAD_COUNT_MAX = 10_000
_ASK = "ask who made the bundle for it again"
_FALSE = "stop; keep this evidence, and show it to the federation's administrators"


class RecordFiles(Collection[LoggedRecord]):
    """The records whose proofs hold. Empty until `verify` has run to its end."""

    def __init__(self, tree: Tree, view: LogView | None, limits: Limits = LIMITS) -> None:
        self._tree = tree
        self._view = view
        self._limits = limits
        self._bad: set[int] = set()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, one: object) -> bool:
        return any(record == one for record in self)

    def __iter__(self) -> Iterator[LoggedRecord]:
        if self._view is None or not self._count:
            return
        for index, opening, _ in self._pairs(openings_only=True):
            if index not in self._bad and opening is not None:
                record = self._read(index, opening)
                if record is not None:
                    yield record

    def verify(self, gathered: Gathering) -> Iterator[LoggedRecord]:
        """Prove each record; those that hold, ascending by index."""
        for count, (index, opening, proof) in enumerate(self._pairs(openings_only=False), start=1):
            if count > self._limits.bundle_records_count_max:
                raise InvalidInput(
                    f"the bundle opens more than {self._limits.bundle_records_count_max} records",
                    remedy="ask for several smaller bundles",
                    reason="TOO_MANY_RECORDS",
                )
            record = self._prove(index, opening, proof, gathered)
            if record is not None:
                self._count += 1
                yield record
            else:
                self._bad.add(index)
                if len(self._bad) > _BAD_COUNT_MAX:
                    raise Untrusted("more than 10,000 records of the bundle do not hold", remedy=_FALSE)

    def prefix_root(self, size: int) -> bytes | None:
        """The root of the tree of the first `size` leaves, if the record of its last one is here."""
        view, name = self._view, f"{FOLDER}/{size - 1:012}"
        if view is None or size < 1 or size - 1 in self._bad:
            return None
        opening = self._tree.read(f"{name}.{_OPENING}", self._limits.envelope_bytes_max)
        proof = self._tree.read(f"{name}.tlog-proof", proof_bytes_max(self._limits))
        record = None if opening is None else self._read(size - 1, opening)
        if record is None or proof is None:
            return None
        return prefix_root(record.leaf, size - 1, parse_proof_file(proof).hashes, view.checkpoint.size)

    def _pairs(self, *, openings_only: bool) -> Iterator[tuple[int, bytes | None, bytes | None]]:
        bytes_max = max(self._limits.envelope_bytes_max, proof_bytes_max(self._limits))
        index: int | None = None
        opening: bytes | None = None
        proof: bytes | None = None
        for name, data in self._tree.contents(FOLDER, bytes_max, suffix=_OPENING if openings_only else ""):
            matched = _NAME.fullmatch(name)
            if matched is None:
                continue
            if index is not None and int(matched[1]) != index:
                yield index, opening, proof
                opening = proof = None
            index = int(matched[1])
            if matched[2] == _OPENING:
                opening = data
            else:
                proof = data
        if index is not None:
            yield index, opening, proof

    def _prove(
        self, index: int, opening: bytes | None, proof: bytes | None, gathered: Gathering
    ) -> LoggedRecord | None:
        if opening is None:
            gathered.add(failed("other leaves", f"leaf {index}: a proof without an opening", _FALSE))
            return None
        if self._view is None or proof is None:
            what = "its proof is missing" if proof is None else "without the log no leaf can be proven"
            gathered.add(unchecked(self._check(opening), f"leaf {index}: {what}", _ASK))
            return None
        try:
            record = self._view.record(opening, proof)
            if record.index != index:
                raise Untrusted(f"the file is of leaf {record.index}", reason="WRONG_OPENING")
        except SynclineError as error:
            words = f"leaf {index}: {error.message}"
            gathered.add(failed(self._check(opening), words, error.remedy or _FALSE))
            return None
        gathered.add(passed(leaf_check(record.type), f"leaf {index}"))
        return record

    def _check(self, opening: bytes) -> str:
        """The name of the check, by what a record that does not hold claims to be."""
        try:
            claimed = parse_strict(OpeningFile.from_bytes(opening, self._limits).record).get("type")
        except SynclineError:
            claimed = ""
        return leaf_check(str(claimed))

    def _read(self, index: int, opening: bytes) -> LoggedRecord | None:
        """A record that was proven before."""
        view = self._view
        try:
            opened = OpeningFile.from_bytes(opening, self._limits)
            record = parse_strict(opened.record, self._limits)
            leaf = leaf_of(opened.opening)
            if view is None or opened.index != index:
                return None
            return read_record(opened, record, leaf, view.position(index))
        except SynclineError:
            return None
