"""`report`: the story, a picture of it, and every check, as one page that can be printed and kept."""

import os
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from audit.cli.trusted import PathArgument, RegistryIdOption, TrustOption, load_evidence
from audit.html.page import page
from audit.source import open_plain
from audit.story import Story
from audit.telling import tell
from audit.verdicts import worst_of
from core.clock import SystemClock
from core.commands import say
from core.durable import write_file
from core.errors import Conflict, InvalidInput
from core.terminal import progress

_BEGINNING = b"<!DOCTYPE html>\n<html"
_FOOTER_BYTES_MAX = 500


def report(
    path: PathArgument,
    html: Annotated[
        Path,
        typer.Option("--html", metavar="FILE", help="The page to write. A page of before is replaced."),
    ],
    trust: TrustOption = None,
    registry_id: RegistryIdOption = None,
) -> None:
    """Write one self-contained page: story, timeline, every check with its result.

    Reads the data too, like `verify`, and has its exit status. The page needs no network, runs no script, and
    can be printed.
    """
    _check_target(html, path)
    stories: list[Story] = []
    with progress() as shown:
        for dossier, findings in load_evidence(path, trust, registry_id, shown, check_content=True):
            stories.append(tell(dossier, findings))
    verdict = worst_of(story.verdict for story in stories)
    text = page(stories, SystemClock().now(), version("syncline"))
    write_file(html, text.encode("utf-8", "backslashreplace"))
    say(f"{html}: {verdict.name.lower()}")
    raise typer.Exit(verdict.value)


def _check_target(html: Path, evidence: Path) -> None:
    """Whether the page may be written there: never over evidence, nor among it, nor over anything else."""
    if html.is_dir():
        raise InvalidInput(f"{html} is a folder", remedy="name the page's file, for example report.html")
    if not html.parent.is_dir():
        raise InvalidInput(f"{html.parent} is not a folder", remedy="make it, or choose another place")
    if evidence.is_dir() and html.resolve().is_relative_to(evidence.resolve()):
        raise InvalidInput(
            f"{html} is among the evidence, where nothing may be added", remedy="write the page elsewhere"
        )
    if os.path.lexists(html) and not _is_page(html):
        raise Conflict(
            f"{html} exists and is no page of an earlier report",
            remedy="choose another name, or move it away",
        )


def _is_page(path: Path) -> bool:
    with open_plain(path) as file:
        if file is None or not file.read(len(_BEGINNING)).startswith(_BEGINNING):
            return False
        file.seek(max(0, file.seek(0, os.SEEK_END) - _FOOTER_BYTES_MAX))
        return b"Made by syncline-audit" in file.read()
