"""The story's words, the same on a terminal and on a page.

    verdict_words(story)        # ("VERIFIED", "all that this evidence says was checked, and holds")
    acknowledged_words(holding) # "acknowledged by node main on 22 November 2026, 13:05 UTC"

Rules: what is not proven is called a claim; what is not known is said not to be known.
"""

import json
from collections.abc import Mapping
from typing import Any

from audit.findings import Result, Verdict
from audit.plain import instant, joined
from audit.story import DatasetStory, Holding, PolicyStory, Source, Story, VersionStory, When
from core.terminal import bytes_text


def verdict_words(story: Story) -> tuple[str, str]:
    """A word for the verdict, and what it means for what is told below it."""
    if story.verdict is Verdict.VERIFIED:
        return "VERIFIED", "what is told here was checked and holds."
    if story.verdict is Verdict.FAILED:
        return (
            "FAILED",
            "something in this evidence is false. What is told here is a claim; do not rely on it.",
        )
    return (
        "NOT VERIFIED",
        "nothing was found false, but not everything could be checked. Until it is, this is a claim.",
    )


def data_words(story: Story) -> str:
    """Whether the data were read, or the statements about them alone."""
    if not any(version.has_content for each in story.datasets for version in each.versions):
        return "The data are not part of this evidence; the statements about them are."
    results = {finding.result for finding in story.findings if finding.check == "files"}
    if results == {Result.PASSED}:
        return "Every file of the data was read and compared with its signed digest."
    if results:
        return "The data were read, but not every file is as signed: see the checks."
    return "The data were not read: `syncline-audit verify` compares every file with its signed digest."


def when_words(when: When) -> str:
    """An instant; whose clock, where it is not the log's."""
    return instant(when.at) if when.source is Source.LOG else f"{instant(when.at)} (by {when.source.value})"


def leaf_words(when: When | None) -> str:
    """Where the log records it."""
    return (
        "not in the log as far as this evidence shows"
        if when is None or when.index is None
        else f"leaf {when.index}"
    )


def names_words(names: Mapping[str, str]) -> str:
    """An agency's names, the English one first."""
    ordered = sorted(names.items(), key=lambda item: (item[0] != "en", item[0]))
    return " · ".join(dict.fromkeys(text for _, text in ordered))


def version_words(version: VersionStory) -> str:
    """A version in one line."""
    files = "1 file" if version.files == 1 else f"{version.files:,} files".replace(",", " ")
    return f"version {version.seq}, {files}, {bytes_text(version.bytes)}"


def policy_heading(policy: PolicyStory) -> str:
    """From when on a policy decided."""
    verb = "in force from" if policy.logged is not None else "signed"
    return f"Policy {policy.seq}, {verb} {when_words(policy.when)}"


def terms_words(terms: Mapping[str, Any]) -> str:
    """The owner's terms as JSON: shown, never interpreted."""
    return json.dumps(dict(terms), ensure_ascii=False, sort_keys=True)


def version_name(holding: Holding) -> str:
    """Which version; one that is not part of the evidence goes by its id."""
    if holding.version_seq is None:
        return f"version {holding.version_id[:8]}… (not part of this evidence)"
    return f"version {holding.version_seq}"


def delivered_words(holding: Holding) -> str:
    """The delivery: when, to which node, by which rule."""
    if holding.delivered is None:
        return "its delivery is not part of this evidence"
    words = [f"delivered on {when_words(holding.delivered)}"]
    if holding.node:
        words.append(f"to node {holding.node}")
    if holding.policy_seq is not None:
        words.append(
            f"under policy {holding.policy_seq}" + (f", rule {holding.rule}" if holding.rule else "")
        )
    return " ".join(words)


def acknowledged_words(holding: Holding) -> str:
    """What the recipient said, or what is known of its silence."""
    if holding.acknowledged:
        each = (
            f"{'node ' + one.node + ' ' if one.node else ''}on {when_words(one.when)}"
            for one in holding.acknowledged
        )
        return f"acknowledged by {joined(each)}"
    if holding.silence_known:
        return "no acknowledgement is logged"
    return "whether it acknowledged is not part of this evidence"


def holding_words(holding: Holding) -> str:
    """Who, which version, when, by which rule, acknowledged or not: a sentence."""
    told = f"{version_name(holding)}, {delivered_words(holding)}; {acknowledged_words(holding)}"
    return f"{holding.partner}: {told}."


def completeness_words(dataset: DatasetStory) -> str:
    """Whether these are all deliveries that the log holds."""
    if dataset.deliveries_complete:
        return (
            f"These are all deliveries of {dataset.dataset} that were logged in the lane of {dataset.owner},"
            " which is opened whole here. A copy that was never logged cannot be seen by anybody."
        )
    return "There may be other deliveries in the log: this evidence does not open all of them."


def witness_words(story: Story) -> str:
    """How many witnesses cosigned, against how many there are and how many would be a quorum."""
    if story.checkpoint is None:
        return "No checkpoint is at hand, so nothing here is proven to be in the hub's log."
    count = len({seen.name for seen in story.cosigned})
    if not story.witnesses_known:
        return "The registry names no witness."
    enough = ", which is a quorum" if count >= story.quorum else f"; a quorum would be {story.quorum}"
    return f"{count} of {story.witnesses_known} witnesses cosigned the checkpoint{enough}."
