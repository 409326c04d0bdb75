"""Many paid sessions that are settled together: in few statements, each once, and none held up by another."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checkout.models import Order, OrderLine
from checkout.tests.conftest import item_of
from config import fault_points
from inventory.events import inbox
from inventory.models import Movement, StockItem, StripeEvent
from inventory.stock import ledger
from shop.models import Product

pytestmark = pytest.mark.django_db

POINTS = [
    "pay.updated",
    "sell.inserted",
    "sell.counted",
    "pay.committed",
    "handle.settled",
    "handle.finished",
]


class Died(BaseException):
    pass


def paid_orders(shirt: Product, how_many: int, *, refunded: int = 0) -> list[Order]:
    """Orders with a held unit each, whose paid sessions wait in the inbox."""
    item, orders = item_of(shirt, "M"), []
    for _number in range(how_many):
        order = Order.objects.create(currency="usd", refunded=refunded)
        Order.objects.filter(pk=order.pk).update(session_id=f"cs_{order.pk}")
        OrderLine.objects.create(
            order=order, position=0, product=shirt, item=item, name=shirt.name, size="M", quantity=1
        )
        ledger.hold(order.reference, {item.pk: 1})
        inbox.store_events([event_of(f"evt_{order.pk}", f"cs_{order.pk}")])
        orders.append(order)
    return orders


def event_of(event_id: str, session_id: str) -> dict[str, Any]:
    session = {
        "id": session_id,
        "status": "complete",
        "payment_status": "paid",
        "amount_total": 2500,
        "customer_details": {"email": f"{session_id}@example.com"},
    }
    return {
        "id": event_id,
        "type": "checkout.session.completed",
        "created": 1_790_000_000,
        "data": {"object": session},
    }


def statements(run: Any) -> int:
    with CaptureQueriesContext(connection) as queries:
        run()
    return len(queries)


def assert_each_sold_once(orders: list[Order]) -> None:
    for order in orders:
        order.refresh_from_db()
        assert (order.state, order.email) == ("paid", f"{order.session_id}@example.com")
    sales = Movement.objects.filter(kind="sale").values_list("reference", "delta")
    assert sorted(sales) == sorted((f"{order.reference}:0", -1) for order in orders)
    assert not StripeEvent.objects.exclude(state="handled").exists()
    assert ledger.find_drift() == []


def test_the_number_of_statements_does_not_grow_with_the_number_of_orders(shirt: Product) -> None:
    few, many = paid_orders(shirt, 2), list[Order]()
    for_few = statements(lambda: inbox.process_local(timezone.now()))
    many = paid_orders(shirt, 10)

    for_many = statements(lambda: inbox.process_local(timezone.now()))

    assert for_many == for_few
    assert_each_sold_once([*few, *many])


def test_one_event_that_fails_does_not_hold_up_the_others(shirt: Product) -> None:
    StockItem.objects.filter(product=shirt, size="M").update(on_hand=49)
    orders = paid_orders(shirt, 25)
    inbox.store_events([event_of("evt_bad", "cs_" + "x" * 300)])
    orders += paid_orders(shirt, 24)

    inbox.process_local(timezone.now())

    bad = StripeEvent.objects.get(pk="evt_bad")
    assert (bad.state, bad.attempts) == ("waiting", 1) and "ValueError" in bad.error
    bad.delete()
    StockItem.objects.filter(product=shirt, size="M").update(on_hand=15)
    assert_each_sold_once(orders)


def test_a_session_that_is_not_ours_is_looked_at_alone(
    shirt: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone: list[str] = []
    monkeypatch.setattr(
        "checkout.orders.external_orders.create_external_order", lambda session: alone.append(session.id)
    )
    orders = paid_orders(shirt, 3)
    inbox.store_events([event_of("evt_other", "cs_other")])

    inbox.process_local(timezone.now())

    assert alone == ["cs_other"]
    assert_each_sold_once(orders)


def test_payments_of_a_batch_are_logged_and_one_that_an_order_awaits_is_looked_at_alone(
    shirt: Product, caplog: pytest.LogCaptureFixture
) -> None:
    (order,) = paid_orders(shirt, 1)
    Order.objects.filter(pk=order.pk).update(state="awaiting", payment_intent_id="pi_1")
    StripeEvent.objects.all().delete()
    for name in ("pi_0", "pi_1", "pi_2"):
        payment = {"id": name, "amount_received": 2500, "currency": "usd"}
        inbox.store_events(
            [{"id": f"evt_{name}", "type": "payment_intent.succeeded", "data": {"object": payment}}]
        )

    with caplog.at_level("INFO"), CaptureQueriesContext(connection) as queries:
        inbox.process_local(timezone.now())

    # Its session must be read from Stripe.
    assert [event.pk for event in StripeEvent.objects.filter(state="waiting")] == ["evt_pi_1"]
    assert StripeEvent.objects.get(pk="evt_pi_1").needs_stripe
    assert "Payment pi_0 over $25.00 succeeded" in caplog.text and "Payment pi_2" in caplog.text
    orders = [query for query in queries.captured_queries if "checkout_order" in query["sql"]]
    assert len(orders) == 2


def test_a_refund_that_was_reported_before_the_payment_counts(shirt: Product) -> None:
    orders = paid_orders(shirt, 2, refunded=2500)

    inbox.process_local(timezone.now())

    assert {Order.objects.get(pk=order.pk).state for order in orders} == {"refunded"}


@pytest.mark.parametrize("point", POINTS)
def test_after_a_crash_in_a_batch_each_is_sold_once(
    point: str, shirt: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die_there(name: str) -> None:
        if name == point:
            raise Died

    orders = paid_orders(shirt, 5)
    with monkeypatch.context() as patched:
        patched.setattr(fault_points, "visit", die_there)
        with pytest.raises(Died):
            inbox.process_local(timezone.now())
    StripeEvent.objects.update(lease_until=None)

    inbox.process_local(timezone.now())

    assert_each_sold_once(orders)
