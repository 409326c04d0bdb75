"""manage.py backfill_events: events and completed sessions that never arrived."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

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
from inventory.models import DeliveryStatus, Hold, Movement, StripeEvent
from inventory.stock import ledger
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


def test_many_sessions_whose_events_have_arrived_take_one_query(
    fake: FakeStripe, shirt: Product, django_assert_num_queries: Any
) -> None:
    for _sale in range(3):
        fake.pay(open_externally(fake, [a_line(shirt, 1, "M")]))
    deliver(fake)

    with django_assert_num_queries(1):
        assert backfill.apply_undelivered(timezone.now()) == 0


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


# --- Payment pages that were opened after the backup


def restore_backup_without(order: Order) -> None:
    """The database as it was before `order`: no row of it, and its units are free."""
    ledger.release(order.reference)
    order.lines.all().delete()
    Order.objects.filter(pk=order.pk).delete()


def test_an_open_payment_page_gets_its_hold_back(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "L", 2)  # The last two.
    restore_backup_without(order)
    assert item_of(shirt, "L").available == 2

    printed = run("backfill_events")
    again = run("backfill_events")

    assert item_of(shirt, "L").available == 0
    assert f"Order {order.number} is known again" in printed and "known again" not in again
    fake.pay(order.session_id or "")
    deliver(fake)
    assert sold(shirt) == [("L", 2)]
    assert Order.objects.get(pk=order.pk).state == Order.State.PAID
    assert not Hold.objects.exists()


def test_a_page_whose_units_were_sold_meanwhile_is_ended(
    fake: FakeStripe, shirt: Product, customer: Customer, other_customer: Customer
) -> None:
    order = order_for(customer, shirt, "L", 2)
    restore_backup_without(order)
    order_for(other_customer, shirt, "L", 2)

    printed = run("backfill_events")

    assert f"The payment page {order.session_id} was ended" in printed
    assert fake.sessions[order.session_id or ""]["status"] == "expired"
    assert item_of(shirt, "L").held == 2


def test_open_pages_of_others_are_left_alone(fake: FakeStripe, shirt: Product, settings: Settings) -> None:
    foreign = open_externally(fake, [a_line(shirt, 2, "L")])
    order = order_for(Customer(), shirt, "L", 1)
    restore_backup_without(order)
    settings.SITE_URL = "https://another.shop"

    run("backfill_events")

    assert not Order.objects.exists()
    assert {fake.sessions[name]["status"] for name in (foreign, order.session_id or "")} == {"open"}
