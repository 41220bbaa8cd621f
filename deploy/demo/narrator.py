"""How the demonstration speaks: acts, sentences, commands with their output, and figures."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.markup import escape

from core.errors import Unavailable
from deploy.demo.federation import Finished

_LINES_SHOWN = 14
_PICTURE_COLUMNS = 110
_FONT_FACE = re.compile(r"@font-face \{\{.*?\}\}", re.DOTALL)


class Narrator:
    """Writes to the terminal, with colours where there are any; `folder` is shown as $DEMO."""

    def __init__(self, folder: Path, *, picture: Path | None = None) -> None:
        self._folder = str(folder)
        self._picture = picture
        self._console = Console(highlight=False, width=_PICTURE_COLUMNS if picture is not None else None)
        self._act = 0

    def act(self, title: str) -> None:
        """A new act."""
        self._act += 1
        self._console.print(f"\n[bold cyan]{self._act}. {escape(title)}[/]")

    def say(self, text: str) -> None:
        """A sentence."""
        self._console.print(f"   {escape(text)}")

    def figure(self, text: str) -> None:
        """What came out, in figures."""
        self._console.print(f"   [bold green]✓ {escape(text)}[/]")

    def show(self, finished: Finished, *, expect: int | None = 0, lines: int = _LINES_SHOWN) -> Finished:
        """A command as typed, and the first lines of its output.

        Raises `Unavailable` when its exit status is not `expect` (None accepts any).
        """
        typed = finished.typed.replace(self._folder, "$DEMO")
        self._console.print(f"   [yellow]{finished.prompt}$ {escape(typed)}[/]", soft_wrap=True)
        output = finished.output.rstrip().replace(self._folder, "$DEMO").splitlines()
        for line in output[:lines]:
            self._console.print(f"     [dim]{escape(line)}[/]", overflow="ellipsis", no_wrap=True)
        if len(output) > lines:
            self._console.print(f"     [dim]… {len(output) - lines} more lines[/]")
        if expect is not None and finished.status != expect:
            raise Unavailable(
                f"{finished.typed} ended with {finished.status}, not {expect}:\n{finished.output}"
            )
        return finished

    def keep(self, title: str, lines: list[str]) -> None:
        """Commands to copy: never broken by the terminal's width."""
        self._console.print(f"\n[bold cyan]{escape(title)}[/]")
        for line in lines:
            self._console.print(escape(line), soft_wrap=True)

    @contextmanager
    def pictured(self) -> Generator[None]:
        """Draw what is said within, as an SVG of the terminal, where a picture was asked for."""
        self._console.record = self._picture is not None
        yield
        if self._picture is not None:
            # Without the fonts that the library would load from elsewhere.
            frame = _FONT_FACE.sub("", CONSOLE_SVG_FORMAT)
            self._picture.write_text(self._console.export_svg(title="make demo", code_format=frame), "utf-8")
            self._console.record = False

    def fail(self, text: str) -> None:
        """The demonstration did not go as told."""
        self._console.print(f"\n[bold red]The demonstration failed:[/] {escape(text)}")
