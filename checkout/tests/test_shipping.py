"""Orders are packed and sent: by whom, when, and with which tracking number."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from checkout.carriers import CARRIERS, carrier_name, clean_tracking_number, tracking_url
from checkout.models import Order, OrderLine
from checkout.orders import shipping
from checkout.orders.assign_size import assign_size
from checkout.tests.conftest import Customer, deliver, item_of, only_order, order_for
from checkout.tests.test_external_orders import a_line, open_externally
from fake_stripe import FakeStripe
from shop.models import Product

pytestmark = pytest.mark.django_db


@pytest.fixture
def paid(fake: FakeStripe, shirt: Product, customer: Customer) -> Order:
    """Two shirts of size M."""
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)
    order.refresh_from_db()
    return order


@pytest.fixture
def without_size(fake: FakeStripe, shirt: Product) -> Order:
    """Two shirts sold by a payment link that did not ask for the size."""
    fake.pay(open_externally(fake, [a_line(shirt, 2)]))
    deliver(fake)
    return only_order()


def lists_with(order: Order) -> list[str]:
    orders = Order.objects
    lists = {
        "needing_size": orders.needing_size(),
        "to_pack": orders.to_pack(),
        "packed": orders.packed(),
        "sent": orders.sent(),
    }
    return [name for name, rows in lists.items() if rows.filter(pk=order.pk).exists()]


def test_an_order_is_to_be_packed_only_once_it_is_paid(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    assert lists_with(order) == [] and order.fulfillment is None

    fake.pay(order.session_id or "")
    deliver(fake)

    order.refresh_from_db()
    assert lists_with(order) == ["to_pack"] and order.fulfillment == "to_pack"


def test_an_order_is_packed_and_sent_once_with_who_and_when(paid: Order) -> None:
    now = timezone.now()

    assert shipping.mark_packed([paid.pk], actor="ada", now=now) == [paid]
    assert shipping.mark_packed([paid.pk], actor="bob", now=now) == []
    assert lists_with(paid) == ["packed"]
    assert shipping.mark_sent(paid.pk, carrier="dhl", tracking_number="JD01", actor="bob", now=now)

    paid.refresh_from_db()
    assert lists_with(paid) == ["sent"] and paid.fulfillment == "sent"
    assert (paid.packed_by, paid.sent_by, paid.packed_at, paid.sent_at) == ("ada", "bob", now, now)
    assert paid.tracking_url.endswith("tracking-id=JD01")


def test_an_order_that_is_sent_unpacked_was_packed_by_the_sender(paid: Order) -> None:
    now = timezone.now()

    shipping.mark_sent(paid.pk, actor="ada", now=now)

    paid.refresh_from_db()
    assert (paid.packed_by, paid.packed_at, paid.sent_by) == ("ada", now, "ada")


def test_sending_again_corrects_the_tracking_number_only(paid: Order) -> None:
    now = timezone.now()
    shipping.mark_sent(paid.pk, carrier="dhl", tracking_number="WRONG", actor="ada", now=now)

    assert not shipping.mark_sent(
        paid.pk, carrier="ups", tracking_number="1Z", actor="bob", now=timezone.now()
    )

    paid.refresh_from_db()
    assert (paid.carrier, paid.tracking_number, paid.sent_by, paid.sent_at) == ("ups", "1Z", "ada", now)


def test_both_marks_can_be_taken_back(paid: Order) -> None:
    shipping.mark_sent(paid.pk, carrier="dhl", tracking_number="1", actor="ada", now=timezone.now())

    assert shipping.mark_not_sent(paid.pk) and not shipping.mark_not_sent(paid.pk)
    assert lists_with(paid) == ["packed"]
    assert shipping.mark_unpacked([paid.pk]) == [paid] and shipping.mark_unpacked([paid.pk]) == []

    paid.refresh_from_db()
    assert lists_with(paid) == ["to_pack"]
    assert (paid.packed_by, paid.sent_by, paid.carrier, paid.tracking_number) == ("", "", "", "")


def test_an_order_that_needs_a_size_is_packed_only_with_its_size(shirt: Product, without_size: Order) -> None:
    now = timezone.now()

    assert lists_with(without_size) == ["needing_size"] and without_size.fulfillment == "needs_size"
    assert shipping.mark_packed([without_size.pk], actor="ada", now=now) == []
    with pytest.raises(shipping.NotSendable, match="needs a size"):
        shipping.mark_sent(without_size.pk, actor="ada", now=now)

    assign_size(without_size.lines.get(), item_of(shirt, "M"), now=now, actor="ada")
    assert lists_with(without_size) == ["to_pack"]


def test_refunded_lines_are_not_packed(paid: Order) -> None:
    paid.lines.update(quantity_refunded=1)
    assert lists_with(paid) == ["to_pack"] and paid.lines.get().quantity_to_send == 1

    paid.lines.update(quantity_refunded=2)

    assert lists_with(paid) == [] and Order.objects.get().fulfillment is None
    with pytest.raises(shipping.NotSendable, match="All of its lines were refunded"):
        shipping.mark_sent(paid.pk, actor="ada", now=timezone.now())


@pytest.mark.parametrize(("state", "why"), [("refunded", "was refunded"), ("open", "not paid")])
def test_only_a_paid_order_is_sent(paid: Order, state: str, why: str) -> None:
    Order.objects.update(state=state)

    with pytest.raises(shipping.NotSendable, match=why):
        shipping.mark_sent(paid.pk, actor="ada", now=timezone.now())

    assert shipping.mark_packed([paid.pk], actor="ada", now=timezone.now()) == []
    assert Order.objects.get().packed_at is None


def test_the_database_refuses_more_refunded_units_than_were_sold(paid: Order) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        OrderLine.objects.update(quantity_refunded=3)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_each_carrier_has_a_link_with_the_number(carrier: str) -> None:
    url = tracking_url(carrier, "AB/1-2")

    assert url.startswith("https://") and url.endswith("AB%2F1-2")
    assert carrier_name(carrier) == CARRIERS[carrier][0]


@pytest.mark.parametrize(("carrier", "number"), [("dhl", ""), ("other", "1"), ("", "1"), ("gone", "1")])
def test_without_a_known_carrier_and_a_number_there_is_no_link(carrier: str, number: str) -> None:
    assert tracking_url(carrier, number) == ""


def test_a_tracking_number_is_read_without_the_blanks_of_the_label() -> None:
    assert clean_tracking_number(" 00 3404 3416\t1 ") == "00340434161"
    assert clean_tracking_number("  ") == ""


@pytest.mark.parametrize("text", ["a" * 101, "1?x=2", "<b>", "a\x00", "javascript:alert(1)", "-1"])
def test_a_tracking_number_of_other_characters_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        clean_tracking_number(text)
