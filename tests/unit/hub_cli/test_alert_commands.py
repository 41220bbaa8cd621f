"""`alerts list` and `alerts test`, through the real command line."""

from pathlib import Path

from core.clock import SystemClock, format_instant
from core.errors import InvalidInput, Unavailable
from hub.config import load_settings
from hub.services.hub import Hub
from hub.storage import schema
from tests.unit.hub_alerts.test_webhook import SECRET, Receiver
from tests.unit.hub_cli.test_commands import CommandLine, line

__all__ = ["line"]


def with_webhook(line: CommandLine, tmp_path: Path, port: int, secret: str = SECRET) -> None:
    file = tmp_path / "secret"
    file.write_text(secret)
    file.chmod(0o600)
    settings = line.directory / "hub.toml"
    table = f'\n[alerts.webhook]\nurl = "http://127.0.0.1:{port}/"\nsecret_file = "{file}"\n'
    settings.write_text(settings.read_text() + table)


def test_a_trial_message_is_sent_and_said(line: CommandLine, tmp_path: Path) -> None:
    receiver = Receiver()
    with_webhook(line, tmp_path, receiver.port)
    assert line("alerts", "test") == 0, line.err
    assert line.out == "webhook: took it\n"
    receiver.status = 500
    assert line("alerts", "test") == Unavailable.exit_status
    assert "answers 500" in line.err
    receiver.close()
    assert len(receiver.received) == 2
    assert b'"alert.test"' in receiver.received[0][2]


def test_a_secret_that_is_none_is_said_and_never_shown(line: CommandLine, tmp_path: Path) -> None:
    with_webhook(line, tmp_path, 9, "hunter2")
    assert line("alerts", "test") == InvalidInput.exit_status
    assert "whsec_" in line.err
    assert "hunter2" not in line.err


def test_without_a_channel_nobody_is_told(line: CommandLine) -> None:
    assert line("alerts", "test") == InvalidInput.exit_status
    assert line("alerts", "list") == 0
    assert "No alert is open" in line.out
    assert "Nobody is told" in line.out


def test_open_alerts_are_listed(line: CommandLine) -> None:
    now = format_instant(SystemClock().now())
    detail = (
        '{"message": {"code": "attention.node-silent", "params": {"partner": "la-dgm", "node": "main",'
        ' "since_s": 7200}}, "remedy": {"code": "remedy.node-silent", "params": {"partner": "la-dgm"}},'
        ' "partner": "la-dgm", "node": "main", "dataset": null, "step": 0, "told_step": 0, "returns": 0,'
        ' "urgent": false, "away": false}'
    )
    settings = load_settings(line.directory / "hub.toml")
    values = {"key": "silent:la-dgm/main", "rule": "silent", "severity": "error", "since": now, "seen": now}
    with Hub.open(settings.layout, clock=SystemClock()) as hub, hub.context.database.write() as connection:
        connection.execute(schema.alerts.insert().values(**values, told_count=0, detail=detail))
    assert line("alerts", "list") == 0
    assert "la-dgm (node main) has not reported for 2 hours" in line.out
    [listed] = line.json("alerts", "list")["alerts"]
    assert listed["told"] is None
    assert listed["remedy"] == "ask la-dgm whether its machine and line are up"
