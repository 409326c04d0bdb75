"""Every route of the fake answers as the document describes."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from fake_stripe import FakeStripe
from fake_stripe.contract import Contract
from fake_stripe.contract.known_differences import is_outside
from fake_stripe.contract.watch import Watch, watching_everywhere
from fake_stripe.resources.absent import ABSENT
from fake_stripe.routes import ROUTES, Route

Json = dict[str, Any]


class Caller:
    """Calls the API and asserts status 200."""

    def __init__(self, fake: FakeStripe) -> None:
        self._fake = fake

    def __call__(self, method: str, path: str, **form: object) -> Json:
        """`form` is written with __ for brackets: `a__b` is `a[b]`."""
        named = {self._name(name): value for name, value in form.items()}
        status, answer = self._fake.call(method, path, urlencode(named))
        assert status == 200, answer
        return answer

    @staticmethod
    def _name(name: str) -> str:
        first, *rest = name.split("__")
        return first + "".join(f"[{part}]" for part in rest)


def walk(kind: str, call: Caller, path: str, *, change: bool = True) -> None:
    """List, retrieve and, where possible, update the newest object of a kind."""
    (newest,) = call("GET", path, limit=1)["data"]
    assert newest["object"] == kind
    call("GET", f"{path}/{newest['id']}")
    if change:
        call("POST", f"{path}/{newest['id']}", metadata__walked="yes")


def sell(fake: FakeStripe, call: Caller) -> None:
    """A product with its price, a paid checkout and an expired one."""
    shirt = call("POST", "/v1/products", name="Shirt", metadata__stock_M="15")
    price = call("POST", "/v1/prices", product=shirt["id"], currency="usd", unit_amount=2500)
    rate = call(
        "POST",
        "/v1/shipping_rates",
        display_name="Parcel",
        type="fixed_amount",
        fixed_amount__amount=450,
        fixed_amount__currency="usd",
    )
    line = {
        "line_items__0__price": price["id"],
        "line_items__0__quantity": 2,
        "line_items__0__metadata__size": "M",
    }
    form = {"mode": "payment", "success_url": "https://shop.example/", **line}
    parcel = {
        "shipping_address_collection__allowed_countries__0": "US",
        "shipping_options__0__shipping_rate": rate["id"],
        "phone_number_collection__enabled": "true",
    }
    paid = call("POST", "/v1/checkout/sessions", **form, **parcel, expand__0="line_items")
    fake.pay(paid["id"])
    call("GET", f"/v1/checkout/sessions/{paid['id']}/line_items", expand__0="data.price.product")
    call("GET", "/v1/checkout/sessions", expand__0="data.total_details.breakdown")
    call("GET", f"/v1/products/{shirt['id']}/features")
    left = call("POST", "/v1/checkout/sessions", **form)
    call("POST", f"/v1/checkout/sessions/{left['id']}/expire")
    intent = fake.sessions[paid["id"]]["payment_intent"]
    call("POST", "/v1/refunds", payment_intent=intent, amount=1000, metadata__return_M=1)


def charge(fake: FakeStripe, call: Caller) -> None:
    """Payments without a checkout."""
    alone = call("POST", "/v1/charges", amount=500, currency="usd", source="tok_visa")
    call("GET", f"/v1/charges/{alone['id']}/refunds")
    intent = call("POST", "/v1/payment_intents", amount=500, currency="usd")
    path = f"/v1/payment_intents/{intent['id']}"
    paid = call("POST", f"{path}/confirm", payment_method="pm_card_visa", return_url="https://shop.example/")
    call("GET", f"/v1/payment_methods/{paid['payment_method']}")
    debit = {"type": "sepa_debit", "sepa_debit__iban": "AT611904300234573201"}
    method = call("POST", "/v1/payment_methods", **debit, billing_details__address__country="AT")
    euros = {"amount": 500, "currency": "eur", "payment_method": method["id"]}
    call(
        "POST",
        "/v1/payment_intents",
        **euros,
        confirm="true",
        shipping__name="A",
        shipping__address__line1="B",
    )
    held = {"amount": 500, "currency": "usd", "payment_method": "pm_card_visa", "capture_method": "manual"}
    for act in ("capture", "cancel"):
        authorized = call("POST", "/v1/payment_intents", **held, confirm="true")
        call("POST", f"/v1/payment_intents/{authorized['id']}/{act}")
    call("GET", "/v1/account")
    call("GET", "/v1/accounts")
    for name in ABSENT:
        assert call("GET", f"/v1/{name}", limit=100)["data"] == []


def test_every_endpoint_answers_as_the_document_describes_it(contract: Contract) -> None:
    watch = Watch(contract)
    with watching_everywhere(watch):
        fake = FakeStripe()
        call = Caller(fake)
        call("POST", "/v1/webhook_endpoints", url="https://shop.example/hook", enabled_events__0="*")
        sell(fake, call)
        charge(fake, call)
        for kind in (
            "product",
            "price",
            "shipping_rate",
            "payment_intent",
            "charge",
            "refund",
            "webhook_endpoint",
        ):
            walk(kind, call, f"/v1/{kind}s")
        walk("checkout.session", call, "/v1/checkout/sessions")
        walk("event", call, "/v1/events", change=False)
        fake.dashboard.dispute(call("GET", "/v1/payment_intents")["data"][-1]["id"])
        walk("dispute", call, "/v1/disputes")
        (dispute,) = call("GET", "/v1/disputes")["data"]
        call("POST", f"/v1/disputes/{dispute['id']}/close")
        (endpoint,) = fake.webhook_endpoints
        call("DELETE", f"/v1/webhook_endpoints/{endpoint}")
        call("DELETE", f"/v1/products/{call('POST', '/v1/products', name='Mistake')['id']}")

    assert watch.take_broken() == []
    assert unasked(contract) == []


def unasked(contract: Contract) -> list[str]:
    """The routes without a validated answer."""
    # Their answers are newer than the document: see test_newer_than_the_document and test_catalog_imports.
    newer = {
        "GET /v2/core/events/{}",
        "POST /v2/commerce/product_catalog/imports",
        "GET /v2/commerce/product_catalog/imports/{}",
    }
    asked = newer | {
        shape(name)
        for name, tally in contract.coverage.tallies.items()
        if tally.answers and not name.startswith("event ")
    }
    return [
        name
        for route in ROUTES
        if (name := shape(f"{route.method} {route.pattern}")) not in asked and not is_outside(route.pattern)
    ]


def shape(name: str) -> str:
    """`GET /v1/prices/{price}` and `GET /v1/prices/{id}` are the same endpoint."""
    return "/".join("{}" if step.startswith("{") else step for step in name.split("/"))


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if "{id}" in route.pattern],
    ids=lambda route: f"{route.method} {route.pattern}",
)
def test_an_unknown_id_is_refused_as_the_document_describes(contract: Contract, route: Route) -> None:
    watch = Watch(contract)
    with watching_everywhere(watch):
        status, answer = FakeStripe().call(route.method, route.pattern.replace("{id}", "nothing"))

    assert (status, answer["error"]["code"]) == (404, "resource_missing")
    assert watch.take_broken() == []
