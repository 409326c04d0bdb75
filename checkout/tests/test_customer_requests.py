"""Requests to cancel an order or to return goods: asked once, decided by the owner, and told to the customer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from checkout.mail.render import Renderer
from checkout.models import CustomerMail, CustomerRequest, MailText, Order, Refund
from checkout.order_links import order_token
from checkout.orders import customer_requests, refund_requests
from checkout.orders.customer_requests import RequestRefused, possible_request
from checkout.tests.conftest import Customer, deliver, item_of
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
    """Two shirts of size M for Ada Lovelace, at 25.00 each."""
    return paid_order(fake, customer, shirt, 2)


@pytest.fixture
def owner(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("owner"))
    return client


def page_of(order: Order, page: str) -> str:
    return reverse(page, args=[order_token(order)])


def decide(client: Client, request: CustomerRequest, decision: str, answer: str = "") -> str:
    """The page that is shown after the decision."""
    path = reverse("admin:checkout_order_request", args=[request.order_id, request.pk])
    response = client.post(path, {"decision": decision, "answer": answer}, follow=True)
    return response.content.decode()


def mails(kind: str) -> list[CustomerMail]:
    return list(CustomerMail.objects.filter(kind=kind))


# --- The customer -----------------------------------------------------------------------------


def test_a_paid_order_can_be_canceled_until_it_is_packed_and_returned_afterwards(
    paid: Order, settings: Settings
) -> None:
    now = timezone.now()
    assert possible_request(paid, now) == Kind.CANCEL
    pack(paid)
    assert possible_request(paid, now) == Kind.RETURN
    send(paid)
    assert possible_request(paid, now + timedelta(days=settings.RETURN_DAYS - 1)) == Kind.RETURN
    assert possible_request(paid, now + timedelta(days=settings.RETURN_DAYS + 1)) is None
    settings.RETURN_DAYS = 0
    assert possible_request(paid, now) is None


def test_nothing_can_be_asked_of_an_unpaid_or_refunded_order(paid: Order) -> None:
    for state in set(Order.State) - {Order.State.PAID}:
        Order.objects.update(state=state)
        assert possible_request(Order.objects.get(), timezone.now()) is None

    with pytest.raises(RequestRefused):
        ask_to_cancel(paid)
    assert not CustomerRequest.objects.exists() and not Issue.objects.exists()


def test_a_request_changes_nothing_but_tells_the_owner(paid: Order, shirt: Product, fake: FakeStripe) -> None:
    answer = Client().post(page_of(paid, "order_cancel"), {"message": "Ordered twice."}, follow=True)

    request = CustomerRequest.objects.get()
    assert (request.kind, request.state, request.message) == (Kind.CANCEL, State.REQUESTED, "Ordered twice.")
    assert "You have asked us to cancel this order" in answer.content.decode()
    assert "Cancel this order</a>" not in answer.content.decode()
    assert list(Order.objects.to_pack()) == [paid] and item_of(shirt, "M").available == 13
    assert Issue.objects.get().kind == Issue.Kind.CUSTOMER_REQUEST and len(fake.refunds) == 0


def test_a_double_click_asks_once(paid: Order) -> None:
    for _click in range(2):
        answer = Client().post(page_of(paid, "order_cancel"), {"message": ""})
        assert answer.status_code == 302

    assert CustomerRequest.objects.count() == 1 and Issue.objects.count() == 1


def test_an_order_that_was_packed_while_the_page_was_open_offers_the_return(paid: Order) -> None:
    pack(paid)

    answer = Client().post(page_of(paid, "order_cancel"), {"message": ""}, follow=True)

    page = answer.content.decode()
    assert "Your order is packed already. You can return it instead." in page
    assert "Return something" in page and not CustomerRequest.objects.exists()


def test_a_return_names_units_and_a_reason_for_each_line(paid: Order) -> None:
    send(paid)
    line = paid.lines.get()
    form = {f"quantity-{line.pk}": "1", f"reason-{line.pk}": "too_small", "message": "<b>Thanks</b>"}

    answer = Client().post(page_of(paid, "order_return"), form, follow=True)

    request = CustomerRequest.objects.get()
    assert [(part.quantity, part.reason) for part in request.lines.all()] == [(1, "too_small")]
    assert "1 × BALM T-Shirt M Black:" in " ".join(answer.content.decode().split())


@pytest.mark.parametrize(
    ("quantity", "reason", "error"),
    [
        ("0", "", "Please choose how many"),
        ("", "too_small", "Please choose how many"),
        ("1", "", "Please choose a reason."),
        ("3", "too_small", "less than or equal to 2"),
        ("-1", "too_small", "greater than or equal to 0"),
        ("1e9", "too_small", "whole number"),
        ("9" * 5000, "too_small", "whole number"),
        ("1", "because", "not one of the available choices"),
    ],
)
def test_a_return_that_is_not_possible_gets_a_message_and_saves_nothing(
    paid: Order, quantity: str, reason: str, error: str
) -> None:
    send(paid)
    line = paid.lines.get()
    form = {f"quantity-{line.pk}": quantity, f"reason-{line.pk}": reason, "message": "kept"}

    answer = Client().post(page_of(paid, "order_return"), form)

    page = answer.content.decode()
    assert answer.status_code == 400 and error in page and ">\nkept</textarea>" in page
    assert not CustomerRequest.objects.exists()


def test_units_that_were_refunded_meanwhile_cannot_be_returned(paid: Order) -> None:
    send(paid)
    paid.lines.update(quantity_refunded=1)

    with pytest.raises(RequestRefused, match="are refunded"):
        ask_for_return(paid, 2)
    assert not CustomerRequest.objects.exists()


def test_a_withdrawn_request_is_over_and_can_be_asked_again(paid: Order) -> None:
    ask_to_cancel(paid)

    for _click in range(2):
        Client().post(page_of(paid, "order_withdraw"))

    assert CustomerRequest.objects.get().state == State.WITHDRAWN
    assert not Issue.objects.filter(closed_at=None).exists()
    assert ask_to_cancel(paid).state == State.REQUESTED


def test_an_order_is_not_asked_about_without_end(paid: Order) -> None:
    for _time in range(customer_requests.MAX_REQUESTS):
        ask_to_cancel(paid)
        customer_requests.withdraw(paid, now=timezone.now())

    with pytest.raises(RequestRefused, match="many times"):
        ask_to_cancel(paid)


# --- The owner --------------------------------------------------------------------------------


def test_an_accepted_cancellation_is_refunded_and_back_in_stock(
    paid: Order, owner: Client, fake: FakeStripe, shirt: Product
) -> None:
    request = ask_to_cancel(paid)

    page = decide(owner, request, "accept", "See you soon.")
    deliver(fake)

    request.refresh_from_db()
    paid.refresh_from_db()
    assert "Accepted: $50.00 are refunded." in page
    assert (request.state, request.decided_by, request.is_settled) == (State.ACCEPTED, "owner", True)
    assert (paid.state, paid.refunded, item_of(shirt, "M").available) == ("refunded", 5000, 15)
    [mail] = mails("cancellation_accepted")
    assert (mail.to, mail.context["answer"], mail.context["amount"]) == (
        "ada@example.com",
        "See you soon.",
        5000,
    )
    assert not Issue.objects.filter(closed_at=None).exists()
    assert "Cancellation: Accepted." in LogEntry.objects.values_list("change_message", flat=True)[0].title()


def test_a_second_click_refunds_nothing_more(paid: Order, owner: Client, fake: FakeStripe) -> None:
    request = ask_to_cancel(paid)
    decide(owner, request, "accept")

    page = decide(owner, request, "accept")

    assert "This was decided before: accepted." in page
    assert len(fake.refunds) == 1 and len(mails("cancellation_accepted")) == 1


def test_a_second_click_while_stripe_has_not_answered_says_that_it_was_decided(
    paid: Order, owner: Client, fake: FakeStripe
) -> None:
    request = ask_to_cancel(paid)
    fake.faults.add("cut", path="/v1/refunds", when="after")
    decide(owner, request, "accept")

    page = decide(owner, request, "accept")

    assert "This was decided before: accepted." in page
    assert Refund.objects.get().state == Refund.State.REQUESTED


def test_an_order_that_is_packed_meanwhile_keeps_its_request_and_the_packer_is_told(
    paid: Order, owner: Client, fake: FakeStripe, shirt: Product
) -> None:
    request = ask_to_cancel(paid)

    packed = owner.post(reverse("admin:checkout_order_pack", args=[paid.pk]), follow=True).content.decode()

    assert f"{paid.number}: the customer has asked to cancel it." in packed
    assert "It was packed on" in packed
    assert "packed meanwhile" in owner.get(reverse("admin:index")).content.decode()
    request.refresh_from_db()
    assert request.state == State.REQUESTED
    decide(owner, request, "accept")
    paid.refresh_from_db()
    assert paid.state == "refunded" and item_of(shirt, "M").available == 15


def test_packing_many_names_those_that_are_to_be_canceled(paid: Order, owner: Client) -> None:
    ask_to_cancel(paid)
    chosen = {"action": "pack", "_selected_action": [str(paid.pk)]}

    page = owner.post(reverse("admin:checkout_order_changelist"), chosen, follow=True).content.decode()

    assert f"{paid.number}: the customer has asked to cancel it." in page


def test_an_order_that_is_sent_meanwhile_can_only_be_declined(
    paid: Order, owner: Client, fake: FakeStripe
) -> None:
    request = ask_to_cancel(paid)
    send(paid)

    page = decide(owner, request, "accept")
    assert "The parcel is sent already." in page and len(fake.refunds) == 0
    request.refresh_from_db()
    assert request.state == State.REQUESTED

    decide(owner, request, "decline", "It is on its way.")
    assert mails("request_declined")[0].context == {"answer": "It is on its way."}
    assert possible_request(Order.objects.get(), timezone.now()) == Kind.RETURN


def test_the_customer_reads_the_answer_on_the_page(paid: Order, owner: Client) -> None:
    decide(owner, ask_to_cancel(paid), "decline", "It is <packed>.")

    page = Client().get(page_of(paid, "order_page")).content.decode()
    assert "We cannot cancel this order" in page and "It is &lt;packed&gt;." in page


def test_an_accepted_return_refunds_nothing_until_the_goods_have_arrived(
    paid: Order, owner: Client, fake: FakeStripe
) -> None:
    send(paid)
    request = ask_for_return(paid)

    decide(owner, request, "accept", "Please send it to 1 Main Street.")

    assert len(fake.refunds) == 0 and len(mails("return_accepted")) == 1
    refund_page = f"{reverse('admin:checkout_order_refund', args=[paid.pk])}?request={request.pk}"
    assert refund_page in owner.get(reverse("admin:checkout_order_change", args=[paid.pk])).content.decode()
    form = owner.get(refund_page).context["form"]
    line = paid.lines.get()
    assert (form.initial[f"quantity-{line.pk}"], form.initial[f"restock-{line.pk}"]) == (1, "yes")
    listed = owner.get(reverse("admin:checkout_order_changelist"), {"work": "returns"}).content.decode()
    assert paid.number in listed


@pytest.mark.parametrize("other", ["x", "1" * 30, "-1", ""])
def test_a_refund_page_of_an_unknown_request_is_an_ordinary_one(
    paid: Order, owner: Client, other: str
) -> None:
    answer = owner.get(reverse("admin:checkout_order_refund", args=[paid.pk]), {"request": other})

    assert answer.status_code == 200


def test_a_refund_that_stripe_refuses_lets_the_request_wait_again(
    paid: Order, owner: Client, fake: FakeStripe, shirt: Product
) -> None:
    request = ask_to_cancel(paid)
    fake.refund(payment_intent=paid.payment_intent_id, amount=1000)  # Its event has not arrived.

    page = decide(owner, request, "accept")

    request.refresh_from_db()
    assert "Nothing was refunded, and the request still waits." in page
    assert (request.state, request.refund, mails("cancellation_accepted")) == (State.REQUESTED, None, [])
    assert Issue.objects.filter(kind=Issue.Kind.CUSTOMER_REQUEST, closed_at=None).exists()
    deliver(fake)
    decide(owner, request, "accept")
    paid.refresh_from_db()
    assert (len(fake.refunds), paid.state, len(mails("cancellation_accepted"))) == (2, "refunded", 1)


def test_a_refund_without_an_answer_is_settled_by_the_worker(
    paid: Order, owner: Client, fake: FakeStripe
) -> None:
    request = ask_to_cancel(paid)
    fake.faults.add("cut", path="/v1/refunds", when="after")

    assert "has not confirmed the refund" in decide(owner, request, "accept")
    assert customer_requests.settle_waiting(timezone.now()) == 0 and mails("cancellation_accepted") == []

    later = timezone.now() + timedelta(minutes=1)
    assert refund_requests.send_waiting_refunds(later) == 1
    assert customer_requests.settle_waiting(later) == 1
    assert customer_requests.settle_waiting(later) == 0
    assert len(fake.refunds) == 1 and len(mails("cancellation_accepted")) == 1


def test_a_process_that_dies_after_the_decision_leaves_the_rest_to_the_worker(
    paid: Order, fake: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ask_to_cancel(paid)

    def die(point: str) -> None:
        raise SystemExit

    monkeypatch.setattr(customer_requests, "fault_point", die)
    with pytest.raises(SystemExit):
        customer_requests.accept(request.pk, answer="", actor="owner", now=timezone.now())
    monkeypatch.undo()

    later = timezone.now() + timedelta(minutes=1)
    refund_requests.send_waiting_refunds(later)
    customer_requests.settle_waiting(later)
    assert Refund.objects.get().state == Refund.State.ACCEPTED and len(mails("cancellation_accepted")) == 1


def test_an_order_without_a_payment_at_stripe_cannot_be_refunded_by_a_click(
    paid: Order, owner: Client
) -> None:
    request = ask_to_cancel(paid)
    Order.objects.update(payment_intent_id="")

    assert "there is nothing to refund" in decide(owner, request, "accept")
    request.refresh_from_db()
    assert request.state == State.REQUESTED


def test_what_was_refunded_at_stripe_is_accepted_without_another_refund(
    paid: Order, owner: Client, fake: FakeStripe
) -> None:
    request = ask_to_cancel(paid)
    fake.refund(payment_intent=paid.payment_intent_id, amount=5000)
    deliver(fake)

    assert "Everything was refunded before." in decide(owner, request, "accept")
    # The mail about the refund has told the amount.
    assert (
        len(fake.refunds) == 1 and mails("cancellation_accepted") == [] and len(mails("order_canceled")) == 1
    )


# --- The mail about the cancellation and its refund ---------------------------------------------


def mails_after_the_confirmation() -> list[CustomerMail]:
    told = CustomerMail.objects.exclude(kind="order_confirmation").exclude(state=CustomerMail.State.CANCELED)
    return list(told.order_by("pk"))


def text_of(mail: CustomerMail) -> str:
    return Renderer.load().render(mail).text


def accept(request: CustomerRequest) -> Refund:
    customer_requests.accept(request.pk, answer="See you soon.", actor="owner", now=timezone.now())
    return Refund.objects.get()


def test_one_mail_tells_of_the_cancellation_and_of_the_amount(paid: Order, fake: FakeStripe) -> None:
    accept(ask_to_cancel(paid))
    deliver(fake)

    [mail] = mails_after_the_confirmation()
    text = text_of(mail)
    assert "We have canceled your order" in text and "See you soon." in text
    assert "Refunded: $50.00\n2 × BALM T-Shirt M Black" in text
    assert "$50.00<br>2 × BALM T-Shirt M Black" in Renderer.load().render(mail).html


def test_an_owners_own_text_of_the_mail_still_names_the_amount(paid: Order) -> None:
    MailText.objects.create(kind="cancellation_accepted", language="en", text="Canceled, {name}. Bye.")

    accept(ask_to_cancel(paid))

    [mail] = mails_after_the_confirmation()
    assert "Canceled, Ada Lovelace. Bye." in text_of(mail) and "Refunded: $50.00" in text_of(mail)


def test_a_mail_that_was_queued_without_an_amount_names_none(paid: Order) -> None:
    """One that was queued before the amount was in it."""
    accept(ask_to_cancel(paid))
    CustomerMail.objects.filter(kind="cancellation_accepted").update(context={"answer": "Bye."})

    [mail] = mails_after_the_confirmation()
    assert "Refunded" not in text_of(mail) and "Bye." in text_of(mail)


def test_a_cancellation_whose_refund_failed_before_the_mail_promises_no_money(
    paid: Order, fake: FakeStripe
) -> None:
    cancel_by_a_refund_that_fails_unseen(paid, fake)

    assert customer_requests.settle_waiting(timezone.now() + timedelta(minutes=1)) == 1

    assert Refund.objects.get().state == Refund.State.FAILED
    [mail] = mails_after_the_confirmation()
    assert mail.kind == "order_canceled" and "See you soon." in text_of(mail)
    assert "$" not in text_of(mail) and "money" not in text_of(mail)


def test_a_refund_that_fails_before_the_mail_is_sent_takes_its_promise_back(
    paid: Order, fake: FakeStripe
) -> None:
    refund = accept(ask_to_cancel(paid))

    fake.dashboard.fail_refund(refund.stripe_id)
    deliver(fake)

    [mail] = mails_after_the_confirmation()
    assert mail.kind == "order_canceled" and "$" not in text_of(mail)
    assert mails("cancellation_accepted")[0].state == CustomerMail.State.CANCELED


def test_a_failed_refund_that_is_made_again_is_told_by_a_mail_of_its_own(
    paid: Order, fake: FakeStripe
) -> None:
    refund = accept(ask_to_cancel(paid))
    CustomerMail.objects.filter(kind="cancellation_accepted").update(state=CustomerMail.State.SENT)
    fake.dashboard.fail_refund(refund.stripe_id)
    deliver(fake)
    refund.refresh_from_db()

    refund_requests.refund_again(refund, actor="owner")

    kinds = [mail.kind for mail in mails_after_the_confirmation()]
    assert kinds == ["cancellation_accepted", "order_refunded"]


def test_where_mails_about_cancellations_are_off_the_refund_is_told(paid: Order, settings: Settings) -> None:
    settings.CUSTOMER_MAILS_OFF = ["cancellation_accepted"]

    accept(ask_to_cancel(paid))

    assert [mail.kind for mail in mails_after_the_confirmation()] == ["order_refunded"]


@pytest.mark.parametrize("role", ["Packer", "Bookkeeper"])
def test_only_who_may_refund_may_decide(roles: None, paid: Order, role: str) -> None:
    request = ask_to_cancel(paid)
    user = User.objects.create_user(role.lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)

    path = reverse("admin:checkout_order_request", args=[paid.pk, request.pk])
    assert client.post(path, {"decision": "accept"}).status_code == 403
    page = client.get(reverse("admin:checkout_order_change", args=[paid.pk])).content.decode()
    assert "The customer asks to cancel this order" in page and 'value="accept"' not in page
    assert paid.number in client.get(reverse("admin:index")).content.decode()
    request.refresh_from_db()
    assert request.state == State.REQUESTED


def test_a_request_of_another_order_is_not_found(paid: Order, owner: Client) -> None:
    request = ask_to_cancel(paid)
    other = Order.objects.create(currency="usd")

    path = reverse("admin:checkout_order_request", args=[other.pk, request.pk])
    assert owner.post(path, {"decision": "accept"}).status_code == 404
    assert owner.get(path).status_code == 403
    assert "too long" in decide(owner, request, "accept", "x" * 501)
    request.refresh_from_db()
    assert request.state == State.REQUESTED


def test_a_line_break_in_an_answer_or_message_stays_in_its_place(paid: Order, owner: Client) -> None:
    request = ask_to_cancel(paid, "Hello\r\nBcc: everyone@example.com")

    decide(owner, request, "decline", "No\r\nBcc: everyone@example.com")

    [mail] = mails("request_declined")
    assert mail.to == "ada@example.com" and "Bcc" in mail.context["answer"]
