"""Data for the races: a product with sizes, orders that hold units, and events that report their payment."""

from __future__ import annotations

from typing import Any
from unittest import mock

from django.test import RequestFactory
from django.utils import timezone
from stripe import WebhookSignature

from checkout.models import Order, OrderLine
from checkout.orders.fulfillment import apply_session
from checkout.stripe_objects import CheckoutSession
from config import stripe_client
from fake_stripe import FakeStripe
from inventory.models import StockItem
from inventory.stock import ledger
from inventory.stripe_sync import refresh
from proofs.state_machine import safety

SHIRT = "prod_shirt"
SECRET = "whsec_test"  # noqa: S105


def open_shop(counts: dict[str, int]) -> list[int]:
    """Create a shirt with these counts and let the shop read it. Returns the item ids in the order of the sizes."""
    fake = FakeStripe("sk_test_fake", base_url="http://stripe.test")
    metadata = {"sizes": ",".join(counts), **{f"stock_{size}": str(count) for size, count in counts.items()}}
    price = {"unit_amount": 2500, "currency": "usd", "default": True}
    fake.add_product(id=SHIRT, name="BALM T-Shirt", metadata=metadata, prices=[price])
    with mock.patch.object(stripe_client, "http_client", fake.http_client):
        stripe_client._client.cache_clear()
        refresh.refresh_product(SHIRT)
    stripe_client._client.cache_clear()
    return [StockItem.objects.get(product=SHIRT, size=size).pk for size in counts]


def open_orders(item: int, how_many: int, units: int = 1) -> list[str]:
    """Create orders with open payment pages. Returns the ids of their sessions."""
    return [_open_order(item, number, units) for number in range(how_many)]


def _open_order(item: int, number: int, units: int) -> str:
    order = Order.objects.create(currency="usd", session_id=f"cs_{item}_{number}", session_params={})
    OrderLine.objects.create(
        order=order,
        position=0,
        product_id=SHIRT,
        item_id=item,
        name="BALM T-Shirt",
        quantity=units,
        unit_amount=2500,
    )
    ledger.hold(order.reference, {item: units})
    return str(order.session_id)


def paid(session: str) -> str:
    """Apply the session as paid. Returns the state of its order afterwards."""
    return _applied(CheckoutSession(id=session, status="complete", payment_status="paid"))


def expired(session: str) -> str:
    return _applied(CheckoutSession(id=session, status="expired", payment_status="unpaid"))


def _applied(session: CheckoutSession) -> str:
    order = apply_session(session, now=timezone.now())
    return order.state if order else "none"


def event(name: str, session: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "event",
        "type": "checkout.session.completed",
        "created": 1_790_000_000,
        "livemode": False,
        "data": {"object": {"id": session, "status": "complete", "payment_status": "paid", "metadata": {}}},
    }


def signed(body: bytes) -> Any:
    header = WebhookSignature.generate_signature_header(body.decode(), SECRET)
    return RequestFactory().post(
        "/stripe/webhook/", data=body, content_type="application/json", HTTP_STRIPE_SIGNATURE=header
    )


def books() -> dict[str, Any]:
    """The state of the rows after a race. `broken`: the invariant that they violate, or ""."""
    try:
        safety.check_rows()
        broken = ""
    except AssertionError as error:
        broken = str(error)
    items = {
        item.size: [item.on_hand, item.pending, item.held] for item in StockItem.objects.filter(product=SHIRT)
    }
    states = list(Order.objects.order_by("session_id").values_list("state", flat=True))
    return {"broken": broken, "items": items, "orders": states}
