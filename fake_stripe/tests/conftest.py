"""Fixtures: a fake with a frozen clock, the stripe library, a webhook receiver."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe

NOW = 1_800_000_000
THANKS = "https://shop.test/thanks/?session={CHECKOUT_SESSION_ID}"


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    fake = FakeStripe(now=NOW)
    yield fake
    fake.close()


@pytest.fixture
def client(fake: FakeStripe) -> stripe.StripeClient:
    """The unpatched stripe library, connected to the fake in-process."""
    return stripe.StripeClient("sk_test_fake", http_client=fake.http_client())


@pytest.fixture
def shirt(fake: FakeStripe) -> Any:
    return fake.add_product(
        id="prod_shirt",
        name="BALM T-Shirt",
        metadata={"category": "clothing", "sizes": "S,M", "stock_S": "4", "stock_M": "15"},
        prices=[{"unit_amount": 2500, "currency": "usd"}],
    )


@dataclass
class Receiver:
    """A webhook endpoint that stores deliveries and answers with `status`."""

    status: int = 200
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    secret: str = ""

    def __call__(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        self.got.append((url, headers, body))
        return self.status, b"noted"

    def events(self) -> list[stripe.Event]:
        """The received events, with signatures verified by the stripe library."""
        return [
            stripe.Webhook.construct_event(body, headers["Stripe-Signature"], self.secret)
            for _, headers, body in self.got
        ]

    def types(self) -> list[str]:
        return [event.type for event in self.events()]


@pytest.fixture
def receiver(fake: FakeStripe) -> Receiver:
    receiver = Receiver()
    receiver.secret = fake.add_webhook_endpoint("https://shop.test/stripe/webhook/")["secret"]
    fake.deliver_to(receiver)
    return receiver


def open_session(client: stripe.StripeClient, price: str, quantity: int = 1, **params: Any) -> Any:
    """Open a session with one line, as a shop does."""
    asked: Any = {
        "mode": "payment",
        "success_url": THANKS,
        "cancel_url": "https://shop.test/cart/",
        "line_items": [{"price": price, "quantity": quantity}],
    }
    asked.update(params)
    return client.v1.checkout.sessions.create(asked)
