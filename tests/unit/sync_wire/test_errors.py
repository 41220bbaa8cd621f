"""Errors across the wire: each branch arrives as it left, and nothing of gRPC leaks to either side."""

from collections.abc import Iterator
from concurrent import futures
from urllib.parse import quote

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from core.errors import BRANCHES, Denied, InvalidInput, SynclineError, Unavailable, Untrusted
from sync.wire.errors import from_rpc_error, message_of, status_of, translated, translated_stream

CODES = {
    "InvalidInput": grpc.StatusCode.INVALID_ARGUMENT,
    "Untrusted": grpc.StatusCode.FAILED_PRECONDITION,
    "Denied": grpc.StatusCode.PERMISSION_DENIED,
    "Conflict": grpc.StatusCode.ABORTED,
    "Unavailable": grpc.StatusCode.UNAVAILABLE,
    "Corrupt": grpc.StatusCode.DATA_LOSS,
}


class Call(grpc.RpcError):
    """An error as grpc gives it to a client."""

    def __init__(self, code: grpc.StatusCode, details: str = "", trailer: bytes | None = None) -> None:
        self._code, self._details, self._trailer = code, details, trailer

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        return () if self._trailer is None else (("grpc-status-details-bin", self._trailer),)


class Server:
    """A real server whose one method fails as told."""

    def __init__(self) -> None:
        self.error: BaseException = SynclineError("unset")
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        unary = grpc.unary_unary_rpc_method_handler(self._fail)
        stream = grpc.unary_stream_rpc_method_handler(self._fail_later)
        handler = grpc.method_handlers_generic_handler("t", {"unary": unary, "stream": stream})
        self._server.add_generic_rpc_handlers((handler,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")

    def _fail(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort_with_status(status_of(self.error))
        return b""

    def _fail_later(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield b"first"
        context.abort_with_status(status_of(self.error))

    def call(self) -> bytes:
        with translated():
            return self.channel.unary_unary("/t/unary")(b"", timeout=10)

    def close(self) -> None:
        self.channel.close()
        self._server.stop(0).wait()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.mark.parametrize("branch", BRANCHES)
def test_each_branch_round_trips_over_a_real_connection(server: Server, branch: type[SynclineError]) -> None:
    server.error = branch("ແຜນທີ່ is not here", remedy="see 地质 → docs", reason="SOME_REASON")
    with pytest.raises(SynclineError) as caught:
        server.call()
    got = caught.value
    assert type(got) is branch
    assert (got.message, got.remedy, got.reason) == (
        "ແຜນທີ່ is not here",
        "see 地质 → docs",
        "SOME_REASON",
    )
    assert isinstance(got.__cause__, grpc.RpcError)
    assert got.__cause__.code() is CODES[branch.__name__]


@pytest.mark.parametrize("branch", BRANCHES)
def test_default_reason_round_trips(server: Server, branch: type[SynclineError]) -> None:
    server.error = branch("x")
    with pytest.raises(branch) as caught:
        server.call()
    assert caught.value.reason == branch.default_reason
    assert caught.value.remedy == ""


def test_not_found_has_a_status_of_its_own(server: Server) -> None:
    server.error = Denied("no such dataset", reason="NOT_FOUND")
    with pytest.raises(Denied) as caught:
        server.call()
    assert caught.value.reason == "NOT_FOUND"
    assert isinstance(caught.value.__cause__, grpc.RpcError)
    assert caught.value.__cause__.code() is grpc.StatusCode.NOT_FOUND


def test_a_stream_fails_with_our_error_after_what_came_before(server: Server) -> None:
    server.error = Denied("the grant has ended", reason="GRANT_ENDED")
    stream = translated_stream(server.channel.unary_stream("/t/stream")(b"", timeout=10))
    assert next(stream) == b"first"
    with pytest.raises(Denied):
        next(stream)


@pytest.mark.parametrize(
    "error", [ValueError("/etc/secret"), KeyError("la-dgm"), SynclineError("base class"), OSError(28, "full")]
)
def test_what_is_not_ours_tells_the_peer_nothing(server: Server, error: BaseException) -> None:
    server.error = error
    with pytest.raises(Unavailable) as caught:
        server.call()
    assert caught.value.reason == "HUB_FAILED"
    assert "secret" not in str(caught.value)
    assert "la-dgm" not in str(caught.value)


@pytest.mark.parametrize("letter", ["a", "é", "ໄ", "\U0002070e"])
def test_huge_messages_always_arrive(server: Server, letter: str) -> None:
    server.error = InvalidInput(letter * 100_000, remedy=letter * 100_000, reason="L" * 63)
    status = message_of(server.error)
    trailers = len(quote(status.message)) + len(status.SerializeToString())
    assert trailers < 6_000, "gRPC refuses trailers of more than 8 KiB, but only at random"
    with pytest.raises(InvalidInput) as caught:
        server.call()
    assert caught.value.reason == "L" * 63
    assert caught.value.message.endswith(letter + "…")


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_every_plain_status_becomes_ours_with_a_message(code: grpc.StatusCode) -> None:
    got = from_rpc_error(Call(code, "some text"))
    assert type(got) in BRANCHES
    assert got.message
    assert got.reason


@pytest.mark.parametrize(
    ("code", "branch", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, Unavailable, "UNREACHABLE"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Unavailable, "TIMEOUT"),
        (grpc.StatusCode.CANCELLED, Unavailable, "CANCELLED"),
        (grpc.StatusCode.UNAUTHENTICATED, Denied, "UNAUTHENTICATED"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Unavailable, "BUSY"),
        (grpc.StatusCode.INTERNAL, Unavailable, "HUB_FAILED"),
    ],
)
def test_transport_errors_have_a_remedy(
    code: grpc.StatusCode, branch: type[SynclineError], reason: str
) -> None:
    got = from_rpc_error(Call(code))
    assert type(got) is branch
    assert got.reason == reason
    assert got.remedy


def test_too_large_a_message_is_not_retried() -> None:
    error = Call(grpc.StatusCode.RESOURCE_EXHAUSTED, "CLIENT: Received message larger than max (5 vs. 4)")
    assert type(from_rpc_error(error)) is InvalidInput


@pytest.mark.parametrize("text", ["CERTIFICATE_VERIFY_FAILED: x", "Hostname Verification Check failed."])
def test_a_hub_with_a_wrong_certificate_is_untrusted_not_unreachable(text: str) -> None:
    got = from_rpc_error(Call(grpc.StatusCode.UNAVAILABLE, f"failed to connect; last error: {text}"))
    assert type(got) is Untrusted
    assert got.reason == "HUB_UNTRUSTED"


def test_a_connection_closed_at_once_points_at_the_certificate() -> None:
    got = from_rpc_error(
        Call(grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses; last error: Socket closed")
    )
    assert type(got) is Unavailable
    assert "certificate" in got.remedy


def _trailer(code: int, **info: object) -> bytes:
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(**info))
    return status_pb2.Status(code=code, message="m", details=[detail]).SerializeToString()


ABORTED = code_pb2.ABORTED


@pytest.mark.parametrize(
    "trailer",
    [
        b"\xff\xff garbage",
        _trailer(ABORTED, domain="googleapis.com", reason="X", metadata={"class": "Conflict"}),
        _trailer(ABORTED, domain="syncline", reason="X", metadata={"class": "SystemExit"}),
        _trailer(ABORTED, domain="syncline", reason="X"),
        _trailer(ABORTED, domain="syncline", reason="X", metadata={"class": "Denied"}),
        _trailer(code_pb2.OK, domain="syncline", reason="X", metadata={"class": "Conflict"}),
    ],
)
def test_details_that_contradict_their_status_are_ignored(trailer: bytes) -> None:
    got = from_rpc_error(Call(grpc.StatusCode.ABORTED, "m", trailer))
    assert type(got).__name__ == "Conflict"
    assert got.reason == "CONFLICT"


def test_a_hostile_peer_cannot_write_on_the_terminal() -> None:
    trailer = status_pb2.Status()
    trailer.CopyFrom(message_of(Denied("x", reason="R")))
    trailer.message = "\x1b[2J\nerror: all is well"
    got = from_rpc_error(
        Call(grpc.StatusCode.PERMISSION_DENIED, trailer.message, trailer.SerializeToString())
    )
    assert "\x1b" not in got.message
    assert "\n" not in got.message


def test_an_odd_reason_falls_back_to_the_branchs() -> None:
    trailer = _trailer(ABORTED, domain="syncline", reason="no spaces!", metadata={"class": "Conflict"})
    assert from_rpc_error(Call(grpc.StatusCode.ABORTED, "m", trailer)).reason == "CONFLICT"


def test_errors_without_a_call_and_closed_channels_do_not_leak() -> None:
    with pytest.raises(Unavailable), translated():
        raise grpc.RpcError("bare")
    with pytest.raises(Unavailable), translated():
        raise grpc.FutureTimeoutError
    channel = grpc.insecure_channel("127.0.0.1:1")
    channel.close()
    with pytest.raises(Unavailable), translated():
        channel.unary_unary("/t/x")(b"")
    with pytest.raises(ValueError, match="ours"), translated():
        raise ValueError("ours")


def test_nobody_listening_is_unreachable() -> None:
    with grpc.insecure_channel("127.0.0.1:1") as channel, pytest.raises(Unavailable) as caught, translated():
        channel.unary_unary("/t/x")(b"", timeout=10)
    assert caught.value.reason == "UNREACHABLE"


def test_status_and_message_agree() -> None:
    for branch in BRANCHES:
        assert status_of(branch("x")).code is rpc_status.to_status(message_of(branch("x"))).code
