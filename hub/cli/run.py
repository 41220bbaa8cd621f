"""`syncline-hub run`: the server, until it is told to stop."""

import asyncio
import os
from collections.abc import Sequence

import typer

from core.allocator import keep_large_buffers
from core.clock import SystemClock
from core.collector import settle
from core.commands import ConfigOption
from hub.administrators import keys_at_hand
from hub.backup.marker import refuse_unsettled
from hub.cli.setting import passphrase, settings_of
from hub.rpc.environment import ENVIRONMENT
from security.keys import SigningKey


def run(ctx: typer.Context, config: ConfigOption = None) -> None:
    """Serve until SIGTERM or Ctrl-C; then finish what is in flight and stop."""
    settings = settings_of(ctx, config)
    refuse_unsettled(settings.layout)
    settings.log.configure()
    os.environ.update(ENVIRONMENT)
    # gRPC reads its environment when it is imported, and the other commands start without it.
    from hub.server import serve  # noqa: PLC0415

    keep_large_buffers()
    secret = passphrase()

    def keys() -> Sequence[SigningKey]:
        return keys_at_hand(settings.admin_keys, secret)

    asyncio.run(serve(settings, keys, SystemClock(), on_started=lambda _: settle()))
