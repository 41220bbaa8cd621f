"""The operator's desk: the acts of the pages, by a person with a name, alone or with a second person.

* Where two must agree, `invite`, `approve`, `resume` and `revoke` by one wait until another confirms;
  suspending and rejecting make things safer, and are done at once.
* An act that changes the registry is signed if the administrators' keys are at hand, else it is queued.
* The join file of a confirmed invitation is made when who asked fetches it: its secret is never stored.

    desk = Desk(hub, two_person=True, keep=…)
    desk.revoke("vilay", PartnerId("la-dgm")).outcome             # "waits"
    desk.confirm("somchai", number).outcome                       # "queued" or "done"
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from core.errors import Denied, InvalidInput, SynclineError, Unavailable, Untrusted
from core.names import NodeName, PartnerId, check_node, check_partner
from hub.services.act_requests import ActRequest, Detail
from hub.services.hub import Hub
from hub.services.registry import Signed
from security.join import same_fingerprint
from security.keys import Signer

#: `queued`: waits for the administrators' signatures; `waits`: for a second person; `ready`: a join file can
#: be fetched.
Became = Literal["done", "queued", "waits", "ready", "refused"]

INVITE, APPROVE, RESUME, REVOKE = "invite", "approve", "resume", "revoke"
_PENDING = ("pending", "accepted")
_OPEN = ("invited", *_PENDING)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an act. `file`: a join file to hand over, called `name`.

    `is_gone`: the partner has no page any more: it never belonged, and nothing of it waits.
    """

    act: str
    partner: PartnerId
    outcome: Became
    file: bytes = b""
    name: str = ""
    is_gone: bool = False


class Desk:
    """Acts of signed-in people; whether their roles allow them is decided before. Thread-safe."""

    def __init__(self, hub: Hub, *, two_person: bool, keep: Callable[[], None]) -> None:
        """`keep` is called when a registry was signed here."""
        self._hub = hub
        self._two_person = two_person
        self._keep = keep
        self._requests = hub.act_requests
        self._requests.give_up_interrupted(INVITE)

    def requests(self) -> list[ActRequest]:
        """What waits for a second person, and what was decided."""
        return self._requests.list()

    # --- acts that may need two ------------------------------------------------------------------

    def invite(
        self, user: str, partner: PartnerId, names: Mapping[str, str], node: NodeName, *, replace: bool
    ) -> Done:
        """Raises as `EnrolmentService.invite`."""
        known = {each.partner.id: each.partner.names for each in self._hub.registry.partners()}
        called = dict(names) or dict(known.get(partner, {}))
        if not called:
            raise InvalidInput(f"{partner} is new here and has no name yet", remedy="give its name")
        detail: Detail = {"partner": partner, "node": node, "names": called, "replace": replace}
        return self._act(INVITE, detail, user)

    def approve(self, user: str, partner: PartnerId, fingerprint: str, node: NodeName | None) -> Done:
        """`fingerprint` as it was read out. Raises as `EnrolmentService.approve`."""
        waiting = [
            each
            for each in self._hub.enrolment.list()
            if each.partner == partner and each.state in _PENDING and node in (None, each.node)
        ]
        if not waiting:
            raise InvalidInput(f"no request of {partner} waits for approval", reason="NOTHING_WAITS")
        plain = "".join(fingerprint.split())
        if not any(same_fingerprint(fingerprint, _digits(each.fingerprint)) for each in waiting):
            raise Untrusted(
                f"this is not the fingerprint of the request of {partner}",
                remedy="ask them to read it once more; if it stays different, reject the request",
                reason="FINGERPRINT",
            )
        return self._act(APPROVE, {"partner": partner, "node": node, "fingerprint": plain}, user)

    def resume(self, user: str, partner: PartnerId) -> Done:
        """Raises `InvalidInput`, `Conflict` (REVOKED)."""
        return self._act(RESUME, {"partner": self._known(partner)}, user)

    def revoke(self, user: str, partner: PartnerId) -> Done:
        """Raises `InvalidInput`."""
        return self._act(REVOKE, {"partner": self._known(partner)}, user)

    # --- acts of one -----------------------------------------------------------------------------

    def suspend(self, user: str, partner: PartnerId) -> Done:
        """Raises `InvalidInput`."""
        self._hub.registry.suspend(partner, by=user)
        return Done("suspend", partner, "done")

    def reject(self, user: str, partner: PartnerId, node: NodeName | None) -> Done:
        """Also withdraws an unused invitation. Raises `InvalidInput` (NOTHING_WAITS)."""
        if self._hub.enrolment.reject(partner, node=node, by=user) == 0:
            raise InvalidInput(f"nothing of {partner} waits here", reason="NOTHING_WAITS")
        belongs = any(each.partner.id == partner for each in self._hub.registry.partners())
        waits = any(each.partner == partner and each.state in _OPEN for each in self._hub.enrolment.list())
        return Done("reject", partner, "done", is_gone=not belongs and not waits)

    def acknowledge(self, user: str, partner: PartnerId, node: NodeName, id_: str, reason: str) -> Done:
        """Raises as `AlarmDesk.acknowledge`."""
        self._hub.alarm_desk.acknowledge(partner, node, id_, reason, by=user)
        return Done("acknowledge", partner, "done")

    # --- the second person -----------------------------------------------------------------------

    def confirm(self, user: str, number: int) -> Done:
        """Do what another has asked for. Raises as `ActRequests.confirm`, and what the act raises."""
        request = self._requests.confirm(number, user)
        if request.act == INVITE:
            return Done(INVITE, _partner(request.detail), "ready")
        try:
            done = self._do(request.act, request.detail, request.asked_by)
        except SynclineError as error:
            self._requests.settle(number, "failed", error.message)
            raise
        except BaseException:
            self._requests.settle(number, "failed", "a bug; see the hub's log")
            raise
        self._requests.settle(number, "queued" if done.outcome == "queued" else "done")
        return done

    def refuse(self, user: str, number: int) -> Done:
        """It is not done. Raises as `ActRequests.refuse`."""
        request = self._requests.refuse(number, user)
        return Done(request.act, _partner(request.detail), "refused")

    def collect(self, user: str, number: int) -> Done:
        """The join file of a confirmed invitation, once, for the one who asked.

        Raises `InvalidInput`, `Denied` (NOT_YOURS, NOT_CONFIRMED), and what inviting raises.
        """
        request = self._requests.get(number)
        if request.act != INVITE or request.asked_by != user:
            raise Denied("this join file is for the one who asked for it", reason="NOT_YOURS")
        if request.outcome != "confirmed":
            raise Denied(
                "nobody has confirmed this invitation, or its join file was fetched already",
                remedy="ask for it again where the file was lost",
                reason="NOT_CONFIRMED",
            )
        self._requests.settle(number, "done")  # first: of two at once, one gets it
        try:
            return self._do(INVITE, request.detail, user)
        except SynclineError as error:
            self._requests.settle(number, "failed", error.message, was="done")
            raise

    # --- steps -----------------------------------------------------------------------------------

    def _act(self, act: str, detail: Detail, user: str) -> Done:
        if not self._two_person:
            return self._do(act, detail, user)
        self._requests.ask(act, detail, user)
        return Done(act, _partner(detail), "waits")

    def _do(self, act: str, detail: Detail, user: str) -> Done:
        partner, given = _partner(detail), detail.get("node")
        node = None if given is None else check_node(str(given))
        if act == INVITE:
            assert node is not None
            names = cast("dict[str, str]", detail["names"])
            file = self._hub.enrolment.invite(partner, names, node, replace=bool(detail["replace"]), by=user)
            return Done(act, partner, "done", file, f"{partner}-{node}.join")
        if act == RESUME:
            self._hub.registry.resume(partner, by=user)
            return Done(act, partner, "done")
        keys = self._keys()
        if act == APPROVE:
            signed = self._hub.enrolment.approve(
                partner, str(detail["fingerprint"]), keys, node=node, by=user
            )
        else:
            signed = self._hub.registry.revoke(partner, keys, by=user)
        if signed is Signed.NOW:
            self._keep()
        return Done(act, partner, "done" if signed is Signed.NOW else "queued")

    def _keys(self) -> list[Signer]:
        """The administrators' keys, if enough of them are at hand to sign."""
        keys = list(self._hub.context.administrator_keys())
        try:
            self._hub.registry.check_keys(keys)
        except Unavailable:
            return []
        return keys

    def _known(self, partner: PartnerId) -> PartnerId:
        if all(each.partner.id != partner for each in self._hub.registry.partners()):
            raise InvalidInput(f"{partner} is not in the registry", reason="NO_SUCH_PARTNER")
        return partner


def _partner(detail: Detail) -> PartnerId:
    return check_partner(str(detail["partner"]))


def _digits(fingerprint: str | None) -> str:
    return "".join(each for each in (fingerprint or "") if each.isalnum())
