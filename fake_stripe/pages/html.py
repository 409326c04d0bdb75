"""Templates with `$name` placeholders, and HTML escaping.

Every value is escaped unless it is Markup, so a product named `<script>` is text on every page.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template


class Markup(str):
    """Text that is already HTML and must not be escaped again."""

    __slots__ = ()


NOTHING = Markup("")


def escape(value: object) -> Markup:
    """Text as HTML. None becomes empty, and Markup stays as it is."""
    if isinstance(value, Markup):
        return value
    return NOTHING if value is None else Markup(html.escape(str(value)))


class Templates:
    """The templates of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parsed: dict[str, Template] = {}

    def fill(self, name: str, /, **values: object) -> Markup:
        """Render the template `name`. A placeholder without a value raises KeyError."""
        if name not in self._parsed:
            self._parsed[name] = Template((self.folder / f"{name}.html").read_text(encoding="utf-8"))
        escaped = {key: escape(value) for key, value in values.items()}
        return Markup(self._parsed[name].substitute(escaped))


fill = Templates(Path(__file__).parent / "templates").fill


def join(parts: Iterable[Markup], between: str = "") -> Markup:
    return Markup(between.join(parts))


def attributes(given: Mapping[str, object]) -> Markup:
    """` name="value"` for each attribute. True gives the bare name, None and False nothing."""
    text = "".join(
        f" {name}" if value is True else f' {name}="{escape(value)}"'
        for name, value in given.items()
        if value is not None and value is not False
    )
    return Markup(text)
