"""Lines and quantities that the customer changed on Stripe's page, where the owner has switched that on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from checkout.models import Order, OrderLine
from checkout.orders.added_lines import match_lines
from checkout.orders.assign_size import assign_size
from checkout.orders.end_checkout import end_checkout
from checkout.recovery.reconcile import reconcile
from checkout.stripe_objects import SessionLine
from checkout.tests.conftest import Customer, deliver, item_of, nothing_is_held, order_for, put_on_show
from config.stripe_client import ConnectionFailed
from fake_stripe import FakeStripe
from inventory.models import Issue, Movement, StripeEvent
from shop.models import Product

pytestmark = pytest.mark.django_db


def sales() -> list[tuple[str, str, int]]:
    movements = Movement.objects.filter(kind="sale").order_by("reference").select_related("item")
    return [(sale.item.product_id, sale.item.size, -sale.delta) for sale in movements]


@pytest.fixture
def order(fake: FakeStripe, shirt: Product, poster: Product, customer: Customer) -> Order:
    """One shirt at 25.00 on its way to Stripe's page. A poster of 12.00 can be added there."""
    order = order_for(customer, shirt, quantity=1)
    fake.forward(2)  # Sales after the first refresh count.
    return order


def pay_with(fake: FakeStripe, order: Order, product: Product, quantity: int = 1) -> None:
    fake.pay(order.session_id or "", added={product.default_price_id: quantity})


def test_a_line_added_on_stripes_page_is_counted_and_shown(
    fake: FakeStripe, order: Order, poster: Product, customer: Customer
) -> None:
    pay_with(fake, order, poster)

    deliver(fake)

    order.refresh_from_db()
    assert (order.state, order.total) == (Order.State.PAID, 3700)
    assert sales() == [("prod_balm", "M", 1), ("prod_poster", "", 1)]
    assert fake.products["prod_poster"]["metadata"]["stock"] == "2"
    assert [(line.added_at_stripe, line.amount) for line in order.lines.all()] == [
        (False, 2500),
        (True, 1200),
    ]
    page = customer.come_back(order).content.decode()
    assert "Poster" in page and "$37.00" in page
    assert not Issue.objects.exists()


def test_an_added_line_is_counted_once_however_often_it_is_reported(
    fake: FakeStripe, order: Order, poster: Product, customer: Customer
) -> None:
    fake.faults.add("duplicate", copies=3, times=None)
    fake.faults.add("twin", types=["checkout.session.completed"])
    pay_with(fake, order, poster, quantity=2)

    deliver(fake)
    customer.come_back(order)
    deliver(fake)

    assert sales() == [("prod_balm", "M", 1), ("prod_poster", "", 2)]


def test_nothing_is_read_from_stripe_where_nothing_was_added(fake: FakeStripe, order: Order) -> None:
    fake.pay(order.session_id or "")
    fake.forget_calls()

    deliver(fake)

    assert sales() == [("prod_balm", "M", 1)]
    assert not [call for call in fake.calls if call.path.endswith("/line_items")]


def test_an_added_line_without_a_size_waits_for_the_owner(
    fake: FakeStripe, order: Order, shirt: Product
) -> None:
    hoodie = put_on_show(
        fake, "prod_hoodie", "Hoodie", {"sizes": "M,L", "stock_M": "4", "stock_L": "4"}, 6000
    )
    fake.forward(2)
    pay_with(fake, order, hoodie)
    deliver(fake)

    line = order.lines.get(position=1)
    assert line.needs_size and sales() == [("prod_balm", "M", 1)]
    assert "1 × Hoodie were added on Stripe's page" in Issue.objects.get().text

    assign_size(line, item_of(hoodie, "L"), now=timezone.now(), actor="owner")
    assert sales() == [("prod_balm", "M", 1), ("prod_hoodie", "L", 1)]


def test_the_hold_ends_with_a_quantity_that_was_changed(
    fake: FakeStripe, order: Order, shirt: Product
) -> None:
    items = fake.account.store.get("session_lines", order.session_id or "") or {}
    for item in items["lines"]:
        item["adjustable_quantity"] = {"enabled": True, "minimum": 1, "maximum": 9}
    with fake.account.store.transaction():
        fake.account.store.put("session_lines", order.session_id or "", items)
    fake.pay(order.session_id or "", quantities={0: 3})

    deliver(fake)

    assert sales() == [("prod_balm", "M", 3)] and nothing_is_held(shirt)
    assert order.lines.get().quantity == 3


def test_the_return_page_counts_added_lines_before_their_event(
    fake: FakeStripe, order: Order, poster: Product, customer: Customer
) -> None:
    pay_with(fake, order, poster)
    customer.come_back(order)
    Order.objects.update(customer_returned_at=timezone.now() - timedelta(minutes=1))

    page = customer.come_back(order).content.decode()

    assert "Poster" in page and sales() == [("prod_balm", "M", 1), ("prod_poster", "", 1)]


def test_a_checkout_that_the_owner_ends_too_late_counts_its_added_lines(
    fake: FakeStripe, order: Order, poster: Product
) -> None:
    pay_with(fake, order, poster)

    assert end_checkout(order, now=timezone.now()).state == Order.State.PAID

    assert sales() == [("prod_balm", "M", 1), ("prod_poster", "", 1)]


def test_an_outage_while_lines_are_read_postpones_the_sale(
    fake: FakeStripe, order: Order, poster: Product, shirt: Product
) -> None:
    pay_with(fake, order, poster)
    fake.faults.add("cut", path="/v1/checkout/sessions/*/line_items", when="before", times=None)
    deliver(fake)
    assert sales() == [] and ConnectionFailed.__name__ in StripeEvent.objects.exclude(error="").get().error

    fake.faults.clear()
    StripeEvent.objects.update(next_attempt_at=timezone.now())
    deliver(fake)

    assert sales() == [("prod_balm", "M", 1), ("prod_poster", "", 1)] and nothing_is_held(shirt)


def test_reconcile_compares_totals_and_lines(fake: FakeStripe, order: Order, poster: Product) -> None:
    pay_with(fake, order, poster)
    deliver(fake)
    since = timezone.now() - timedelta(days=1)
    assert reconcile(since=since, now=timezone.now()).agrees

    order.lines.filter(position=1).delete()  # As an older version of the shop left it.
    Order.objects.update(total=2500)

    report = reconcile(since=since, now=timezone.now())
    assert {difference.kind for difference in report.differences} == {"total_differs", "lines_differ"}
    (lines,) = [each.text for each in report.differences if each.kind == "lines_differ"]
    assert lines == "Poster: 1 were sold, 0 are in the order."


def test_a_free_line_does_not_change_the_subtotal_and_is_named_by_reconcile(
    fake: FakeStripe, order: Order, poster: Product
) -> None:
    free = fake.add_price(poster.id, unit_amount=0, currency="usd")
    fake.pay(order.session_id or "", added={free["id"]: 1})
    deliver(fake)

    report = reconcile(since=timezone.now() - timedelta(days=1), now=timezone.now())

    assert [difference.kind for difference in report.differences] == ["lines_differ"]


def test_lines_are_matched_by_price_size_and_color_before_the_quantity() -> None:
    def own(pk: int, size: str, quantity: int) -> OrderLine:
        return OrderLine(pk=pk, price_id="price_1", size=size, quantity=quantity)

    def at_stripe(quantity: int, price: str = "price_1", **metadata: str) -> SessionLine:
        return SessionLine(quantity, "", 100, "usd", price, "prod_1", metadata, {})

    lines = [at_stripe(1), at_stripe(2, size="M"), at_stripe(1, size="L"), at_stripe(1, "price_2")]

    def matched(
        own_lines: list[OrderLine], lines: list[SessionLine]
    ) -> tuple[list[SessionLine], dict[int, int]]:
        new, pairs = match_lines(own_lines, lines)
        return new, {line.pk: other.quantity for line, other in pairs}

    assert matched([own(1, "L", 1), own(2, "M", 1)], lines) == ([lines[0], lines[3]], {1: 1, 2: 2})
    assert matched([own(1, "M", 2), own(2, "L", 1)], [at_stripe(1), at_stripe(2)]) == ([], {1: 2, 2: 1})


def test_an_added_line_is_marked_in_the_admin(
    fake: FakeStripe, order: Order, poster: Product, admin_client: Customer
) -> None:
    pay_with(fake, order, poster)
    deliver(fake)

    page = admin_client.get(reverse("admin:checkout_order_change", args=[order.id])).content.decode()

    assert "added on Stripe" in page
