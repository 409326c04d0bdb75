"""A session is applied once, whatever arrives twice, late, out of order or is cut off in the middle."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from django.utils import timezone

from checkout.models import Order
from checkout.orders.fulfillment import apply_session
from checkout.stripe_objects import session_from
from checkout.tests.conftest import Customer, deliver, item_of, only_order, order_for, put_on_show, sold
from fake_stripe import FakeStripe
from inventory.events import inbox
from inventory.models import Hold, Issue, Movement, StockItem, StripeEvent
from inventory.stock import ledger
from inventory.worker import drain
from shop.models import Product

pytestmark = pytest.mark.django_db

HOME = {"line1": "1 Main St", "city": "Springfield", "state": "OR", "postal_code": "97477", "country": "US"}
OFFICE = {"line1": "9 Bank Plaza", "city": "New York", "state": "NY", "postal_code": "10004", "country": "US"}


def left(product: Product, size: str) -> int | None:
    available: int | None = item_of(product, size).available
    return available


def test_a_paid_session_makes_the_order_paid_and_counts_the_sale(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", email="ada@example.com", name="Ada Lovelace")

    deliver(fake)

    order.refresh_from_db()
    assert order.state == Order.State.PAID
    assert sold(shirt) == [("M", 2)] and left(shirt, "M") == 13
    assert not Hold.objects.exists() and item_of(shirt, "M").held == 0


@pytest.mark.parametrize(
    "version", ["2020-08-27", "2022-08-01", "2024-06-20", "2025-03-31.basil", "2026-10-28.endive"]
)
def test_the_parcel_goes_to_the_delivery_address_in_events_of_any_version(
    fake: FakeStripe, shirt: Product, customer: Customer, version: str
) -> None:
    fake.account.api_version = version
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", address=HOME, billing_address=OFFICE)

    deliver(fake)

    order.refresh_from_db()
    assert order.address == {"name": "Ada Lovelace", **HOME}


@pytest.mark.parametrize("is_alone", [True, False], ids=["alone", "with others"])
def test_a_delivery_address_under_an_unknown_name_is_read_from_stripe(
    fake: FakeStripe, shirt: Product, customer: Customer, other_customer: Customer, is_alone: bool
) -> None:
    """As after the next renaming: the billing address is never taken for it."""
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", address=HOME, billing_address=OFFICE)
    if not is_alone:
        fake.pay(order_for(other_customer, shirt, "M", 1).session_id or "")
    completed = [e for e in fake.events.values() if e["type"] == "checkout.session.completed"]
    session = completed[0]["data"]["object"]
    session["delivery"] = session.pop("collected_information")
    inbox.store_events(completed)

    drain()

    order.refresh_from_db()
    assert order.state == Order.State.PAID
    assert order.address == {"name": "Ada Lovelace", **HOME}


def test_the_order_stores_the_customer_and_the_address(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    address = {
        "line1": "1 Main St",
        "city": "Springfield",
        "state": "OR",
        "postal_code": "97477",
        "country": "US",
    }
    fake.pay(order.session_id or "", email="ada@example.com", name="Ada Lovelace", address=address)

    deliver(fake)

    order.refresh_from_db()
    assert (order.email, order.name) == ("ada@example.com", "Ada Lovelace")
    assert order.address == {"name": "Ada Lovelace", **address}
    assert order.address_lines == ["Ada Lovelace", "1 Main St", "Springfield, OR 97477", "United States"]
    assert (order.subtotal, order.shipping, order.tax, order.discount, order.total) == (5000, 0, 0, 0, 5000)
    assert order.currency == "usd" and order.paid_at is not None
    assert order.payment_intent_id in fake.payment_intents


def test_our_own_sessions_need_no_call_to_stripe_after_the_payment(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt)
    fake.pay(order.session_id or "")
    fake.deliver_due()
    fake.forget_calls()

    inbox.process_local(timezone.now())

    order.refresh_from_db()
    assert order.state == Order.State.PAID
    assert fake.calls == []


def test_origin_fault_01_a_paid_session_delivered_four_times_and_once_more_under_another_id_counts_once(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    """The event's id, the order's state and the sale's reference: each alone prevents a second sale."""
    order = order_for(customer, shirt, "M", 2)
    fake.faults.add("duplicate", types=["checkout.session.completed"], copies=4)
    fake.faults.add("twin", types=["checkout.session.completed"])
    fake.pay(order.session_id or "")

    deliver(fake)

    arrived = [event["id"] for event in fake.deliveries() if event["type"] == "checkout.session.completed"]
    assert StripeEvent.objects.filter(type="checkout.session.completed").count() == 2 < len(arrived)
    assert sold(shirt) == [("M", 2)]
    inbox.replay(StripeEvent.objects.values_list("pk", flat=True), timezone.now())
    inbox.process_local(timezone.now())
    assert sold(shirt) == [("M", 2)] and left(shirt, "M") == 13


def test_origin_fault_02_a_failure_at_the_second_line_counts_nothing_and_the_retry_counts_each_once(
    fake: FakeStripe, shirt: Product, poster: Product, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer.put_in(poster)
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    fake.deliver_due()
    counted: list[int] = []
    move = ledger._count

    def fails_at_the_second(items: dict[int, StockItem], new: list[Movement], held: dict[int, int]) -> None:
        for movement in new:
            if counted:
                raise RuntimeError("the database went away")
            move(items, [movement])
            counted.append(movement.item_id)

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "_count", fails_at_the_second)
        inbox.process_local(timezone.now())
    order.refresh_from_db()
    assert (
        len(counted) == 1
        and order.state == Order.State.OPEN
        and not Movement.objects.filter(kind="sale").exists()
    )
    assert (item_of(shirt, "M").pending, item_of(poster).pending) == (0, 0)

    inbox.process_local(timezone.now() + timedelta(minutes=1))

    assert sold(shirt) == [("M", 2)] and sold(poster) == [("", 1)]
    assert (item_of(shirt, "M").pending, item_of(poster).pending) == (-2, -1)


def test_origin_fault_10_a_completed_session_that_is_not_paid_yet_counts_nothing(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", delayed=True)

    deliver(fake)

    order.refresh_from_db()
    assert order.state == Order.State.AWAITING_PAYMENT
    assert sold(shirt) == [] and item_of(shirt, "M").held == 2


def test_origin_fault_11_a_bank_debit_that_comes_is_a_sale(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", delayed=True)
    deliver(fake)

    fake.settle_delayed(order.session_id or "", succeeded=True)
    deliver(fake)

    order.refresh_from_db()
    assert order.state == Order.State.PAID and sold(shirt) == [("M", 2)] and item_of(shirt, "M").held == 0


def test_origin_fault_11_a_bank_debit_that_comes_back_gives_the_units_back(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    """woocommerce#66244."""
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", delayed=True)
    deliver(fake)

    fake.settle_delayed(order.session_id or "", succeeded=False)
    deliver(fake)

    order.refresh_from_db()
    assert order.state == Order.State.CANCELED and sold(shirt) == [] and left(shirt, "M") == 15


def test_origin_fault_11_an_expired_session_gives_the_units_back(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.forward(36 * 60)

    deliver(fake)

    order.refresh_from_db()
    assert order.state == Order.State.CANCELED and left(shirt, "M") == 15 and not Hold.objects.exists()


@pytest.mark.parametrize("order_of_arrival", list(permutations(range(2))))
@pytest.mark.parametrize(("succeeded", "state", "units"), [(True, "paid", 13), (False, "canceled", 15)])
def test_the_events_of_a_bank_debit_may_arrive_in_any_order(
    fake: FakeStripe,
    shirt: Product,
    customer: Customer,
    order_of_arrival: tuple[int, ...],
    succeeded: bool,
    state: str,
    units: int,
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", delayed=True)
    fake.settle_delayed(order.session_id or "", succeeded=succeeded)
    fake.deliver_due()
    events = list(
        StripeEvent.objects.filter(type__startswith="checkout.session").order_by("created_at", "received_at")
    )
    events.sort(key=lambda event: "completed" not in event.type)
    assert len(events) == 2

    for place in order_of_arrival:
        inbox.handle(events[place].id, timezone.now())

    order.refresh_from_db()
    assert order.state == state and left(shirt, "M") == units


def test_a_payment_after_the_hold_was_released_is_still_a_sale(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "L", 2)
    paid = fake.pay(order.session_id or "")
    Order.objects.filter(id=order.id).update(state=Order.State.CANCELED)
    ledger.release(order.reference)
    StockItem.objects.filter(id=item_of(shirt, "L").id).update(on_hand=1)

    apply_session(session_from(paid), now=timezone.now())

    order.refresh_from_db()
    assert order.state == Order.State.PAID and sold(shirt) == [("L", 2)]
    assert Issue.objects.get().kind == "oversold"


def test_a_late_expiry_or_failure_does_not_undo_a_payment(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    session = session_from(fake.pay(order.session_id or ""))
    apply_session(session, now=timezone.now())

    apply_session(replace(session, status="expired", payment_status="unpaid"), now=timezone.now())
    apply_session(replace(session, payment_status="unpaid"), failed=True, now=timezone.now())

    order.refresh_from_db()
    assert order.state == Order.State.PAID and sold(shirt) == [("M", 2)]


def test_a_refunded_order_stays_refunded_whatever_arrives_late(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    """mollie/WooCommerce#1252: a late event of the payment reopened a refunded order."""
    order = order_for(customer, shirt, "M", 2)
    session = session_from(fake.pay(order.session_id or ""))
    apply_session(session, now=timezone.now())
    Order.objects.filter(id=order.id).update(state=Order.State.REFUNDED)

    apply_session(session, now=timezone.now())

    order.refresh_from_db()
    assert order.state == Order.State.REFUNDED and sold(shirt) == [("M", 2)]


def test_a_session_whose_id_never_arrived_is_recognized_by_the_orders_id(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    customer.put_in(shirt, "M", quantity=2)
    fake.faults.add("cut", path="/v1/checkout/sessions", when="after", times=1)
    customer.go_to_payment()
    fake.pay(next(iter(fake.sessions)))

    deliver(fake)

    order = only_order()
    assert (order.state, order.session_id) == ("paid", next(iter(fake.sessions)))
    assert sold(shirt) == [("M", 2)] and item_of(shirt, "M").held == 0


def test_a_customers_reference_on_a_payment_link_does_not_claim_an_order(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    """Any customer can set client_reference_id in the address of a payment link."""
    order = order_for(customer, shirt, "M", 2)
    link = {"id": "cs_test_link", "status": "complete", "payment_status": "paid"}

    with pytest.raises(inbox.NeedsStripeAccess):
        apply_session(
            session_from(link | {"client_reference_id": str(order.id)}),
            now=timezone.now(),
        )

    order.refresh_from_db()
    assert order.state == Order.State.OPEN


def test_a_session_that_costs_nothing_is_paid(fake: FakeStripe, customer: Customer) -> None:
    gift = put_on_show(fake, "prod_gift", "Sticker", {"stock": "5"}, amount=0)
    order = order_for(customer, gift, "", 1)
    fake.pay(order.session_id or "")

    deliver(fake)

    order.refresh_from_db()
    assert (order.state, order.total) == ("paid", 0) and sold(gift) == [("", 1)]


def test_a_payment_is_logged(
    fake: FakeStripe, shirt: Product, customer: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")

    with caplog.at_level("INFO", logger="checkout"):
        deliver(fake)

    assert f"over $50.00 succeeded, order {order.id}" in caplog.text
