"""Tax that is included in the prices, and tax that is added at payment."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from checkout.models import Order
from checkout.tests.conftest import Customer, deliver, only_order
from fake_stripe import FakeStripe
from inventory.stripe_sync.refresh import refresh_product
from shop.models import Product

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def tax(fake: FakeStripe, settings: Settings) -> None:
    settings.STRIPE_AUTOMATIC_TAX = True
    fake.set_up_tax(19)


def a_shirt(fake: FakeStripe, tax_behavior: str) -> Product:
    price = {"unit_amount": 2500, "currency": "usd", "tax_behavior": tax_behavior}
    fake.add_product(id="prod_balm", name="BALM T-Shirt", metadata={"stock": "9"}, prices=[price])
    refresh_product("prod_balm")
    return Product.objects.get()


def rows(html: str) -> dict[str, str]:
    """The rows of the summary."""
    summary = re.search(r'<dl class="summary order__summary">(.*?)</dl>', html, re.DOTALL)
    assert summary
    return dict(re.findall(r"<dt[^>]*>([^<]*)</dt>\s*<dd[^>]*>([^<]*)</dd>", summary[1]))


def bought(fake: FakeStripe, customer: Customer) -> Order:
    customer.put_in(Product.objects.get())
    customer.go_to_payment()
    fake.pay(only_order().session_id or "")
    deliver(fake)
    return only_order()


@pytest.mark.parametrize(
    ("tax_behavior", "expected"),
    [
        ("inclusive", {"Total": "$25.00", "Tax included": "$3.99"}),
        ("exclusive", {"Subtotal": "$25.00", "Tax": "$4.75", "Total": "$29.75"}),
        ("unspecified", {"Subtotal": "$25.00", "Tax": "$4.75", "Total": "$29.75"}),
    ],
)
def test_the_rows_of_the_order_add_up_to_the_total(
    fake: FakeStripe, customer: Customer, admin_client: Client, tax_behavior: str, expected: dict[str, str]
) -> None:
    a_shirt(fake, tax_behavior)

    order = bought(fake, customer)

    assert rows(customer.come_back(order).content.decode()) == expected
    page = admin_client.get(reverse("admin:checkout_order_change", args=[order.pk])).content.decode()
    assert all(f"{name}: " in page for name in expected)
    assert ("Tax included" in page) == (tax_behavior == "inclusive")


@pytest.mark.parametrize(
    ("automatic", "tax_behavior", "sentence"),
    [
        (True, "inclusive", "Prices include tax. Shipping, if any, is added at payment."),
        (True, "exclusive", "Shipping, and taxes that the prices do not include, are added at payment."),
        (True, "unspecified", "Shipping, and taxes that the prices do not include, are added at payment."),
        (False, "exclusive", "Shipping, if any, is added at payment."),
    ],
)
def test_the_cart_says_what_is_added_at_payment(
    fake: FakeStripe,
    customer: Customer,
    settings: Settings,
    automatic: bool,
    tax_behavior: str,
    sentence: str,
) -> None:
    settings.STRIPE_AUTOMATIC_TAX = automatic
    customer.put_in(a_shirt(fake, tax_behavior))

    page = customer.get(reverse("cart")).content.decode()

    assert f'<p class="muted">{sentence}</p>' in page


def test_mixed_tax_adds_up() -> None:
    """One line with tax included, one with tax on top, a discount, and shipping."""
    order = Order(subtotal=5000, discount=1000, shipping=500, tax=700, total=4830)

    assert (order.tax_added, order.tax_included) == (330, 370)
