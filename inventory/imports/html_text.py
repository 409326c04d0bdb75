"""Plain text of the HTML in which other shops keep descriptions."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

PARAGRAPHS = frozenset("p div ul ol table h1 h2 h3 h4 h5 h6 blockquote section article".split())  # noqa: SIM905
LINES = frozenset("br li tr".split())  # noqa: SIM905
HIDDEN = frozenset("script style template head".split())  # noqa: SIM905


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in HIDDEN
        if tag in PARAGRAPHS or tag in LINES:
            self.parts.append("\n\n" if tag in PARAGRAPHS else "\n")
        if tag == "li":
            self.parts.append("• ")
        elif tag in {"td", "th"}:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in HIDDEN and self._hidden > 0
        if tag in PARAGRAPHS:
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            # In HTML a line break is a blank; only tags begin a line.
            self.parts.append(re.sub(r"\s+", " ", data))


def text_of(html: str) -> str:
    """The text, with an empty line between paragraphs. Text without tags keeps its line breaks."""
    if not re.search(r"<[a-zA-Z/!]", html):
        lines = html.replace("\r\n", "\n").split("\n")
        return "\n".join(re.sub(r"\s+", " ", unescape(line)).rstrip() for line in lines).strip()
    parser = _Text()
    parser.feed(html)
    parser.close()
    lines = [" ".join(line.split()) for line in "".join(parser.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip().replace("\n\n• ", "\n• ")
