"""The local socket: answers, refusals, rights, and askers that go away."""

import json
import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from core.errors import BRANCHES, Denied, InvalidInput, SynclineError, Unavailable
from node import control
from node.control import ControlServer, Request, ask, is_listening, socket_path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return socket_path(tmp_path)


def test_an_answer_follows_its_progress(path: Path):
    def work(request: Request):
        request.tell({"done": 1})
        request.tell({"done": 2})
        return {"said": request.arguments["what"]}

    heard = []
    with ControlServer(path, {"work": work}):
        assert ask(path, "work", {"what": "ໄຟລ໌"}, tell=heard.append) == {"said": "ໄຟລ໌"}
    assert heard == [{"done": 1}, {"done": 2}]


@pytest.mark.parametrize("branch", BRANCHES)
def test_errors_arrive_as_the_branch_that_was_raised(path: Path, branch: type[SynclineError]):
    def fail(request: Request):
        raise branch("no", remedy="do that", reason="BECAUSE")

    with ControlServer(path, {"fail": fail}), pytest.raises(branch) as caught:
        ask(path, "fail")
    assert (caught.value.message, caught.value.remedy, caught.value.reason) == ("no", "do that", "BECAUSE")


def test_a_bug_in_a_handler_reaches_the_asker_and_the_daemon_lives_on(path: Path):
    def bug(request: Request):
        raise ZeroDivisionError("oh")

    with ControlServer(path, {"bug": bug, "ok": lambda _: {}}):
        with pytest.raises(SynclineError, match="oh") as caught:
            ask(path, "bug")
        assert caught.value.exit_status == 1
        assert ask(path, "ok") == {}


def test_an_unknown_call_is_refused_by_name(path: Path):
    with ControlServer(path, {}), pytest.raises(InvalidInput, match="'fly'"):
        ask(path, "fly")


def test_the_socket_is_for_its_owner_alone(path: Path):
    with ControlServer(path, {}):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


def test_another_user_is_turned_away(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(control, "_ROOT_UID", -1)
    real = os.getuid()
    with ControlServer(path, {"ok": lambda _: {}}):
        assert ask(path, "ok") == {}
        monkeypatch.setattr(control, "_peer_is_trusted", lambda connection, owner: False)
        with pytest.raises(Denied):
            ask(path, "ok")
    assert os.getuid() == real


def test_nobody_there_is_unavailable(path: Path):
    assert not is_listening(path)
    with pytest.raises(Unavailable, match="daemon"):
        ask(path, "ok")


def test_a_socket_left_by_a_killed_daemon_is_replaced(path: Path):
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(os.fspath(path))
    stale.close()
    with pytest.raises(Unavailable):
        ask(path, "ok")
    with ControlServer(path, {"ok": lambda _: {"v": 1}}):
        assert ask(path, "ok") == {"v": 1}


def test_slow_work_does_not_block_other_questions(path: Path):
    release = threading.Event()

    def slow(request: Request):
        request.tell({"started": True})
        assert release.wait(30)
        return {"slow": True}

    started = threading.Event()
    answers = []
    with ControlServer(path, {"slow": slow, "quick": lambda _: {"quick": True}}):
        asker = threading.Thread(
            target=lambda: answers.append(ask(path, "slow", tell=lambda _: started.set()))
        )
        asker.start()
        assert started.wait(30)
        assert ask(path, "quick") == {"quick": True}
        release.set()
        asker.join(30)
    assert answers == [{"slow": True}]


def test_an_asker_that_goes_away_stops_nothing(path: Path):
    release, finished = threading.Event(), threading.Event()

    def slow(request: Request):
        assert release.wait(30)
        for _ in range(100):
            request.tell({"x": "y" * 10_000})
        finished.set()
        return {}

    with ControlServer(path, {"slow": slow}):
        with socket.socket(socket.AF_UNIX) as asker:
            asker.connect(os.fspath(path))
            asker.sendall(json.dumps({"v": 1, "call": "slow"}).encode() + b"\n")
        release.set()
        assert finished.wait(30)


@pytest.mark.parametrize("line", [b"nonsense\n", b"[]\n", b'{"v": 99, "call": "ok"}\n', b'{"call": "ok"}\n'])
def test_malformed_requests_are_refused(path: Path, line: bytes):
    with ControlServer(path, {"ok": lambda _: {}}), socket.socket(socket.AF_UNIX) as asker:
        asker.connect(os.fspath(path))
        asker.sendall(line)
        answer = json.loads(asker.makefile("rb").readline())
    assert answer["error"]["branch"] == "InvalidInput"


def test_a_request_without_end_is_refused(path: Path):
    with ControlServer(path, {}), socket.socket(socket.AF_UNIX) as asker:
        asker.connect(os.fspath(path))
        asker.sendall(b"x" * (control._REQUEST_BYTES_MAX + 1))
        assert json.loads(asker.makefile("rb").readline())["error"]["branch"] == "InvalidInput"


def test_a_state_directory_with_a_long_path_gets_a_short_socket(tmp_path: Path):
    state_dir = tmp_path / ("x" * 120)
    state_dir.mkdir()
    path = socket_path(state_dir)
    assert len(os.fsencode(path)) <= 107
    assert path == socket_path(state_dir)
    assert path != socket_path(tmp_path / ("y" * 120))
    with ControlServer(path, {"ok": lambda _: {}}):
        assert ask(path, "ok") == {}


def test_a_planted_folder_for_short_sockets_is_refused(tmp_path: Path):
    planted = tmp_path / "planted"
    planted.mkdir()
    planted.chmod(0o777)
    with pytest.raises(Denied, match="belongs to somebody else or is open"):
        control._private_folder(planted)
    linked = tmp_path / "linked"
    linked.symlink_to(tmp_path)
    with pytest.raises(Denied):
        control._private_folder(linked)
