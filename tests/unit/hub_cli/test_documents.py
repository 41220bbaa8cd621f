"""The operator's guides name commands and options that exist."""

import re
from pathlib import Path

import typer

from hub.cli import app

_GUIDES = sorted((Path(__file__).parents[3] / "docs" / "operations").glob("*.md"))


def test_every_command_of_the_guide_exists_with_its_options() -> None:
    root = typer.main.get_command(app)
    shown = re.findall(
        r"syncline-hub((?: --config \S+)?(?: [a-z]+)+[^\n#`]*)",
        "\n".join(path.read_text() for path in _GUIDES),
    )
    used = set()
    for text in shown:
        words = text.split()
        command = root
        for word in words:
            inner = getattr(command, "commands", {}).get(word)
            if inner is not None:
                command = inner
        if command is root:
            continue
        used.add(command.name)
        options = {option for parameter in command.params for option in parameter.opts}
        for option in re.findall(r"--[a-z-]+", text):
            assert option in options | {"--config"}, (text, option)
    groups = {
        name: command.commands for name, command in root.commands.items() if hasattr(command, "commands")
    }
    everything = set(root.commands) - {*groups, "run"} | {name for group in groups.values() for name in group}
    assert used >= everything
