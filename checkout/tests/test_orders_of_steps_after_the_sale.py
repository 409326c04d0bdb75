"""Cancellations, returns and refunds that cross each other: each order of steps ends in one truth and keeps nothing waiting."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from checkout.mail.render import Renderer
from checkout.models import CustomerMail, CustomerRequest, Order, Refund
from checkout.order_links import order_token
from checkout.orders import customer_requests, refund_requests, shipping
from checkout.orders.customer_requests import RequestRefused, ReturnedUnits, possible_request
from checkout.orders.refund_requests import RefundedUnits
from checkout.tests.conftest import Customer, deliver, item_of, put_on_show
from checkout.tests.steps import (
    ask_for_return,
    ask_to_cancel,
    cancel_by_a_refund_that_fails_unseen,
    pack,
    paid_order,
    send,
)
from fake_stripe import FakeStripe
from inventory.models import Issue
from shop.models import Product

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mails_on")]

Kind, State = CustomerRequest.Kind, CustomerRequest.State


@pytest.fixture
def paid(fake: FakeStripe, shirt: Product, customer: Customer) -> Order:
    """Three shirts of size M for Ada, at 25.00 each."""
    return paid_order(fake, customer, shirt, 3)


@pytest.fixture
def sent(paid: Order) -> Order:
    return send(paid)


@pytest.fixture
def free(fake: FakeStripe, customer: Customer) -> Order:
    """Two stickers that cost nothing."""
    sticker = put_on_show(fake, "prod_sticker", "Sticker", {"sizes": "M", "stock_M": "15"}, amount=0)
    return paid_order(fake, customer, sticker, 2)


def accept(request: CustomerRequest) -> CustomerRequest:
    return customer_requests.accept(request.pk, answer="", actor="owner", now=timezone.now())


def refund(
    order: Order, quantity: int, amount: int, token: str = "t1", customer_return: int | None = None
) -> Refund:
    units = [RefundedUnits(order.lines.get().pk, quantity, restock=False)] if quantity else []
    return refund_requests.request_refund(
        order.pk, units, amount=amount, token=token, actor="owner", customer_return=customer_return
    )


def state_of(row: CustomerRequest | Order | Refund) -> str:
    row.refresh_from_db()
    return row.state


def told(kind: str) -> int:
    return CustomerMail.objects.filter(kind=kind).count()


# --- A return of an order that is canceled after all --------------------------------------------


def test_a_cancellation_completes_the_return_of_a_parcel_that_was_unpacked(
    paid: Order, fake: FakeStripe, shirt: Product
) -> None:
    on_its_way = accept(ask_for_return(pack(paid)))
    shipping.mark_unpacked([paid.pk])
    paid.refresh_from_db()

    canceled = accept(ask_to_cancel(paid))

    assert canceled.refund is not None and canceled.refund.state == Refund.State.ACCEPTED
    assert (state_of(on_its_way), state_of(canceled), state_of(paid)) == ("returned", "accepted", "refunded")
    assert on_its_way.refund is None and item_of(shirt, "M").available == 15 and len(fake.refunds) == 1


def test_a_cancellation_without_money_completes_the_return_of_a_parcel_that_was_unpacked(free: Order) -> None:
    on_its_way = accept(ask_for_return(pack(free)))
    shipping.mark_unpacked([free.pk])

    canceled = accept(ask_to_cancel(free))

    assert (state_of(on_its_way), state_of(canceled), state_of(free)) == ("returned", "accepted", "refunded")
    assert canceled.refund == Refund.objects.get() and on_its_way.refund is None


# --- A refund of ours that fails and is made again -----------------------------------------------


def test_a_refund_that_is_made_again_does_not_complete_the_next_return(sent: Order, fake: FakeStripe) -> None:
    first = accept(ask_for_return(sent))
    failed = refund(sent, 1, 2500, customer_return=first.pk)
    second = accept(ask_for_return(sent))
    fake.dashboard.fail_refund(failed.stripe_id)
    deliver(fake)
    failed.refresh_from_db()

    refund_requests.refund_again(failed, actor="owner")

    assert (state_of(failed), state_of(first), state_of(second)) == ("failed", "returned", "returning")
    assert sent.lines.get().quantity_refunded == 1


def test_the_return_that_a_refund_completes_names_it_although_an_older_one_waits(
    sent: Order,
) -> None:
    older, newer = accept(ask_for_return(sent, 2)), accept(ask_for_return(sent, 1))

    made = refund(sent, 1, 2500)

    assert (state_of(older), state_of(newer), newer.refund) == ("returning", "returned", made)


def test_a_refund_that_may_be_refused_does_not_let_another_one_complete_its_return(
    sent: Order, fake: FakeStripe
) -> None:
    on_its_way = accept(ask_for_return(sent, 3))
    fake.faults.add("cut", path="/v1/refunds", when="before")
    waiting = refund(sent, 3, 7000)
    refund(sent, 0, 300, token="t2")
    assert (state_of(waiting), state_of(on_its_way)) == ("requested", "returning")

    fake.refund(payment_intent=sent.payment_intent_id, amount=1000)
    refund_requests.send_waiting_refunds(timezone.now() + timedelta(minutes=1))

    assert (state_of(waiting), state_of(on_its_way), on_its_way.refund) == ("refused", "returning", None)


def test_a_refund_that_is_confirmed_after_another_one_completes_its_return(
    sent: Order, fake: FakeStripe
) -> None:
    on_its_way = accept(ask_for_return(sent, 3))
    fake.faults.add("cut", path="/v1/refunds", when="after")
    waiting = refund(sent, 3, 7000)
    refund(sent, 0, 300, token="t2")

    refund_requests.send_waiting_refunds(timezone.now() + timedelta(minutes=1))

    assert (state_of(waiting), state_of(on_its_way), on_its_way.refund) == ("accepted", "returned", waiting)


def test_a_cancellation_whose_refund_fails_and_is_kept_leaves_the_order_to_send(
    paid: Order, fake: FakeStripe
) -> None:
    canceled = accept(ask_to_cancel(paid))
    made = canceled.refund
    assert made is not None and not Order.objects.to_pack().exists()
    fake.dashboard.fail_refund(made.stripe_id)
    deliver(fake)
    made.refresh_from_db()
    assert (state_of(paid), told("order_refunded")) == ("paid", 0) and not Order.objects.to_pack().exists()

    assert refund_requests.keep_sale(made, actor="owner")

    assert (state_of(canceled), canceled.decided_by) == ("declined", "owner")
    assert list(Order.objects.to_pack()) == [paid] and possible_request(paid, timezone.now()) == Kind.CANCEL
    again = accept(ask_to_cancel(paid))
    assert again.refund is not None and (again.refund.state, state_of(paid)) == ("accepted", "refunded")
    assert told("cancellation_accepted") == 2


def test_the_unsent_mail_about_a_cancellation_that_is_undone_is_taken_back(paid: Order) -> None:
    made = accept(ask_to_cancel(paid)).refund
    assert made is not None
    refund_requests.mark_failed(made.stripe_id)
    made.refresh_from_db()

    assert refund_requests.keep_sale(made, actor="owner")

    about = CustomerMail.objects.filter(kind__in=["cancellation_accepted", "order_canceled"])
    assert sorted(about.values_list("kind", "state")) == [
        ("cancellation_accepted", "canceled"),
        ("order_canceled", "canceled"),
    ]


def test_a_cancellation_that_is_undone_before_it_is_settled_is_not_told(
    paid: Order, fake: FakeStripe
) -> None:
    request = cancel_by_a_refund_that_fails_unseen(paid, fake)

    assert refund_requests.keep_sale(Refund.objects.get(), actor="owner")

    assert customer_requests.settle_waiting(timezone.now() + timedelta(minutes=1)) == 0
    assert (state_of(request), told("order_canceled")) == ("declined", 0)


def test_a_cancellation_is_undone_where_its_repeated_refund_fails_as_well(
    paid: Order, fake: FakeStripe
) -> None:
    canceled = customer_requests.accept(
        ask_to_cancel(paid).pk, answer="Canceled, as you wished.", actor="owner", now=timezone.now()
    )
    for _attempt in range(2):
        last = Refund.objects.latest("created_at")
        fake.dashboard.fail_refund(last.stripe_id)
        deliver(fake)
        last.refresh_from_db()
        again = refund_requests.refund_again(last, actor="owner")
    fake.dashboard.fail_refund(again.stripe_id)
    deliver(fake)
    again.refresh_from_db()

    assert refund_requests.keep_sale(again, actor="owner")

    assert (state_of(canceled), canceled.answer) == ("declined", "")
    page = Client().get(reverse("order_page", args=[order_token(paid)])).content.decode()
    assert "We cannot cancel this order" in page and "as you wished" not in page


def test_a_return_stays_returned_where_the_sale_of_its_failed_refund_is_kept(
    sent: Order, fake: FakeStripe
) -> None:
    returned = accept(ask_for_return(sent, 1))
    made = refund(sent, 1, 2500, customer_return=returned.pk)
    fake.dashboard.fail_refund(made.stripe_id)
    deliver(fake)
    made.refresh_from_db()

    assert not refund_requests.keep_sale(made, actor="owner")

    assert state_of(returned) == "returned"


def test_the_owner_is_asked_to_write_where_a_cancellation_is_undone(
    paid: Order, fake: FakeStripe, admin_client: Client
) -> None:
    made = accept(ask_to_cancel(paid)).refund
    assert made is not None
    fake.dashboard.fail_refund(made.stripe_id)
    deliver(fake)

    answer = admin_client.post(
        reverse("admin:checkout_order_refund_failed", args=[paid.pk]),
        {"refund": str(made.pk), "decision": "keep"},
        follow=True,
    )

    assert "Please write to the customer." in answer.content.decode()


# --- Asked for twice ------------------------------------------------------------------------------


def test_units_that_are_on_their_way_back_cannot_be_returned_once_more(sent: Order) -> None:
    accept(ask_for_return(sent, 2))

    with pytest.raises(RequestRefused):
        ask_for_return(sent, 2)
    page = Client().get(reverse("order_return", args=[order_token(sent)])).content.decode()
    assert 'max="1"' in page and 'max="3"' not in page

    accept(ask_for_return(sent, 1))
    assert possible_request(sent, timezone.now()) is None
    order_page = Client().get(reverse("order_page", args=[order_token(sent)])).content.decode()
    assert "Return something" not in order_page


def test_units_of_a_closed_return_can_be_returned_again(sent: Order) -> None:
    closed = accept(ask_for_return(sent, 3))
    customer_requests.close_return(closed.pk, answer="", actor="owner", now=timezone.now())

    assert ask_for_return(sent, 3).state == State.REQUESTED


def test_units_on_their_way_back_are_taken_off_once_when_they_are_being_refunded(
    sent: Order, fake: FakeStripe
) -> None:
    on_its_way = accept(ask_for_return(sent, 2))
    fake.faults.add("cut", path="/v1/refunds", when="after")
    refund(sent, 2, 5000, customer_return=on_its_way.pk)
    assert state_of(on_its_way) == State.RETURNING

    # The third one has nothing to do with the two whose refund is not confirmed.
    assert ask_for_return(sent, 1).state == State.REQUESTED


# --- Refunds in Stripe's Dashboard -----------------------------------------------------------------


def test_a_return_of_an_order_that_was_refunded_at_stripe_is_not_accepted(
    sent: Order, fake: FakeStripe, admin_client: Client
) -> None:
    asked = ask_for_return(sent)
    fake.refund(payment_intent=sent.payment_intent_id, amount=7500)
    deliver(fake)

    with pytest.raises(RequestRefused, match="refunded meanwhile"):
        accept(asked)
    assert (state_of(asked), state_of(sent), told("return_accepted")) == ("requested", "refunded", 0)
    assert Issue.objects.filter(kind=Issue.Kind.CUSTOMER_REQUEST, closed_at=None).exists()
    customer_requests.decline(asked.pk, answer="", actor="owner", now=timezone.now())
    assert Order.objects.finished().exists()


def test_a_partial_refund_at_stripe_leaves_the_return_and_the_rest_to_refund(
    sent: Order, fake: FakeStripe
) -> None:
    on_its_way = accept(ask_for_return(sent, 3))
    fake.refund(payment_intent=sent.payment_intent_id, amount=1000)
    deliver(fake)
    assert state_of(on_its_way) == State.RETURNING

    sent.refresh_from_db()
    made = refund(sent, 3, refund_requests.refundable(sent), customer_return=on_its_way.pk)

    assert (made.amount, made.state, state_of(on_its_way)) == (6500, "accepted", "returned")
    deliver(fake)
    # One mail for each refund, and the event of ours adds none.
    assert state_of(sent) == "refunded" and told("order_refunded") == 2


def test_the_event_of_a_refund_whose_answer_is_lost_completes_its_return_once(
    sent: Order, fake: FakeStripe
) -> None:
    on_its_way = accept(ask_for_return(sent))
    fake.faults.add("cut", path="/v1/refunds", when="after")
    refund(sent, 1, 2500, customer_return=on_its_way.pk)
    assert state_of(on_its_way) == State.RETURNING

    deliver(fake)
    refund_requests.send_waiting_refunds(timezone.now() + timedelta(minutes=1))

    assert state_of(on_its_way) == State.RETURNED and len(fake.refunds) == 1
    assert told("order_refunded") == 1 and sent.lines.get().quantity_refunded == 1


def test_a_refund_that_stripe_refuses_after_a_full_one_in_the_dashboard_leaves_no_open_return(
    sent: Order, fake: FakeStripe
) -> None:
    on_its_way = accept(ask_for_return(sent))
    fake.refund(payment_intent=sent.payment_intent_id, amount=7500)

    refused = refund(sent, 1, 2500, customer_return=on_its_way.pk)
    assert (refused.state, state_of(on_its_way)) == ("refused", "returning")
    deliver(fake)

    assert (state_of(on_its_way), on_its_way.refund) == ("returned", None)
    assert Order.objects.finished().exists() and sent.lines.get().quantity_refunded == 0


def test_a_refund_of_a_return_that_fails_keeps_the_return_completed_and_the_owner_decides(
    sent: Order, fake: FakeStripe, admin_client: Client
) -> None:
    on_its_way = accept(ask_for_return(sent, 3))
    made = refund(sent, 3, 7500, customer_return=on_its_way.pk)
    assert state_of(sent) == "refunded"
    fake.dashboard.fail_refund(made.stripe_id)
    for _delivery in range(2):
        deliver(fake)

    assert (state_of(made), state_of(on_its_way), state_of(sent)) == ("failed", "returned", "paid")
    assert told("order_refunded") == 1 and CustomerMail.objects.get(kind="order_refunded").state == "canceled"
    again = refund_requests.refund_again(made, actor="owner")
    assert (again.state, state_of(sent), state_of(on_its_way)) == ("accepted", "refunded", "returned")
    page = admin_client.get(reverse("admin:checkout_order_change", args=[sent.pk]))
    assert page.status_code == 200


@pytest.mark.parametrize("amount", [1000, 7500])
def test_a_refund_at_stripe_whose_event_comes_after_the_cancellation_was_asked_for(
    paid: Order, fake: FakeStripe, shirt: Product, amount: int
) -> None:
    asked = ask_to_cancel(paid)
    fake.refund(payment_intent=paid.payment_intent_id, amount=amount)

    refused = accept(asked)  # More than is left, as Stripe knows and we do not.
    assert (refused.state, refused.refund, told("order_canceled")) == ("requested", None, 0)
    deliver(fake)
    paid.refresh_from_db()
    accepted = accept(asked)

    assert (accepted.state, accepted.is_settled, state_of(paid)) == ("accepted", True, "refunded")
    assert told("cancellation_accepted") == (1 if amount == 1000 else 0)
    assert told("order_canceled") == (0 if amount == 1000 else 1)
    assert fake.refunds and sum(row["amount"] for row in fake.refunds.values()) == 7500


# --- A cancellation that Stripe refuses while the customer asks again -------------------------------


def test_a_refused_cancellation_gives_way_to_the_one_that_was_asked_for_meanwhile(
    paid: Order, fake: FakeStripe, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask_to_cancel(paid)
    fake.refund(payment_intent=paid.payment_intent_id, amount=1000)
    with monkeypatch.context() as patch:
        patch.setattr(customer_requests, "settle", lambda *_, **__: False)  # The process dies before it.
        accept(first)
    second = ask_to_cancel(paid)
    assert second.pk != first.pk

    customer_requests.settle_waiting(timezone.now())

    first.refresh_from_db()
    assert (first.state, first.is_settled, state_of(second)) == ("withdrawn", True, "requested")
    page = admin_client.get(reverse("admin:checkout_order_change", args=[paid.pk])).content.decode()
    assert first.decided_at is not None and "Withdrawn by the customer" in page
    assert CustomerRequest.objects.filter(is_settled=False).count() == 0
    deliver(fake)
    assert accept(second).state == State.ACCEPTED and state_of(paid) == "refunded"


def test_a_request_to_cancel_waits_while_the_owner_refunds_everything_by_hand(
    paid: Order, fake: FakeStripe
) -> None:
    asked = ask_to_cancel(paid)
    refund(paid, 3, 7500)
    assert (state_of(paid), state_of(asked)) == ("refunded", "requested")

    accepted = accept(asked)

    # The refund is told already, so the second mail promises no further one.
    assert (accepted.state, accepted.refund, len(fake.refunds)) == ("accepted", None, 1)
    assert (told("order_refunded"), told("order_canceled"), told("cancellation_accepted")) == (1, 1, 0)
    assert Order.objects.finished().exists()


# --- Two people, double clicks ---------------------------------------------------------------------


def test_one_owner_closes_a_return_while_the_other_refunds_it(sent: Order, fake: FakeStripe) -> None:
    on_its_way = accept(ask_for_return(sent))
    customer_requests.close_return(on_its_way.pk, answer="", actor="a", now=timezone.now())

    with pytest.raises(refund_requests.RefundRefused):
        refund(sent, 1, 2500, customer_return=on_its_way.pk)

    assert len(fake.refunds) == 0 and sent.lines.get().quantity_refunded == 0 and not Refund.objects.exists()


def test_a_return_of_another_order_is_not_completed(
    sent: Order, fake: FakeStripe, other_customer: Customer, shirt: Product
) -> None:
    other = accept(ask_for_return(send(paid_order(fake, other_customer, shirt, 1))))

    with pytest.raises(refund_requests.RefundRefused):
        refund(sent, 1, 2500, customer_return=other.pk)

    assert state_of(other) == State.RETURNING and not Refund.objects.exists()


def test_an_old_click_on_a_part_of_a_free_order_mails_nothing_more(free: Order) -> None:
    refund(free, 1, 0)
    refund(free, 1, 0, token="t2")
    refund(free, 1, 0)

    assert told("order_canceled") == 1 and Refund.objects.count() == 2


# --- Texts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_the_answer_to_a_return_of_a_free_order_promises_no_money(free: Order, language: str) -> None:
    Order.objects.update(language=language)
    free.refresh_from_db()

    accept(ask_for_return(send(free)))

    text = Renderer.load().render(CustomerMail.objects.get(kind="return_accepted")).text
    assert free.number in text
    assert not any(word in text for word in ("money", "Geld", "Vous êtes remboursé"))


def test_markup_in_what_the_customer_and_the_owner_write_stays_text(
    sent: Order, admin_client: Client
) -> None:
    nasty = "<script>alert(1)</script> & \u202eevil\u202c " + "x" * 400
    sent.address = {"country": "DE", "name": nasty, "line1": "<b>1</b>", "city": "ميونخ", "state": nasty}
    Order.objects.filter(pk=sent.pk).update(address=sent.address, name=nasty)
    units = [ReturnedUnits(sent.lines.get().pk, 1, "other")]
    asked = customer_requests.ask(sent.pk, Kind.RETURN, units=units, message=nasty, now=timezone.now())
    customer_requests.accept(asked.pk, answer=nasty, actor="owner", now=timezone.now())
    customer_requests.close_return(asked.pk, answer=nasty, actor="owner", now=timezone.now())

    pages = [
        admin_client.get(reverse("admin:index")),
        admin_client.get(reverse("admin:checkout_order_change", args=[sent.pk])),
        Client().get(reverse("order_page", args=[order_token(sent)])),
    ]
    html = [page.content.decode() for page in pages]
    renderer = Renderer.load()
    html += [renderer.render(mail).html for mail in CustomerMail.objects.all()]
    assert len(html) > 5
    assert not any("<script>alert" in text or "<b>1</b>" in text for text in html)
    texts = [renderer.render(mail).text for mail in CustomerMail.objects.filter(kind="return_closed")]
    assert all("<script>alert(1)</script> &" in text for text in texts)


# --- External orders, erased customers, and roles ------------------------------------------------------


def test_a_return_of_an_order_without_a_mail_address_is_followed_and_told_to_no_one(sent: Order) -> None:
    Order.objects.filter(pk=sent.pk).update(email="", name="", address={}, is_external=True)
    on_its_way = accept(ask_for_return(sent, 1))
    closed = accept(ask_for_return(sent, 1))

    refund(sent, 1, 2500, customer_return=on_its_way.pk)
    customer_requests.close_return(closed.pk, answer="A word.", actor="owner", now=timezone.now())

    assert (state_of(on_its_way), state_of(closed)) == ("returned", "closed")
    assert told("return_accepted") == told("return_closed") == told("order_refunded") == 0


@pytest.mark.parametrize(
    ("codename", "shown", "hidden"),
    [
        (None, [], ["Returns in progress", "Waiting for sizes", "Ada"]),
        ("view_stockitem", [], ["Returns in progress", "Waiting for sizes", "Ada"]),
        ("view_reports", [], ["Returns in progress", "Ada Lovelace"]),
        ("view_order", ["Returns in progress", "Ada Lovelace"], ["Waiting for sizes"]),
    ],
)
def test_today_shows_a_role_no_more_than_its_permissions(
    sent: Order, codename: str | None, shown: list[str], hidden: list[str]
) -> None:
    accept(ask_for_return(sent))
    user = User.objects.create_user("few", is_staff=True)
    if codename:
        user.user_permissions.add(Permission.objects.get(codename=codename))
    client = Client()
    client.force_login(user)

    answer = client.get(reverse("admin:index"))

    page = answer.content.decode()
    assert answer.status_code == 200
    assert all(text in page for text in shown) and not any(text in page for text in hidden)
