"""Enrolment over the wire: for whoever holds a token or an enrolled node's signing key."""

from syncline.v1 import enrolment_pb2

from core.limits import Limits
from hub.services.enrolment import EnrolmentService
from sync.wire import messages


class EnrolmentCalls:
    """`EnrolmentService` of the contract. The first argument of each is no caller: anybody may ask."""

    def __init__(self, enrolment: EnrolmentService, limits: Limits) -> None:
        self._enrolment = enrolment
        self._limits = limits

    def join(self, _: None, request: enrolment_pb2.JoinRequest) -> enrolment_pb2.JoinResponse:
        call = messages.join_from_message(request, self._limits)
        state = self._enrolment.join(call.envelope, call.token, call.csr_der)
        return messages.join_state_to_message(messages.EnrolmentState(state.value))

    def get_enrolment(
        self, _: None, request: enrolment_pb2.GetEnrolmentRequest
    ) -> enrolment_pb2.GetEnrolmentResponse:
        query = messages.enrolment_query_from_message(request)
        state, chain = self._enrolment.get(query.join_id, query.token)
        return messages.enrolment_to_message(messages.Enrolment(messages.EnrolmentState(state.value), chain))

    def renew(self, _: None, request: enrolment_pb2.RenewRequest) -> enrolment_pb2.RenewResponse:
        call = messages.renew_from_message(request, self._limits)
        return messages.renewed_to_message(self._enrolment.renew(call.envelope, call.csr_der))
