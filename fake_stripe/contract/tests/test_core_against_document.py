"""Comparison of the fake with details of Stripe's document beyond schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from fake_stripe import FakeStripe
from fake_stripe.contract import Contract
from fake_stripe.contract.document import Document

# Omitted by Stripe by default, newer than the document, or not supported by the fake.
NOT_ALWAYS = {
    "price": {"currency_options", "tiers"},
    "checkout.session": {"line_items", "redirect_on_completion", "return_url", "presentment_details"},
    "charge": {"refunds", "level3", "source", "transfer", "presentment_details"},
    "refund": {
        "description",
        "failure_balance_transaction",
        "failure_reason",
        "instructions_email",
        "next_action",
    },
    "webhook_endpoint": {"secret"},
    "item": {"discounts", "taxes"},
}


@pytest.fixture
def fake() -> FakeStripe:
    return FakeStripe()


@pytest.fixture
def price(fake: FakeStripe) -> str:
    shirt = fake.add_product(name="Shirt", prices=[{"unit_amount": 2500, "currency": "usd"}])
    return str(shirt["default_price"])


@pytest.fixture
def answers(fake: FakeStripe, price: str) -> dict[str, dict[str, Any]]:
    """One object of each kind, from a complete purchase."""
    form = {"mode": "payment", "success_url": "https://shop.example/", "line_items[0][quantity]": "1"}
    _, session = fake.call("POST", "/v1/checkout/sessions", urlencode(form | {"line_items[0][price]": price}))
    session = fake.pay(session["id"])
    refund = fake.refund(payment_intent=session["payment_intent"])
    intent = fake.payment_intents[session["payment_intent"]]
    endpoint = fake.add_webhook_endpoint("https://shop.example/hook")
    post = "display_name=Post&fixed_amount[amount]=450&fixed_amount[currency]=usd"
    _, rate = fake.call("POST", "/v1/shipping_rates", post)
    return {
        "product": next(iter(fake.products.values())),
        "price": fake.prices[price],
        "checkout.session": session,
        "item": fake.lines(session["id"])[0],
        "payment_intent": intent,
        "charge": fake.charges[intent["latest_charge"]],
        "shipping_rate": rate,
        "payment_method": fake.call("GET", f"/v1/payment_methods/{intent['payment_method']}")[1],
        "refund": refund,
        "event": next(iter(fake.events.values())),
        "webhook_endpoint": fake.webhook_endpoints[endpoint["id"]],
    }


def nullable(document: Document, name: str) -> Iterator[str]:
    for field, schema in document.schemas[name]["properties"].items():
        if schema.get("nullable") and field not in NOT_ALWAYS.get(name, set()):
            yield field


@pytest.mark.parametrize("name", [*NOT_ALWAYS, "product", "payment_intent", "event"])
def test_a_field_without_a_value_is_null_rather_than_omitted(
    stripes_document: Document, answers: dict[str, dict[str, Any]], name: str
) -> None:
    assert [field for field in nullable(stripes_document, name) if field not in answers[name]] == []


def test_an_endpoint_cannot_subscribe_to_unknown_events(fake: FakeStripe) -> None:
    form = {"url": "https://shop.example/hook", "enabled_events[0]": "checkout.session.complete"}

    status, answer = fake.call("POST", "/v1/webhook_endpoints", urlencode(form))

    assert (status, answer["error"]["param"]) == (400, "enabled_events[0]")


def test_expansion_has_four_levels_counting_data(fake: FakeStripe) -> None:
    """https://docs.stripe.com/api/expanding_objects"""
    status, _ = fake.call("GET", "/v1/checkout/sessions", "expand[]=data.line_items.data.price.product")

    assert status == 400


PLACES = {
    "product": "/v1/products/{id}",
    "price": "/v1/prices/{id}",
    "checkout.session": "/v1/checkout/sessions/{id}",
    "payment_intent": "/v1/payment_intents/{id}",
    "charge": "/v1/charges/{id}",
    "refund": "/v1/refunds/{id}",
    "shipping_rate": "/v1/shipping_rates/{id}",
    "payment_method": "/v1/payment_methods/{id}",
}


def expandable(document: Document, name: str) -> Iterator[str]:
    """Ids that can be expanded according to the document, and parts that are omitted by default."""
    for field, schema in document.schemas[name]["properties"].items():
        if "x-expansionResources" in schema or field in ("currency_options", "tiers", "refunds"):
            yield field


@pytest.mark.parametrize("name", PLACES)
def test_every_expandable_field_of_the_document_can_be_expanded(
    contract: Contract,
    stripes_document: Document,
    answers: dict[str, dict[str, Any]],
    fake: FakeStripe,
    name: str,
) -> None:
    place = PLACES[name].format(id=answers[name]["id"])

    for field in expandable(stripes_document, name):
        status, answer = fake.call("GET", place, f"expand[]={field}")

        assert (field, status) == (field, 200)
        contract.check_response("GET", place, status, answer)


def test_an_unknown_currency_is_refused(fake: FakeStripe, price: str) -> None:
    product = fake.prices[price]["product"]

    status, _ = fake.call("POST", "/v1/prices", f"currency=zzz&unit_amount=100&product={product}")

    assert status == 400


@pytest.mark.parametrize(("currency", "amount"), [("kwd", 1001), ("isk", 101)])
def test_an_amount_its_currency_does_not_allow_is_refused(
    fake: FakeStripe, price: str, currency: str, amount: int
) -> None:
    """https://docs.stripe.com/currencies: three decimals end in 0, ISK and UGX in 00."""
    product = fake.prices[price]["product"]

    status, _ = fake.call("POST", "/v1/prices", f"currency={currency}&unit_amount={amount}&product={product}")

    assert status == 400


def test_another_site_cannot_move_the_clock(fake: FakeStripe) -> None:
    """Any site can post text to 127.0.0.1, but browsers send the Origin header."""
    from fake_stripe.api import Request

    headers = {"host": "127.0.0.1:12111", "origin": "https://evil.example", "content-type": "text/plain"}

    answer = fake.wsgi_app.answer(Request("POST", "/_clock", b"", b'{"forward": 3600}', headers))

    assert (answer.status, fake.clock.offset) == (403, 0)
