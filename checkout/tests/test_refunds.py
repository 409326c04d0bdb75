"""Refunds change the order and open an issue. Stock is unchanged until the owner returns units."""

from __future__ import annotations

import pytest
from django.utils import timezone

from checkout.models import Order
from checkout.tests.conftest import Customer, deliver, item_of, order_for
from fake_stripe import FakeStripe
from inventory import issues
from inventory.events import inbox
from inventory.models import Issue, Movement, StripeEvent
from shop.models import Product

pytestmark = pytest.mark.django_db


def paid_order(fake: FakeStripe, shirt: Product, customer: Customer) -> Order:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)
    order.refresh_from_db()
    return order


def test_origin_fault_11_a_refund_closes_the_order_and_opens_an_issue_but_moves_no_stock(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = paid_order(fake, shirt, customer)

    fake.refund(payment_intent=order.payment_intent_id)
    deliver(fake)

    order.refresh_from_db()
    assert (order.state, order.refunded) == ("refunded", 5000)
    assert item_of(shirt, "M").available == 13
    issue = Issue.objects.get()
    assert (issue.kind, issue.subject) == ("refund_to_review", order.number)
    assert "$50.00 of $50.00" in issue.text


def test_a_partial_refund_leaves_the_order_paid_and_each_further_part_is_reported(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = paid_order(fake, shirt, customer)

    for _part in range(2):
        fake.refund(payment_intent=order.payment_intent_id, amount=1000)
        deliver(fake)

    order.refresh_from_db()
    assert (order.state, order.refunded) == ("paid", 2000)
    assert "$10.00 of" in Issue.objects.get().text and "$20.00 of" in Issue.objects.get().text


def test_a_refund_that_is_reported_again_does_not_reopen_a_closed_issue(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = paid_order(fake, shirt, customer)
    fake.refund(payment_intent=order.payment_intent_id)
    deliver(fake)
    issues.close("refund_to_review", order.number)

    inbox.replay(
        StripeEvent.objects.filter(type="charge.refunded").values_list("pk", flat=True), timezone.now()
    )
    deliver(fake)

    assert not issues.is_open("refund_to_review", order.number)


@pytest.mark.parametrize("kept", ["refund.failed", "charge.refund.updated"])
def test_a_failed_refund_is_reported_whichever_event_tells_it(
    fake: FakeStripe, shirt: Product, customer: Customer, kept: str
) -> None:
    """Endpoints of older API versions hear of it by `charge.refund.updated` alone."""
    order = paid_order(fake, shirt, customer)
    refund = fake.refund(payment_intent=order.payment_intent_id)
    deliver(fake)
    told = {"refund.failed", "refund.updated", "charge.refund.updated"} - {kept}
    fake.faults.add("drop", types=sorted(told), times=None)

    fake.dashboard.fail_refund(refund["id"])
    deliver(fake)

    order.refresh_from_db()
    assert (order.state, order.refunded) == ("paid", 0)
    assert refund["id"] in Issue.objects.get(kind="refund_failed").text


def test_a_failed_refund_that_two_events_tell_does_not_reopen_its_issue(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = paid_order(fake, shirt, customer)
    refund = fake.refund(payment_intent=order.payment_intent_id)
    deliver(fake)
    fake.faults.add("delay", types=["charge.refund.updated"], seconds=60)
    fake.dashboard.fail_refund(refund["id"])
    deliver(fake)
    assert issues.close("refund_failed", order.number) == 1

    fake.forward(60)
    deliver(fake)

    assert StripeEvent.objects.filter(type="charge.refund.updated").exists()
    assert not issues.is_open("refund_failed", order.number)


def test_a_refund_that_is_updated_without_failing_changes_nothing(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = paid_order(fake, shirt, customer)
    refund = fake.refund(payment_intent=order.payment_intent_id)
    fake.call("POST", f"/v1/refunds/{refund['id']}", "metadata[note]=x")
    deliver(fake)

    order.refresh_from_db()
    assert order.state == "refunded" and not Issue.objects.filter(kind="refund_failed").exists()


def test_a_refund_that_arrives_before_its_payment_applies_the_payment_first(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    fake.deliver_due()
    fake.refund(payment_intent=next(iter(fake.payment_intents)))
    fake.deliver_due()
    refund = StripeEvent.objects.get(type="charge.refunded")

    inbox.handle(refund.id, timezone.now())
    inbox.process_remote(timezone.now())

    order.refresh_from_db()
    assert order.state == Order.State.REFUNDED
    deliver(fake)
    order.refresh_from_db()
    assert order.state == Order.State.REFUNDED
    assert Movement.objects.filter(kind="sale").count() == 1


def test_a_refund_that_failed_is_reported_and_the_amount_is_read_again(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = paid_order(fake, shirt, customer)
    refund = fake.refund(payment_intent=order.payment_intent_id, amount=1000)
    deliver(fake)

    fake.dashboard.fail_refund(refund["id"])
    deliver(fake)

    order.refresh_from_db()
    assert order.refunded == 0
    assert "did not reach the customer" in Issue.objects.get(kind="refund_failed").text


def test_a_refund_of_everything_that_failed_makes_the_order_paid_again(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = paid_order(fake, shirt, customer)
    refund = fake.refund(payment_intent=order.payment_intent_id)
    deliver(fake)
    order.refresh_from_db()
    assert order.state == Order.State.REFUNDED

    fake.dashboard.fail_refund(refund["id"])
    deliver(fake)

    order.refresh_from_db()
    assert (order.state, order.refunded) == ("paid", 0)
    assert item_of(shirt, "M").available == 13


def test_one_failed_refund_of_several_leaves_the_others(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = paid_order(fake, shirt, customer)
    fake.refund(payment_intent=order.payment_intent_id, amount=2000)
    second = fake.refund(payment_intent=order.payment_intent_id, amount=3000)
    deliver(fake)

    fake.dashboard.fail_refund(second["id"])
    deliver(fake)

    order.refresh_from_db()
    assert (order.state, order.refunded) == ("paid", 2000)


@pytest.mark.parametrize("amounts", [{}, {"amount": None, "amount_refunded": None}, {"amount": "5000"}])
def test_a_refund_without_amounts_leaves_the_order_as_it_is(
    fake: FakeStripe, shirt: Product, customer: Customer, amounts: dict[str, object]
) -> None:
    order = paid_order(fake, shirt, customer)
    inbox.store_events([refunded_event(order.payment_intent_id, **amounts)])

    assert inbox.handle("evt_1", timezone.now())

    order.refresh_from_db()
    assert (order.state, order.refunded) == ("paid", 0) and not Issue.objects.exists()


def test_a_refund_that_is_reported_before_a_late_payment_closes_the_order_once_it_is_paid(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    """The success of a bank debit may arrive last. Its units are still sold."""
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", delayed=True)
    deliver(fake)
    order.refresh_from_db()
    assert order.state == Order.State.AWAITING_PAYMENT
    refund = refunded_event(order.payment_intent_id, amount=5000, amount_refunded=5000)
    inbox.store_events([refund])
    inbox.handle("evt_1", timezone.now())

    fake.settle_delayed(order.session_id or "", succeeded=True)
    deliver(fake)

    order.refresh_from_db()
    assert (order.state, order.refunded) == ("refunded", 5000)
    assert item_of(shirt, "M").available == 13 and item_of(shirt, "M").held == 0
    assert [issue.kind for issue in Issue.objects.all()] == ["refund_to_review"]


def refunded_event(payment_intent_id: str | None, **amounts: object) -> dict[str, object]:
    charge = {"id": "ch_1", "payment_intent": payment_intent_id, "currency": "usd", **amounts}
    created = int(timezone.now().timestamp())
    return {"id": "evt_1", "type": "charge.refunded", "created": created, "data": {"object": charge}}


def test_a_refund_of_a_payment_without_a_session_opens_no_issue(fake: FakeStripe, db: None) -> None:
    """`stripe trigger charge.refunded` creates a charge without a Checkout Session."""
    inbox.store_events([refunded_event(None, amount=100, amount_refunded=100)])

    inbox.handle("evt_1", timezone.now())

    assert StripeEvent.objects.get().state == "handled" and not Issue.objects.exists()
