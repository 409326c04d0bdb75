"""A customer without a browser: fetches pages, submits forms and keeps cookies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, Request, build_opener

# Values for the fields of the payment page. Payments with the card 4242... succeed.
BUYER = {
    "email": "ada@example.com",
    "phone": "+1 415 555 0100",
    "ship_name": "Ada Example",
    "ship_country": "US",
    "ship_line1": "1 Pretend Street",
    "ship_city": "Sampleton",
    "ship_state": "CA",
    "ship_postal_code": "94103",
    "bill_country": "US",
    "bill_line1": "1 Pretend Street",
    "bill_city": "Sampleton",
    "bill_postal_code": "94103",
    "card_number": "4242 4242 4242 4242",
    "card_expiry": "12 / 34",
    "card_code": "123",
    "card_name": "Ada Example",
}


class NotAsExpected(Exception):
    """A page that lacks something or answered with an error; the message names it."""


@dataclass
class Form:
    """`fields`: what a browser would send for the untouched form. `radios`: name -> {label: value}."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    radios: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    url: str
    text: str

    def form(self, to: str) -> Form:
        """The first form that posts to an address with `to` in it."""
        reader = FormReader()
        reader.feed(self.text)
        for form in reader.forms:
            if to in form.action:
                return form
        raise NotAsExpected(f"{self.url} has no form that leads to {to}.")


class Customer:
    def __init__(self) -> None:
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def get(self, url: str) -> Page:
        return self._open(Request(url))

    def send(self, page: Page, form: Form, changes: Mapping[str, str]) -> Page:
        """Post the form with `changes` to its fields, and follow redirects."""
        body = urlencode({**form.fields, **changes}).encode()
        return self._open(Request(urljoin(page.url, form.action), data=body, headers={"Referer": page.url}))

    def buy(self, product_url: str, *, size: str, quantity: int) -> Page:
        """Add the product to the cart, check out and pay; returns the page after the payment."""
        page = self.get(product_url)
        form = page.form("/cart/add/")
        if size not in form.radios.get("item", {}):
            raise NotAsExpected(f"{page.url} offers no size {size}.")
        page = self.send(page, form, {"item": form.radios["item"][size], "quantity": str(quantity)})
        cart = self.get(urljoin(product_url, "/cart/"))
        pay = self.send(cart, cart.form("/checkout/"), {})
        return self.pay(pay)

    def pay(self, page: Page) -> Page:
        form = page.form("/c/pay/")
        asked = {name: value for name, value in BUYER.items() if name in form.fields}
        return self.send(page, form, {**asked, "act": "pay"})

    def _open(self, request: Request) -> Page:
        try:
            with self._opener.open(request, timeout=30) as answer:
                return Page(answer.url, answer.read().decode())
        except HTTPError as error:
            said = alerts(error.read().decode(errors="replace"))
            raise NotAsExpected(
                f"{request.get_method()} {request.full_url} answered {error.code}. {said}".strip()
            ) from error


def alerts(text: str) -> str:
    """The text of a page's role="alert" element, without tags."""
    found = re.search(r'role="alert"[^>]*>(.*?)</(?:div|section|li)>', text, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split()) if found else ""


class FormReader(HTMLParser):
    """Collects `forms`. A radio button is known by the first word of the label around it."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._inside = False
        self._select = ""
        self._radio: tuple[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
            self._inside = True
        elif self._inside and tag == "input":
            self._input(given)
        elif self._inside and tag == "select":
            self._select = given.get("name", "")
        elif self._inside and tag == "option" and self._select:
            self._option(given)

    def _option(self, given: dict[str, str]) -> None:
        fields = self.forms[-1].fields
        if self._select not in fields or "selected" in given:
            fields[self._select] = given.get("value", "")

    def _input(self, given: dict[str, str]) -> None:
        fields, name, value = self.forms[-1].fields, given.get("name", ""), given.get("value", "")
        kind = given.get("type", "text")
        if kind == "radio" and "disabled" not in given:
            self._radio = (name, value)
        if kind in {"radio", "checkbox"} and "checked" not in given:
            return
        if name and kind not in {"submit", "button"}:
            fields[name] = value

    def handle_data(self, data: str) -> None:
        if self._radio and data.strip():
            name, value = self._radio
            self.forms[-1].radios.setdefault(name, {})[data.split()[0]] = value
            self._radio = None

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = ""
        elif tag == "label":
            self._radio = None
