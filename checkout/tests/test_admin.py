"""Orders in the admin: read-only, except for assigning a size and returning units to stock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from checkout.models import Order, OrderLine
from checkout.orders.assign_size import assign_size
from checkout.tests.conftest import Customer, deliver, item_of, only_order, order_for
from checkout.tests.test_external_orders import a_line, open_externally
from fake_stripe import FakeStripe
from inventory.models import Issue, Movement
from shop.models import Product

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("owner"))
    return client


def page_of(order: Order) -> str:
    return reverse("admin:checkout_order_change", args=[order.pk])


@pytest.fixture
def needs_size(fake: FakeStripe, shirt: Product) -> OrderLine:
    """Two shirts sold by a payment link that did not ask for the size."""
    fake.pay(open_externally(fake, [a_line(shirt, 2)]))
    deliver(fake)
    return only_order().lines.get()


def test_an_orders_page_shows_the_customer_and_a_link_to_stripe(
    fake: FakeStripe, shirt: Product, customer: Customer, owner: Client
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", email="ada@example.com")
    deliver(fake)
    order.refresh_from_db()

    page = owner.get(page_of(order)).content.decode()

    assert f"<h1>Order {order.number}</h1>" in page
    assert "ada@example.com" in page and "$50.00" in page and "stock_M" in page
    assert "Ship to" in page and "Amounts:" in page and "Technical details" in page
    assert f"https://dashboard.stripe.com/test/payments/{order.payment_intent_id}" in page
    assert 'name="_save"' not in page


def test_an_orders_page_shows_times_in_the_shops_time_zone(
    fake: FakeStripe, shirt: Product, customer: Customer, owner: Client, settings: Any
) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)
    sold = Movement.objects.get(kind="sale").created_at

    assert (
        f"{sold + timedelta(hours=9):%Y-%m-%d %H:%M:%S} JST sale"
        in owner.get(page_of(order)).content.decode()
    )


def test_an_orders_page_takes_as_many_queries_for_one_line_as_for_many(
    shirt: Product, customer: Customer, owner: Client
) -> None:
    taken = []
    for sizes in (["M"], ["S", "M", "L"]):
        for size in sizes:
            customer.put_in(shirt, size, quantity=1)
        order = order_for(customer, shirt, "M", 1)
        owner.get(page_of(order))  # Fill caches of the process.
        with CaptureQueriesContext(connection) as queries:
            owner.get(page_of(order))
        taken.append(len(queries))

    assert taken[0] == taken[1]


def test_the_list_of_orders_shows_what_was_bought_and_can_be_searched(
    fake: FakeStripe, shirt: Product, customer: Customer, owner: Client
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", email="ada@example.com")
    deliver(fake)

    page = owner.get(reverse("admin:checkout_order_changelist"), {"q": "ada@example"}).content.decode()

    assert order.number in page and "2 × BALM T-Shirt M" in page


def test_the_list_of_orders_takes_as_many_queries_for_one_as_for_many(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    taken = []
    for orders in (1, 6):
        for _more in range(orders):
            order_for(Customer(), shirt, "M", 1)
        owner.get(reverse("admin:checkout_order_changelist"))  # Fill caches of the process.
        with CaptureQueriesContext(connection) as queries:
            owner.get(reverse("admin:checkout_order_changelist"))
        taken.append(len(queries))

    assert taken[0] == taken[1]


def test_a_sale_without_a_size_is_counted_once_the_owner_chooses_the_size(
    fake: FakeStripe, shirt: Product, needs_size: OrderLine, owner: Client
) -> None:
    page = owner.get(page_of(needs_size.order)).content.decode()
    assert 'id="needs-size"' in page and "M (15)" in page

    owner.post(
        reverse("admin:checkout_order_assign_size", args=[needs_size.order_id]),
        {"line": needs_size.id, "item": item_of(shirt, "M").id},
    )

    assert item_of(shirt, "M").available == 13
    assert Movement.objects.get(kind="sale").actor == "owner"
    assert Issue.objects.get().closed_at is not None
    assert 'id="needs-size"' not in owner.get(page_of(needs_size.order)).content.decode()


def test_a_size_is_assigned_once_however_often_it_is_chosen(
    shirt: Product, needs_size: OrderLine, owner: Client
) -> None:
    url = reverse("admin:checkout_order_assign_size", args=[needs_size.order_id])

    owner.post(url, {"line": needs_size.id, "item": item_of(shirt, "M").id})
    owner.post(url, {"line": needs_size.id, "item": item_of(shirt, "L").id})

    assert (item_of(shirt, "M").available, item_of(shirt, "L").available) == (13, 2)


def test_a_sale_is_not_assigned_to_another_product(
    shirt: Product, poster: Product, needs_size: OrderLine, owner: Client
) -> None:
    url = reverse("admin:checkout_order_assign_size", args=[needs_size.order_id])

    answer = owner.post(url, {"line": needs_size.id, "item": item_of(poster).id})

    assert answer.status_code == 404 and not Movement.objects.filter(kind="sale").exists()
    with pytest.raises(ValueError, match="is not a size of"):
        assign_size(needs_size, item_of(poster), now=needs_size.order.created_at, actor="owner")


def test_a_line_whose_size_is_assigned_before_the_payment_is_counted_with_the_payment(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    session_id = open_externally(fake, [a_line(shirt, 2)])
    fake.pay(session_id, delayed=True)
    deliver(fake)
    line = only_order().lines.get()

    owner.post(
        reverse("admin:checkout_order_assign_size", args=[line.order_id]),
        {"line": line.id, "item": item_of(shirt, "M").id},
    )
    assert item_of(shirt, "M").available == 15
    fake.settle_delayed(session_id)
    deliver(fake)

    assert item_of(shirt, "M").available == 13


def test_units_are_returned_to_stock_on_the_orders_page(
    fake: FakeStripe, shirt: Product, customer: Customer, owner: Client
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)
    line = order.lines.get()
    form = {"token": "abc", f"line-{line.id}": "1", "reason": "too small"}

    for _click in range(2):
        owner.post(reverse("admin:checkout_order_restock", args=[order.pk]), form)

    assert item_of(shirt, "M").available == 14
    assert Movement.objects.get(kind="returned").reason == "too small"


@pytest.mark.parametrize(
    "odd", [{"token": ""}, {"token": "a\x00"}, {"token": "x" * 33}, {"reason": "\x00"}, {"reason": "x" * 501}]
)
def test_an_invalid_form_returns_nothing_and_is_no_server_error(
    fake: FakeStripe, shirt: Product, customer: Customer, owner: Client, odd: dict[str, str]
) -> None:
    """PostgreSQL stores no NUL and no more characters than a column has."""
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)
    form = {"token": "abc", f"line-{order.lines.get().id}": "1", "reason": "too small"}

    answer = owner.post(reverse("admin:checkout_order_restock", args=[order.pk]), form | odd, follow=True)

    assert "Nothing was returned to stock: " in answer.content.decode()
    assert item_of(shirt, "M").available == 13 and not Movement.objects.filter(kind="returned").exists()


def test_units_that_are_sold_without_counting_now_are_not_returned_and_the_page_says_why(
    fake: FakeStripe, shirt: Product, customer: Customer, owner: Client
) -> None:
    customer.put_in(shirt, "L")
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)
    fake.dashboard.edit_product(shirt.id, metadata={"stock_M": "unlimited"})
    deliver(fake)
    form = {"token": "abc", **{f"line-{line.id}": "1" for line in order.lines.all()}}

    answer = owner.post(reverse("admin:checkout_order_restock", args=[order.pk]), form, follow=True)

    assert "Nothing was returned to stock: " in answer.content.decode()
    assert "is sold without counting." in answer.content.decode()
    assert not Movement.objects.filter(kind="returned").exists()


@pytest.mark.parametrize("number", ["-1", "x", "", "99999999999", "1.5"])
def test_an_invalid_quantity_returns_nothing(
    fake: FakeStripe, shirt: Product, customer: Customer, owner: Client, number: str
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)

    owner.post(
        reverse("admin:checkout_order_restock", args=[order.pk]),
        {"token": "abc", f"line-{order.lines.get().id}": number},
    )

    assert item_of(shirt, "M").available == 13


def test_staff_with_view_permission_cannot_change_anything(shirt: Product, needs_size: OrderLine) -> None:
    from django.contrib.auth.models import Permission

    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_order"))
    client = Client()
    client.force_login(viewer)

    page = client.get(page_of(needs_size.order)).content.decode()
    answer = client.post(
        reverse("admin:checkout_order_assign_size", args=[needs_size.order_id]),
        {"line": needs_size.id, "item": item_of(shirt, "M").id},
    )

    assert 'id="needs-size"' not in page and answer.status_code == 404
    assert item_of(shirt, "M").available == 15


def test_a_visitor_is_redirected_to_the_login(needs_size: OrderLine) -> None:
    answer = Client().get(page_of(needs_size.order))

    assert answer.status_code == 302 and "login" in answer["Location"]
