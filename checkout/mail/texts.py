"""The wording of mails: the owner's own texts, or the standard ones, with their placeholders filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.text import Truncator
from django.utils.translation import gettext as _

from checkout.mail.kinds import MailKind
from checkout.models import MailText

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
MAX_SUBJECT, MAX_VALUE = 150, 200
PARTS = ("subject", "heading", "text")


@dataclass(frozen=True)
class Wording:
    """The texts of one mail in one language, with placeholders."""

    subject: str
    heading: str
    text: str


def standard_wording(kind: MailKind) -> Wording:
    return Wording(_(kind.subject), _(kind.heading), _(kind.text))


def wording_of(kind: MailKind, own: MailText | None) -> Wording:
    """The owner's texts; each one that is empty has the standard text, in the active language."""
    standard = standard_wording(kind)
    if own is None:
        return standard
    return Wording(*(getattr(own, part) or getattr(standard, part) for part in PARTS))


def find_problem(text: str, kind: MailKind) -> str:
    """Why a text with placeholders cannot be used; "" if it can."""
    allowed = ", ".join(f"{{{name}}}" for name in kind.placeholders)
    unknown = [name for name in PLACEHOLDER.findall(text) if name not in kind.placeholders]
    if unknown:
        facts = {"name": f"{{{unknown[0]}}}", "allowed": allowed}
        return _("%(name)s is not known here. This mail has %(allowed)s.") % facts
    if re.search(r"[{}]", PLACEHOLDER.sub("", text)):
        return _("A brace stands alone. Placeholders are written as %(allowed)s.") % {"allowed": allowed}
    return ""


def fill_in(text: str, kind: MailKind, context: Mapping[str, Any]) -> str:
    """Replace the kind's placeholders by values of the context. Braces in a value stay as they are."""

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        return one_line(context.get(name, ""), MAX_VALUE) if name in kind.placeholders else match[0]

    # A value may be empty: “Hello {name},” becomes “Hello,”.
    return re.sub(r" +([,.!?])", r"\1", PLACEHOLDER.sub(value_of, text))


def paragraphs_of(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", text.replace("\r\n", "\n")) if part.strip()]


def one_line(value: Any, max_length: int) -> str:
    """Without line breaks and control characters: names are untrusted, and a line break could begin a header."""
    printable = "".join(letter for letter in " ".join(str(value).split()) if letter.isprintable())
    return Truncator(printable).chars(max_length)
