"""How does a template become HTML in which nothing from outside can act?

Templates are files with `$name` places. Every value is escaped on its way in, unless it is Markup, which only
this module makes; so a product named `<script>` is text on every page.
"""

from __future__ import annotations

import functools
import html
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).parent / "templates"


class Markup(str):
    """HTML that is finished: escaping it again would spoil it."""

    __slots__ = ()


NOTHING = Markup("")


def escape(value: object) -> Markup:
    """Text as HTML; None is nothing, and Markup stays as it is."""
    if isinstance(value, Markup):
        return value
    return NOTHING if value is None else Markup(html.escape(str(value)))


def fill(name: str, /, **values: object) -> Markup:
    """The template `name` with its places filled. A place without a value is a KeyError."""
    escaped = {key: escape(value) for key, value in values.items()}
    return Markup(_template(name).substitute(escaped))


def join(parts: Iterable[Markup], between: str = "") -> Markup:
    """Finished pieces, one after the other."""
    return Markup(between.join(parts))


def attributes(given: Mapping[str, object]) -> Markup:
    """` name="value"` for each that is there; True is the bare name, None and False are nothing."""
    text = "".join(
        f" {name}" if value is True else f' {name}="{escape(value)}"'
        for name, value in given.items()
        if value is not None and value is not False
    )
    return Markup(text)


@functools.cache
def _template(name: str) -> Template:
    return Template((TEMPLATES / f"{name}.html").read_text(encoding="utf-8"))
