"""EnrolmentService from the node's side: TLS by the join file's CA, no client certificate."""

from types import TracebackType
from typing import Any, Self

from syncline.v1 import enrolment_pb2_grpc

from core.limits import LIMITS, Limits
from node.hub_client.channel import check_hub, secure_channel
from sync.wire import messages
from sync.wire.errors import translated
from sync.wire.messages import Enrolment, EnrolmentQuery, EnrolmentState, JoinCall, RenewCall


class EnrolmentClient:
    """The enrolment port of one hub. Who answers there is looked at before the token is shown.

    with EnrolmentClient(join_file.enrol, join_file.ca_pem, join_file.federation) as client:
        state = client.join(envelope, token, csr_der)
    """

    def __init__(self, address: str, roots_pem: bytes, federation: str, limits: Limits = LIMITS) -> None:
        self._limits = limits
        check_hub(address, roots_pem, federation, limits.call_timeout_s)
        self._channel = secure_channel(address, roots_pem, None, limits)
        self._stub = enrolment_pb2_grpc.EnrolmentServiceStub(self._channel)

    def join(self, envelope: bytes, token: bytes, csr_der: bytes) -> EnrolmentState:
        """Hand over a join statement."""
        message = messages.join_to_message(JoinCall(envelope, token, csr_der))
        return messages.join_state_from_message(self._call(self._stub.Join, message))

    def get(self, join_id: str, token: bytes) -> Enrolment:
        """Where it stands; with the certificate once approved."""
        message = messages.enrolment_query_to_message(EnrolmentQuery(join_id, token))
        return messages.enrolment_from_message(self._call(self._stub.GetEnrolment, message))

    def renew(self, envelope: bytes, csr_der: bytes) -> bytes:
        """A new certificate chain, PEM, leaf first."""
        message = messages.renew_to_message(RenewCall(envelope, csr_der))
        return messages.renewed_from_message(self._call(self._stub.Renew, message))

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def _call(self, method: Any, message: Any) -> Any:
        with translated():
            return method(message, timeout=self._limits.call_timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
