"""Refunds from the order's page: by line or whole, once, capped, and safe when Stripe's answer is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from checkout import gateway
from checkout.models import Order, Refund
from checkout.orders import refund_requests, shipping
from checkout.orders.refund_requests import RefundedUnits, RefundRefused, refundable, suggested_amount
from checkout.tests.conftest import Customer, deliver, item_of, order_for
from checkout.tests.test_external_orders import a_line, open_externally
from config.fault_points import fault_point
from fake_stripe import FakeStripe
from inventory.events import inbox
from inventory.models import Issue, Movement, StripeEvent
from shop.models import Product

pytestmark = pytest.mark.django_db


def log_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def owner(db: None) -> Client:
    return log_in(User.objects.create_superuser("owner"))


@pytest.fixture
def paid(fake: FakeStripe, shirt: Product, customer: Customer) -> Order:
    """Two shirts of size M, at 25.00 each."""
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)
    order.refresh_from_db()
    return order


def units_of(order: Order, quantity: int, *, restock: bool = True) -> list[RefundedUnits]:
    return [RefundedUnits(order.lines.get().pk, quantity, restock)]


def refund(order: Order, quantity: int = 1, *, amount: int = 2500, token: str = "t1", **also: Any) -> Refund:
    restock = bool(also.pop("restock", True))
    units = units_of(order, quantity, restock=restock) if quantity else []
    return refund_requests.request_refund(order.pk, units, amount=amount, token=token, actor="owner", **also)


def url_of(order: Order, page: str = "refund") -> str:
    return reverse(f"admin:checkout_order_{page}", args=[order.pk])


def form_of(order: Order, quantity: int = 1, *, restock: str = "yes", **also: str) -> dict[str, str]:
    line = order.lines.get()
    return {
        "token": "a1",
        f"quantity-{line.pk}": str(quantity),
        f"restock-{line.pk}": restock,
        "amount": "",
        "reason": "requested_by_customer",
        "note": "too small",
    } | also


def later(seconds: float = 60) -> Any:
    return timezone.now() + timedelta(seconds=seconds)


# --- Whole and by line ------------------------------------------------------------------------


def test_one_unit_is_refunded_and_back_in_stock(fake: FakeStripe, shirt: Product, paid: Order) -> None:
    made = refund(paid, 1, reason="requested_by_customer", note="too small")
    deliver(fake)

    paid.refresh_from_db()
    at_stripe = fake.refunds[made.stripe_id]
    assert made.state == Refund.State.ACCEPTED
    assert (at_stripe["amount"], at_stripe["reason"]) == (2500, "requested_by_customer")
    assert at_stripe["metadata"] == {"order": str(paid.pk), "refund": str(made.pk)}
    assert (paid.state, paid.refunded, paid.refunded_elsewhere) == ("paid", 2500, 0)
    assert paid.lines.get().quantity_to_send == 1 and paid.fulfillment == "to_pack"
    assert item_of(shirt, "M").available == 14
    returned = Movement.objects.get(kind="returned")
    assert (returned.delta, returned.reason, returned.actor) == (1, "too small", "owner")
    assert not Issue.objects.exists()


def test_everything_is_refunded_and_the_order_is_closed(
    fake: FakeStripe, shirt: Product, paid: Order
) -> None:
    refund(paid, 2, amount=5000)
    deliver(fake)

    paid.refresh_from_db()
    assert (paid.state, paid.refunded) == ("refunded", 5000)
    assert item_of(shirt, "M").available == 15
    assert not Order.objects.to_pack().exists() and not Issue.objects.exists()


def test_a_packed_order_is_packed_again_once_some_of_it_is_refunded(paid: Order) -> None:
    shipping.mark_packed([paid.pk], actor="ada", now=timezone.now())

    refund(paid, 1)

    assert list(Order.objects.to_pack()) == [paid]


def test_an_amount_without_units_changes_no_stock_and_no_line(
    fake: FakeStripe, shirt: Product, paid: Order
) -> None:
    refund(paid, 0, amount=300)
    deliver(fake)

    paid.refresh_from_db()
    assert (paid.refunded, paid.lines.get().quantity_to_send) == (300, 2)
    assert item_of(shirt, "M").available == 13


def test_the_amount_of_units_is_what_the_customer_paid_for_them(paid: Order) -> None:
    """A fifth was discounted, tax was added, and shipping is refunded only if that is chosen."""
    Order.objects.update(subtotal=5000, discount=1000, tax=760, shipping=500, total=5260)
    order = Order.objects.get()
    line = order.lines.get()

    assert suggested_amount(order, [(line, 1)], with_shipping=False) == 2380
    assert suggested_amount(order, [(line, 1)], with_shipping=True) == 2880
    assert suggested_amount(order, [(line, 2)], with_shipping=True) == 5260
    assert suggested_amount(order, [], with_shipping=False) == 0
    order.lines.update(currency="eur")
    assert suggested_amount(order, [(order.lines.get(), 1)], with_shipping=False) is None
    order.lines.update(unit_amount=None, currency="usd")
    assert suggested_amount(order, [(order.lines.get(), 1)], with_shipping=False) is None


def test_two_halves_add_up_to_the_whole_to_the_cent(paid: Order) -> None:
    Order.objects.update(total=4999, subtotal=5000)
    order = Order.objects.get()
    first = suggested_amount(order, [(order.lines.get(), 1)], with_shipping=True)
    order.lines.update(quantity_refunded=1)
    Order.objects.update(refunded=first)
    order = Order.objects.get()

    assert first == 2500
    assert suggested_amount(order, [(order.lines.get(), 1)], with_shipping=True) == 2499


# --- Capped and once --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "amount", "why"),
    [(1, 5001, "Only \\$50.00"), (1, 0, "no amount"), (3, 5000, "Not as many units")],
)
def test_no_more_is_refunded_than_was_paid_and_taken(
    fake: FakeStripe, shirt: Product, paid: Order, quantity: int, amount: int, why: str
) -> None:
    with pytest.raises(RefundRefused, match=why):
        refund(paid, quantity, amount=amount)

    assert not Refund.objects.exists() and len(fake.refunds) == 0
    assert paid.lines.get().quantity_refunded == 0 and item_of(shirt, "M").available == 13


def test_refunds_made_at_stripe_and_unconfirmed_ones_are_taken_off(fake: FakeStripe, paid: Order) -> None:
    fake.refund(payment_intent=paid.payment_intent_id, amount=1000)
    deliver(fake)
    fake.faults.add("cut", path="/v1/refunds")
    assert refund(paid, 0, amount=1500).state == Refund.State.REQUESTED

    paid.refresh_from_db()
    assert refundable(paid) == 2500
    with pytest.raises(RefundRefused):
        refund(paid, 0, amount=2501, token="t2")


def test_an_order_without_a_payment_has_nothing_to_refund(paid: Order) -> None:
    Order.objects.update(payment_intent_id="", total=0)

    with pytest.raises(RefundRefused, match="no payment"):
        refund(paid, 1)


def test_a_token_refunds_once(fake: FakeStripe, shirt: Product, paid: Order) -> None:
    first, second = refund(paid, 1), refund(paid, 1)

    assert first == second and len(fake.refunds) == 1
    assert item_of(shirt, "M").available == 14


# --- Lost answers -----------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_refund_whose_answer_is_lost_is_made_once(
    fake: FakeStripe, shirt: Product, paid: Order, when: str
) -> None:
    fake.faults.add("cut", path="/v1/refunds", when=when)
    asked = refund(paid, 1)
    assert asked.state == Refund.State.REQUESTED and item_of(shirt, "M").available == 13

    assert refund_requests.send_waiting_refunds(timezone.now()) == 0  # Not due yet.
    assert refund_requests.send_waiting_refunds(later()) == 1
    deliver(fake)

    asked.refresh_from_db()
    paid.refresh_from_db()
    assert asked.state == Refund.State.ACCEPTED and len(fake.refunds) == 1
    assert (paid.refunded, item_of(shirt, "M").available) == (2500, 14)
    assert not Issue.objects.exists()


@pytest.mark.parametrize("point", ["refund.saved", "refund.claimed", "refund.answered"])
def test_a_refund_survives_a_crash_at_any_step(
    fake: FakeStripe, shirt: Product, paid: Order, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(name: str) -> None:
        if name == point:
            raise KeyboardInterrupt

    monkeypatch.setattr(refund_requests, "fault_point", die)
    with pytest.raises(KeyboardInterrupt):
        refund(paid, 1)
    monkeypatch.setattr(refund_requests, "fault_point", fault_point)

    refund_requests.send_waiting_refunds(later())
    deliver(fake)

    paid.refresh_from_db()
    assert Refund.objects.get().state == Refund.State.ACCEPTED and len(fake.refunds) == 1
    assert (paid.refunded, item_of(shirt, "M").available) == (2500, 14)
    assert not Issue.objects.exists()


def test_the_event_of_a_refund_whose_answer_is_lost_asks_the_owner_nothing(
    fake: FakeStripe, shirt: Product, paid: Order
) -> None:
    fake.faults.add("cut", path="/v1/refunds", when="after")
    asked = refund(paid, 1)

    deliver(fake)

    asked.refresh_from_db()
    assert asked.state == Refund.State.ACCEPTED and item_of(shirt, "M").available == 14
    assert not Issue.objects.exists()


def test_a_stored_error_of_stripe_is_never_answered_by_a_second_refund(
    fake: FakeStripe, shirt: Product, paid: Order
) -> None:
    """Stripe repeats a stored 500 for this key, so the refund is looked up instead."""
    fake.faults.add("error_500", path="/v1/refunds", method="POST", when="after")
    asked = refund(paid, 1)
    assert asked.state == Refund.State.REQUESTED

    refund_requests.send_waiting_refunds(later())

    asked.refresh_from_db()
    assert asked.state == Refund.State.ACCEPTED and len(fake.refunds) == 1


def test_an_error_that_stripe_repeats_for_an_hour_without_a_refund_is_reported(
    fake: FakeStripe, shirt: Product, paid: Order
) -> None:
    fake.faults.add("error_500", path="/v1/refunds", method="POST", when="before")
    asked = refund(paid, 1)

    refund_requests.send_waiting_refunds(later())
    assert Refund.objects.get().state == Refund.State.REQUESTED
    Refund.objects.update(created_at=later(-7200), next_attempt_at=None)
    refund_requests.send_waiting_refunds(later())

    asked.refresh_from_db()
    paid.refresh_from_db()
    assert asked.state == Refund.State.REFUSED and len(fake.refunds) == 0
    assert "was not made" in Issue.objects.get(kind="refund_failed").text
    assert paid.fulfillment == "to_pack" and paid.lines.get().quantity_refunded == 0


def test_a_refused_refund_changes_nothing(fake: FakeStripe, shirt: Product, paid: Order) -> None:
    """Everything was refunded in the Dashboard a moment ago, and the event has not arrived."""
    fake.refund(payment_intent=paid.payment_intent_id)

    asked = refund(paid, 1)

    assert asked.state == Refund.State.REFUSED and "already been refunded" in asked.error
    assert paid.lines.get().quantity_refunded == 0 and item_of(shirt, "M").available == 13


def test_a_key_that_may_not_refund_refuses_the_first_request_but_not_a_repeated_one(
    fake: FakeStripe, paid: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    from config.stripe_client import PermissionDenied

    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionDenied("The key lacks a permission.")

    fake.faults.add("cut", path="/v1/refunds", when="after")
    lost = refund(paid, 1)
    monkeypatch.setattr(gateway, "find_refund", refuse)
    monkeypatch.setattr(gateway, "create_refund", refuse)

    refund_requests.send_waiting_refunds(later())
    second = refund(paid, 0, amount=100, token="t2")

    lost.refresh_from_db()
    assert lost.state == Refund.State.REQUESTED and "lacks a permission" in lost.error
    assert second.state == Refund.State.REFUSED


def test_a_refund_whose_units_cannot_be_counted_stands_and_is_reported(
    fake: FakeStripe, shirt: Product, paid: Order
) -> None:
    fake.dashboard.edit_product(shirt.id, metadata={"stock_M": "unlimited"})
    deliver(fake)

    asked = refund(paid, 1)

    assert asked.state == Refund.State.ACCEPTED
    assert "not returned to stock" in Issue.objects.get(kind="refund_to_review").text
    assert not Movement.objects.filter(kind="returned").exists()


# --- Refunds at Stripe, and failed ones -------------------------------------------------------


def test_a_refund_made_at_stripe_is_still_an_issue_beside_one_of_ours(fake: FakeStripe, paid: Order) -> None:
    refund(paid, 1)
    fake.refund(payment_intent=paid.payment_intent_id, amount=1000)
    deliver(fake)

    paid.refresh_from_db()
    assert (paid.refunded, paid.refunded_elsewhere) == (3500, 1000)
    assert "$35.00 of $50.00" in Issue.objects.get(kind="refund_to_review").text


def test_a_refund_made_at_stripe_just_before_one_of_ours_is_not_overlooked(
    fake: FakeStripe, paid: Order
) -> None:
    """Our answer contains its amount before its event arrives."""
    fake.refund(payment_intent=paid.payment_intent_id, amount=1000)
    refund(paid, 1)
    paid.refresh_from_db()
    assert paid.refunded == 3500

    deliver(fake)

    assert Issue.objects.filter(kind="refund_to_review").count() == 1


def test_a_failed_refund_reverses_nothing_and_is_refunded_again(
    fake: FakeStripe, shirt: Product, paid: Order, owner: Client
) -> None:
    failed = refund(paid, 2, amount=5000)
    deliver(fake)
    fake.dashboard.fail_refund(failed.stripe_id)
    deliver(fake)

    failed.refresh_from_db()
    paid.refresh_from_db()
    assert (failed.state, paid.state, paid.refunded) == ("failed", "paid", 0)
    assert item_of(shirt, "M").available == 15 and not Order.objects.to_pack().exists()
    assert "refund again, or keep the sale" in Issue.objects.get().text
    assert "Refund again" in owner.get(url_of(paid, "change")).content.decode()

    for _click in range(2):
        owner.post(url_of(paid, "refund_failed"), {"refund": str(failed.pk), "decision": "again"})
    deliver(fake)

    paid.refresh_from_db()
    assert (paid.state, paid.refunded) == ("refunded", 5000) and len(fake.refunds) == 2
    assert item_of(shirt, "M").available == 15


def test_a_refund_that_fails_before_its_lost_answer_is_found_is_not_taken_for_made(
    fake: FakeStripe, shirt: Product, paid: Order
) -> None:
    fake.faults.add("cut", path="/v1/refunds", when="after")
    lost = refund(paid, 2, amount=5000)
    (at_stripe,) = fake.refunds
    fake.dashboard.fail_refund(at_stripe)

    refund_requests.send_waiting_refunds(later())
    deliver(fake)

    lost.refresh_from_db()
    paid.refresh_from_db()
    assert (lost.state, lost.stripe_id) == ("failed", at_stripe)
    assert (paid.state, paid.refunded, paid.refunded_elsewhere) == ("paid", 0, 0)
    assert [issue.kind for issue in Issue.objects.all()] == ["refund_failed"]


def test_a_refused_repetition_of_a_failed_refund_asks_again(
    fake: FakeStripe, paid: Order, owner: Client
) -> None:
    failed = refund(paid, 1)
    deliver(fake)
    fake.dashboard.fail_refund(failed.stripe_id)
    deliver(fake)
    fake.refund(payment_intent=paid.payment_intent_id)  # In the Dashboard, whose event has not arrived.

    owner.post(url_of(paid, "refund_failed"), {"refund": str(failed.pk), "decision": "again"})

    failed.refresh_from_db()
    assert failed.is_undecided and paid.lines.get().quantity_refunded == 1


def test_the_sale_of_a_failed_refund_can_be_kept(
    fake: FakeStripe, shirt: Product, paid: Order, owner: Client
) -> None:
    failed = refund(paid, 2, amount=5000)
    deliver(fake)
    fake.dashboard.fail_refund(failed.stripe_id)
    deliver(fake)

    for _click in range(2):
        owner.post(url_of(paid, "refund_failed"), {"refund": str(failed.pk), "decision": "keep"})

    assert list(Order.objects.to_pack()) == [paid] and paid.lines.get().quantity_refunded == 0
    assert item_of(shirt, "M").available == 15  # The page says that they are to be taken out.


def test_an_event_that_arrives_after_the_failure_asks_nothing(fake: FakeStripe, paid: Order) -> None:
    failed = refund(paid, 1)
    fake.dashboard.fail_refund(failed.stripe_id)
    deliver(fake)
    Issue.objects.update(closed_at=timezone.now())

    inbox.replay(
        StripeEvent.objects.filter(type="charge.refunded").values_list("pk", flat=True), timezone.now()
    )
    deliver(fake)

    assert not Issue.objects.filter(closed_at=None).exists()


# --- The page ---------------------------------------------------------------------------------


def test_the_page_shows_a_review_before_money_leaves(
    fake: FakeStripe, shirt: Product, paid: Order, owner: Client
) -> None:
    review = owner.post(url_of(paid), form_of(paid)).content.decode()
    assert "Refund $25.00 now" in review and "back to stock" in review
    assert not Refund.objects.exists()

    form = form_of(paid, amount="25.00", confirm="1")
    for _click in range(2):
        page = owner.post(url_of(paid), form, follow=True).content.decode()
        assert "$25.00 are refunded." in page

    assert len(fake.refunds) == 1 and item_of(shirt, "M").available == 14
    assert [entry.change_message for entry in LogEntry.objects.all()] == ["Refund of $25.00: refunded."]
    assert Refund.objects.get().requested_by == "owner"


def test_everything_is_chosen_with_one_click(paid: Order, owner: Client) -> None:
    page = owner.get(url_of(paid), {"all": "1"}).content.decode()

    assert f'name="quantity-{paid.lines.get().pk}" value="2"' in page


def test_of_a_parcel_that_was_sent_the_owner_says_whether_units_came_back(
    fake: FakeStripe, shirt: Product, paid: Order, owner: Client
) -> None:
    shipping.mark_sent(paid.pk, actor="ada", now=timezone.now())
    assert "selected>Back to stock<" not in owner.get(url_of(paid)).content.decode().replace("\n", "")

    page = owner.post(url_of(paid), form_of(paid, restock="", amount="25", confirm="1")).content.decode()
    assert "It was sent: did it come back?" in page and len(fake.refunds) == 0

    owner.post(url_of(paid), form_of(paid, restock="no", amount="25", confirm="1"))
    assert len(fake.refunds) == 1 and item_of(shirt, "M").available == 13


@pytest.mark.parametrize(
    ("odd", "sentence"),
    [
        ({"amount": "abc"}, "Type an amount such as 12.50."),
        ({"amount": "-5"}, "Type an amount such as 12.50."),
        ({"amount": "1.999"}, "This currency has 2 decimals."),
        ({"amount": "50.01"}, "$50.00 of the payment is left to refund."),
        ({"amount": "9" * 21}, "at most 20 characters"),
        ({"amount": "1e9"}, "Type an amount such as 12.50."),
        ({"amount": "٣"}, "Type an amount such as 12.50."),
        ({"reason": "boredom"}, "not one of the available choices"),
        ({"token": ""}, "This field is required"),
        ({"token": "a\x00"}, "Null characters are not allowed"),
        ({"note": "x" * 501}, "at most 500 characters"),
    ],
)
def test_odd_input_gets_a_sentence_and_refunds_nothing(
    fake: FakeStripe, paid: Order, owner: Client, odd: dict[str, str], sentence: str
) -> None:
    page = owner.post(url_of(paid), form_of(paid) | odd | {"confirm": "1"})

    assert page.status_code == 200 and len(fake.refunds) == 0 and not Refund.objects.exists()
    if "token" not in odd:
        assert sentence in page.content.decode()


@pytest.mark.parametrize("quantity", ["3", "-1", "x", "1.5", "9" * 30])
def test_an_odd_number_of_units_is_marked_and_refunds_nothing(
    fake: FakeStripe, paid: Order, owner: Client, quantity: str
) -> None:
    form = form_of(paid, confirm="1") | {f"quantity-{paid.lines.get().pk}": quantity}

    page = owner.post(url_of(paid), form)

    assert "errorlist" in page.content.decode() and len(fake.refunds) == 0


def test_a_form_that_chooses_nothing_says_so(paid: Order, owner: Client) -> None:
    page = owner.post(url_of(paid), form_of(paid, 0)).content.decode()

    assert "Choose what to refund" in page


def test_while_stripe_is_away_the_page_says_what_is_known(
    fake: FakeStripe, shirt: Product, paid: Order, owner: Client
) -> None:
    fake.faults.add("cut", path="/v1/refunds", times=2)
    form = form_of(paid, amount="25", confirm="1")

    for _click in range(2):
        page = owner.post(url_of(paid), form, follow=True).content.decode()
        assert "Stripe has not confirmed the refund of $25.00 yet." in page
    assert "Stripe has not answered yet and is asked again." in page
    assert Refund.objects.count() == 1 and item_of(shirt, "M").available == 13


def test_two_owners_cannot_refund_the_same_units(fake: FakeStripe, paid: Order, owner: Client) -> None:
    owner.post(url_of(paid), form_of(paid, 2, amount="50", confirm="1"))

    page = owner.post(url_of(paid), form_of(paid, 2, token="b2", amount="50", confirm="1")).content.decode()

    assert "Nothing was refunded." in page and len(fake.refunds) == 1


def test_units_of_a_line_that_is_not_counted_are_refunded_without_stock(
    fake: FakeStripe, shirt: Product, owner: Client
) -> None:
    fake.pay(open_externally(fake, [a_line(shirt, 2)]))
    deliver(fake)
    order = Order.objects.get()
    form = form_of(order, 1, amount="25", confirm="1")

    owner.post(url_of(order), form)

    assert len(fake.refunds) == 1 and not Movement.objects.filter(kind="returned").exists()


def test_who_may_not_refund_sees_no_link_and_is_refused(fake: FakeStripe, paid: Order) -> None:
    user = User.objects.create_user("packer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_order", "pack_order"]))
    packer = log_in(user)

    assert "Refund everything" not in packer.get(url_of(paid, "change")).content.decode()
    assert packer.get(url_of(paid)).status_code == 403
    assert packer.post(url_of(paid), form_of(paid, amount="25", confirm="1")).status_code == 403
    assert packer.post(url_of(paid, "refund_failed"), {}).status_code == 403
    assert len(fake.refunds) == 0
