"""The fields a session asks of its buyer, and the check of what was entered."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fake_stripe.customers import DELAYED
from fake_stripe.pages import card_fields
from fake_stripe.pages.web import Request
from fake_stripe.params import is_email

Json = Mapping[str, Any]
PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{5,24}")
ADDRESS = ("country", "line1", "line2", "postal_code", "city", "state")
CARD, DEBIT = "card", "us_bank_account"


@functools.cache
def countries() -> dict[str, str]:
    """Country names by two-letter code, sorted by name."""
    lines = (Path(__file__).parent / "countries.txt").read_text(encoding="utf-8").splitlines()
    return {line[:2]: line[3:] for line in lines}


@dataclass
class Entry:
    """The submitted values by field name, as typed, and their errors."""

    values: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    @property
    def method(self) -> str:
        return DEBIT if self["method"] == DEBIT else CARD

    def address(self, session: Json) -> dict[str, str | None]:
        """The six address fields, None where nothing was entered."""
        return {name: self[f"{group(session)}_{name}"] or None for name in ADDRESS}


def methods(session: Json) -> tuple[str, ...]:
    """The payment methods of the session: card, bank debit or both."""
    offered = session["payment_method_types"]
    debits = (DEBIT,) if any(kind in offered for kind in DELAYED) else ()
    return ((CARD,) if CARD in offered else ()) + debits


def asks_for_payment(session: Json) -> bool:
    return bool(session["amount_total"])


def asks_for_phone(session: Json) -> bool:
    return bool((session.get("phone_number_collection") or {}).get("enabled"))


def ships_to(session: Json) -> list[str]:
    """The countries the session ships to; empty if it asks for no shipping address."""
    return list((session.get("shipping_address_collection") or {}).get("allowed_countries", ()))


def asks_for_address(session: Json) -> list[str]:
    """The countries to choose from; empty if neither a shipping nor a billing address is asked for."""
    if session.get("billing_address_collection") == "required":
        return ships_to(session) or list(countries())
    return ships_to(session)


def group(session: Json) -> str:
    """The prefix of the address fields: `ship`, or `bill` if there is only a billing address."""
    return "ship" if ships_to(session) else "bill"


def blank(session: Json) -> Entry:
    """The form before the buyer has entered anything."""
    values = {"email": session.get("customer_email") or "", "method": methods(session)[0]}
    for custom in session.get("custom_fields") or ():
        values[f"custom_{custom['key']}"] = custom[custom["type"]].get("default_value") or ""
    if session.get("shipping_options"):
        values["shipping_rate"] = session["shipping_options"][0]["shipping_rate"]
    if len(asks_for_address(session)) == 1:
        values[f"{group(session)}_country"] = asks_for_address(session)[0]
    return Entry(values)


def read(session: Json, request: Request, now: int) -> Entry:
    """The posted form with its errors. `now` is in seconds since 1970."""
    entry = Entry({name: value.strip()[:2000] for name, value in request.form})
    if session.get("customer_email"):
        entry.values["email"] = session["customer_email"]
    entry.errors = {name: message for name, message in _errors(session, entry, now) if message}
    return entry


def chosen_shipping(session: Json, entry: Entry) -> int:
    """The index of the chosen shipping option; 0 if none was chosen."""
    rates = [option["shipping_rate"] for option in session.get("shipping_options") or ()]
    return rates.index(entry["shipping_rate"]) if entry["shipping_rate"] in rates else 0


def _errors(session: Json, entry: Entry, now: int) -> Iterator[tuple[str, str]]:
    yield "email", "" if is_email(entry["email"]) else "Enter an email address, such as you@example.com."
    yield "card_name", "" if entry["card_name"] else "Enter your name."
    if asks_for_phone(session):
        yield (
            "phone",
            "" if PHONE.fullmatch(entry["phone"]) else "Enter a phone number, such as +1 415 555 0100.",
        )
    if asks_for_address(session):
        yield from _address_errors(session, entry)
    for custom in session.get("custom_fields") or ():
        yield f"custom_{custom['key']}", _custom_error(custom, entry[f"custom_{custom['key']}"])
    if asks_for_payment(session) and entry.method == CARD:
        yield from card_fields.card_errors(entry.values, now).items()


def _address_errors(session: Json, entry: Entry) -> Iterator[tuple[str, str]]:
    messages = {
        "country": "Choose a country.",
        "line1": "Enter a street and number.",
        "city": "Enter a city.",
    }
    address = entry.address(session)
    for name, message in messages.items():
        yield f"{group(session)}_{name}", "" if address[name] else message
    if address["country"] and address["country"] not in asks_for_address(session):
        yield f"{group(session)}_country", "The shop does not ship there."


def _custom_error(custom: Json, value: str) -> str:
    kind = custom["type"]
    limits = custom[kind]
    if not value:
        return "" if custom["optional"] else "This field is required."
    if kind == "dropdown":
        valid = value in {option["value"] for option in limits["options"]}
        return "" if valid else "Please choose an option from the list."
    if kind == "numeric" and not (value.isascii() and value.isdecimal()):
        return "Use digits only."
    minimum, maximum = limits.get("minimum_length") or 0, limits.get("maximum_length") or 255
    return "" if minimum <= len(value) <= maximum else f"Use {minimum} to {maximum} characters."
