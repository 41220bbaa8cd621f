"""Whatever is said to a person stands in the templates, and saying it never fails."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.limits import LIMITS
from hub.overview.model import WORST_FIRST, Message
from hub.overview.wording import TEMPLATES, duration, say, word

HUB = Path(__file__).parents[3] / "hub"


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)


def _said() -> Iterator[tuple[str, str]]:
    """Every code that stands in the source as it is: of messages, of events, of `Found`."""
    for path in sorted(HUB.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            keywords = {each.arg: each.value for each in node.keywords}
            place = f"{path.relative_to(HUB)}:{node.lineno}"
            if name == "Message" and "code" in keywords:
                yield from ((place, text) for text in _texts(keywords["code"]))
            elif name in ("note", "_Event") and node.args:
                yield from ((place, text) for text in _texts(node.args[0]))
            elif name == "Found" and node.args:
                for text in _texts(node.args[0]):
                    yield place, f"attention.{text}"
                remedy = [*_texts(keywords["remedy"])] if "remedy" in keywords else [*_texts(node.args[0])]
                for text in remedy:
                    yield place, f"remedy.{text}"


@pytest.mark.parametrize(("place", "code"), [*_said()])
def test_every_code_that_is_used_has_its_template(place: str, code: str):
    assert code in TEMPLATES, place


@pytest.mark.parametrize("code", sorted(TEMPLATES))
def test_templates_name_their_parameters_and_nothing_else(code: str):
    for _, field, spec, conversion in string.Formatter().parse(TEMPLATES[code]):
        if field is not None:
            assert field.isidentifier(), "a translation may use the same names in any order"
            assert (spec, conversion) == ("", None)


@pytest.mark.parametrize("state", WORST_FIRST)
def test_every_state_has_its_word(state: str):
    assert f"word.{state}" in TEMPLATES


def test_sizes_durations_and_words_are_said_and_texts_stay():
    params = {"partner": "la-dgm", "node": "main", "left_bytes": 2_500_000, "since_s": LIMITS.stuck_s}
    said = say(Message(code="attention.node-stuck", params=params))
    assert said == "la-dgm (node main) has 2.5 MB to move, and nothing moved for 30 minutes"
    assert word("frozen") == "the hub's log does not grow"
    assert word("a-kind-of-tomorrow") == "a-kind-of-tomorrow"


def test_what_is_missing_or_hostile_cannot_stop_it():
    assert say(Message(code="no.such")) == "no.such"
    evil = Message(code="attention.node-fault", params={"partner": "{node.__class__}", "node": None})
    assert say(evil) == "{node.__class__} (node –), –: –"
    assert say(evil, lambda _: "{partner.real} {0} {") == "{node.__class__} (node –), –: –", (
        "a slip of a catalogue"
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (119, "119 s"), (120, "2 minutes"), (7200, "2 hours"), (200_000, "2 days"), (-90, "90 s")],
)
def test_durations(seconds: int, said: str):
    assert duration(seconds) == said


def test_translations_take_the_same_parameters():
    message = Message(code="attention.quota-near", params={"partner": "la-dgm", "percent": 91})
    assert say(message, lambda _: "{percent} % {partner}") == "91 % la-dgm"


def test_no_sentence_counts_one_of_something_as_many() -> None:
    """A number stands where its noun's form does not depend on it: `datasets: 1`, never `1 datasets`."""
    counted = re.compile(r"\{(?:count|problems|attempts|waiting|files|files_before)\} [a-z]+s\b")
    twice_at_least = {"alert.refusals", "alert.refusals-strangers"}  # told only above a threshold
    found = {code for code, text in TEMPLATES.items() if counted.search(text)}
    assert found <= twice_at_least, found
