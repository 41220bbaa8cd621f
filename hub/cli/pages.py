"""`python -m hub.cli.pages CONTROL LISTENING`: the pages' process. For `syncline-hub run`, not for people.

The arguments are descriptors that `hub.web.apart` hands over. The exit status is that of a command.
"""

import asyncio
import socket
import sys

from core.errors import SynclineError
from core.logs import get_logger
from hub.cli.setting import passphrase
from hub.web.process import serve

_log = get_logger("hub.pages")


def main() -> None:
    """Serve until the hub says that it is enough, or has gone."""
    control, listening = (socket.socket(fileno=int(each)) for each in sys.argv[1:])
    for each in (control, listening):
        each.setblocking(False)  # noqa: FBT003
    try:
        asyncio.run(serve(control, listening, passphrase))
    except SynclineError as error:
        _log.error("the pages cannot be served", problem=error.message, remedy=error.remedy)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
