"""Accepted returns: listed until the goods have arrived, completed by their refund, or closed without one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from checkout.models import CustomerMail, CustomerRequest, Order, Refund
from checkout.order_links import order_token
from checkout.orders import customer_requests, refund_requests
from checkout.orders.customer_requests import RequestRefused, ReturnedUnits
from checkout.orders.refund_requests import RefundedUnits, RefundRefused
from checkout.request_decisions import COUNTED_UP_TO, MAX_SHOWN, returns_in_progress
from checkout.tests.conftest import Customer, deliver, item_of, order_for, put_on_show
from checkout.tests.steps import paid_order, send
from fake_stripe import FakeStripe
from shop.models import Product

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mails_on")]

Kind, State = CustomerRequest.Kind, CustomerRequest.State


@pytest.fixture
def sent(fake: FakeStripe, shirt: Product, customer: Customer) -> Order:
    """Three shirts of size M for Ada, at 25.00 each, in one parcel."""
    return sent_order(fake, customer, shirt, 3)


def sent_order(fake: FakeStripe, customer: Customer, product: Product, quantity: int) -> Order:
    return send(paid_order(fake, customer, product, quantity))


def on_its_way(order: Order, quantity: int = 1, reason: str = "too_small", **when: Any) -> CustomerRequest:
    """An accepted return."""
    now = when.get("now", timezone.now())
    units = [ReturnedUnits(order.lines.get().pk, quantity, reason)]
    asked = customer_requests.ask(order.pk, Kind.RETURN, units=units, now=now)
    return customer_requests.accept(asked.pk, answer="Send it to 1 Main Street.", actor="owner", now=now)


def arrived(client: Client, request: CustomerRequest, **changes: str) -> str:
    """Follow the link of the return, and confirm what the refund page has filled in. Returns the last page."""
    path = reverse("admin:checkout_order_refund", args=[request.order_id])
    form = client.get(path, {"request": request.pk}).context["form"]
    filled = {name: str(form[name].value() or "") for name in form.fields}
    return client.post(path, {**filled, **changes, "confirm": "1"}, follow=True).content.decode()


def refund(order: Order, quantity: int, *, amount: int, token: str = "t1", **also: Any) -> Refund:
    units = [RefundedUnits(order.lines.get().pk, quantity, restock=False)] if quantity else []
    return refund_requests.request_refund(order.pk, units, amount=amount, token=token, actor="owner", **also)


def state_of(request: CustomerRequest) -> str:
    request.refresh_from_db()
    return request.state


def told(kind: str) -> int:
    return CustomerMail.objects.filter(kind=kind).count()


def today(client: Client) -> str:
    return " ".join(client.get(reverse("admin:index")).content.decode().split())


def page_of(client: Client, order: Order) -> str:
    return client.get(reverse("admin:checkout_order_change", args=[order.pk])).content.decode()


# --- On its way ---------------------------------------------------------------------------------


def test_an_accepted_return_is_listed_until_the_goods_have_arrived(
    sent: Order, admin_client: Client, shirt: Product, fake: FakeStripe
) -> None:
    request = on_its_way(sent, 2)

    assert state_of(request) == State.RETURNING
    assert "Returns in progress" in today(admin_client) and "2 units, accepted" in today(admin_client)
    assert "The goods are on their way back." in page_of(admin_client, sent)
    listed = admin_client.get(reverse("admin:checkout_order_changelist"), {"work": "returns"})
    assert sent.number in listed.content.decode()
    assert not Order.objects.finished().exists()

    page = arrived(admin_client, request)

    request.refresh_from_db()
    assert "$50.00 are refunded." in page and "Its refund" in page
    assert request.state == State.RETURNED and request.refund == Refund.objects.get()
    assert [(part.quantity, part.restock) for part in Refund.objects.get().lines.all()] == [(2, True)]
    assert item_of(shirt, "M").available == 14 and told("order_refunded") == 1
    assert "Returns in progress" not in today(admin_client) and Order.objects.finished().exists()


def test_the_refund_page_has_exactly_the_units_of_the_return(sent: Order, admin_client: Client) -> None:
    request, line = on_its_way(sent, 2), sent.lines.get()

    answer = admin_client.get(reverse("admin:checkout_order_refund", args=[sent.pk]), {"request": request.pk})

    form = answer.context["form"]
    assert (form[f"quantity-{line.pk}"].value(), form[f"restock-{line.pk}"].value()) == (2, "yes")
    assert form["request"].value() == request.pk and "This refund completes it." in answer.content.decode()


def test_the_refund_of_everything_completes_the_return_from_whose_page_it_is_chosen(
    sent: Order, admin_client: Client
) -> None:
    request, line = on_its_way(sent, 2), sent.lines.get()
    page = reverse("admin:checkout_order_refund", args=[sent.pk])
    link = f"?all=1&amp;request={request.pk}"
    assert link in admin_client.get(page, {"request": request.pk}).content.decode()

    form = admin_client.get(page, {"all": "1", "request": str(request.pk)}).context["form"]

    assert (form[f"quantity-{line.pk}"].value(), form["request"].value()) == (3, request.pk)


def test_damaged_goods_do_not_go_back_to_stock_unless_the_owner_says_so(
    sent: Order, admin_client: Client, shirt: Product
) -> None:
    arrived(admin_client, on_its_way(sent, 1, reason="defective"))

    assert not Refund.objects.get().lines.get().restock and item_of(shirt, "M").available == 12


def test_the_oldest_return_is_named_first_and_the_list_is_bounded(
    sent: Order, admin_client: Client, django_assert_num_queries: Any
) -> None:
    now = timezone.now()
    CustomerRequest.objects.bulk_create(
        CustomerRequest(
            order=sent,
            kind=Kind.RETURN,
            state=State.RETURNING,
            created_at=now,
            decided_at=now - timedelta(minutes=number),
        )
        for number in range(COUNTED_UP_TO + 20)
    )

    with django_assert_num_queries(1):
        found = returns_in_progress()
        times = [request.decided_at for request in found.requests]

    assert times == [now - timedelta(minutes=COUNTED_UP_TO + 19 - place) for place in range(MAX_SHOWN)]
    assert found.count == f"{COUNTED_UP_TO}+"
    assert "All returns on their way" in today(admin_client)


def test_the_list_is_read_from_its_index(sent: Order) -> None:
    on_its_way(sent)
    with CaptureQueriesContext(connection) as queries:
        returns_in_progress()
    [query] = queries.captured_queries
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        cursor.execute(f"{explain} {query['sql']}")
        plan = "\n".join(str(row) for row in cursor.fetchall())
    assert "returns_in_progress" in plan, plan


# --- The refund ---------------------------------------------------------------------------------


def test_a_second_click_refunds_once(sent: Order, admin_client: Client, fake: FakeStripe) -> None:
    request = on_its_way(sent)

    for _click in range(2):
        refund(sent, 1, amount=2500, customer_return=request.pk)

    assert len(fake.refunds) == 1 and state_of(request) == State.RETURNED


def test_a_return_is_refunded_by_one_refund(sent: Order, admin_client: Client, fake: FakeStripe) -> None:
    request = on_its_way(sent)
    arrived(admin_client, request)

    with pytest.raises(RefundRefused, match="over already"):
        refund(sent, 1, amount=2500, token="t2", customer_return=request.pk)
    link = reverse("admin:checkout_order_refund", args=[sent.pk])
    page = admin_client.get(link, {"request": request.pk}, follow=True).content.decode()

    assert "This return is over already" in page
    assert len(fake.refunds) == 1 and sent.lines.get().quantity_refunded == 1


def test_a_refund_without_an_answer_keeps_the_return_open_until_stripe_confirms_it(
    sent: Order, admin_client: Client, fake: FakeStripe
) -> None:
    request = on_its_way(sent)
    fake.faults.add("cut", path="/v1/refunds", when="after")

    page = arrived(admin_client, request)

    assert "The return is completed once it has." in page and state_of(request) == State.RETURNING
    with pytest.raises(RequestRefused):
        customer_requests.close_return(request.pk, answer="", actor="owner", now=timezone.now())
    with pytest.raises(RefundRefused):
        refund(sent, 1, amount=2500, token="t2", customer_return=request.pk)
    assert sent.lines.get().quantity_refunded == 1

    refund_requests.send_waiting_refunds(timezone.now() + timedelta(minutes=1))

    assert state_of(request) == State.RETURNED and len(fake.refunds) == 1


def test_a_refund_that_stripe_refuses_leaves_the_return_on_its_way(
    sent: Order, admin_client: Client, fake: FakeStripe
) -> None:
    request = on_its_way(sent)
    fake.refund(payment_intent=sent.payment_intent_id, amount=6000)  # Its event has not arrived.

    page = arrived(admin_client, request)

    assert "Nothing was refunded." in page
    assert state_of(request) == State.RETURNING and request.refund is None
    deliver(fake)
    assert "$15.00 are refunded." in arrived(admin_client, request, amount="15.00")
    assert state_of(request) == State.RETURNED


def test_a_return_of_an_order_that_cost_nothing_is_completed_without_stripe(
    fake: FakeStripe, customer: Customer, admin_client: Client
) -> None:
    sticker = put_on_show(fake, "prod_sticker", "Sticker", {"sizes": "M", "stock_M": "15"}, amount=0)
    order = sent_order(fake, customer, sticker, 2)
    request = on_its_way(order, 2)
    assert "The goods have arrived" in page_of(admin_client, order)

    page = arrived(admin_client, request)

    request.refresh_from_db()
    order.refresh_from_db()
    assert "The units are canceled." in page and request.refund == Refund.objects.get()
    assert (request.state, order.state, item_of(sticker, "M").available) == ("returned", "refunded", 15)
    assert len(fake.refunds) == 0 and told("order_refunded") == told("order_canceled") == 0


# --- Refunds that do not name the return --------------------------------------------------------


def test_a_refund_of_its_units_completes_the_return(sent: Order) -> None:
    request = on_its_way(sent, 2)

    made = refund(sent, 2, amount=5000)

    assert state_of(request) == State.RETURNED and request.refund == made


def test_a_refund_of_fewer_units_leaves_the_return_open(sent: Order) -> None:
    request = on_its_way(sent, 2)

    refund(sent, 1, amount=2500)

    assert state_of(request) == State.RETURNING and request.refund is None


def test_a_refund_that_leaves_no_unit_of_the_return_completes_it(sent: Order) -> None:
    request = on_its_way(sent, 2)
    refund(sent, 1, amount=2500)
    refund(sent, 1, amount=2500, token="t2")
    assert state_of(request) == State.RETURNING

    refund(sent, 1, amount=2000, token="t3")

    assert state_of(request) == State.RETURNED


def test_units_of_one_refund_complete_one_return(sent: Order) -> None:
    first, second = on_its_way(sent, 1), on_its_way(sent, 1)

    refund(sent, 1, amount=2500)

    assert (state_of(first), state_of(second)) == (State.RETURNED, State.RETURNING)


def test_an_amount_without_units_does_not_complete_a_return(sent: Order) -> None:
    request = on_its_way(sent)

    refund(sent, 0, amount=300)

    assert state_of(request) == State.RETURNING


def test_a_refund_that_was_asked_for_before_the_return_does_not_complete_it(
    sent: Order, fake: FakeStripe
) -> None:
    fake.faults.add("cut", path="/v1/refunds", when="after")
    refund(sent, 1, amount=2500)
    request = on_its_way(sent, 1)

    refund_requests.send_waiting_refunds(timezone.now() + timedelta(minutes=1))

    assert Refund.objects.get().state == Refund.State.ACCEPTED and state_of(request) == State.RETURNING


def test_a_full_refund_at_stripe_completes_the_return(sent: Order, fake: FakeStripe) -> None:
    request = on_its_way(sent)

    fake.refund(payment_intent=sent.payment_intent_id, amount=7500)
    deliver(fake)

    sent.refresh_from_db()
    assert sent.state == "refunded" and state_of(request) == State.RETURNED and request.refund is None


def test_units_that_were_refunded_before_the_owners_answer_are_not_waited_for(sent: Order) -> None:
    units = [ReturnedUnits(sent.lines.get().pk, 3, "unwanted")]
    asked = customer_requests.ask(sent.pk, Kind.RETURN, units=units, now=timezone.now())
    refund(sent, 3, amount=7000)

    with pytest.raises(RequestRefused, match="refunded meanwhile"):
        customer_requests.accept(asked.pk, answer="", actor="owner", now=timezone.now())
    assert state_of(asked) == State.REQUESTED and told("return_accepted") == 0


# --- Nothing arrived ----------------------------------------------------------------------------


def close(client: Client, request: CustomerRequest, answer: str = "") -> str:
    path = reverse("admin:checkout_order_close_return", args=[request.order_id, request.pk])
    return client.post(path, {"answer": answer}, follow=True).content.decode()


def test_the_owner_closes_a_return_of_which_nothing_arrived(
    sent: Order, admin_client: Client, fake: FakeStripe
) -> None:
    request = on_its_way(sent)

    page = close(admin_client, request, "Did you send it?")

    assert "The return is closed. The customer is told by mail." in page and "Did you send it?" in page
    assert state_of(request) == State.CLOSED and (request.closed_by, len(fake.refunds)) == ("admin", 0)
    [mail] = CustomerMail.objects.filter(kind="return_closed")
    assert (mail.to, mail.context) == ("ada@example.com", {"answer": "Did you send it?"})
    customers = Client().get(reverse("order_page", args=[order_token(sent)])).content.decode()
    assert "We have closed your return" in customers and "Did you send it?" in customers
    assert "1 Main Street" not in customers
    assert "Returns in progress" not in today(admin_client)
    # The customer may ask once more.
    assert on_its_way(sent).state == State.RETURNING


def test_a_return_is_closed_once_and_not_after_its_refund(sent: Order, admin_client: Client) -> None:
    closed, refunded = on_its_way(sent), on_its_way(sent)
    arrived(admin_client, refunded)
    close(admin_client, closed)

    for over in (closed, refunded):
        assert "This return is over already" in close(admin_client, over, "Again.")

    assert (state_of(closed), state_of(refunded), told("return_closed")) == ("closed", "returned", 1)
    assert "too long" in close(admin_client, closed, "x" * 501)
    path = reverse("admin:checkout_order_close_return", args=[sent.pk, closed.pk])
    assert admin_client.get(path).status_code == 403


def test_a_cancellation_is_not_closed_as_a_return(
    fake: FakeStripe, shirt: Product, customer: Customer, admin_client: Client
) -> None:
    order = order_for(customer, shirt, "M", 1)
    fake.pay(order.session_id or "")
    deliver(fake)
    asked = customer_requests.ask(order.pk, Kind.CANCEL, now=timezone.now())

    close(admin_client, asked)

    assert state_of(asked) == State.REQUESTED and told("return_closed") == 0
    with pytest.raises(IntegrityError), transaction.atomic():
        CustomerRequest.objects.update(state=State.RETURNING)


@pytest.mark.parametrize("role", ["Packer", "Bookkeeper"])
def test_only_who_may_refund_may_close_a_return(roles: None, sent: Order, role: str) -> None:
    request = on_its_way(sent)
    user = User.objects.create_user(role.lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)

    path = reverse("admin:checkout_order_close_return", args=[sent.pk, request.pk])
    assert client.post(path, {"answer": ""}).status_code == 403
    page = page_of(client, sent)
    assert "The goods are on their way back." in page and "The goods have arrived" not in page
    assert state_of(request) == State.RETURNING


# --- Returns that were accepted before ----------------------------------------------------------


def test_a_return_accepted_by_the_former_version_is_no_task_and_can_be_completed(
    sent: Order, admin_client: Client
) -> None:
    request = on_its_way(sent)
    CustomerRequest.objects.update(state=State.ACCEPTED)

    assert "Returns in progress" not in today(admin_client) and Order.objects.finished().exists()
    assert "The goods have arrived" in page_of(admin_client, sent)
    arrived(admin_client, request)

    assert state_of(request) == State.RETURNED and request.refund == Refund.objects.get()


@pytest.fixture
def migrated_again() -> Iterator[None]:
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def migrate_to(name: str) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate([("checkout", name)])
    return MigrationExecutor(connection).loader.project_state([("checkout", name)]).apps


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("migrated_again")
def test_of_old_returns_the_recent_ones_without_a_refund_are_on_their_way(sent: Order) -> None:
    sent.lines.update(quantity=4)
    requests = {name: on_its_way(sent) for name in ("recent", "old", "refunded", "closed")}
    refund(sent, 1, amount=2500, customer_return=requests["closed"].pk)
    line = sent.lines.get().pk

    old = migrate_to("0022_refunds_without_money")
    rows = old.get_model("checkout", "CustomerRequest").objects
    assert set(rows.values_list("state", flat=True)) == {"accepted"}
    rows.filter(pk=requests["old"].pk).update(decided_at=timezone.now() - timedelta(days=31))
    old.get_model("checkout", "CustomerRequestLine").objects.filter(request=requests["refunded"].pk).update(
        quantity=4
    )
    assert old.get_model("checkout", "OrderLine").objects.get(pk=line).quantity_refunded == 1
    rows.filter(pk=requests["closed"].pk).delete()
    migrate_to("0023_returns_in_progress")

    del requests["closed"]
    states = {name: state_of(request) for name, request in requests.items()}
    assert states == {"recent": "returning", "old": "accepted", "refunded": "accepted"}
