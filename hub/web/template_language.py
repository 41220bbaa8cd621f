"""What templates can say beside Jinja's own: instants, sizes, states, messages, titles, drawings.

{{ line.backlog_bytes | size }}                      # 1.4 MB
{{ state(line.state) }}                              # the mark and the word
{{ ago(line.last_seen) }}                            # <time datetime=… title="… UTC">5 min ago</time>
{{ say(attention.message) }}                         # in the viewer's language, instants as <time>
{{ title(line.names) }}                              # <span lang="lo" dir="ltr">…</span>
{{ options(partners, search.partner) }}              # <option value="la-dgm" selected>la-dgm</option>…

What is kept here (`lru_cache`) depends on its arguments and the language alone, and never becomes wrong.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from core.clock import format_instant, parse_instant
from core.errors import InvalidInput
from hub.overview import wording
from hub.overview.model import Message, Sample, StoragePoint, VersionView
from hub.web import words
from hub.web.drawing import bars, curve, marks, sparkline
from hub.web.drawing.graticule import degrees
from hub.web.formats import NOTHING, Formats
from hub.web.i18n import Language, direction_of, own_text

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_CODE = re.compile(r"`([^`]{1,300})`")

Names = dict[str, Callable[..., Any]]


def names_for(language: Language) -> tuple[Names, Names]:
    """Filters and functions in `language`."""
    formats = Formats(language.locale)
    said = _Said(language, formats)
    filters: Names = {
        "size": formats.size,
        "rate": formats.rate,
        "number": formats.number,
        "signed": formats.signed,
        "signed_size": formats.signed_size,
        "percent": formats.percent,
        "duration": formats.duration,
    }
    functions: Names = {
        "mark": marks.mark,
        "state": said.state,
        "word": said.word,
        "say": said.say,
        "when": said.when,
        "day": said.day,
        "ago": said.ago,
        "title": title,
        "sparkline": partial(sparkline.sparkline, formats=formats),
        "share": lru_cache(1024)(bars.share),
        "change": bars.change,
        "options": options,
        "version_curve": partial(version_curve, formats=formats),
        "storage_curve": partial(storage_curve, formats=formats),
        "backlog_curve": partial(backlog_curve, formats=formats),
        "degrees": degrees,
    }
    return filters, functions


def translated(language: Language) -> Callable[..., Markup]:
    """`gettext` for templates, as Jinja's extension has it ("newstyle"): a format, its values escaped. What
    takes no values is made once."""

    @lru_cache(2048)
    def plain(text: str) -> Markup:
        return Markup(language.gettext(text)) % {}  # noqa: S704 - our own words

    def gettext(text: str, /, **values: Any) -> Markup:
        return Markup(language.gettext(text)) % values if values else plain(text)  # noqa: S704 - as above

    return gettext


class _Said:
    def __init__(self, language: Language, formats: Formats) -> None:
        self._gettext = language.gettext
        self._formats = formats
        self.state = lru_cache(512)(self._state)

    def word(self, value: str | None, vocabulary: str = "") -> str:
        """A word of the model in the viewer's language."""
        return NOTHING if value is None else words.word(value, self._gettext, vocabulary)

    def _state(self, value: str, vocabulary: str = "") -> Markup:
        """Mark and word of a state."""
        name = marks.known(value)
        word = self.word(value, vocabulary)
        return Markup('<span class="state state-{}">{}<span>{}</span></span>').format(
            name, marks.mark(value), word
        )

    def say(self, message: Message) -> Markup:
        """A message: instants as `<time>`, what stands between backquotes as code."""
        text = str(escape(wording.say(message, self._gettext)))
        text = _CODE.sub(r"<code>\1</code>", text)
        return Markup(_INSTANT.sub(self._instant_in, text))  # noqa: S704 - escaped above

    def _instant_in(self, found: re.Match[str]) -> str:
        try:
            return str(self.when(parse_instant(found[0])))
        except InvalidInput:
            return found[0]

    def when(self, moment: datetime | None) -> Markup:
        """An instant."""
        return _time(moment, "instant", self._formats.instant)

    def day(self, moment: datetime | None) -> Markup:
        """The day of an instant."""
        return _time(moment, "day", self._formats.date)

    @pass_context
    def ago(self, context: Context, moment: datetime | None) -> Markup:
        """How long ago, or how soon."""
        now: datetime = context["now"]
        return _time(moment, "ago", lambda at: self._formats.ago(at, now))


@pass_context
def title(context: Context, texts: Mapping[str, str], otherwise: str = "") -> Markup:
    """A title or name in the viewer's language or the owner's, marked as what it is."""
    tag, text = own_text(texts, context["accepted"])
    if not text:
        return escape(otherwise or NOTHING)
    return _titled(tag, text)


@lru_cache(4096)
def _titled(tag: str, text: str) -> Markup:
    return Markup('<span lang="{}" dir="{}">{}</span>').format(tag, direction_of(tag), text)


def options(values: Sequence[str], chosen: str | None = None) -> Markup:
    """The choices of a `select`, in order. There may be a thousand, of which one is chosen now and then."""
    return _options(tuple(values), chosen)


@lru_cache(8)
def _options(values: tuple[str, ...], chosen: str | None) -> Markup:
    one = '<option value="{0}"{1}>{0}</option>'
    drawn = (one.format(escape(each), " selected" if each == chosen else "") for each in sorted(values))
    return Markup("".join(drawn))  # noqa: S704 - escaped above


def version_curve(versions: Sequence[VersionView], *, label: str, formats: Formats) -> Markup:
    """The size of each version; those that shrank are marked."""
    points = [(each.accepted, each.bytes) for each in versions]
    return curve.curve(
        points, label=label, formats=formats, marked=[each.accepted for each in versions if each.shrunk]
    )


def storage_curve(points: Sequence[StoragePoint], *, label: str, formats: Formats) -> Markup:
    """What lay on the disk."""
    return curve.curve([(each.time, each.used_bytes) for each in points], label=label, formats=formats)


def backlog_curve(samples: Sequence[Sample], *, label: str, formats: Formats) -> Markup:
    """What a node had still to move."""
    known = [(each.time, each.bytes_left) for each in samples if each.bytes_left is not None]
    return curve.curve(known, label=label, formats=formats)


def _time(moment: datetime | None, form: str, written: Callable[[datetime], str]) -> Markup:
    if moment is None:
        return Markup('<span class="nothing">{}</span>').format(NOTHING)
    stamp = format_instant(moment)
    utc = f"{stamp[:10]} {stamp[11:19]} UTC"
    # Put together by hand: pages have hundreds, and only the text is not ours.
    text = escape(written(moment))
    return Markup(f'<time datetime="{stamp}" data-form="{form}" title="{utc}">{text}</time>')  # noqa: S704
