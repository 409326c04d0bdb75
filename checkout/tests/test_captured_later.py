"""Payments that are authorized at the checkout and captured, or released, later."""

from __future__ import annotations

import pytest

from checkout.models import Order
from checkout.stripe_objects import session_from
from checkout.tests.conftest import Customer, deliver, held, nothing_is_held, order_for, sold
from checkout.tests.test_external_orders import a_line, open_externally, sales
from fake_stripe import FakeStripe
from inventory.models import Issue
from shop.models import Product

pytestmark = pytest.mark.django_db


def capture_later(fake: FakeStripe, order: Order) -> None:
    """As in an account whose owner captures payments by hand."""
    with fake.account.store.transaction():
        fake.account.store.put(
            "session_intent_data", order.session_id or "", {"capture_method": "manual", "metadata": {}}
        )


@pytest.fixture
def order(fake: FakeStripe, shirt: Product, customer: Customer) -> Order:
    """Two shirts that await the capture of their payment."""
    order = order_for(customer, shirt, "M", 2)
    capture_later(fake, order)
    fake.pay(order.session_id or "")
    return order


def test_an_authorized_payment_holds_the_units(fake: FakeStripe, order: Order, shirt: Product) -> None:
    deliver(fake)

    order.refresh_from_db()
    assert order.state == Order.State.AWAITING_PAYMENT
    assert held(shirt, "M") == 2 and sold(shirt) == []


def test_a_captured_payment_settles_the_order(fake: FakeStripe, order: Order, shirt: Product) -> None:
    deliver(fake)

    fake.dashboard.capture(fake.sessions[order.session_id or ""]["payment_intent"])
    deliver(fake)

    order.refresh_from_db()
    assert order.state == Order.State.PAID and sold(shirt) == [("M", 2)] and nothing_is_held(shirt)


def test_a_payment_that_is_captured_before_the_session_is_handled_settles_the_order(
    fake: FakeStripe, order: Order, shirt: Product
) -> None:
    fake.faults.add("delay", types=["checkout.session.completed"], seconds=60)
    fake.dashboard.capture(fake.sessions[order.session_id or ""]["payment_intent"])
    deliver(fake)

    fake.forward(60)
    deliver(fake)

    order.refresh_from_db()
    assert order.state == Order.State.PAID and sold(shirt) == [("M", 2)]


def test_a_released_authorization_ends_the_hold(fake: FakeStripe, order: Order, shirt: Product) -> None:
    deliver(fake)

    fake.dashboard.cancel_payment(fake.sessions[order.session_id or ""]["payment_intent"])
    deliver(fake)

    order.refresh_from_db()
    assert order.state == Order.State.CANCELED and nothing_is_held(shirt) and sold(shirt) == []
    # Stripe reports it by charge.refunded as well, though no money was given back.
    assert order.refunded == 0 and not Issue.objects.exists()


def test_an_external_sale_is_counted_when_it_is_captured(fake: FakeStripe, shirt: Product) -> None:
    manual = {"payment_intent_data[capture_method]": "manual"}
    session_id = open_externally(fake, [a_line(shirt, size="M")], **manual)
    paid = fake.pay(session_id)
    deliver(fake)
    assert sales() == []

    fake.dashboard.capture(paid["payment_intent"])
    deliver(fake)

    assert sales() == [("prod_balm", "M", 1)]


@pytest.mark.parametrize("status", ["unpaid", "paid"])
def test_a_session_whose_payment_has_succeeded_is_paid(status: str) -> None:
    """Stripe does not document what the session says after a capture."""
    payment = {"id": "pi_1", "status": "succeeded"}
    session = {"id": "cs_1", "status": "complete", "payment_status": status, "payment_intent": payment}

    assert session_from(session).is_paid
