"""What systemd hears."""

import os
import socket
from pathlib import Path

from node.service_manager import ServiceManager


def test_readiness_and_watchdog_are_said(tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(os.fspath(tmp_path / "notify"))
        manager = ServiceManager.from_environment(
            {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000000"}
        )
        assert manager.watchdog_s == 30.0
        manager.ready("two\ndatasets")
        manager.alive()
        manager.stopping()
        assert [systemd.recv(1000) for _ in range(3)] == [
            b"READY=1\nSTATUS=two datasets",
            b"WATCHDOG=1",
            b"STOPPING=1",
        ]


def test_without_systemd_nothing_is_said_and_nothing_fails(tmp_path: Path):
    silent = ServiceManager.from_environment({})
    silent.ready("x")
    assert silent.watchdog_s is None
    ServiceManager(address=str(tmp_path / "missing")).alive()


def test_a_watchdog_meant_for_another_process_is_ignored():
    assert ServiceManager.from_environment({"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}).watchdog_s is None
