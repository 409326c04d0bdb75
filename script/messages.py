"""Collect the texts that customers see, and compile their translations.

    python -m script.messages           # bring locale/*/LC_MESSAGES/django.po up to date, and compile them
    python -m script.messages --check   # only say what is missing

No program of gettext is needed. The admin is in English, so its texts are not collected.
"""

from __future__ import annotations

import argparse
import ast
import io
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation import override

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ("de", "fr")
TEMPLATES = (
    "400.html",
    "403_csrf.html",
    "404.html",
    "500.html",
    "base.html",
    "error_base.html",
    "shop",
    "checkout",
)
# Modules with texts for customers. What they mark with gettext_noop is for the owner.
MODULES = (
    "checkout/cart/*.py", "checkout/forms.py", "checkout/views.py", "checkout/order_pages.py", "checkout/htmx.py",
    "checkout/orders/checkout.py", "checkout/orders/hold_limits.py", "checkout/orders/customer_requests.py",
    "checkout/restock_pages.py", "checkout/restock/*.py", "checkout/mail/facts.py",
    "shop/availability.py", "shop/currencies.py", "shop/json_ld.py", "shop/views.py",
)  # fmt: skip
# Texts of these modules that only the owner reads.
FOR_THE_OWNER = (
    "The parcel is sent already. Decline the request; the customer can return it.",
    "These units were refunded meanwhile, so there is nothing to wait for.",
    "This return is over already, or Stripe has not confirmed its refund yet. Nothing was changed.",
    "This was decided before: %(state)s.",
    "canceled by the customer",
)
# Texts of modules that are mostly the admin's.
COMMON = ("Legal notice", "Privacy", "Terms and returns")
FUNCTIONS = {"_": 1, "gettext": 1, "gettext_lazy": 1, "ngettext": 2}  # name to how many arguments are texts


class Text(NamedTuple):
    """A text as the code has it. `plural` and `context` are empty where there is none."""

    singular: str
    plural: str = ""
    context: str = ""

    @property
    def id(self) -> Any:
        return (self.singular, self.plural) if self.plural else self.singular


def main() -> int:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.test_settings")
    django.setup()
    parser = argparse.ArgumentParser(prog="python -m script.messages", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    given = parser.parse_args()
    texts, missing = sorted(set(collected())), 0
    for language in LANGUAGES:
        catalog = updated(language, texts)
        left = [message for message in catalog if message.id and not all(strings_of(message))]
        missing += len(left)
        for message in left:
            print(f"{language}: not translated: {message.id!r}")
        if not given.check:
            save(language, catalog)
    return 1 if missing else 0


def collected() -> Iterator[Text]:
    from checkout.mail.kinds import KINDS
    from checkout.models import CustomerRequestLine

    yield from (Text(text) for text in COMMON)
    with override("en"):
        yield from (Text(str(label)) for label in CustomerRequestLine.Reason.labels)
    for kind in KINDS.values():
        yield from (Text(text) for text in (kind.subject, kind.heading, kind.text) if text)
    for pattern in MODULES:
        for path in sorted(ROOT.glob(pattern)):
            yield from (text for text in of_module(path) if text.singular not in FOR_THE_OWNER)
    for name in TEMPLATES:
        place = ROOT / "templates" / name
        paths = [place] if place.is_file() else sorted([*place.rglob("*.html"), *place.rglob("*.txt")])
        for path in paths:
            if "admin" not in path.parts:
                yield from of_template(str(path.relative_to(ROOT / "templates")))


def of_module(path: Path) -> Iterator[Text]:
    # By the syntax tree, which also has the calls inside of f-strings.
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and name in FUNCTIONS:
            values = [getattr(argument, "value", None) for argument in node.args[: FUNCTIONS[name]]]
            if all(isinstance(value, str) for value in values):
                yield Text(*map(str, values))


def of_template(name: str) -> Iterator[Text]:
    """By Django's own parser, so that each text is exactly what is looked up when the page is rendered."""
    from django.template.loader import get_template
    from django.templatetags.i18n import BlockTranslateNode, TranslateNode

    nodes = get_template(name).template.nodelist  # type: ignore[attr-defined]
    for node in nodes.get_nodes_by_type(TranslateNode):
        variable = node.filter_expression.var
        if getattr(variable, "literal", None) is not None:
            yield Text(str(variable.literal), context=str(node.message_context or "").strip("\"'"))
    for node in nodes.get_nodes_by_type(BlockTranslateNode):
        singular, _variables = node.render_token_list(node.singular)
        plural = node.render_token_list(node.plural)[0] if node.plural else ""
        yield Text(singular, plural, str(node.message_context or "").strip("\"'"))


def po_path(language: str) -> Path:
    return ROOT / "locale" / language / "LC_MESSAGES" / "django.po"


def read(language: str) -> Catalog:
    with po_path(language).open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str, texts: list[Text]) -> Catalog:
    """The catalog of exactly these texts, with the translations that there are."""
    catalog = Catalog(locale=language, project="shop", charset="utf-8", fuzzy=False)
    old = read(language) if po_path(language).exists() else catalog
    for text in texts:
        known = old.get(text.id, text.context or None)
        catalog.add(text.id, known.string if known else None, context=text.context or None)
    return catalog


def strings_of(message: Any) -> list[str]:
    return list(message.string) if isinstance(message.string, (tuple, list)) else [message.string or ""]


def compiled(catalog: Catalog) -> bytes:
    # Otherwise the header would have the time of compiling.
    catalog.creation_date = catalog.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def save(language: str, catalog: Catalog) -> None:
    path = po_path(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without dates and versions, which would differ at each run.
    header = f'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"MIME-Version: 1.0\\n"\n'
    header += '"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n'
    header += f'"Plural-Forms: {catalog.plural_forms}\\n"\n\n'
    file = io.BytesIO()
    write_po(file, catalog, width=100, omit_header=True, sort_output=False)
    path.write_bytes(header.encode() + file.getvalue())
    path.with_suffix(".mo").write_bytes(compiled(read(language)))


if __name__ == "__main__":
    sys.exit(main())
