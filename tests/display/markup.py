"""A strict reader of HTML fragments: whatever is not closed, or not expected, fails."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = {"meta", "input", "br", "img", "link", "hr"}


class Markup(HTMLParser):
    """Collects tags, attributes and text; raises on tags that do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1] == tag, f"</{tag}> inside {self._open}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def assert_harmless(text: str) -> Markup:
    """Read a fragment; fail if anything in it could run, load or disguise."""
    markup = Markup(text)
    assert not markup.tags & {"script", "img", "iframe", "object", "embed", "link", "b"}
    for tag, name, value in markup.attributes:
        assert not name.startswith("on"), f"{tag} {name}={value}"
        assert name != "src"
    assert "\x1b" not in text
    assert "\u202e" not in text
    return markup
