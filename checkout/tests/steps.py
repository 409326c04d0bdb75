"""Steps of tests of what happens after a sale: an order is paid, packed, sent, and asked about."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from checkout.models import CustomerRequest, Order
from checkout.orders import customer_requests, refund_requests, shipping
from checkout.orders.customer_requests import ReturnedUnits
from checkout.tests.conftest import Customer, deliver, order_for
from shop.models import Product

if TYPE_CHECKING:
    from fake_stripe import FakeStripe


def paid_order(fake: FakeStripe, customer: Customer, product: Product, quantity: int) -> Order:
    """An order of Ada Lovelace for units of size M."""
    order = order_for(customer, product, "M", quantity)
    fake.pay(order.session_id or "", email="ada@example.com", name="Ada Lovelace")
    deliver(fake)
    order.refresh_from_db()
    return order


def pack(order: Order) -> Order:
    shipping.mark_packed([order.pk], actor="ada", now=timezone.now())
    order.refresh_from_db()
    return order


def send(order: Order) -> Order:
    shipping.mark_sent(order.pk, actor="ada", now=timezone.now())
    order.refresh_from_db()
    return order


def ask_to_cancel(order: Order, message: str = "") -> CustomerRequest:
    kind = CustomerRequest.Kind.CANCEL
    return customer_requests.ask(order.pk, kind, message=message, now=timezone.now())


def cancel_by_a_refund_that_fails_unseen(order: Order, fake: FakeStripe) -> CustomerRequest:
    """Stripe's answer to the refund is lost, and the refund has failed before the worker finds it. Nobody was told."""
    request = ask_to_cancel(order)
    fake.faults.add("cut", path="/v1/refunds", when="after")
    customer_requests.accept(request.pk, answer="See you soon.", actor="owner", now=timezone.now())
    [at_stripe] = fake.refunds
    fake.dashboard.fail_refund(at_stripe)
    refund_requests.send_waiting_refunds(timezone.now() + timedelta(minutes=1))
    return request


def ask_for_return(order: Order, quantity: int = 1) -> CustomerRequest:
    units = [ReturnedUnits(order.lines.get().pk, quantity, "too_small")]
    return customer_requests.ask(order.pk, CustomerRequest.Kind.RETURN, units=units, now=timezone.now())
