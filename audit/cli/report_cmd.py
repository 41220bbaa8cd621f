"""`report`: the story, a picture of it, and every check, as one page that can be printed and kept."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from audit.cli.trusted import PathArgument, RegistryIdOption, TrustOption, load_evidence
from audit.html.page import page
from audit.story import Story
from audit.telling import tell
from audit.verdicts import worst_of
from core.clock import SystemClock
from core.commands import say
from core.durable import write_file
from core.terminal import progress


def report(
    path: PathArgument,
    html: Annotated[
        Path, typer.Option("--html", metavar="FILE", help="The page to write; replaced if it is there.")
    ],
    trust: TrustOption = None,
    registry_id: RegistryIdOption = None,
) -> None:
    """Write one self-contained page: story, timeline, every check with its result.

    Reads the data too, like `verify`, and has its exit status. The page needs no network, runs no script, and
    can be printed.
    """
    stories: list[Story] = []
    with progress() as shown:
        for dossier, findings in load_evidence(path, trust, registry_id, shown, check_content=True):
            stories.append(tell(dossier, findings))
    verdict = worst_of(story.verdict for story in stories)
    text = page(stories, SystemClock().now(), version("syncline"))
    write_file(html, text.encode("utf-8", "backslashreplace"))
    say(f"{html}: {verdict.name.lower()}")
    raise typer.Exit(verdict.value)
