"""Render the payment page: the lines and totals beside the form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from fake_stripe.pages import card_fields, entry
from fake_stripe.pages.amounts import shown
from fake_stripe.pages.entry import Entry
from fake_stripe.pages.forms import hidden, select, text_field
from fake_stripe.pages.html import NOTHING, Markup, attributes, escape, fill, join

Json = Mapping[str, Any]
SAMPLE_BUYER = {
    "email": "ada@example.com",
    "phone": "+1 415 555 0100",
    "card_name": "Ada Example",
    "card_expiry": "12 / 34",
    "card_code": "123",
}
SAMPLE_ADDRESS = {"line1": "1 Example Street", "city": "Sampleton", "postal_code": "12345", "country": "US"}


@dataclass(frozen=True)
class Checkout:
    """What the page shows: a session, its lines with products, its shipping rates and payment methods."""

    session: Json
    lines: tuple[Json, ...]
    rates: tuple[Json, ...] = ()
    methods: tuple[str, ...] = (entry.CARD,)

    @property
    def currency(self) -> str:
        return str(self.session["currency"])

    @property
    def shop(self) -> str:
        """The display name of the session, else the host of its success_url."""
        named = (self.session.get("branding_settings") or {}).get("display_name")
        return str(named or urlsplit(self.session.get("success_url") or "").hostname or "the shop")

    def total(self, shipping: int) -> int:
        """The total with the shipping option of this index."""
        options = self.session.get("shipping_options") or ()
        sending = options[shipping]["shipping_amount"] if options else 0
        already = (self.session.get("total_details") or {}).get("amount_shipping", 0)
        return int(self.session["amount_total"] - already + sending)


def sample_buyer(session: Json) -> dict[str, str]:
    """Values for a sample buyer, in a country the shop ships to."""
    countries = entry.asks_for_address(session)
    home = (
        {f"{entry.group(session)}_{name}": value for name, value in SAMPLE_ADDRESS.items()}
        if countries
        else {}
    )
    if countries and SAMPLE_ADDRESS["country"] not in countries:
        home[f"{entry.group(session)}_country"] = countries[0]
    return SAMPLE_BUYER | home


def pay_page(checkout: Checkout, filled: Entry, *, problem: str = "") -> Markup:
    session = checkout.session
    shipping = entry.chosen_shipping(session, filled)
    total = shown(checkout.total(shipping), checkout.currency)
    expires = datetime.fromtimestamp(session["expires_at"], UTC)
    body = fill(
        "pay",
        action=f"/c/pay/{session['id']}",
        back=_back(session),
        shop=checkout.shop,
        total=total,
        expires_iso=expires.isoformat(),
        expires=f"{expires:%H:%M} UTC, {expires.day} {expires:%B}",
        lines=join(_line(line) for line in checkout.lines),
        totals=_totals(checkout, shipping),
        problem=_problem(filled, problem),
        parts=join(_parts(checkout, filled)),
        verb=f"Pay {total}" if entry.asks_for_payment(session) else "Complete order",
        promise="This is a test: no card is charged.",
    )
    invalid = filled.errors or problem
    return fill("base", title=f"{'Error: ' if invalid else ''}Pay {checkout.shop}", body=body)


def bank_page(checkout: Checkout, filled: Entry) -> Markup:
    """The bank's authentication page. It carries the form's values, so they need not be entered again."""
    body = fill(
        "bank",
        action=f"/c/pay/{checkout.session['id']}",
        total=shown(checkout.total(entry.chosen_shipping(checkout.session, filled)), checkout.currency),
        shop=checkout.shop,
        ending=filled["card_number"][-4:],
        hidden=join(hidden(name, value) for name, value in filled.values.items() if name != "act"),
    )
    return fill("base", title="Confirm with your bank", body=body)


def ended_page(headline: str, text: str, link: str | None, words: str = "") -> Markup:
    """A page with only a headline, a text and a link back."""
    way = Markup(f'<p><a class="button button-main" href="{escape(link)}">{escape(words)}</a></p>')
    body = fill("ended", headline=headline, text=text, link=way if link else NOTHING)
    return fill("base", title=headline, body=body)


def _back(session: Json) -> Markup:
    url = session.get("cancel_url")
    host = urlsplit(url).hostname if url else None
    return Markup(f'<a class="back" href="{escape(url)}">← Back to {escape(host)}</a>') if url else NOTHING


def _line(line: Json) -> Markup:
    product = line["price"].get("product") or {}
    name = line["description"] or "Item"
    image = next(iter(product.get("images") or ()), None)
    # Not the price's own amount, which may be in another currency.
    each = shown(line["amount_subtotal"] // line["quantity"], line["currency"])
    details = [value for value in (line.get("metadata") or {}).values() if len(value) <= 40]
    quantity = f"{line['quantity']} × {each}"
    return fill(
        "_line",
        image=_picture(image, name),
        title=name,
        detail=" · ".join([quantity, *details[:3]]),
        amount=shown(line["amount_subtotal"], line["currency"]),
    )


def _picture(url: str | None, name: str) -> Markup:
    if url:
        return Markup(f'<img class="line-image" src="{escape(url)}" alt="" width="56" height="56">')
    return Markup(f'<span class="line-image" aria-hidden="true">{escape(name[:1].upper())}</span>')


def _totals(checkout: Checkout, shipping: int) -> Markup:
    details = checkout.session.get("total_details") or {}
    rows = [("Subtotal", checkout.session["amount_subtotal"])]
    if checkout.session.get("shipping_options"):
        name = checkout.rates[shipping]["display_name"] if checkout.rates else "Shipping"
        rows.append((f"Shipping ({name})", checkout.session["shipping_options"][shipping]["shipping_amount"]))
    rows += [("Discount", -details["amount_discount"])] * bool(details.get("amount_discount"))
    rows += [("Tax", details["amount_tax"])] * bool(details.get("amount_tax"))
    lines = [_total_row(name, amount, checkout.currency) for name, amount in rows]
    return join([*lines, _total_row("Total", checkout.total(shipping), checkout.currency, grand=True)])


def _total_row(name: str, amount: int, currency: str, *, grand: bool = False) -> Markup:
    kind = ' class="grand"' if grand else ""
    return Markup(f"<div{kind}><dt>{escape(name)}</dt><dd>{escape(shown(amount, currency))}</dd></div>")


def _problem(filled: Entry, problem: str) -> Markup:
    if not filled.errors and not problem:
        return NOTHING
    links = [Markup(f'<a href="#{escape(name)}">{escape(text)}</a>') for name, text in filled.errors.items()]
    listed = Markup(f"<ul><li>{join(links, '</li><li>')}</li></ul>") if links else NOTHING
    return fill("_problem", headline=problem or "Please correct these fields:", links=listed)


def _parts(checkout: Checkout, filled: Entry) -> Iterable[Markup]:
    yield _contact(checkout.session, filled)
    if entry.asks_for_address(checkout.session):
        yield _address(checkout.session, filled)
    if checkout.session.get("shipping_options"):
        yield _shipping(checkout, filled)
    if checkout.session.get("custom_fields"):
        yield _custom_fields(checkout.session, filled)
    if entry.asks_for_payment(checkout.session):
        yield _payment(checkout, filled)


def _contact(session: Json, filled: Entry) -> Markup:
    fixed = bool(session.get("customer_email"))
    hint = "Provided by the shop." if fixed else ""
    fields = [
        _input(filled, "email", "Email", hint=hint, type="email", autocomplete="email", readonly=fixed),
        _input(filled, "card_name", "Full name", autocomplete="name"),
    ]
    if entry.asks_for_phone(session):
        fields.append(_input(filled, "phone", "Phone", type="tel", autocomplete="tel"))
    return fill("_part", legend="Contact", fields=join(fields), more=NOTHING)


def _input(filled: Entry, name: str, label: str, **more: Any) -> Markup:
    return text_field(name, label, filled[name], errors=filled.errors, **more)


def _address(session: Json, filled: Entry) -> Markup:
    group = entry.group(session)
    purpose = {"ship": "shipping", "bill": "billing"}[group]
    names = entry.countries()
    allowed = [(code, names.get(code, code)) for code in entry.asks_for_address(session)]
    choices = [("", "Select")] * (len(allowed) > 1) + sorted(allowed, key=lambda pair: pair[1])

    def text(name: str, label: str, auto: str, *, width: str = "", optional: bool = False) -> Markup:
        given: dict[str, Any] = {"width": width, "optional": optional, "autocomplete": f"{purpose} {auto}"}
        return _input(filled, f"{group}_{name}", label, **given)

    fields = [
        select(
            f"{group}_country",
            "Country",
            choices,
            filled[f"{group}_country"],
            errors=filled.errors,
            autocomplete=f"{purpose} country",
        ),
        text("line1", "Street and number", "address-line1"),
        text("line2", "Apartment, floor, company", "address-line2", optional=True),
        text("city", "City", "address-level2", width="third"),
        text("postal_code", "Postal code", "postal-code", width="third", optional=True),
        text("state", "State", "address-level1", width="third", optional=True),
    ]
    return fill("_part", legend=f"{purpose.capitalize()} address", fields=join(fields), more=NOTHING)


def _shipping(checkout: Checkout, filled: Entry) -> Markup:
    chosen = entry.chosen_shipping(checkout.session, filled)
    rows = [
        fill(
            "_choice",
            attributes=attributes(
                {"name": "shipping_rate", "value": option["shipping_rate"], "checked": number == chosen}
            ),
            text=rate["display_name"],
            detail=_estimate(rate.get("delivery_estimate")),
            price=shown(option["shipping_amount"], checkout.currency)
            if option["shipping_amount"]
            else "free",
        )
        for number, (option, rate) in enumerate(
            zip(checkout.session["shipping_options"], checkout.rates, strict=True)
        )
    ]
    again = Markup('<p><button class="button-small" name="act" value="total">Update total</button></p>')
    more = again if len(rows) > 1 else NOTHING
    return fill(
        "_part", legend="Shipping", fields=Markup(f'<div class="field">{join(rows)}</div>'), more=more
    )


def _estimate(estimate: Json | None) -> str:
    ends = [end for end in ((estimate or {}).get("minimum"), (estimate or {}).get("maximum")) if end]
    if not ends:
        return ""
    unit = str(ends[-1]["unit"]).replace("_", " ")
    numbers = dict.fromkeys(str(end["value"]) for end in ends)
    return f"{'–'.join(numbers)} {unit}{'s' if ends[-1]['value'] != 1 else ''}"


def _custom_fields(session: Json, filled: Entry) -> Markup:
    return fill(
        "_part",
        legend="Additional information",
        fields=join(_custom_field(custom, filled) for custom in session["custom_fields"]),
        more=NOTHING,
    )


def _custom_field(custom: Json, filled: Entry) -> Markup:
    name, label = f"custom_{custom['key']}", custom["label"]["custom"]
    if custom["type"] == "dropdown":
        options = [(option["value"], option["label"]) for option in custom["dropdown"]["options"]]
        return select(name, label, [("", "Select"), *options], filled[name], errors=filled.errors)
    return text_field(
        name,
        label,
        filled[name],
        errors=filled.errors,
        optional=custom["optional"],
        autocomplete="off",
        inputmode="numeric" if custom["type"] == "numeric" else None,
    )


def _payment(checkout: Checkout, filled: Entry) -> Markup:
    words = {
        entry.CARD: ("Card", "charged at once"),
        entry.DEBIT: ("Bank debit", "succeeds or fails days later"),
    }
    methods = [
        fill(
            "_choice",
            attributes=attributes({"name": "method", "value": method, "checked": method == filled.method}),
            text=words[method][0],
            detail=words[method][1],
            price=NOTHING,
        )
        for method in checkout.methods
    ]
    only_cards = checkout.methods == (entry.CARD,)
    choice = NOTHING if only_cards else Markup(f'<div class="field">{join(methods)}</div>')
    cards = [_test_cards(filled), *_card_fields(filled)] if entry.CARD in checkout.methods else []
    return fill("_part", legend="Payment", fields=join([choice, *cards]), more=NOTHING)


def _test_cards(filled: Entry) -> Markup:
    rows = [
        Markup(
            f'<li><button name="fill" value="{number}"><span>{escape(does)}</span>'
            f'<span class="mono">{number}</span></button></li>'
        )
        for does, number in card_fields.shown()
    ]
    return fill("_test_cards", cards=join(rows), open=NOTHING if filled["card_number"] else Markup(" open"))


def _card_fields(filled: Entry) -> list[Markup]:
    def digits(name: str, label: str, auto: str, shape: str, max_length: int, **more: Any) -> Markup:
        given: dict[str, Any] = {
            "inputmode": "numeric",
            "autocomplete": auto,
            "placeholder": shape,
            "maxlength": max_length,
        }
        return _input(filled, name, label, **given, **more)

    return [
        digits("card_number", "Card number", "cc-number", "1234 1234 1234 1234", 30, look="card-number"),
        digits("card_expiry", "Expires", "cc-exp", "MM / YY", 9, width="half"),
        digits("card_code", "Security code", "cc-csc", "123", 4, width="half"),
    ]
