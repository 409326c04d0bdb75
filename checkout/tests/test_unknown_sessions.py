"""What the worker does about sessions of which Stripe never told us: no hold ends without proof."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from checkout.models import Order
from checkout.orders.checkout import create_stripe_session
from checkout.recovery.unknown_sessions import find_unknown_sessions
from checkout.tests.conftest import Customer, item_of, only_order
from fake_stripe import FakeStripe
from fake_stripe.transport import InProcess
from shop.models import Product

pytestmark = pytest.mark.django_db

CREATE = "/v1/checkout/sessions"


def left_unknown(fake: FakeStripe, customer: Customer, shirt: Product, *, when: str) -> Order:
    """An order whose session was asked for; the connection was cut before or after Stripe made it."""
    customer.put_in(shirt, "M", quantity=2)
    fake.faults.add("cut", path=CREATE, when=when, times=1)
    customer.go_to_payment()
    order = only_order()
    assert order.session_id is None
    return order


def worker_comes_after(fake: FakeStripe, seconds: int) -> int:
    """The worker's duty when `seconds` have passed here and at Stripe."""
    fake.forward(seconds)
    return find_unknown_sessions(timezone.now() + timedelta(seconds=seconds))


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_worker_sends_the_identical_request_again(
    fake: FakeStripe, shirt: Product, customer: Customer, when: str
) -> None:
    order = left_unknown(fake, customer, shirt, when=when)

    assert worker_comes_after(fake, 60) == 1

    order.refresh_from_db()
    sent = [call for call in fake.calls if call.method == "POST" and call.path == CREATE]
    assert len({(call.idempotency_key, str(call.params)) for call in sent}) == 1 and len(sent) == 2
    assert order.session_id == next(iter(fake.sessions)) and len(fake.sessions) == 1
    assert item_of(shirt, "M").held == 2


def test_a_request_that_may_be_under_way_is_left_alone(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    left_unknown(fake, customer, shirt, when="before")

    assert worker_comes_after(fake, 5) == 0
    assert not fake.sessions


def test_a_refusal_because_the_time_has_come_too_near_proves_that_there_is_no_session(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = left_unknown(fake, customer, shirt, when="before")

    assert worker_comes_after(fake, 6 * 60) == 1

    order.refresh_from_db()
    assert order.state == Order.State.CANCELED and not fake.sessions
    assert item_of(shirt, "M").held == 0


def test_a_session_that_exists_is_found_although_the_time_has_come_near(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = left_unknown(fake, customer, shirt, when="after")

    assert worker_comes_after(fake, 6 * 60) == 1

    order.refresh_from_db()
    assert (order.state, order.session_id) == ("open", next(iter(fake.sessions)))
    assert item_of(shirt, "M").held == 2


@pytest.mark.parametrize(("when", "sessions"), [("before", 0), ("after", 1)])
def test_a_stored_failure_is_answered_by_stripes_own_list_when_the_time_is_over(
    fake: FakeStripe, shirt: Product, customer: Customer, when: str, sessions: int
) -> None:
    """Stripe repeats a stored 500 under its key for a day, whether the session was made or not."""
    customer.put_in(shirt, "M", quantity=2)
    fake.faults.add("error_500", path=CREATE, when=when, stored=True, times=1)
    customer.go_to_payment()
    assert worker_comes_after(fake, 60) == 0 and len(fake.sessions) == sessions

    assert worker_comes_after(fake, 40 * 60) == 1

    assert only_order().state == Order.State.CANCELED
    assert item_of(shirt, "M").held == 0


def test_a_session_is_found_where_stripes_clock_and_ours_differ_by_minutes(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    """Ours is six minutes ahead: the session seems older than its order. Its hold must not end unsold."""
    customer.put_in(shirt, "M", quantity=2)
    fake.faults.add("error_500", path=CREATE, when="after", stored=True, times=1)
    customer.go_to_payment()
    fake.pay(next(iter(fake.sessions)))
    order = only_order()
    Order.objects.update(created_at=order.created_at + timedelta(minutes=6))

    assert worker_comes_after(fake, 60 * 60) == 1

    order.refresh_from_db()
    assert order.state == Order.State.PAID


def test_one_order_that_fails_keeps_no_other_waiting(
    fake: FakeStripe,
    shirt: Product,
    customer: Customer,
    other_customer: Customer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = left_unknown(fake, customer, shirt, when="before")
    other_customer.put_in(shirt, "M")
    fake.faults.add("cut", path=CREATE, when="before", times=1)
    other_customer.go_to_payment()

    def fails(order: Order, *, first: bool) -> Order:
        if order == bad:
            raise RuntimeError("no such luck")
        return create_stripe_session(order, first=first)

    with monkeypatch.context() as patched:
        patched.setattr("checkout.recovery.unknown_sessions.create_stripe_session", fails)
        assert worker_comes_after(fake, 60) == 1

    assert list(Order.objects.filter(session_id=None)) == [bad] and item_of(shirt, "M").held == 3
    assert worker_comes_after(fake, 120) == 1 and not Order.objects.filter(session_id=None).exists()


def test_a_clock_that_was_days_ahead_and_is_set_back_puts_no_order_off(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    left_unknown(fake, customer, shirt, when="before")
    fake.faults.add("cut", path=CREATE, times=None)
    assert find_unknown_sessions(timezone.now() + timedelta(days=10)) == 0
    fake.faults.clear()

    assert worker_comes_after(fake, 60) == 1


def test_a_resent_request_is_the_same_bytes_in_whatever_order_its_parameters_were_stored(
    fake: FakeStripe, shirt: Product, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL gives the keys of stored JSON back by their length."""
    true_request, sent = InProcess.request, []

    def request(self: InProcess, method: str, url: str, headers: Any, post_data: Any = None) -> Any:
        if method.upper() == "POST" and url.endswith(CREATE):
            sent.append(post_data)
        return true_request(self, method, url, headers, post_data)

    monkeypatch.setattr(InProcess, "request", request)
    order = left_unknown(fake, customer, shirt, when="before")
    Order.objects.update(session_params=_by_length(order.session_params))

    assert worker_comes_after(fake, 60) == 1

    assert len(sent) == 2 and len(set(sent)) == 1


def _by_length(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _by_length(value[name]) for name in sorted(value, key=lambda name: (-len(name), name))}
    return [_by_length(each) for each in value] if isinstance(value, list) else value


def test_a_wrong_key_proves_nothing(
    fake: FakeStripe, shirt: Product, customer: Customer, settings: Settings
) -> None:
    order = left_unknown(fake, customer, shirt, when="after")
    settings.STRIPE_SECRET_KEY = "sk_test_wrong"

    assert worker_comes_after(fake, 60) == 0

    order.refresh_from_db()
    assert order.state == Order.State.OPEN and item_of(shirt, "M").held == 2


def test_tries_become_rarer_while_stripe_is_away(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    left_unknown(fake, customer, shirt, when="before")
    fake.faults.add("cut", path=CREATE, times=None)
    start = timezone.now() + timedelta(minutes=1)

    for second in range(120):
        find_unknown_sessions(start + timedelta(seconds=second))

    tries = [call for call in fake.calls if call.path == CREATE]
    assert 4 <= len(tries) <= 8


def test_only_one_of_two_workers_asks(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    from checkout.recovery.unknown_sessions import _claim

    order = left_unknown(fake, customer, shirt, when="before")
    same = Order.objects.get(id=order.id)

    assert [_claim(order, now=timezone.now()), _claim(same, now=timezone.now())] == [True, False]
