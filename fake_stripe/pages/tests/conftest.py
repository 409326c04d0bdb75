"""Fixtures of the page tests: a fake, a product and a visitor."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from fake_stripe import FakeStripe
from fake_stripe.pages.tests.visitor import Visitor

Json = dict[str, Any]
NOW = 1_795_000_000.0


@pytest.fixture
def fake() -> FakeStripe:
    """An account with a frozen clock."""
    return FakeStripe(base_url="http://pretend.test", now=NOW)


@pytest.fixture
def visitor(fake: FakeStripe) -> Visitor:
    return Visitor(fake)


@pytest.fixture
def shirt(fake: FakeStripe) -> Json:
    return fake.add_product(
        name="Cursive <Shirt>",
        metadata={"sizes": "S,M", "stock_S": "4", "stock_M": "15", "details": "Soft\nWarm"},
        images=["https://pictures.example/shirt.jpg"],
        prices=[{"unit_amount": 2500, "currency": "usd"}],
    )


class Till:
    """Opens Checkout Sessions as a shop does."""

    def __init__(self, fake: FakeStripe, price: str) -> None:
        self._fake, self._price = fake, price

    def open(self, **more: object) -> Json:
        """A session for two shirts. `more` are parameters with __ for brackets: `a__b` is `a[b]`."""
        form: dict[str, object] = {
            "mode": "payment",
            "success_url": "http://shop.test/thanks?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://shop.test/cart",
            "line_items[0][price]": self._price,
            "line_items[0][quantity]": 2,
            "line_items[0][metadata][size]": "M",
        }
        for name, value in more.items():
            first, *rest = name.split("__")
            form[first + "".join(f"[{part}]" for part in rest)] = value
        status, session = self._fake.call("POST", "/v1/checkout/sessions", urlencode(form))
        assert status == 200, session
        return session


@pytest.fixture
def till(fake: FakeStripe, shirt: Json) -> Till:
    return Till(fake, shirt["default_price"])
