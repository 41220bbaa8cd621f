"""`syncline-hub run`: the server, until it is told to stop."""

import asyncio
import os

import typer

from core.allocator import keep_large_buffers
from core.clock import SystemClock
from core.commands import ConfigOption
from hub.administrators import keys_at_hand
from hub.backup.marker import refuse_unsettled
from hub.cli.setting import passphrase, settings_of
from hub.rpc.environment import ENVIRONMENT


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
    asyncio.run(serve(settings, lambda: keys_at_hand(settings.admin_keys, secret), SystemClock()))
