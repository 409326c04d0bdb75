"""The dashboard's list of products and the page that edits one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from fake_stripe.pages.amounts import shown
from fake_stripe.pages.forms import area, check, hidden, text_field
from fake_stripe.pages.html import NOTHING, Markup, attributes, escape, fill, join
from fake_stripe.pages.parts import badge, code, facts, link, moment, sheet, table
from fake_stripe.pages.product_draft import Draft, Edited

Json = Mapping[str, Any]
FRESH_ROWS = 3


def product_list(products: Iterable[Json], prices: Mapping[str, Json]) -> Markup:
    """The table of products with prices and stock counts; `prices` by id."""
    rows = [
        (
            link(_address(product["id"]), product["name"]),
            _price(prices.get(product["default_price"] or "")),
            code(_counts(product["metadata"])),
            badge("active" if product["active"] else "archived"),
        )
        for product in products
    ]
    names = ("Product", "Price", "stock_*", "State")
    return sheet("", table("Products", names, rows, empty="No products yet."))


def _address(product_id: str) -> str:
    # Quoted, because the creator of a product may choose its id.
    return f"/dashboard/products/{quote(product_id, safe='')}"


def _price(price: Json | None) -> str:
    return shown(price["unit_amount"], price["currency"]) if price else "–"


def _counts(metadata: Mapping[str, str]) -> str:
    """The stock counts as written in the metadata: `S 4  M 15`."""
    counts = {key.removeprefix("stock_"): value for key, value in metadata.items() if key.startswith("stock")}
    return "  ".join(f"{size} {value[:12]}" for size, value in counts.items())


def product_page(product: Json, prices: Iterable[Json], draft: Draft) -> Markup:
    details = facts(
        [
            ("Id", code(product["id"])),
            ("Updated", moment(product["updated"])),
            ("Created", moment(product["created"])),
            ("Default price", code(product["default_price"] or "")),
        ]
    )
    rows = [
        (code(price["id"]), _price(price), _pairs_text(price["metadata"]), badge(_state(price)))
        for price in prices
    ]
    priced = table("Prices", ("Price", "Amount", "Metadata", "State"), rows, empty="No prices yet.")
    side = Markup(f'<div class="stack">{sheet("Details", details)}{sheet("Prices", priced)}</div>')
    return Markup(f'<div class="two">{sheet("Edit", _form(product["id"], draft))}{side}</div>')


def _state(price: Json) -> str:
    return "active" if price["active"] else "archived"


def _pairs_text(metadata: Mapping[str, str]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in metadata.items())


def _form(product_id: str, draft: Draft) -> Markup:
    fields = [
        text_field("name", "Name", draft.name.now, maxlength=5000, autocomplete="off"),
        area("description", "Description", draft.description.now),
        Markup(f'<div class="field">{check("active", "Active", checked=bool(draft.active.now))}</div>'),
    ]
    pairs = [_held_pair(number, key, text) for number, (key, text) in enumerate(draft.metadata.items())]
    pairs += [_fresh_pair(number) for number in range(len(pairs), len(pairs) + FRESH_ROWS)]
    shown = {"was_name": draft.name, "was_description": draft.description, "was_active": draft.active}
    return fill(
        "product_form",
        action=_address(product_id),
        fields=join(fields),
        pairs=join(pairs),
        hidden=join(hidden(name, text.was or "") for name, text in shown.items()),
        stale=check("all_keys", "Send all keys as shown, changed or not"),
    )


def _held_pair(number: int, key: str, text: Edited) -> Markup:
    named = {"name": f"key_{number}", "value": key, "readonly": True, "aria-label": "Key", "class": "mono"}
    own = {"name": f"value_{number}", "aria-label": f"Value of {key}", "class": "mono", "autocomplete": "off"}
    lines = text.now.count("\n") + 1
    control = (
        Markup(f"<textarea{attributes({**own, 'rows': min(lines, 12)})}>\n{escape(text.now)}</textarea>")
        if lines > 1
        else Markup(f"<input{attributes({**own, 'value': text.now})}>")
    )
    was = hidden(f"was_{number}", text.was) if text.was is not None else NOTHING
    return fill("_pair", key=Markup(f"<input{attributes(named)}>"), value=join([control, was]))


def _fresh_pair(number: int) -> Markup:
    shared = {"value": "", "autocomplete": "off", "class": "mono"}
    key = {"name": f"key_{number}", "aria-label": "New key", "maxlength": 40, "placeholder": "new key"}
    value = {"name": f"value_{number}", "aria-label": "Value of the new key", "placeholder": "value"}
    return fill(
        "_pair",
        key=Markup(f"<input{attributes(key | shared)}>"),
        value=Markup(f"<input{attributes(value | shared)}>"),
    )
