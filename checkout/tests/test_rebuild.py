"""manage.py rebuild: an empty database is rebuilt from Stripe."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.apps import apps
from django.core.management import CommandError, call_command
from django.utils import timezone

from checkout.models import Order
from checkout.tests.conftest import Customer, deliver, item_of, order_for, sold
from checkout.tests.test_external_orders import a_line, open_externally
from fake_stripe import FakeStripe
from inventory.models import Hold, Issue, Movement
from inventory.worker import drain
from shop.models import Product

pytestmark = pytest.mark.django_db

# Where Stripe's clock is moved by as much as well, it is twice as far ahead. A payment page of 35 minutes must then last
# at least 30 by it, whatever second the test runs in.
LATER = timedelta(minutes=4)


def rebuild(*args: str) -> str:
    out = StringIO()
    call_command("rebuild", *args, stdout=out)
    return out.getvalue()


def lose_the_database() -> None:
    Order.objects.all().delete()
    Hold.objects.all().delete()
    Movement.objects.all()._raw_delete("default")
    for name in ("stockupdate", "versionsnapshot", "processedrequest", "stripeevent", "eventcursor", "issue"):
        apps.get_model("inventory", name).objects.all().delete()
    for label in ("inventory.stockitem", "inventory.productsync", "shop.product", "inventory.installation"):
        apps.get_model(label).objects.all().delete()


def buy(fake: FakeStripe, customer: Customer, product: Product, size: str, quantity: int = 1) -> Order:
    order = order_for(customer, product, size, quantity)
    fake.pay(order.session_id or "")
    deliver(fake)
    order.refresh_from_db()
    return order


def at_stripe(fake: FakeStripe, product: Product, size: str) -> str:
    return str(fake.products[product.pk]["metadata"][f"stock_{size}"])


def test_orders_counts_and_refunds_come_back(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    bought = buy(fake, customer, shirt, "M", 2)
    refunded = buy(fake, Customer(), shirt, "L")
    fake.refund(payment_intent=refunded.payment_intent_id)
    fake.pay(open_externally(fake, [a_line(shirt, 3, "M")]))
    deliver(fake)
    before = at_stripe(fake, shirt, "M")
    lose_the_database()

    with time_machine.travel(timezone.now() + LATER):
        printed = rebuild()

    assert "Orders: 2 of this shop and 1 of payment links and others" in printed
    again = Order.objects.get(pk=bought.pk)
    assert (again.state, again.total, again.email) == (Order.State.PAID, bought.total, bought.email)
    assert not again.is_external and again.number == bought.number
    assert [str(line) for line in again.lines.all()] == [str(line) for line in bought.lines.all()]
    assert Order.objects.get(pk=refunded.pk).state == Order.State.REFUNDED
    assert item_of(Product.objects.get(), "M").on_hand == int(before)
    assert sold(shirt) == []  # They are in Stripe's counts.


def test_the_next_sale_is_counted_at_stripe(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    buy(fake, customer, shirt, "M", 2)
    lose_the_database()

    with time_machine.travel(timezone.now() + LATER):
        rebuild()
        fake.forward(LATER.total_seconds())
        buy(fake, Customer(), shirt, "M")

    assert at_stripe(fake, shirt, "M") == "12"
    assert not Issue.objects.filter(closed_at=None, kind=Issue.Kind.FOREIGN_VERSION).exists()


def test_a_sale_that_was_not_sent_to_stripe_is_counted(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    buy(fake, customer, shirt, "M", 2)
    fake.forward(60)
    order = order_for(Customer(), shirt, "M", 4)
    fake.pay(order.session_id or "")
    lose_the_database()

    with time_machine.travel(timezone.now() + LATER):
        rebuild()
        drain()

    assert at_stripe(fake, shirt, "M") == "9"
    assert Order.objects.get(pk=order.pk).state == Order.State.PAID


def test_open_payment_pages_hold_their_units_again(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "L", 2)
    lose_the_database()

    printed = rebuild()

    assert "Open payment pages: 1 holds their units, 0 ended" in printed
    assert item_of(shirt, "L").available == 0
    assert Hold.objects.get().reference == order.reference


def test_it_may_be_repeated(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    buy(fake, customer, shirt, "M", 2)
    order_for(Customer(), shirt, "L", 1)
    lose_the_database()
    with time_machine.travel(timezone.now() + LATER):
        rebuild()
        before = list(Order.objects.values_list("pk", "state")), Movement.objects.count()

        rebuild("--again")

    assert (list(Order.objects.values_list("pk", "state")), Movement.objects.count()) == before
    assert item_of(shirt, "L").held == 1


def test_a_database_that_is_not_empty_is_refused(fake: FakeStripe, shirt: Product) -> None:
    with pytest.raises(CommandError, match="is not empty \\(1 products, 3 movements\\)"):
        rebuild()

    assert Movement.objects.count() == 3


def test_what_stripe_does_not_have_is_named(fake: FakeStripe, shirt: Product) -> None:
    lose_the_database()

    printed = rebuild()

    assert "it is lost" in printed and "createsuperuser" in printed and "packed and sent" in printed


def test_it_continues_after_stripe_was_away(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    order = buy(fake, customer, shirt, "M", 2)
    lose_the_database()
    fake.faults.add("cut", path="/v1/checkout/sessions", times=None)

    with pytest.raises(CommandError, match="rebuild --again"):
        rebuild()
    fake.faults.clear()
    with time_machine.travel(timezone.now() + LATER):
        rebuild("--again")

    assert Order.objects.get(pk=order.pk).state == Order.State.PAID
