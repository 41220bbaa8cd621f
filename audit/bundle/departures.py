"""The words of nodes that left, in a bundle, against the acts that record them.

    departures = Departures(tree, chain, positions, limits)
    for record in records: departures.add(record, gathered)
    departures.finish(gathered, logged=True)

Rules: the partner's own key signed it, one that was valid at its place in the log, and it says what the
leaf says. An act without its statement is no fault: bundles of the first kind have none.
"""

from collections.abc import Mapping, Sequence

from audit.bundle.tree import Tree
from audit.dossier import LoggedRecord, Position
from audit.findings import Result, failed, passed, unchecked
from audit.gathering import Gathering
from audit.positions import check_statement_position
from audit.statements import owner_keys
from core.errors import InvalidInput, SynclineError, Untrusted
from core.limits import LIMITS, Limits
from core.names import check_partner
from security import envelope as dsse
from security.departure import Departure, verify_departure
from security.registry import VerifiedRegistry

_CHECK = "departure leaf"
_FALSE = "stop; keep this evidence, and show it to the federation's administrators"

FOLDER = "data/departures"


def departure_name(index: int) -> str:
    """Where the statement that the leaf `index` records stands in a bundle."""
    return f"{FOLDER}/{index:012}.json"


class Departures:
    """Those of one bundle."""

    def __init__(
        self,
        tree: Tree,
        chain: Sequence[VerifiedRegistry],
        positions: Mapping[int, Position],
        limits: Limits = LIMITS,
    ) -> None:
        self._tree = tree
        self._chain = chain
        self._positions = positions
        self._limits = limits
        self._met = 0

    def add(self, record: LoggedRecord, gathered: Gathering) -> None:
        """The next record, by index."""
        if record.type != "act" or record.detail.get("act") != "leave":
            return
        data = self._tree.read(departure_name(record.index), self._limits.envelope_bytes_max)
        if data is None:
            return
        self._met += 1
        try:
            said = self._verified(data, record)
        except SynclineError as error:
            words = f"leaf {record.index}: {error.message}"
            gathered.add(failed(_CHECK, words, error.remedy or _FALSE))
            return
        place = check_statement_position(
            data, dsse.DEPARTURE, said.partner, record.position, self._chain, self._positions, self._limits
        )
        if place.result is not Result.PASSED:
            gathered.add(place)
        gathered.add(passed(_CHECK, f"leaf {record.index}: {said.partner}/{said.node} left by its own word"))

    def finish(self, gathered: Gathering, *, logged: bool) -> None:
        """Statements that no leaf records; `logged`: the log is at hand."""
        told = failed if logged else unchecked
        if (left := sum(1 for _ in self._tree.names(FOLDER)) - self._met) > 0:
            gathered.add(told(_CHECK, f"{left} departures whose leaf is not here", "ask who made it why"))

    def _verified(self, data: bytes, record: LoggedRecord) -> Departure:
        try:
            partner = check_partner(record.actor)
        except InvalidInput as error:
            raise Untrusted(error.message, reason="MALFORMED") from None
        verified = verify_departure(data, owner_keys(tuple(self._chain), partner), self._limits)
        said, detail = verified.departure, record.detail
        pairs = [
            (verified.id, record.statement_sha256),
            (said.federation, self._chain[0].registry.federation),
            (said.partner, partner),
            (said.node, detail.get("node")),
            (said.reason, detail.get("reason")),
        ]
        if any(one != other for one, other in pairs):
            raise Untrusted("the leaf records another departure", reason="WRONG_RECORD")
        return said
