"""What stands in this partner's own lane, held against what the partner has signed.

    troubles = OwnLane(place, ledger, statements).look(kept)

Rules, for each record in the lane's order: it follows the one before (number and commitment); a version or
a policy under this partner's name is signed by a key of its own; a delivery is one that the policy in force
at that place allowed; an acknowledgement is the receiver's own word. Each breach is an alarm with its
evidence, and the next record is held against what is there, so that one gap is one alarm.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from core.clock import parse_instant
from core.errors import SynclineError
from core.names import DatasetId, PartnerId, owner_of
from node.alarms import DELIVERY_NOT_ALLOWED, FOREIGN_VERSION, LANE_GAP, WRONG_OPENING
from node.witness.entries import Place, Trouble
from node.witness.ledger import Kept, Ledger, OwnPolicy
from node.witness.statements import OwnStatements
from security.policy import decide, disclosures_from_json
from security.rules import READ
from security.tlog.opening_file import LanePlace, OpeningFile

#: Between the hub's decision and the time in its record: a rule that ended within it did allow.
_TOLERANCE = timedelta(seconds=60)
_OWN_TYPES = frozenset({"version", "policy", "delivery", "acknowledgement"})


class OwnLane:
    """Looks at records once, in order."""

    def __init__(self, place: Place, ledger: Ledger, statements: OwnStatements) -> None:
        self._place = place
        self._ledger = ledger
        self._statements = statements
        self._in_force: dict[str, str] = {}

    def look(self, kept: Sequence[Kept]) -> list[Trouble]:
        """The troubles with `kept`, which stand together above all that the ledger has taken."""
        troubles: list[Trouble] = []
        if not kept:
            return troubles
        last = self._ledger.lane_end(kept[0].index)
        self._statements.gather(each for each in kept if each.lane_n and each.type == "version")
        for each in kept:
            if not each.lane_n:
                troubles += self._elsewhere(each)
                continue
            troubles += self._order(last, each)
            last = each
            troubles += self._judge(each)
        return troubles

    def _order(self, last: Kept | None, each: Kept) -> Iterable[Trouble]:
        n, prev = (0, None) if last is None else (last.lane_n, last.commitment)
        if (each.lane_n, each.lane_prev) == (n + 1, prev):
            return
        where = f"record {each.lane_n} follows record {n}" if each.lane_n != n + 1 else "its link is broken"
        evidence = {"opening.json": opening(each)}
        if last is not None:
            evidence["before.opening.json"] = opening(last)
        yield self._place.trouble(
            LANE_GAP, each.index, f"a record is missing from this partner's lane: {where}", evidence
        )

    def _elsewhere(self, each: Kept) -> Iterable[Trouble]:
        """A record about an own dataset that is not in the own lane hides from its owner."""
        if each.type in _OWN_TYPES and owner_of(DatasetId(each.object)) == self._place.partner:
            yield self._place.trouble(
                LANE_GAP,
                each.index,
                f"a {each.type} of {each.object} is not in its owner's lane",
                {"opening.json": opening(each)},
            )

    def _judge(self, each: Kept) -> Iterable[Trouble]:
        if each.type == "policy":
            yield from self._policy(each)
        elif each.type == "version":
            yield from self._version(each)
        elif each.type == "delivery":
            yield from self._delivery(each)
        elif each.type == "acknowledgement":
            yield from self._acknowledgement(each)

    def _version(self, each: Kept) -> Iterable[Trouble]:
        why = self._statements.why_foreign(each)
        if why is not None:
            yield self._foreign(each, why)

    def _policy(self, each: Kept) -> Iterable[Trouble]:
        self._in_force[each.object] = each.statement_sha256 or ""
        if self._policy_of(each.object, each.statement_sha256) is None:
            yield self._foreign(each, "no policy of that id is signed with this partner's keys")

    def _foreign(self, each: Kept, why: str) -> Trouble:
        evidence = {"opening.json": opening(each)}
        statement = self._statements.envelope(each.statement_sha256)
        if statement is not None:
            evidence["statement.json"] = statement
        return self._place.trouble(
            FOREIGN_VERSION,
            each.index,
            f"a {each.type} of {each.object} was logged that this partner did not sign: {why}",
            evidence,
            dataset=each.object,
        )

    def _delivery(self, each: Kept) -> Iterable[Trouble]:
        receiver = PartnerId(str(each.detail.get("partner") or each.value["actor"]))
        in_force = self._in_force.get(each.object) or self._ledger.policy_in_force(each.object, each.index)
        policy = self._policy_of(each.object, in_force)
        if policy is None:
            reason = "no policy of its owner was in force"
        else:
            rules = [disclosed.rule for disclosed in disclosures_from_json(policy.disclosures)]
            at = parse_instant(str(each.value["time"]))
            owner = self._place.partner
            decisions = [
                decide(owner, rules, policy.seq, receiver, READ, moment) for moment in (at, at - _TOLERANCE)
            ]
            if any(decision.allowed for decision in decisions):
                return
            reason = f"under policy {policy.seq}, {decisions[0].reason}"
        evidence = {"opening.json": opening(each)}
        if policy is not None:
            evidence |= {"policy.json": policy.envelope, "policy.rules.json": policy.disclosures}
        yield self._place.trouble(
            DELIVERY_NOT_ALLOWED,
            each.index,
            f"the hub delivered {each.object} to {receiver}, which its owner did not allow: {reason}",
            evidence,
            dataset=each.object,
            partner=receiver,
        )

    def _acknowledgement(self, each: Kept) -> Iterable[Trouble]:
        if each.statement is None:
            return  # not given (any more); the record stands, and `receipts` says that it is only the hub's
        try:
            self._statements.acknowledged(each)
        except SynclineError as error:
            yield self._place.trouble(
                WRONG_OPENING,
                each.index,
                f"an acknowledgement of {each.object} was logged that its receiver did not sign:"
                f" {error.message}",
                {"opening.json": opening(each), "statement.json": each.statement},
            )

    def _policy_of(self, dataset: str, policy_id: str | None) -> OwnPolicy | None:
        return None if policy_id is None else self._statements.policy(DatasetId(dataset), policy_id)


def opening(kept: Kept) -> bytes:
    """The opening as a file of evidence."""
    place = LanePlace(kept.lane_n, kept.lane_prev, kept.lane_salt or b"") if kept.lane_n else None
    return OpeningFile(kept.index, kept.record, kept.nonce, place).to_bytes()
