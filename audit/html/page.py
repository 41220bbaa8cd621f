"""The whole page.

    page([story], made=clock.now(), release="1.4.0")         # text, one file, nothing outside it

It is HTML that is XML too: any parser can read it, in any year.
"""

from collections.abc import Sequence
from datetime import datetime

from audit.html import sections
from audit.html.markup import LINE, Content, Markup, join, lines, tag
from audit.html.style import CSS, content_security_policy
from audit.plain import instant
from audit.story import DatasetStory, Story


def page(stories: Sequence[Story], made: datetime, release: str) -> str:
    """One report about all `stories`. `made` is when the checks were run."""
    body = tag(
        "body",
        tag("a", "Skip to the story", href="#story", class_="skip"),
        tag("a", "Skip to the checks", href="#checks", class_="skip"),
        LINE,
        *(_story(story, number) for number, story in enumerate(stories, start=1)),
        tag(
            "footer",
            tag(
                "p", f"Made by syncline-audit {release} on {instant(made)}, offline, from the evidence alone."
            ),
        ),
        LINE,
    )
    titled = _title(stories)
    head = tag(
        "head",
        LINE,
        lines(
            tag("meta", charset="utf-8"),
            tag("meta", http_equiv="Content-Security-Policy", content=content_security_policy()),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="referrer", content="no-referrer"),
            tag("title", f"Evidence: {titled}"),
            tag("style", Markup(CSS)),
        ),
        LINE,
    )
    html = tag(
        "html", LINE, head, LINE, body, LINE, xmlns="http://www.w3.org/1999/xhtml", lang="en", dir="ltr"
    )
    return f"<!DOCTYPE html>\n{html}\n"


def _title(stories: Sequence[Story]) -> str:
    names = [dataset.dataset for story in stories for dataset in story.datasets]
    return ", ".join(dict.fromkeys(names)) or "nothing that could be read"


def _story(story: Story, number: int) -> Markup:
    """`number` keeps the anchors of several stories apart."""
    suffix = "" if number == 1 else f"-{number}"
    whole = (
        ("versions", "What was published, and who may have it", None),
        ("registry", "Members and keys", sections.members(story)),
        ("acts", "Acts and alarms", sections.acts(story)),
        ("proof", "The log and its witnesses", sections.proof(story)),
        ("checks", "Checks", sections.checks(story)),
        ("limits", "What this does not prove", sections.limits()),
    )
    contents: list[Markup] = []
    links = [tag("li", tag("a", "Timeline", href=f"#timeline{suffix}"))]
    for name, heading, content in whole:
        if content is None:
            contents += [
                _dataset(each, suffix, place, titled=len(story.datasets) > 1)
                for place, each in enumerate(story.datasets)
            ]
            links += [
                tag("li", tag("a", each.dataset, href=f"#dataset{suffix}-{place}"))
                for place, each in enumerate(story.datasets)
            ]
        else:
            contents.append(_section(f"{name}{suffix}", heading, content))
            links.append(tag("li", tag("a", heading, href=f"#{name}{suffix}")))
    picture = sections.timeline(story, f"picture{suffix}")
    drawn = _section(f"timeline{suffix}", "Timeline", picture) if picture else None
    nav = tag("nav", tag("ul", *links), aria_label="Contents")
    return join(
        tag("header", _heading(story), sections.verdict_banner(story), nav),
        LINE,
        tag("main", drawn, LINE, lines(*contents), id=f"story{suffix}"),
        LINE,
    )


def _heading(story: Story) -> Markup:
    kind = f"Evidence of the federation {story.federation}" if story.federation else "Evidence"
    kicker = tag("p", kind, f", from a {story.kind}", class_="kicker")
    if len(story.datasets) == 1:
        (dataset,) = story.datasets
        return join(kicker, _named(dataset, "h1"), sections.titles(dataset))
    return join(kicker, tag("h1", f"{len(story.datasets)} datasets"))


def _named(dataset: DatasetStory, level: str) -> Markup:
    language = sections.first_language(dataset)
    return tag(level, tag("span", dataset.title[language], lang=language, dir="auto"))


def _dataset(dataset: DatasetStory, suffix: str, place: int, *, titled: bool) -> Markup:
    parts: list[Content] = [
        sections.facts(dataset, titled=titled),
        tag("h3", "Versions"),
        sections.versions(dataset),
        tag("h3", "Who may have it"),
        sections.policies(dataset),
        tag("h3", "Who received it"),
        sections.holdings(dataset),
    ]
    return _section(f"dataset{suffix}-{place}", dataset.dataset, join(*parts))


def _section(name: str, heading: str, content: Content) -> Markup:
    return tag("section", tag("h2", heading, id=name), LINE, content, LINE, aria_labelledby=name)
