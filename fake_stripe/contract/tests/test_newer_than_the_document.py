"""API changes since the document was published."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from fake_stripe import FakeStripe
from fake_stripe.contract import Contract
from fake_stripe.contract.document import Document
from fake_stripe.contract.known_differences import KNOWN_DIFFERENCES
from fake_stripe.contract.watch import Watch, watching_everywhere

SHOP = {"mode": "payment", "line_items[0][quantity]": "1"}


@pytest.fixture
def watch(stripes_document: Document) -> Watch:
    return Watch(Contract(stripes_document, known_differences=KNOWN_DIFFERENCES))


def test_every_known_difference_occurs_in_the_current_api(watch: Watch) -> None:
    with watching_everywhere(watch):
        fake = FakeStripe()
        shirt = fake.add_product(name="Shirt", prices=[{"unit_amount": 900, "currency": "usd"}])
        lines = SHOP | {"line_items[0][price]": shirt["default_price"]}
        hosted = {"success_url": "https://shop.example/", "allowed_payment_method_types[0]": "card"}
        form = {"ui_mode": "form", "return_url": "https://shop.example/"}
        endpoint = {"url": "https://shop.example/hook", "enabled_events[0]": "*"}
        agents = fake.sell_through_agent([{"name": "Tee", "unit_amount": 900, "reference": "TEE-M"}])
        lines_of_agents = f"/v1/checkout/sessions/{agents['id']}/line_items"
        answers = [
            fake.call("GET", lines_of_agents, stripe_version="2025-12-15.preview"),
            fake.call("POST", "/v1/checkout/sessions", urlencode(lines | hosted)),
            fake.call("POST", "/v1/checkout/sessions", urlencode(lines | form)),
            fake.call(
                "POST", "/v1/webhook_endpoints", urlencode(endpoint | {"api_version": "2026-10-28.endive"})
            ),
            fake.call("POST", f"/v1/products/{shirt['id']}", "name=Tee"),
            fake.call(
                "POST",
                "/v2/commerce/product_catalog/imports",
                '{"feed_type": "product", "mode": "upsert", "metadata": {}}',
                content_type="application/json",
            ),
            *(
                fake.call("GET", f"/v2/core/events/{event.replace('evt_', 'evt_65')}")
                for event in fake.events
            ),
        ]

    assert [status for status, _ in answers] == [200] * len(answers)
    assert watch.take_broken() == []
    assert watch.contract.unused() == []


def test_removed_parameters_are_refused_by_the_fake(watch: Watch) -> None:
    with watching_everywhere(watch):
        fake = FakeStripe()
        status, answer = fake.call(
            "POST", "/v1/checkout/sessions", "mode=payment&payment_method_types[0]=card"
        )

    assert (status, answer["error"]["param"]) == (400, "payment_method_types")
    assert watch.take_broken() == []
