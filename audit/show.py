"""Writes a story in words, for a terminal.

    for line in lines(story): say(line)

The verdict comes first, and what stands below it is called a claim where it is not proven.
"""

from collections.abc import Iterator

from audit.findings import Result
from audit.plain import instant
from audit.story import DatasetStory, RegistryStory, Story
from audit.wording import (
    completeness_words,
    data_words,
    holding_words,
    leaf_words,
    names_words,
    policy_heading,
    terms_words,
    verdict_words,
    when_words,
    witness_words,
)
from core.logs import printable
from core.terminal import bytes_text, pad, table

_LABEL_WIDTH = 15


def lines(story: Story) -> Iterator[str]:
    """The whole story."""
    word, meaning = verdict_words(story)
    yield f"{word}: {meaning}"
    for finding in story.findings:
        if finding.result is not Result.PASSED:
            mark = "false" if finding.result is Result.FAILED else "not checked"
            yield f"  {mark}: {finding.check}: {finding.message}"
            if finding.remedy:
                yield f"    → {finding.remedy}"
    yield data_words(story)
    for dataset in story.datasets:
        yield ""
        yield from _dataset(dataset)
    yield ""
    yield from _registry(story)
    yield from _acts(story)
    yield ""
    yield from _proof(story)


def _dataset(dataset: DatasetStory) -> Iterator[str]:
    yield dataset.dataset
    yield from _facts(dataset)
    yield "  Versions"
    yield from _indented(
        table(
            ("version", "published", "leaf", "files", "size", "policy", "id"),
            [
                (
                    each.seq,
                    when_words(each.when),
                    each.logged.index if each.logged is not None else None,
                    each.files,
                    bytes_text(each.bytes),
                    each.policy_seq,
                    each.id[:16],
                )
                for each in dataset.versions
            ],
        )
    )
    yield "  Who may have it"
    for policy in dataset.policies:
        yield f"    {policy_heading(policy)} ({leaf_words(policy.logged)})"
        yield from (f"      {sentence}" for sentence in policy.sentences)
        if policy.terms is not None:
            yield f"      Terms, in the owner's words: {terms_words(policy.terms)}"
    if not dataset.policies:
        yield "    No policy is part of this evidence."
    yield "  Who received it"
    for holding in dataset.holdings:
        yield f"    {holding_words(holding)}"
    if not dataset.holdings:
        yield "    No delivery is part of this evidence."
    yield f"    {completeness_words(dataset)}"


def _facts(dataset: DatasetStory) -> Iterator[str]:
    facts: list[tuple[str, str]] = [(f"title ({lang})", text) for lang, text in dataset.title.items()]
    names = names_words(dataset.owner_names)
    licence = dataset.licence
    if dataset.licence_text_sha256 is not None:
        licence += f" (text with SHA-256 {dataset.licence_text_sha256})"
    facts += [
        ("owner", f"{dataset.owner} ({names})" if names else dataset.owner),
        ("rights holder", dataset.rights_holder),
        ("producer", dataset.producer or ""),
        ("licence", licence),
        ("attribution", dataset.attribution or ""),
        ("theme", dataset.theme),
        ("classification", dataset.classification or "not stated"),
        ("takes place of", dataset.supersedes or ""),
        ("derived from", ", ".join(dataset.derived_from)),
    ]
    yield from (f"  {pad(label, _LABEL_WIDTH)} {text}" for label, text in facts if text)


def _registry(story: Story) -> Iterator[str]:
    yield f"Members and keys{'' if story.federation is None else ' of ' + story.federation}"
    if not story.registry:
        yield "  No registry statement is part of this evidence."
    for each in story.registry:
        yield f"  {statement_heading(each)}"
        yield from (f"    {told}" for told in each.changes)


def statement_heading(statement: RegistryStory) -> str:
    """A registry statement: its number, when it was signed, where it is logged."""
    place = "" if statement.index is None else f" (leaf {statement.index})"
    return f"Statement {statement.seq}, signed {instant(statement.signed)}{place}"


def _acts(story: Story) -> Iterator[str]:
    if story.acts:
        yield ""
        yield "Acts and alarms"
        for act in story.acts:
            kind = "ALARM " if act.alarm else ""
            yield f"  {when_words(act.when)}: {kind}{act.words}, about {act.object}, by {act.actor}"
    if story.refusals:
        yield ""
        yield "What the hub refused, by reason"
        yield from (f"  {reason}: {count}" for reason, count in story.refusals.items())


def _proof(story: Story) -> Iterator[str]:
    yield "Proof"
    if story.checkpoint is not None:
        seen = story.checkpoint
        yield f"  Log {seen.origin}, {seen.size} leaves, root {seen.root.hex()}"
    yield f"  {witness_words(story)}"
    yield from (f"    {seen.partner}, node {seen.node}, on {instant(seen.at)}" for seen in story.cosigned)
    if story.scope is not None:
        lanes = ", ".join(story.scope.lanes) or "none"
        yield f"  Bundle made for {story.scope.audience}; lanes opened whole: {lanes}"
        if story.scope.since is not None:
            yield f"  It leaves out what came before {instant(story.scope.since)}"


def _indented(text: str) -> Iterator[str]:
    return (f"    {printable(line)}" for line in text.split("\n"))
