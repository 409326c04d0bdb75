"""manage.py backfill_events: events and completed sessions that never arrived."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from checkout.models import Order
from checkout.recovery import backfill
from checkout.tests.conftest import Customer, deliver, item_of, order_for, sold
from checkout.tests.test_external_orders import a_line, open_externally
from checkout.tests.test_session_recovery import failing, nothing_arrives, paid_without_events
from fake_stripe import FakeStripe
from inventory.models import DeliveryStatus, Movement, StripeEvent
from shop.models import Product

pytestmark = pytest.mark.django_db


def run(command: str, *args: str) -> str:
    out = StringIO()
    call_command(command, *args, stdout=out)
    return out.getvalue()


def test_backfill_counts_each_missed_sale_once(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    nothing_arrives(fake)
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    fake.deliver_due()
    assert not StripeEvent.objects.exists()

    first = run("backfill_events", "--since", "2d")
    deliver(fake)
    again = run("backfill_events", "--since", "2d")
    deliver(fake)

    order.refresh_from_db()
    assert f"Order {order.number} is now paid." in first and "updated 1 order." in first
    assert "updated 0 orders." in again
    assert order.state == Order.State.PAID and Movement.objects.filter(kind="sale").count() == 1


def test_backfill_counts_external_sales(fake: FakeStripe, shirt: Product) -> None:
    nothing_arrives(fake)
    fake.pay(open_externally(fake, [a_line(shirt, 2, "M")]))

    run("backfill_events")

    assert item_of(shirt, "M").available == 13


def test_the_worker_applies_sales_of_payment_links_while_no_delivery_arrives(
    fake: FakeStripe, shirt: Product
) -> None:
    nothing_arrives(fake)
    fake.pay(open_externally(fake, [a_line(shirt, 2, "M")]))

    assert backfill.apply_undelivered(timezone.now()) == 1
    assert backfill.apply_undelivered(timezone.now()) == 0

    assert sold(shirt) == [("M", 2)]
    assert not DeliveryStatus.objects.exists()


def test_sales_that_no_delivery_has_reported_for_ten_minutes_are_missed(
    fake: FakeStripe, shirt: Product
) -> None:
    nothing_arrives(fake)
    fake.pay(open_externally(fake, [a_line(shirt, 2, "M")]))

    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        backfill.apply_undelivered(timezone.now())

    assert DeliveryStatus.objects.get().missed_since


def test_the_worker_does_not_read_sessions_again_whose_events_have_arrived(
    fake: FakeStripe, shirt: Product
) -> None:
    fake.pay(open_externally(fake, [a_line(shirt, 2, "M")]))
    deliver(fake)
    fake.forget_calls()

    assert backfill.apply_undelivered(timezone.now()) == 0
    assert [call.path for call in fake.calls] == ["/v1/checkout/sessions"]


def test_one_session_that_fails_does_not_stop_the_backfill_and_is_named(
    fake: FakeStripe, shirt: Product, customer: Customer, other_customer: Customer
) -> None:
    """Stripe lists the newest session first, so the older ones would never be reached."""
    nothing_arrives(fake)
    older, newer = (
        paid_without_events(fake, customer, shirt, 1),
        paid_without_events(fake, other_customer, shirt, 2),
    )

    with (
        failing(newer),
        pytest.raises(CommandError, match=f"1 completed session could .* {newer.session_id}.*a bug"),
    ):
        run("backfill_events")

    older.refresh_from_db()
    newer.refresh_from_db()
    assert (older.state, newer.state) == ("paid", "open")
    assert item_of(shirt, "M").available == 12 and item_of(shirt, "M").held == 2
    assert f"Order {newer.number} is now paid." in run("backfill_events")


def test_backfill_names_the_setting_that_is_wrong(fake: FakeStripe, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_wrong"

    with pytest.raises(CommandError, match="STRIPE_SECRET_KEY"):
        run("backfill_events")
