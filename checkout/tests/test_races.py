"""Races between threads that start at a barrier. On SQLite writes are serial, on PostgreSQL they run at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from checkout.models import CustomerMail, CustomerRequest, Order, Refund, RestockSignup, RestockSubscriber
from checkout.orders import customer_requests, refund_requests, shipping
from checkout.orders.fulfillment import apply_session, release_order
from checkout.orders.refund_requests import RefundedUnits, RefundRefused
from checkout.restock import signups
from checkout.restock.waves import send_waves
from checkout.stripe_objects import session_from
from checkout.tests.conftest import Customer, deliver, item_of, only_order, order_for, put_on_show
from checkout.tests.test_external_orders import a_line, open_externally
from fake_stripe import FakeStripe
from inventory.models import Hold, Issue, Movement, StockItem
from inventory.stock import ledger, oversold
from shop.models import Product

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run all of them at the same time, each with its own connection. Returns their results."""
    barrier, answers = threading.Barrier(len(acts)), [None] * len(acts)

    def run(place: int, act: Callable[[], Any]) -> None:
        try:
            barrier.wait(10)
            answers[place] = act()
        except BaseException as error:
            answers[place] = error  # type: ignore[call-overload]
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    assert failures == []
    return answers


def sales() -> int:
    return Movement.objects.filter(kind="sale").count()


def test_many_customers_who_want_the_last_one_leave_one_order_and_no_orphan(
    fake: FakeStripe, shirt: Product
) -> None:
    """medusa#16825."""
    last = put_on_show(fake, "prod_last", "Last Shirt", {"stock": "1"})
    racers = [Customer() for _each in range(8)]
    for racer in racers:
        racer.put_in(last)

    answers = at_once(*[racer.go_to_payment for racer in racers])

    assert sum(answer["Location"].startswith("http://stripe.test/") for answer in answers) == 1
    assert Order.objects.count() == len(fake.sessions) == Hold.objects.count() == 1
    assert item_of(last).held == 1 and item_of(last).available == 0
    assert all(len(racer.lines()) == 1 for racer in racers)


def test_control_without_the_guard_the_last_one_is_promised_to_several(
    fake: FakeStripe, shirt: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: checking before updating must fail here, or the test above proves nothing."""
    last = put_on_show(fake, "prod_last", "Last Shirt", {"stock": "1"})
    racers = [Customer() for _each in range(6)]
    for racer in racers:
        racer.put_in(last)
    all_have_checked = threading.Barrier(len(racers))

    def check_then_update(item_id: int, quantity: int, rush: object) -> bool:
        item = StockItem.objects.get(pk=item_id)
        all_have_checked.wait(10)
        if (item.available or 0) < quantity:
            return False
        StockItem.objects.filter(pk=item_id).update(held=item.held + quantity)
        return True

    monkeypatch.setattr(ledger, "_reserve", check_then_update)
    at_once(*[racer.go_to_payment for racer in racers])

    assert len(fake.sessions) > 1


def test_a_double_click_is_one_order_with_one_session(fake: FakeStripe, shirt: Product) -> None:
    customer = Customer()
    customer.put_in(shirt, "M", quantity=2)
    clicks = [Customer() for _each in range(5)]
    for click in clicks:
        click.cookies = customer.cookies

    at_once(*[click.go_to_payment for click in clicks])

    assert Order.objects.count() == len(fake.sessions) == 1
    assert item_of(shirt, "M").held == 2
    assert customer.go_to_payment()["Location"] == only_order().session_url


def test_one_session_applied_eight_times_at_once_counts_once(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    session = session_from(fake.pay(order.session_id or ""))

    at_once(*[lambda: apply_session(session, now=timezone.now())] * 8)

    assert sales() == 1 and item_of(shirt, "M").available == 13 and item_of(shirt, "M").held == 0


def test_two_orders_with_their_lines_in_opposite_order_do_not_deadlock(
    fake: FakeStripe, shirt: Product, poster: Product
) -> None:
    """django-oscar PR #4594: without a fixed lock order, two carts deadlock."""
    for _round in range(3):
        there, back = Customer(), Customer()
        there.put_in(shirt, "M")
        there.put_in(poster)
        back.put_in(poster)
        back.put_in(shirt, "M")
        at_once(there.go_to_payment, back.go_to_payment)
        Order.objects.all().update(cart_token="")
        for order in Order.objects.filter(state="open"):
            release_order(order, because="the next round")

    assert not Hold.objects.exists() and item_of(poster).held == 0


def test_expiry_against_payment_ends_as_paid_and_counted_once(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    session = session_from(fake.pay(order.session_id or ""))

    at_once(
        *[lambda: apply_session(session, now=timezone.now())] * 3,
        *[lambda: release_order(order, because="a late expiry")] * 3,
    )

    order.refresh_from_db()
    assert order.state == Order.State.PAID
    assert sales() == 1 and item_of(shirt, "M").held == 0 and item_of(shirt, "M").available == 13
    assert not Issue.objects.exists()


def test_the_return_page_and_the_webhook_at_the_same_moment_count_once(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    Order.objects.update(customer_returned_at=timezone.now() - timedelta(seconds=6))

    at_once(lambda: customer.come_back(order), lambda: deliver(fake), lambda: Customer().come_back(order))

    order.refresh_from_db()
    assert order.state == Order.State.PAID and sales() == 1 and item_of(shirt, "M").available == 13


def _paid_order(fake: FakeStripe, shirt: Product) -> Order:
    order = order_for(Customer(), shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)
    return order


def _refund(order: Order, token: str) -> str:
    """The state of the refund, or why there is none."""
    line = order.lines.get()
    try:
        refund = refund_requests.request_refund(
            order.pk, [RefundedUnits(line.pk, 2, restock=True)], amount=5000, token=token, actor="owner"
        )
    except RefundRefused as exc:
        return str(exc)
    return refund.state


@pytest.mark.parametrize("tokens", [["one", "one", "one", "one"], ["one", "two", "three", "four"]])
def test_refunds_that_are_requested_at_once_are_made_once(
    fake: FakeStripe, shirt: Product, tokens: list[str]
) -> None:
    """Four clicks on one form, and four owners with a form each."""
    order = _paid_order(fake, shirt)

    at_once(*(partial(_refund, order, token) for token in tokens))
    refund_requests.send_waiting_refunds(timezone.now() + timedelta(minutes=1))
    deliver(fake)

    order.refresh_from_db()
    assert len(fake.refunds) == 1 and (order.state, order.refunded) == ("refunded", 5000)
    assert item_of(shirt, "M").available == 15 and not Issue.objects.exists()


def test_an_order_that_is_packed_and_refunded_at_once_is_not_left_packed(
    fake: FakeStripe, shirt: Product
) -> None:
    order = _paid_order(fake, shirt)

    at_once(
        partial(shipping.mark_packed, [order.pk], actor="ada", now=timezone.now()),
        partial(_refund, order, "one"),
    )

    order.refresh_from_db()
    assert order.state == Order.State.REFUNDED and not Order.objects.packed().exists()
    assert item_of(shirt, "M").available == 15


def test_oversold_units_are_decided_once_and_taken_off_one_delivery(fake: FakeStripe, shirt: Product) -> None:
    fake.pay(open_externally(fake, [a_line(shirt, 5, "L")]))
    deliver(fake)
    item = item_of(shirt, "L")

    def decide(token: str) -> None:
        with suppress(oversold.NothingOversold):
            oversold.send_from_next_delivery(item, 3, token=token, actor="owner")

    at_once(*(partial(decide, token) for token in ("a", "a", "b")))
    assert oversold.owed(item.pk) == 3
    at_once(*(partial(ledger.receive, item.pk, 2, reference=f"delivery-{n}") for n in range(4)))

    assert item_of(shirt, "L").available == 5 and oversold.owed(item.pk) == 0
    assert not ledger.find_drift()


def test_two_workers_queue_one_wave_and_ten_requests_one_confirmation(
    shirt: Product, settings: Settings
) -> None:
    settings.CUSTOMER_MAILS_OFF, settings.RESTOCK_SIGNUPS = [], True
    item, now = item_of(shirt, "S"), timezone.now()

    at_once(*[partial(signups.ask, "ada@example.com", item, network="", now=now) for _each in range(10)])
    assert CustomerMail.objects.count() == RestockSignup.objects.count() == 1

    for number in range(5):
        signups.ask(f"a{number}@example.com", item, network="", now=now)
    for subscriber in RestockSubscriber.objects.all():
        signups.confirm(subscriber.pk, now=now)
    StockItem.objects.filter(pk=item.pk).update(on_hand=3)
    at_once(*[partial(send_waves, now) for _each in range(4)])

    assert CustomerMail.objects.filter(kind="back_in_stock").count() == 3
    assert RestockSignup.objects.filter(state="mailing").count() == 3


def test_one_who_stops_while_the_wave_is_queued_leaves_nothing_behind(
    shirt: Product, settings: Settings
) -> None:
    settings.CUSTOMER_MAILS_OFF, settings.RESTOCK_SIGNUPS = [], True
    item, now = item_of(shirt, "S"), timezone.now()
    signups.ask("ada@example.com", item, network="", now=now)
    subscriber = RestockSubscriber.objects.get()
    signups.confirm(subscriber.pk, now=now)
    StockItem.objects.filter(pk=item.pk).update(on_hand=3)

    at_once(partial(send_waves, now), partial(signups.stop, subscriber.pk, now=now))
    send_waves(now)

    assert RestockSignup.objects.get().state == "unsubscribed"
    assert not RestockSubscriber.objects.exists() and not CustomerMail.objects.waiting().exists()


def test_a_refund_that_fails_while_its_cancellation_is_settled_is_not_promised(
    fake: FakeStripe, shirt: Product, customer: Customer, settings: Settings
) -> None:
    settings.CUSTOMER_MAILS_OFF = []
    order, now = order_for(customer, shirt, "M", 1), timezone.now()
    fake.pay(order.session_id or "", email="ada@example.com")
    deliver(fake)
    request = customer_requests.ask(order.pk, CustomerRequest.Kind.CANCEL, now=now)
    with mock.patch.object(customer_requests, "settle"):
        customer_requests.accept(request.pk, answer="", actor="owner", now=now)
    refund = Refund.objects.get()

    at_once(
        partial(customer_requests.settle, request.pk, now=now),
        partial(refund_requests.mark_failed, refund.stripe_id),
    )

    told = CustomerMail.objects.exclude(kind="order_confirmation").get(state=CustomerMail.State.QUEUED)
    assert told.kind == "order_canceled"
