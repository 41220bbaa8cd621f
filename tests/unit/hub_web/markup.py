"""Whether a page is whole: every element closed in its order, ids once, nothing that the policy forbids."""

from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "img", "hr"}
_BLOCKS = {"p", "div", "ul", "ol", "dl", "table", "section", "form", "details", "h1", "h2", "h3", "figure"}


class Whole(HTMLParser):
    """Reads a page and collects what is wrong with it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.labels: list[str] = []
        self.fields: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        if self._open:
            self.wrong.append(f"not closed: {self._open}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, attrs)
        if "svg" not in self._open:
            self.wrong.append(f"<{tag}/> outside of a drawing")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, attrs)
        if tag in _BLOCKS and "p" in self._open:
            self.wrong.append(f"<{tag}> in <p>")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.wrong.append(f"</{tag}> at line {self.getpos()[0]} in {self._open[-3:]}")
        else:
            self._open.pop()

    def _seen(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.append((tag, named))
        if len(named) != len(attrs):
            self.wrong.append(f"<{tag}> has an attribute twice")
        if (name := named.get("id")) is not None:
            if name in self.ids:
                self.wrong.append(f"the id {name} twice")
            self.ids.append(name)
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.wrong.append(f"<{tag} {name}>")
            if name in ("href", "src", "action") and not (value or "").startswith(("/", "#")):
                self.wrong.append(f"<{tag} {name}={value}> leads away")
        if tag == "style" or (tag == "script" and "src" not in named):
            self.wrong.append(f"<{tag}> in the page")
        if tag == "label":
            self.labels.append(named.get("for") or "")
        if tag in ("input", "select", "textarea") and named.get("type") != "hidden":
            self.fields.append(named.get("id") or "?")
