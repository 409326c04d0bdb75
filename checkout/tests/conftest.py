"""Fixtures and helpers of the checkout tests: a shirt in sizes, a customer's browser, a paid order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from checkout import gateway
from checkout.models import Order
from checkout.orders.fulfillment import apply_session
from checkout.tests.catcher import Catcher, catching
from inventory.models import Hold, Movement, StockItem
from inventory.stripe_sync.refresh import refresh_product
from inventory.worker import drain
from shop.models import Product

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as HttpResponse

    from fake_stripe import FakeStripe

BALM = {
    "category": "clothing",
    "sizes": "S,M,L",
    "stock_S": "0",
    "stock_M": "15",
    "stock_L": "2",
    "colors": "Black,White",
}


def put_on_show(
    fake: FakeStripe, product_id: str, name: str, metadata: dict[str, str], amount: int = 2500
) -> Product:
    """Create a product at Stripe and fetch it into the local catalog."""
    fake.add_product(
        id=product_id, name=name, metadata=metadata, prices=[{"unit_amount": amount, "currency": "usd"}]
    )
    refresh_product(product_id)
    return Product.objects.get(id=product_id)


@pytest.fixture
def shirt(fake: FakeStripe, db: None) -> Product:
    """BALM T-Shirt at 25.00: no S, 15 M, 2 L, in Black and White."""
    return put_on_show(fake, "prod_balm", "BALM T-Shirt", dict(BALM))


@pytest.fixture
def poster(fake: FakeStripe, db: None) -> Product:
    """A poster at 12.00 without sizes or colors: 3 of them."""
    return put_on_show(fake, "prod_poster", "Poster", {"stock": "3"}, amount=1200)


class Customer(Client):
    def put_in(self, product: Product, size: str = "", color: str = "", quantity: object = 1) -> HttpResponse:
        item = item_of(product, size)
        color = color or (product.colors[0] if product.colors else "")
        return self.post(reverse("cart_add"), {"item": item.id, "color": color, "quantity": quantity})

    def go_to_payment(self) -> HttpResponse:
        return self.post(reverse("checkout_start"))

    def come_back(self, order: Order) -> HttpResponse:
        return self.get(reverse("thank_you"), {"session_id": order.session_id or ""})

    def lines(self) -> list[list[object]]:
        """The lines stored in the session: [item id, color, quantity]."""
        return list(self.session.get("cart", {}).get("lines", []))

    def messages(self) -> str:
        """Messages shown since the last page."""
        page = self.get(reverse("cart")).content.decode()
        return " ".join(re.findall(r'<li class="notice[^>]*>(.*?)</li>', page, re.DOTALL))


@pytest.fixture
def customer(db: None) -> Customer:
    return Customer()


@pytest.fixture
def other_customer(db: None) -> Customer:
    return Customer()


@pytest.fixture
def mails_on(settings: Settings) -> None:
    settings.CUSTOMER_MAILS_OFF = []


@pytest.fixture
def catcher(settings: Settings, mails_on: None) -> Iterator[Catcher]:
    """A real mail server that takes the shop's mails."""
    with catching() as caught:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", caught.port
        yield caught


@pytest.fixture
def order(db: None) -> Order:
    """Two shirts in M and a poster, paid and delivered to Berlin."""
    order = Order.objects.create(
        state=Order.State.PAID,
        paid_at=datetime(2026, 11, 28, 10, tzinfo=UTC),
        email="ada@example.com",
        name="Ada Lovelace",
        address={"name": "Ada Lovelace", "line1": "Torstr. 1", "postal_code": "10115", "city": "Berlin"},
        currency="usd",
        subtotal=6200,
        shipping=500,
        total=6700,
    )
    order.lines.create(position=0, name="BALM T-Shirt", size="M", color="Black", quantity=2, unit_amount=2500)
    order.lines.create(position=1, name="Poster", quantity=1, unit_amount=1200)
    return order


def item_of(product: Product, size: str = "") -> StockItem:
    return StockItem.objects.get(product=product, size=size)


def only_order() -> Order:
    return Order.objects.get()


def order_for(customer: Customer, product: Product, size: str = "M", quantity: int = 2) -> Order:
    """Add units to the cart and go to payment."""
    customer.put_in(product, size, quantity=quantity)
    answer = customer.go_to_payment()
    order = Order.objects.filter(state=Order.State.OPEN).latest("created_at")
    assert answer.status_code == 302 and answer["Location"] == order.session_url
    return order


def deliver(fake: FakeStripe) -> None:
    """Deliver Stripe's events and run the worker's tasks."""
    assert all(attempt["status"] == 200 for attempt in fake.deliver_due())
    drain()


def sold(product: Product) -> list[tuple[str, int]]:
    """All sales in the ledger: (size, units)."""
    sales = Movement.objects.filter(kind="sale", item__product=product).order_by("item__position", "id")
    return [(sale.item.size, -sale.delta) for sale in sales.select_related("item")]


def apply_session_now(fake: FakeStripe, order: Order) -> Order:
    applied = apply_session(gateway.fetch_session(order.session_id or ""), now=timezone.now())
    assert applied is not None
    return applied


def held(product: Product, size: str = "") -> int:
    return item_of(product, size).held


def nothing_is_held(product: Product, size: str = "M") -> bool:
    return not Hold.objects.exists() and held(product, size) == 0


def create_roles() -> None:
    """A test with real transactions empties all tables, also of what migrations have put there."""
    migration = import_module("checkout.migrations.0013_roles")
    modules = {config: config.models_module for config in apps.get_app_configs()}
    migration.create_roles(apps, SimpleNamespace(connection=connection))
    for config, module in modules.items():
        config.models_module = module


@pytest.fixture
def roles(db: None) -> None:
    create_roles()
