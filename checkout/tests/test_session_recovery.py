"""Recovery of sessions whose id or outcome did not reach the shop: no hold ends without proof."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone
from pytest_django import Settings

from checkout.models import Order
from checkout.orders import fulfillment
from checkout.orders.checkout import create_stripe_session
from checkout.recovery.session_recovery import find_unknown_sessions, refresh_stale_orders
from checkout.stripe_objects import CheckoutSession
from checkout.tests.conftest import Customer, deliver, item_of, only_order, order_for
from fake_stripe import FakeStripe
from fake_stripe.transport import InProcess
from inventory.models import Issue
from inventory.stripe_sync import backoff
from shop.models import Product

pytestmark = pytest.mark.django_db

CREATE = "/v1/checkout/sessions"


def nothing_arrives(fake: FakeStripe) -> None:
    """All events are lost, as with a disabled endpoint."""
    fake.faults.add("drop", times=None)


def paid_without_events(fake: FakeStripe, customer: Customer, product: Product, units: int) -> Order:
    order = order_for(customer, product, "M", units)
    fake.pay(order.session_id or "")
    fake.forward(2)
    return order


@contextmanager
def failing(order: Order) -> Iterator[None]:
    """Make the shop's own code fail for one order."""
    find = fulfillment._find_order

    def fails(session: CheckoutSession) -> Order | None:
        found = find(session)
        if found and found.pk == order.pk:
            raise RuntimeError("a bug")
        return found

    with mock.patch.object(fulfillment, "_find_order", fails):
        yield


# --- The id is unknown ----------------------------------------------------------------------------


def order_without_session(fake: FakeStripe, customer: Customer, shirt: Product, *, when: str) -> Order:
    """An order whose request for a session was cut off before or after Stripe created the session."""
    customer.put_in(shirt, "M", quantity=2)
    fake.faults.add("cut", path=CREATE, when=when, times=1)
    customer.go_to_payment()
    order = only_order()
    assert order.session_id is None
    return order


def find_sessions_after(fake: FakeStripe, seconds: int) -> int:
    """Run the worker task when `seconds` have passed here and at Stripe."""
    fake.forward(seconds)
    return find_unknown_sessions(timezone.now() + timedelta(seconds=seconds))


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_worker_repeats_the_identical_request(
    fake: FakeStripe, shirt: Product, customer: Customer, when: str
) -> None:
    order = order_without_session(fake, customer, shirt, when=when)

    assert find_sessions_after(fake, 60) == 1

    order.refresh_from_db()
    sent = [call for call in fake.calls if call.method == "POST" and call.path == CREATE]
    assert len({(call.idempotency_key, str(call.params)) for call in sent}) == 1 and len(sent) == 2
    assert order.session_id == next(iter(fake.sessions)) and len(fake.sessions) == 1
    assert item_of(shirt, "M").held == 2


def test_a_request_that_may_still_be_running_is_not_repeated(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order_without_session(fake, customer, shirt, when="before")

    assert find_sessions_after(fake, 5) == 0
    assert not fake.sessions


def test_a_refusal_because_the_expiry_is_too_near_proves_that_there_is_no_session(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_without_session(fake, customer, shirt, when="before")

    assert find_sessions_after(fake, 6 * 60) == 1

    order.refresh_from_db()
    assert order.state == Order.State.CANCELED and not fake.sessions
    assert item_of(shirt, "M").held == 0


def test_a_session_that_exists_is_found_although_its_expiry_is_near(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_without_session(fake, customer, shirt, when="after")

    assert find_sessions_after(fake, 6 * 60) == 1

    order.refresh_from_db()
    assert (order.state, order.session_id) == ("open", next(iter(fake.sessions)))
    assert item_of(shirt, "M").held == 2


@pytest.mark.parametrize(("when", "sessions"), [("before", 0), ("after", 1)])
def test_after_a_stored_error_the_session_is_found_in_stripes_list_once_it_has_expired(
    fake: FakeStripe, shirt: Product, customer: Customer, when: str, sessions: int
) -> None:
    """Stripe repeats a stored 500 for a day, whether the session was created or not."""
    customer.put_in(shirt, "M", quantity=2)
    fake.faults.add("error_500", path=CREATE, when=when, stored=True, times=1)
    customer.go_to_payment()
    assert find_sessions_after(fake, 60) == 0 and len(fake.sessions) == sessions

    assert find_sessions_after(fake, 40 * 60) == 1

    assert only_order().state == Order.State.CANCELED
    assert item_of(shirt, "M").held == 0


def test_a_session_is_found_where_stripes_clock_and_ours_differ_by_minutes(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    """The shop's clock is six minutes ahead: the session seems older than its order."""
    customer.put_in(shirt, "M", quantity=2)
    fake.faults.add("error_500", path=CREATE, when="after", stored=True, times=1)
    customer.go_to_payment()
    fake.pay(next(iter(fake.sessions)))
    order = only_order()
    Order.objects.update(created_at=order.created_at + timedelta(minutes=6))

    assert find_sessions_after(fake, 60 * 60) == 1

    order.refresh_from_db()
    assert order.state == Order.State.PAID


def test_one_order_that_fails_does_not_delay_the_request_of_another(
    fake: FakeStripe,
    shirt: Product,
    customer: Customer,
    other_customer: Customer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = order_without_session(fake, customer, shirt, when="before")
    other_customer.put_in(shirt, "M")
    fake.faults.add("cut", path=CREATE, when="before", times=1)
    other_customer.go_to_payment()

    def fails(order: Order, *, first: bool) -> Order:
        if order == bad:
            raise RuntimeError("a bug")
        return create_stripe_session(order, first=first)

    with monkeypatch.context() as patched:
        patched.setattr("checkout.recovery.session_recovery.create_stripe_session", fails)
        assert find_sessions_after(fake, 60) == 1

    assert list(Order.objects.filter(session_id=None)) == [bad] and item_of(shirt, "M").held == 3
    assert find_sessions_after(fake, 120) == 1 and not Order.objects.filter(session_id=None).exists()


def test_a_clock_that_was_set_back_does_not_postpone_a_request(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order_without_session(fake, customer, shirt, when="before")
    fake.faults.add("cut", path=CREATE, times=None)
    assert find_unknown_sessions(timezone.now() + timedelta(days=10)) == 0
    fake.faults.clear()

    assert find_sessions_after(fake, 60) == 1


def test_a_repeated_request_has_the_same_bytes_in_whatever_order_its_parameters_were_stored(
    fake: FakeStripe, shirt: Product, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL returns the keys of stored JSON ordered by their length."""
    true_request, sent = InProcess.request, []

    def request(self: InProcess, method: str, url: str, headers: Any, post_data: Any = None) -> Any:
        if method.upper() == "POST" and url.endswith(CREATE):
            sent.append(post_data)
        return true_request(self, method, url, headers, post_data)

    monkeypatch.setattr(InProcess, "request", request)
    order = order_without_session(fake, customer, shirt, when="before")
    Order.objects.update(session_params=_by_length(order.session_params))

    assert find_sessions_after(fake, 60) == 1

    assert len(sent) == 2 and len(set(sent)) == 1


def _by_length(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _by_length(value[name]) for name in sorted(value, key=lambda name: (-len(name), name))}
    return [_by_length(each) for each in value] if isinstance(value, list) else value


def test_a_wrong_key_proves_nothing(
    fake: FakeStripe, shirt: Product, customer: Customer, settings: Settings
) -> None:
    order = order_without_session(fake, customer, shirt, when="after")
    settings.STRIPE_SECRET_KEY = "sk_test_wrong"

    assert find_sessions_after(fake, 60) == 0

    order.refresh_from_db()
    assert order.state == Order.State.OPEN and item_of(shirt, "M").held == 2


def test_attempts_become_rarer_while_stripe_is_down(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order_without_session(fake, customer, shirt, when="before")
    fake.faults.add("cut", path=CREATE, times=None)
    start = timezone.now() + timedelta(minutes=1)

    for second in range(120):
        find_unknown_sessions(start + timedelta(seconds=second))

    attempts = [call for call in fake.calls if call.path == CREATE]
    assert 4 <= len(attempts) <= 8


def test_months_without_stripe_do_not_overflow_the_attempts(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order_without_session(fake, customer, shirt, when="before")
    fake.faults.add("cut", path=CREATE, times=None)
    Order.objects.update(attempts=backoff.MAX_COUNTED, next_attempt_at=None)

    find_unknown_sessions(timezone.now() + timedelta(minutes=1))

    assert only_order().attempts == backoff.MAX_COUNTED
    assert only_order().next_attempt_at is not None


def test_two_workers_repeat_each_request_once(
    fake: FakeStripe,
    shirt: Product,
    customer: Customer,
    other_customer: Customer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second worker claims an order that the first has read but not claimed yet."""
    fake.faults.add("cut", path=CREATE, when="before", times=2)
    for shopper in (customer, other_customer):
        shopper.put_in(shirt, "M")
        shopper.go_to_payment()
    now = timezone.now() + timedelta(minutes=1)
    repeated, by_second_worker = [], []

    def repeats(order: Order, *, first: bool) -> Order:
        repeated.append(order.id)
        if len(repeated) == 1:
            by_second_worker.append(find_unknown_sessions(now))
        return create_stripe_session(order, first=first)

    monkeypatch.setattr("checkout.recovery.session_recovery.create_stripe_session", repeats)
    assert find_unknown_sessions(now) == 1

    assert by_second_worker == [1] and len(repeated) == len(set(repeated)) == 2


def test_a_request_that_is_refused_closes_the_issue_of_an_order_that_failed(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_without_session(fake, customer, shirt, when="before")
    Order.objects.update(attempts=5)
    Issue.objects.create(kind=Issue.Kind.ORDER_FAILED, subject=order.number, text="It failed.")

    assert find_sessions_after(fake, 6 * 60) == 1

    order.refresh_from_db()
    assert order.state == Order.State.CANCELED and not Issue.objects.filter(closed_at=None).exists()


# --- The outcome is unknown -----------------------------------------------------------------------


def refresh_after(fake: FakeStripe, **passed: int) -> int:
    fake.forward(timedelta(**passed).total_seconds())
    return refresh_stale_orders(timezone.now() + timedelta(**passed))


def test_a_session_that_expired_without_an_event_releases_its_units(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    nothing_arrives(fake)
    order = order_for(customer, shirt, "M", 2)

    assert refresh_after(fake, minutes=40) == 1

    order.refresh_from_db()
    assert order.state == Order.State.CANCELED and item_of(shirt, "M").held == 0


def test_a_session_that_was_paid_without_an_event_is_a_sale(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    nothing_arrives(fake)
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")

    assert refresh_after(fake, minutes=40) == 1

    order.refresh_from_db()
    assert order.state == Order.State.PAID and item_of(shirt, "M").available == 13


def test_stripe_is_not_asked_before_the_session_has_expired(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order_for(customer, shirt, "M", 2)
    fake.forget_calls()

    assert refresh_after(fake, minutes=30) == 0 and fake.calls == []


def test_a_hold_does_not_end_by_the_shops_clock(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.faults.add("cut", path="/v1/checkout/sessions/*", times=None)

    assert refresh_after(fake, days=3) == 0

    order.refresh_from_db()
    assert order.state == Order.State.OPEN and item_of(shirt, "M").held == 2


def test_a_session_that_stripe_does_not_know_is_asked_for_every_six_hours_in_the_end(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order_for(customer, shirt, "M", 2)
    Order.objects.update(session_id="cs_test_of_another_account", attempts=10)

    for hours in range(1, 14):
        refresh_after(fake, hours=hours)

    asked = [call for call in fake.calls if call.path.endswith("cs_test_of_another_account")]
    assert len(asked) == 3


def test_a_clock_that_was_set_back_does_not_postpone_a_refresh(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    nothing_arrives(fake)
    order_for(customer, shirt, "M", 2)
    fake.faults.add("cut", path="/v1/checkout/sessions/*", times=None)
    assert refresh_stale_orders(timezone.now() + timedelta(days=10)) == 0
    fake.faults.clear()

    assert refresh_after(fake, minutes=40) == 1


@pytest.mark.parametrize(("succeeded", "state", "left"), [(True, "paid", 13), (False, "canceled", 15)])
def test_a_debit_without_events_is_refreshed_after_days(
    fake: FakeStripe, shirt: Product, customer: Customer, succeeded: bool, state: str, left: int
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", delayed=True)
    deliver(fake)
    nothing_arrives(fake)
    fake.settle_delayed(order.session_id or "", succeeded=succeeded)

    assert refresh_after(fake, days=3) == 1

    order.refresh_from_db()
    assert order.state == state and item_of(shirt, "M").available == left


def test_a_session_that_stripe_does_not_know_opens_an_issue_and_proves_nothing(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    Order.objects.update(session_id="cs_test_of_another_account")

    assert refresh_after(fake, minutes=40) == 0

    order.refresh_from_db()
    assert order.state == Order.State.OPEN and Issue.objects.get().kind == "session_not_found"


def test_one_order_that_fails_does_not_delay_others_and_opens_an_issue_in_the_end(
    fake: FakeStripe, shirt: Product, customer: Customer, other_customer: Customer
) -> None:
    nothing_arrives(fake)
    bad, good = (
        paid_without_events(fake, customer, shirt, 1),
        paid_without_events(fake, other_customer, shirt, 2),
    )

    with failing(bad):
        assert refresh_after(fake, minutes=40) == 1
        good.refresh_from_db()
        assert good.state == Order.State.PAID and not Issue.objects.exists()
        for days in range(1, 5):
            refresh_after(fake, days=days)

    issue = Issue.objects.get(closed_at=None)
    assert (issue.kind, issue.subject) == ("order_failed", bad.number) and "a bug" in issue.text
    assert refresh_after(fake, days=5) == 1
    bad.refresh_from_db()
    assert bad.state == Order.State.PAID and not Issue.objects.filter(closed_at=None).exists()
