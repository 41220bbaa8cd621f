"""What templates keep ready is what they would make: escaped, in the right language, the right one chosen."""

from jinja2 import Environment
from markupsafe import Markup

from hub.web.formats import Formats
from hub.web.i18n import languages
from hub.web.render import environment
from hub.web.template_language import options, translated

HOSTILE = '<b>"&amp;</b>'


def shown(source: str, tag: str = "en", **values: object) -> str:
    made: Environment = environment(tag)
    return made.from_string(source).render(values)


def test_a_word_is_translated_and_its_values_are_escaped():
    assert shown('{{ _("Fleet") }}') == "Fleet"
    assert shown('{{ _("Fleet") }}', "zh") == languages()["zh"].gettext("Fleet") != "Fleet"
    said = shown('{{ _("in %(time)s", time=time) }}', time=HOSTILE)
    assert said == f"in {Markup.escape(HOSTILE)}"
    assert shown('{{ _("100%%") }}{{ _("100%%") }}') == "100%100%", "a format, with values or without"
    assert shown("{{ ngettext('%(num)s node', '%(num)s nodes', 2) }}") == "2 nodes"


def test_languages_do_not_take_each_others_words():
    said = {tag: translated(language)("Datasets") for tag, language in languages().items()}
    assert said == {tag: language.gettext("Datasets") for tag, language in languages().items()}


def test_choices_are_escaped_ordered_and_one_is_chosen():
    drawn = options(["th-dmr", HOSTILE, "la-dgm"], "th-dmr")
    assert HOSTILE not in drawn
    assert drawn.index("la-dgm") < drawn.index("th-dmr")
    assert drawn.count(" selected") == 1
    assert '<option value="th-dmr" selected>th-dmr</option>' in drawn
    assert " selected" not in options(["th-dmr", HOSTILE, "la-dgm"]), "as somebody else asks"


def test_a_line_is_drawn_with_its_own_label_and_language():
    draw = "{{ sparkline(values, label=label) }}"
    english = shown(draw, values=[1, None, 2_000_000], label="Growth")
    assert "Growth: 2.0 MB" in english
    assert "Backlog: 2.0 MB" in shown(draw, values=[1, None, 2_000_000], label="Backlog")
    chinese = Formats(languages()["zh"].locale).size(2_000_000)
    assert chinese in shown(draw, "zh", values=[1, None, 2_000_000], label="Growth")
