"""Orders and order lines as CSV from the admin."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from django.test import Client

from checkout.models import Order, OrderLine

ORDERS, LINES = "/admin/checkout/order/orders.csv", "/admin/checkout/order/order-lines.csv"


@pytest.fixture
def order(db: None) -> Order:
    order = Order.objects.create(
        state="paid",
        currency="usd",
        email="ada@example.com",
        name='=HYPERLINK("x")',
        phone="+49 30 1",
        address={
            "line1": "1 Main St",
            "line2": "Flat 2",
            "city": "Berlin",
            "postal_code": "01067",
            "country": "DE",
        },
        subtotal=5000,
        total=4500,
        discount=500,
        paid_at=datetime(2026, 11, 28, 8, 30, tzinfo=UTC),
    )
    OrderLine.objects.create(
        order=order, position=0, name="Tee, wide", size="M", quantity=2, unit_amount=2500
    )
    OrderLine.objects.create(order=order, position=1, name="Tote", quantity=1, unit_amount=None)
    return order


def download(client: Client, url: str) -> list[dict[str, str]]:
    answer = client.get(url)
    assert answer.status_code == 200 and answer.streaming
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text)))


def test_orders_have_their_customer_and_amounts(admin_client: Client, order: Order) -> None:
    [row] = download(admin_client, ORDERS)

    assert (row["Order"], row["State"], row["Total"], row["Discount"]) == (
        order.number,
        "paid",
        "45.00",
        "5.00",
    )
    assert (row["Address"], row["Postal code"], row["Country"]) == ("1 Main St, Flat 2", "01067", "DE")
    assert row["Tax"] == "" and row["Currency"] == "USD"


def test_what_customers_typed_runs_as_no_formula(admin_client: Client, order: Order) -> None:
    [row] = download(admin_client, ORDERS)

    assert row["Name"] == '\'=HYPERLINK("x")' and row["Phone"] == "'+49 30 1"


def test_order_lines_name_what_was_sold(admin_client: Client, order: Order) -> None:
    rows = download(admin_client, LINES)

    assert [(row["Line"], row["Name"], row["Size"], row["Quantity"], row["Unit price"]) for row in rows] == [
        ("1", "Tee, wide", "M", "2", "25.00"),
        ("2", "Tote", "", "1", ""),
    ]


def test_the_filters_of_the_list_apply(admin_client: Client, order: Order) -> None:
    Order.objects.create(state="open", currency="usd")
    page = admin_client.get("/admin/checkout/order/?state__exact=paid").content.decode()
    assert f'href="{ORDERS}?state__exact=paid"' in page and f'href="{LINES}?state__exact=paid"' in page

    assert len(download(admin_client, f"{ORDERS}?state__exact=paid")) == 1
    assert len(download(admin_client, f"{LINES}?state__exact=open")) == 0
    assert len(download(admin_client, ORDERS)) == 2


def test_orders_are_for_those_who_may_see_them(
    client: Client, order: Order, django_user_model: object
) -> None:
    client.force_login(django_user_model.objects.create_user("clerk", is_staff=True))  # type: ignore[attr-defined]

    assert client.get(ORDERS).status_code == 403 and client.get(LINES).status_code == 403
