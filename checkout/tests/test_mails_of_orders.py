"""What happens to an order is mailed to its customer, once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from checkout.models import CustomerMail, Order
from checkout.orders import mails
from checkout.orders.fulfillment import release_order
from checkout.orders.refund_requests import RefundedUnits, request_refund
from checkout.orders.shipping import mark_not_sent, mark_sent
from checkout.tests.catcher import Catcher
from checkout.tests.conftest import (
    Customer,
    apply_session_now,
    deliver,
    only_order,
    order_for,
)
from fake_stripe import FakeStripe
from inventory.worker import drain
from shop.models import Product

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mails_on")]
State = CustomerMail.State


@pytest.fixture
def paid(fake: FakeStripe, shirt: Product, customer: Customer) -> Order:
    """A shirt that a customer has bought, before Stripe's event is delivered."""
    order = order_for(customer, shirt)
    fake.pay(order.session_id or "")
    return order


def kinds() -> list[str]:
    return list(CustomerMail.objects.order_by("pk").values_list("kind", flat=True))


def test_a_paid_order_is_confirmed_once(fake: FakeStripe, paid: Order, catcher: Catcher) -> None:
    deliver(fake)
    apply_session_now(fake, paid)
    drain()

    [mail] = catcher.mails
    assert mail["Subject"] == f"Your order {paid.number}"
    assert mail["To"] == only_order().email


def test_the_return_page_and_the_event_confirm_once(fake: FakeStripe, paid: Order) -> None:
    apply_session_now(fake, paid)
    deliver(fake)

    assert kinds() == ["order_confirmation"]


def test_an_order_of_long_ago_is_not_confirmed(fake: FakeStripe, paid: Order) -> None:
    paid.paid_at = timezone.now() - timedelta(days=8)
    paid.state = Order.State.PAID

    mails.confirm([paid], now=timezone.now())

    assert kinds() == []


def test_a_payment_link_of_last_week_is_not_confirmed(fake: FakeStripe, paid: Order) -> None:
    paid.paid_at, paid.is_external = timezone.now() - timedelta(days=2), True
    paid.state, paid.email = Order.State.PAID, "ada@example.com"

    mails.confirm([paid], now=timezone.now())

    assert kinds() == []


def test_a_customer_who_left_the_payment_page_gets_no_mail(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt)
    fake.expire(order.session_id or "")
    deliver(fake)

    assert only_order().state == Order.State.CANCELED
    assert kinds() == []


def test_a_bank_payment_that_fails_is_told_once(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    order = order_for(customer, shirt)
    fake.pay(order.session_id or "", delayed=True)
    deliver(fake)
    assert kinds() == []

    fake.settle_delayed(order.session_id or "", succeeded=False)
    deliver(fake)
    release_order(only_order(), because="Again.")

    assert only_order().state == Order.State.CANCELED
    assert kinds() == ["payment_failed"]


def test_a_parcel_is_told_with_its_tracking_number(fake: FakeStripe, paid: Order, catcher: Catcher) -> None:
    deliver(fake)
    mark_sent(paid.pk, carrier="dhl", tracking_number="00340434", actor="owner", now=timezone.now())
    mark_sent(paid.pk, carrier="dhl", tracking_number="00340434", actor="owner", now=timezone.now())
    drain()

    assert kinds() == ["order_confirmation", "order_sent"]
    text = CustomerMail.objects.get(kind="order_sent").body
    assert "DHL" in text and "https://www.dhl.com/global-en/home/tracking.html?tracking-id=00340434" in text


def test_a_corrected_tracking_number_is_told_as_well(fake: FakeStripe, paid: Order) -> None:
    deliver(fake)
    mark_sent(paid.pk, actor="owner", now=timezone.now())
    mark_sent(paid.pk, carrier="dhl", tracking_number="1", actor="owner", now=timezone.now())

    assert kinds() == ["order_confirmation", "order_sent", "order_sent"]


def test_a_parcel_that_is_not_sent_after_all_is_not_told(fake: FakeStripe, paid: Order) -> None:
    deliver(fake)
    mark_sent(paid.pk, carrier="dhl", tracking_number="1", actor="owner", now=timezone.now())
    mark_not_sent(paid.pk)
    assert CustomerMail.objects.get(kind="order_sent").state == State.CANCELED

    mark_sent(paid.pk, carrier="dhl", tracking_number="1", actor="owner", now=timezone.now())

    assert CustomerMail.objects.get(kind="order_sent").state == State.QUEUED


def test_a_refund_of_the_order_page_is_told_once(fake: FakeStripe, paid: Order) -> None:
    deliver(fake)
    line = paid.lines.get()
    request_refund(paid.pk, [RefundedUnits(line.pk, 1, restock=True)], amount=2500, token="1", actor="owner")
    deliver(fake)
    drain()

    assert kinds() == ["order_confirmation", "order_refunded"]
    mail = CustomerMail.objects.get(kind="order_refunded")
    assert "$25.00" in mail.body and "1 × BALM T-Shirt M" in mail.body


def test_refunds_made_at_stripe_are_told_each_with_its_amount(fake: FakeStripe, paid: Order) -> None:
    deliver(fake)
    for amount in (1000, 700):
        fake.refund(payment_intent=only_order().payment_intent_id, amount=amount)
        deliver(fake)
    drain()

    refunds = CustomerMail.objects.filter(kind="order_refunded").order_by("pk")
    assert [mail.context["amount"] for mail in refunds] == [1000, 700]


def test_a_line_that_is_out_of_stock_is_told_once_and_by_the_owner_alone(
    fake: FakeStripe, paid: Order, catcher: Catcher
) -> None:
    deliver(fake)
    line = only_order().lines.get()

    told = [mails.tell_out_of_stock(line, note="You get your money back.") for _click in range(2)]
    drain()

    assert told == [True, False]
    body = CustomerMail.objects.get(kind="out_of_stock").body
    assert "BALM T-Shirt M Black is sold out" in body and "You get your money back." in body
