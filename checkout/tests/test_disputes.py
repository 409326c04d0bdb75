"""Disputes open an issue that says what they mean. Stock changes by nobody but the owner."""

from __future__ import annotations

import pytest

from checkout.models import Order
from checkout.tests.conftest import Customer, deliver, item_of, order_for
from fake_stripe import FakeStripe
from inventory.models import Issue, Movement, StripeEvent
from shop.models import Product

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(fake: FakeStripe, shirt: Product, customer: Customer) -> Order:
    """A paid order of two shirts at 25.00."""
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)
    order.refresh_from_db()
    return order


def text() -> str:
    return Issue.objects.get(kind=Issue.Kind.DISPUTE).text


def test_a_dispute_is_an_issue_with_what_it_means(fake: FakeStripe, order: Order, shirt: Product) -> None:
    fake.dashboard.dispute(order.payment_intent_id, reason="product_not_received")
    deliver(fake)

    order.refresh_from_db()
    assert Issue.objects.get().subject == order.number
    assert "disputes $50.00 of the payment: product not received" in text()
    assert "taken the money back for now" in text() and "Stock is unchanged" in text()
    assert order.state == Order.State.PAID and item_of(shirt, "M").available == 13
    assert Movement.objects.filter(kind__in=["sale", "returned"]).count() == 1


@pytest.mark.parametrize(("won", "meaning"), [(True, "is yours again"), (False, "keeps the money")])
def test_the_end_of_a_dispute_says_who_has_the_money(
    fake: FakeStripe, order: Order, shirt: Product, won: bool, meaning: str
) -> None:
    dispute = fake.dashboard.dispute(order.payment_intent_id, amount=2500)
    deliver(fake)

    fake.dashboard.close_dispute(dispute["id"], won=won)
    deliver(fake)

    assert "The dispute over $25.00" in text() and meaning in text()
    assert item_of(shirt, "M").available == 13


def test_an_inquiry_takes_no_money(fake: FakeStripe, order: Order) -> None:
    dispute = fake.dashboard.dispute(order.payment_intent_id, inquiry=True)
    deliver(fake)
    assert "No money was taken" in text()

    fake.dashboard.close_dispute(dispute["id"])
    deliver(fake)
    assert "ended without a dispute" in text()


def test_a_dispute_that_is_reported_again_adds_nothing(fake: FakeStripe, order: Order) -> None:
    fake.faults.add("twin", types=["charge.dispute.*"], times=None)
    fake.faults.add("duplicate", copies=3, times=None)

    fake.dashboard.dispute(order.payment_intent_id)
    deliver(fake)

    assert text().count("disputes $50.00") == 1


def test_a_dispute_of_a_payment_that_is_not_ours_is_logged(fake: FakeStripe, order: Order) -> None:
    form = "amount=900&currency=usd&payment_method=pm_card_visa&confirm=true&return_url=https://a.example"
    _status, payment = fake.call("POST", "/v1/payment_intents", form)

    fake.dashboard.dispute(payment["id"])
    deliver(fake)

    assert not Issue.objects.exists()
    assert StripeEvent.objects.get(type="charge.dispute.created").state == "handled"
