"""How does somebody look at products and edit them, as at the Dashboard?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fake_stripe.pages.amounts import shown
from fake_stripe.pages.forms import area, check, hidden, text_field
from fake_stripe.pages.html import Markup, attributes, escape, fill, join
from fake_stripe.pages.parts import badge, code, facts, link, moment, sheet, table
from fake_stripe.pages.web import Request

Json = Mapping[str, Any]
FRESH_ROWS = 3


def product_list(products: Iterable[Json], prices: Mapping[str, Json]) -> Markup:
    """Every product with its price and its counts; `prices` by id."""
    rows = [
        (
            link(f"/dashboard/products/{product['id']}", product["name"]),
            _price(prices.get(product["default_price"] or "")),
            code(_counts(product["metadata"])),
            badge("active" if product["active"] else "archived"),
        )
        for product in products
    ]
    names = ("Product", "Price", "stock_*", "State")
    return sheet(
        "", table("Products", names, rows, empty="No products yet. The shop, or its demo, makes them.")
    )


def _price(price: Json | None) -> str:
    return shown(price["unit_amount"], price["currency"]) if price else "–"


def _counts(metadata: Mapping[str, str]) -> str:
    """`S 4  M 15`: what the metadata says is in stock, unread."""
    found = {key.removeprefix("stock_"): value for key, value in metadata.items() if key.startswith("stock")}
    return "  ".join(f"{size} {value[:12]}" for size, value in found.items())


def product_page(product: Json, prices: Iterable[Json]) -> Markup:
    """One product: its facts, its prices, and the form that edits it."""
    told = facts(
        [
            ("Id", code(product["id"])),
            ("Updated", moment(product["updated"])),
            ("Made", moment(product["created"])),
            ("Default price", code(product["default_price"] or "")),
        ]
    )
    rows = [
        (code(price["id"]), _price(price), _pairs_text(price["metadata"]), badge(_state(price)))
        for price in prices
    ]
    priced = table("Prices", ("Price", "Amount", "Metadata", "State"), rows, empty="No price yet.")
    side = Markup(f'<div class="stack">{sheet("Facts", told)}{sheet("Prices", priced)}</div>')
    return Markup(f'<div class="two">{sheet("Edit", _form(product))}{side}</div>')


def _state(price: Json) -> str:
    return "active" if price["active"] else "archived"


def _pairs_text(metadata: Mapping[str, str]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in metadata.items())


def _form(product: Json) -> Markup:
    fields = [
        text_field("name", "Name", product["name"], maxlength=5000, autocomplete="off"),
        area("description", "Description", product["description"] or ""),
        Markup(f'<div class="field">{check("active", "For sale", checked=product["active"])}</div>'),
    ]
    held = list(product["metadata"].items())
    pairs = [_held_pair(number, key, value) for number, (key, value) in enumerate(held)]
    pairs += [_fresh_pair(number) for number in range(len(held), len(held) + FRESH_ROWS)]
    return fill(
        "product_form",
        action=f"/dashboard/products/{product['id']}",
        fields=join(fields),
        pairs=join(pairs),
        hidden=join(
            [
                hidden("was_name", product["name"]),
                hidden("was_description", product["description"] or ""),
                hidden("was_active", "yes" if product["active"] else ""),
            ]
        ),
        stale=check("all_keys", "Send every key back as this page shows it, changed or not"),
    )


def _held_pair(number: int, key: str, value: str) -> Markup:
    named = attributes(
        {"name": f"key_{number}", "value": key, "readonly": True, "aria-label": "Key", "class": "mono"}
    )
    own = {"name": f"value_{number}", "aria-label": f"Value of {key}", "class": "mono"}
    lines = value.count("\n") + 1
    control = (
        Markup(f"<textarea{attributes({**own, 'rows': min(lines, 12)})}>\n{escape(value)}</textarea>")
        if lines > 1
        else Markup(f"<input{attributes({**own, 'value': value, 'autocomplete': 'off'})}>")
    )
    return fill("_pair", key=Markup(f"<input{named}>"), value=join([control, hidden(f"was_{number}", value)]))


def _fresh_pair(number: int) -> Markup:
    key = {
        "name": f"key_{number}",
        "value": "",
        "aria-label": "New key",
        "maxlength": 40,
        "placeholder": "new key",
    }
    value = {
        "name": f"value_{number}",
        "value": "",
        "aria-label": "Value of the new key",
        "placeholder": "value",
    }
    shared = {"autocomplete": "off", "class": "mono"}
    return fill(
        "_pair",
        key=Markup(f"<input{attributes(key | shared)}>"),
        value=Markup(f"<input{attributes(value | shared)}>"),
    )


def changes(request: Request) -> dict[str, Any]:
    """What the form sends to Stripe: the changed fields and keys, or with `all_keys` every key as shown."""
    everything = bool(request.value("all_keys"))
    sent = {name: value for name, value, was in _fields(request) if everything or value != was}
    metadata = {key: value for key, value, was in _keys(request) if everything or value != was}
    return sent | ({"metadata": metadata} if metadata else {})


def _fields(request: Request) -> Iterator[tuple[str, Any, Any]]:
    for name in ("name", "description"):
        yield name, _typed(request, name), _typed(request, f"was_{name}")
    yield "active", bool(request.value("active")), bool(request.value("was_active"))


def _keys(request: Request) -> Iterator[tuple[str, str, str | None]]:
    numbers = [name.removeprefix("key_") for name, _ in request.form if name.startswith("key_")]
    for number in numbers:
        key = request.value(f"key_{number}")
        known = [_plain(value) for value in request.values(f"was_{number}")]
        value = _typed(request, f"value_{number}")
        if key and (known or value):
            yield key, value, known[0] if known else None


def _typed(request: Request, name: str) -> str:
    found = request.values(name)
    return _plain(found[-1]) if found else ""


def _plain(text: str) -> str:
    """Browsers send the line breaks of a box as CR LF."""
    return text.replace("\r\n", "\n")
