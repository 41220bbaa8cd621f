"""A hub's watch over its alerts, in a process that may be killed:

    python alerts_crashing.py FOLDER PORT START SECONDS NAMES

Opens the hub in FOLDER, and looks every half minute for SECONDS from START on, while the nodes NAMES (with
commas between) of la-dgm are silent. Mail goes to PORT on this machine.
"""

import sys
from datetime import datetime
from pathlib import Path

from core.limits import LIMITS
from hub.alerts.email import EmailChannel
from hub.alerts.letter import Letter
from hub.config_operator import EmailTable
from tests.simulation.clock import ManualClock
from tests.simulation.federation import make_federation
from tests.unit.hub_alerts.conftest import Alerting


class Mailing:
    """The real channel; what it has delivered."""

    name = "email"

    def __init__(self, port: int) -> None:
        table = EmailTable(
            server=f"127.0.0.1:{port}",
            sender="hub@example.org",
            to=["operator@example.org"],
            security="none",
        )
        self._channel = EmailChannel(table, host="hub.example.org", limits=LIMITS)
        self.letters: list[Letter] = []

    def send(self, letter: Letter) -> str:
        said = self._channel.send(letter)
        self.letters.append(letter)
        return said

    def stop(self) -> None:
        self._channel.stop()


def main() -> None:
    folder, port, start, seconds, names = sys.argv[1:]
    clock = ManualClock(datetime.fromisoformat(start))
    federation = make_federation(Path(folder), partners=(), clock=clock)
    alerting = Alerting(federation, clock, Mailing(int(port)))
    alerting.everybody.append("n1")
    alerting.silent(*filter(None, names.split(",")))
    alerting.pass_time(float(seconds))
    federation.close()


if __name__ == "__main__":
    main()
