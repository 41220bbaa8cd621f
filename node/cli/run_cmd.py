"""`run`: the daemon."""

import os
import signal
import threading
from types import FrameType

import typer

from core.allocator import keep_large_buffers
from core.commands import ConfigOption
from core.errors import EXIT_OK
from core.logs import get_logger
from node.cli.opening import open_node
from node.daemon import Daemon
from node.service_manager import ServiceManager
from node.settings_file import SettingsFile

log = get_logger("node")


def run(ctx: typer.Context, config: ConfigOption = None) -> None:
    """Work until stopped: watch, publish, subscribe, report.

    Reads its settings again when the file changes. SIGTERM and Ctrl-C end it cleanly.
    """
    opened = open_node(ctx, config, folders=False)
    keep_large_buffers()
    stop = threading.Event()

    def end(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)  # asked twice: at once; everything resumes at the next start
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    Daemon(
        opened.settings,
        opened.passphrase,
        settings_file=SettingsFile(opened.config_path),
        notify=ServiceManager.from_environment(os.environ),
    ).run(stop)
    raise typer.Exit(EXIT_OK)
