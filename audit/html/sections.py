"""The page's parts, each from a part of the story.

Words that the terminal has too come from `audit.wording`; what is data goes through `markup` and is escaped.
"""

from audit.findings import Finding, Result, Verdict
from audit.html.markup import Content, Markup, join, lines, tag
from audit.html.picture import legend, picture
from audit.html.tables import table
from audit.period import UNPROVABLE
from audit.plain import instant
from audit.story import DatasetStory, PolicyStory, Story
from audit.timeline import lay_out
from audit.wording import (
    acknowledged_words,
    completeness_words,
    data_words,
    delivered_words,
    names_words,
    policy_heading,
    terms_words,
    verdict_words,
    version_name,
    when_words,
    witness_words,
)
from core.terminal import bytes_text

_ICONS = {
    Verdict.VERIFIED: "M12 2a10 10 0 1 0 0 20a10 10 0 1 0 0 -20z M7 12.5l3.4 3.4L17 9",
    Verdict.FAILED: "M8 2h8l6 6v8l-6 6H8l-6-6V8z M8.5 8.5l7 7M15.5 8.5l-7 7",
    Verdict.INCOMPLETE: "M12 2.5L22 20.5H2z M12 9.5v5M12 17.4v.2",
}
_MARKS = {Result.PASSED: "✓", Result.FAILED: "✗", Result.UNCHECKED: "?"}
_WORDS = {Result.PASSED: "holds", Result.FAILED: "FALSE", Result.UNCHECKED: "not checked"}


def verdict_banner(story: Story) -> Markup:
    """The verdict: a word, a shape, what it means, and whatever did not hold."""
    word, meaning = verdict_words(story)
    open_ = [f"{each.check}: {each.message}" for each in story.findings if each.result is not Result.PASSED]
    icon = tag(
        "svg",
        tag("path", d=_ICONS[story.verdict]),
        xmlns="http://www.w3.org/2000/svg",
        viewBox="0 0 24 24",
        aria_hidden="true",
    )
    told = tag(
        "div",
        tag("p", word, class_="word"),
        tag("p", meaning[0].upper() + meaning[1:], " ", data_words(story)),
        tag("ul", *(tag("li", each) for each in open_)) if open_ else None,
    )
    return tag("div", icon, told, class_=f"verdict {story.verdict.name.lower()}", role="status")


def timeline(story: Story, name: str) -> Markup:
    """The picture with its legend."""
    laid_out = lay_out(story)
    if not laid_out.columns:
        return Markup("")
    caption = (
        "Times are UTC. The order is exact; long quiet times are drawn shorter than busy ones. A number below"
        " a mark is that of the version, policy or registry statement; × counts several."
    )
    return tag(
        "figure",
        tag("div", picture(laid_out, name), class_="wide", role="region", aria_label="Timeline", tabindex=0),
        legend(laid_out.kinds),
        tag("figcaption", caption),
    )


def titles(dataset: DatasetStory) -> Markup:
    """A dataset's title in each language but the first, which is the heading."""
    first = first_language(dataset)
    rest = ((lang, text) for lang, text in dataset.title.items() if lang != first)
    others = [tag("li", tag("span", text, lang=lang, dir="auto")) for lang, text in rest]
    return tag("ul", *others, class_="titles") if others else Markup("")


def _all_titles(dataset: DatasetStory) -> Markup:
    each = (tag("span", text, lang=lang, dir="auto") for lang, text in dataset.title.items())
    return join(*(join(title, tag("br")) for title in each))


def first_language(dataset: DatasetStory) -> str:
    """English where there is an English title, else the first by its tag."""
    return "en" if "en" in dataset.title else min(dataset.title)


def facts(dataset: DatasetStory, *, titled: bool) -> Markup:
    """Who owns it, under which licence; with its titles, where the page's heading has not said them."""
    licence = tag("bdi", dataset.licence)
    if dataset.licence_text_sha256 is not None:
        licence = join(licence, "; its text has the SHA-256 ", code(dataset.licence_text_sha256))
    names = names_words(dataset.owner_names)
    listed: list[tuple[str, Content]] = [
        ("Title", _all_titles(dataset) if titled else None),
        ("Dataset", code(dataset.dataset)),
        ("Owner", join(code(dataset.owner), " ", tag("bdi", names))),
        ("Rights holder", _bdi(dataset.rights_holder)),
        ("Producer", _bdi(dataset.producer)),
        ("Licence", licence),
        ("Attribution", _bdi(dataset.attribution)),
        ("Classification", dataset.classification or "not stated"),
        ("Theme", dataset.theme),
        ("Takes the place of", dataset.supersedes),
        ("Derived from", join(*(join(code(each), " ") for each in dataset.derived_from))),
    ]
    return tag("dl", *(join(tag("dt", name), tag("dd", value)) for name, value in listed if value))


def versions(dataset: DatasetStory) -> Markup:
    """The versions, oldest first."""
    rows: list[tuple[Content, ...]] = [
        (
            each.seq,
            _whole(when_words(each.when)),
            None if each.logged is None else each.logged.index,
            f"{each.files:,}".replace(",", "\u202f"),
            tag("span", bytes_text(each.bytes), title=f"{each.bytes} bytes", class_="nowrap"),
            each.policy_seq,
            code(each.id),
        )
        for each in dataset.versions
    ]
    columns = ("Version", "Published", "Leaf", "Files", "Size", "Policy", "Id of the manifest (SHA-256)")
    return table(
        f"Versions of {dataset.dataset} that are part of this evidence.", columns, rows, numbers={2, 3, 4, 5}
    )


def policies(dataset: DatasetStory) -> Markup:
    """Each policy in plain sentences."""
    if not dataset.policies:
        return tag("p", "No policy is part of this evidence.")
    return lines(*(_policy(each) for each in dataset.policies))


def _policy(policy: PolicyStory) -> Markup:
    return tag(
        "div",
        tag("h4", policy_heading(policy)),
        tag("ul", *(tag("li", each) for each in policy.sentences), class_="plain"),
        None
        if policy.terms is None
        else tag("p", "Terms, in the owner's words: ", code(terms_words(policy.terms))),
        tag("p", "Id ", code(policy.id), class_="note"),
        class_="rules",
    )


def holdings(dataset: DatasetStory) -> Markup:
    """Who received what, and what was heard back."""
    rows: list[tuple[Content, ...]] = [
        (
            code(each.partner),
            _capital(version_name(each))
            if each.version_seq is None
            else _whole(f"Version {each.version_seq}"),
            _capital(delivered_words(each)),
            _capital(acknowledged_words(each)),
        )
        for each in dataset.holdings
    ]
    told = (
        table(f"Deliveries of {dataset.dataset}.", ("Partner", "What", "Delivery", "Acknowledgement"), rows)
        if rows
        else tag("p", "No delivery is part of this evidence.")
    )
    return join(told, tag("p", completeness_words(dataset), class_="note"))


def members(story: Story) -> Markup:
    """Registry statements, and what each changed."""
    rows: list[tuple[Content, ...]] = [
        (
            each.seq,
            _whole(instant(each.signed)),
            each.index,
            tag("ul", *(tag("li", _capital(told)) for told in each.changes), class_="plain"),
        )
        for each in story.registry
    ]
    if not rows:
        return tag("p", "No registry statement is part of this evidence.")
    columns = ("Statement", "Signed", "Leaf", "What changed")
    caption = "Registry statements, each signed by the administrators of the one before."
    return table(caption, columns, rows, numbers={2})


def acts(story: Story) -> Markup:
    """The operator's acts, witnesses' alarms, and what was refused."""
    told: list[Content] = []
    if story.acts:
        rows: list[tuple[Content, ...]] = [
            (
                _whole(when_words(each.when)),
                tag("strong", "ALARM ", each.words) if each.alarm else each.words,
                code(each.object),
                each.actor,
            )
            for each in story.acts
        ]
        told.append(table("Acts and alarms in the log.", ("When", "What", "About", "By"), rows))
    if story.refusals:
        rows = [(code(reason), count) for reason, count in story.refusals.items()]
        told.append(table("What the hub refused.", ("Reason", "Times"), rows, numbers={1}))
    return join(*told) if told else tag("p", "None is part of this evidence.")


def proof(story: Story) -> Markup:
    """The checkpoint under which everything stands, and who vouches for it."""
    told: list[Content] = []
    if story.checkpoint is not None:
        seen = story.checkpoint
        listed = (("Log", code(seen.origin)), ("Leaves", f"{seen.size}"), ("Root", code(seen.root.hex())))
        told.append(tag("dl", *(join(tag("dt", name), tag("dd", value)) for name, value in listed)))
    told.append(tag("p", witness_words(story)))
    if story.cosigned:
        rows = [(code(each.partner), each.node, instant(each.at)) for each in story.cosigned]
        told.append(table("Witnesses whose cosignature holds.", ("Partner", "Node", "When"), rows))
    if story.scope is not None:
        lanes = ", ".join(story.scope.lanes) or "none"
        told.append(tag("p", f"The bundle was made for {story.scope.audience}. Lanes opened whole: {lanes}."))
    return join(*told)


def checks(story: Story) -> Markup:
    """Every check by name, with its result."""
    rows = [(tag("code", each.check), _result(each), _found(each)) for each in story.findings]
    return table("Every check that was made.", ("Check", "Result", "What was found"), rows)


def limits() -> Markup:
    """What no evidence can show."""
    told = (
        "That a version is the newest one there is: this evidence ends where it was made.",
        UNPROVABLE,
        "What a recipient does with a copy that it may have.",
    )
    return tag("ul", *(tag("li", each) for each in told), class_="plain")


def code(value: Content) -> Markup:
    """An id, as it is written."""
    return tag("code", value)


def _result(finding: Finding) -> Markup:
    mark = tag("span", _MARKS[finding.result], aria_hidden="true")
    return tag("td", mark, _WORDS[finding.result], class_=f"result {finding.result.value}")


def _found(finding: Finding) -> Markup:
    return join(
        finding.message,
        tag("br") if finding.remedy else None,
        tag("span", f"→ {finding.remedy}", class_="note") if finding.remedy else None,
        tag("ul", *(tag("li", code(each)) for each in finding.details), class_="plain")
        if finding.details
        else None,
    )


def _whole(words: str) -> Markup:
    return tag("span", words, class_="nowrap")


def _bdi(value: str | None) -> Content:
    return None if value is None else tag("bdi", value)


def _capital(text: str) -> str:
    # Ids of partners stay as they are written.
    first = text.split(" ", 1)[0]
    return text if "-" in first or not text else text[0].upper() + text[1:]
