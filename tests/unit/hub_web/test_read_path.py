"""The log over HTTP: the files of C2SP tlog-tiles under their one spelling, and nobody can hold it up."""

import http.client
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime

import pytest

from core.errors import Unavailable
from hub.web.listening import listening_on
from security.tlog.checkpoint import open_checkpoint
from security.tlog.cosignature import cosign, merge
from security.tlog.note import parse_note
from security.tlog.tiles import entries_path, tile_path
from tests.unit.hub_web.conftest import KEY, WITNESS, FakeLog, Site, serve

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
SECURE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


def test_the_checkpoint_is_text_that_nobody_keeps(site: Site) -> None:
    answer = site.ask("/checkpoint")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert answer.headers["cache-control"] == "no-store"
    assert open_checkpoint(answer.body, "f/log", KEY.public).checkpoint.size == 3


def test_no_witness_is_named_even_where_the_log_hands_its_cosignature_over(site: Site) -> None:
    assert site.log.note is not None
    text = parse_note(site.log.note).text
    site.log.note = merge(site.log.note, [cosign(text, "f/la-dgm/main", WITNESS, NOW)])
    answer = site.ask("/checkpoint")
    assert b"la-dgm" not in answer.body
    assert [each.name for each in parse_note(answer.body).signatures] == ["f/log"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (tile_path(0, 0, 3), b"\1" * 96),
        (tile_path(1, 1234067), b"\2" * 8192),
        (entries_path(0, 3), b"\0\1a\0\1b\0\1c"),
        (entries_path(0), b"full"),
    ],
)
def test_tiles_and_entries_are_bytes_that_may_be_kept_for_ever(site: Site, path: str, body: bytes) -> None:
    answer = site.ask(f"/{path}")
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-length"] == str(len(body))


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/tile", "/tile/", "/tile/0", "/tile/0/", "/tile/entries", "/tile/entries/", "/checkpoint/"),
        *("//checkpoint", "/Checkpoint", "/hub.toml", "/../hub.toml", "/tile/-1/000", "/tile/0/x"),
        *("/tile/0/001", "/tile/0/000", "/tile/64/000", "/tile/00/000.p/3", "/tile/1/1234067"),
        *("/tile/0/000.p/0", "/tile/0/000.p/03", "/tile/0/000.p/256", "/tile/0/000.p/3/"),
        *("/tile/0/x000/000.p/3", "/tile/0/%30%30%30.p/3", "/tile/0/000.p%2f3", "/tile/0/../0/000.p/3"),
    ],
)
def test_nothing_else_is_there_and_no_absence_is_kept(site: Site, path: str) -> None:
    answer = site.ask(path)
    assert (answer.status, answer.body) == (404, b"Not Found\n")
    assert answer.headers["cache-control"] == "no-store"


def test_a_log_without_a_checkpoint_says_so_as_an_absence(site: Site) -> None:
    site.log.note = None
    assert site.ask("/checkpoint").status == 404


@pytest.mark.parametrize("path", ["/checkpoint", f"/{tile_path(0, 0, 3)}", "/nothing"])
def test_head_tells_what_get_would(site: Site, path: str) -> None:
    got, told = site.ask(path), site.ask(path, "HEAD")
    assert told.body == b""
    assert told.status == got.status
    same = {name: value for name, value in got.headers.items() if name != "date"}
    assert {name: value for name, value in told.headers.items() if name != "date"} == same


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/checkpoint", f"/{tile_path(0, 0, 3)}"])
def test_nothing_can_be_written(site: Site, path: str, method: str) -> None:
    answer = site.ask(path, method)
    assert answer.status == 405
    assert set(re.split(r", ?", answer.headers["allow"])) == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/checkpoint", f"/{entries_path(0, 3)}"])
def test_what_is_known_by_its_etag_is_not_sent_again(site: Site, path: str) -> None:
    first = site.ask(path)
    etag = first.headers["etag"]
    for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        again = site.ask(path, If_None_Match=known)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == etag
        assert again.headers["cache-control"] == first.headers["cache-control"]
    for unknown in ('"x"', etag.strip('"'), ""):
        assert site.ask(path, If_None_Match=unknown).body == first.body


def test_every_answer_tells_a_browser_to_do_nothing_with_it(site: Site) -> None:
    answers = [site.ask("/checkpoint"), site.ask("/"), site.ask("/checkpoint", "POST")]
    site.log.trouble = broken
    answers.append(site.ask("/checkpoint"))
    assert [answer.status for answer in answers] == [200, 404, 405, 500]
    for answer in answers:
        assert SECURE.items() <= answer.headers.items()
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers


def broken() -> None:
    raise RuntimeError("secret of the inside")


def busy() -> None:
    raise Unavailable("/var/lib/hub is busy", reason="BUSY")


def test_a_bug_shows_an_incident_and_nothing_of_the_inside(site: Site) -> None:
    site.log.trouble = broken
    answer = site.ask(f"/{tile_path(0, 0, 3)}")
    assert answer.status == 500
    assert b"incident" in answer.body
    assert b"secret" not in answer.body


def test_a_busy_hub_asks_for_patience(site: Site) -> None:
    site.log.trouble = busy
    answer = site.ask("/checkpoint")
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert b"/var/lib" not in answer.body
    assert answer.headers["cache-control"] == "no-store"


@pytest.fixture
def impatient() -> Iterator[Site]:
    made = serve(FakeLog(), patience_s=0.3)
    yield made
    made.stop()


@pytest.fixture
def crowded() -> Iterator[Site]:
    """Patient enough for an honest client on a busy machine."""
    made = serve(FakeLog(), patience_s=2.0, connections_max=4)
    yield made
    made.stop()


def connect(site: Site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.port), timeout=20)


@pytest.mark.parametrize("said", [b"", b"GET /check", b"GET /checkpoint HTTP/1.1\r\nHost: x\r\nX: "])
def test_who_never_finishes_a_request_is_hung_up_on(impatient: Site, said: bytes) -> None:
    with closing(connect(impatient)) as client:
        client.sendall(said)
        assert ended(client) == b""


def test_who_finishes_one_request_and_not_the_next_is_hung_up_on(crowded: Site) -> None:
    with closing(connect(crowded)) as client:
        client.sendall(b"GET /checkpoint HTTP/1.1\r\nHost: x\r\n\r\nGET /che")
        assert ended(client).startswith(b"HTTP/1.1 200 OK")


def ended(client: socket.socket) -> bytes:
    """What comes until the other end hangs up."""
    received = b""
    try:
        while part := client.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return received


def test_who_asks_and_never_reads_is_hung_up_on(impatient: Site) -> None:
    request = f"GET /{tile_path(1, 1234067)} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 100
    with closing(connect(impatient)) as client, pytest.raises((ConnectionError, TimeoutError)) as caught:
        while True:
            client.sendall(request)
    assert not isinstance(caught.value, TimeoutError)


def test_slow_clients_take_every_place_only_until_they_are_hung_up_on(crowded: Site) -> None:
    slow = [connect(crowded) for _ in range(4)]
    for client in slow:
        ended(client)
        client.close()
    assert answered_in_time(crowded) == 200


def answered_in_time(site: Site) -> int:
    """A status, for a client that a busy machine may have made late a few times."""
    for _ in range(9):
        try:
            return site.ask("/checkpoint").status
        except ConnectionError:
            continue
    return site.ask("/checkpoint").status


def test_beyond_its_places_it_says_so() -> None:
    with ExitStack() as stack:
        # Patient, so that nobody's place is free again before all are taken, however busy the machine.
        patient = serve(FakeLog(), patience_s=60.0, connections_max=4)
        stack.callback(patient.stop)
        for _ in range(3):
            keeper = stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", patient.port, 20)))
            keeper.request("GET", "/nothing")
            keeper.getresponse().read()  # answered: it is counted
            assert keeper.sock is not None
            keeper.sock.sendall(b"GET /che")  # and stays, longer than who is idle
        assert patient.ask("/checkpoint").status == 503


def test_a_head_without_end_is_refused(site: Site) -> None:
    with closing(connect(site)) as client:
        client.sendall(b"GET /checkpoint HTTP/1.1\r\nX: " + b"x" * 60_000)
        assert ended(client).startswith(b"HTTP/1.1 400")


def test_a_slow_log_delays_nobody_who_is_answered_from_elsewhere(site: Site) -> None:
    """The event loop is the one that serves the nodes: it must go on while the database is waited for."""
    entered, released = threading.Semaphore(0), threading.Event()

    def waits() -> None:
        entered.release()
        assert released.wait(20)

    site.log.trouble = waits
    asking = [threading.Thread(target=site.ask, args=("/checkpoint",)) for _ in range(2)]
    for each in asking:
        each.start()
    for _ in asking:
        assert entered.acquire(timeout=20)
    try:
        assert site.ask("/nothing").status == 404
    finally:
        released.set()
        for each in asking:
            each.join()


def test_it_stops_although_clients_hold_on() -> None:
    site = serve(FakeLog())
    idle, half = connect(site), connect(site)
    half.sendall(b"GET /checkp")
    assert site.ask("/checkpoint").status == 200
    site.stop()
    for client in (idle, half):
        ended(client)
        client.close()
    with pytest.raises(ConnectionError):
        connect(site)


def test_a_taken_port_is_named_by_its_key_before_anything_is_served(site: Site) -> None:
    with pytest.raises(Unavailable) as caught:
        listening_on(f"127.0.0.1:{site.port}", "transparency")
    assert caught.value.reason == "PORT_TAKEN"
    assert "[transparency] listen" in caught.value.remedy


@pytest.mark.parametrize("listen", ["no-such-host.invalid:7445", "192.0.2.1:7445"])
def test_an_address_that_is_not_this_machines_is_named_too(listen: str) -> None:
    with pytest.raises(Unavailable) as caught:
        listening_on(listen, "transparency")
    assert caught.value.reason == "PORT_TAKEN"
