"""`show`: the story that the evidence tells, in words; says first whether it is proven."""

import typer

from audit.cli.trusted import PathArgument, RegistryIdOption, TrustOption, load_evidence
from audit.show import lines
from audit.story import Story
from audit.telling import tell
from audit.verdicts import worst_of
from core.commands import JsonOption, emit_json, say
from core.logs import printable


def show(
    path: PathArgument,
    trust: TrustOption = None,
    registry_id: RegistryIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell who owns the data, under which licence, who may read it, and who received which version when.

    Checks statements and proofs, but does not read the data: `verify` does. Exit status as of `verify`.
    """
    stories: list[Story] = []
    for dossier, findings in load_evidence(path, trust, registry_id):
        story = tell(dossier, findings)
        if not as_json:
            if stories:
                say()
            for line in lines(story):
                say(printable(line))
        stories.append(story)
    verdict = worst_of(story.verdict for story in stories)
    if as_json:
        emit_json({"verdict": verdict, "stories": stories})
    raise typer.Exit(verdict.value)
