"""Orders that cost nothing: canceled by one click, without a request to Stripe, and without a promise of money."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from checkout.mail.render import Renderer
from checkout.models import CustomerMail, CustomerRequest, Order, Refund
from checkout.order_links import order_token
from checkout.orders import customer_requests, refund_requests, shipping
from checkout.orders.fulfillment import mark_refunded_if_full
from checkout.orders.refund_requests import RefundedUnits, RefundRefused
from checkout.tests.conftest import Customer, deliver, item_of, order_for, put_on_show
from checkout.tests.steps import ask_to_cancel, paid_order
from checkout.tests.test_external_orders import a_line, open_externally
from fake_stripe import FakeStripe
from inventory import worker
from inventory.models import Issue, Movement
from shop.models import Product

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mails_on")]

Kind, State = CustomerRequest.Kind, CustomerRequest.State


@pytest.fixture
def sticker(fake: FakeStripe, db: None) -> Product:
    """It costs nothing: 15 of size M."""
    return put_on_show(fake, "prod_sticker", "Sticker", {"sizes": "M", "stock_M": "15"}, amount=0)


@pytest.fixture
def free(fake: FakeStripe, sticker: Product, customer: Customer) -> Order:
    """Two stickers for Ada."""
    order = paid_order(fake, customer, sticker, 2)
    assert (order.state, order.total, order.payment_intent_id) == ("paid", 0, "")
    return order


def cancel(order: Order, quantity: int, *, restock: bool = True, token: str = "t1") -> Refund:
    units = [RefundedUnits(order.lines.get().pk, quantity, restock)] if quantity else []
    return refund_requests.request_refund(order.pk, units, amount=0, token=token, actor="owner")


def mails() -> list[CustomerMail]:
    return list(CustomerMail.objects.exclude(kind="order_confirmation"))


def post_decision(client: Client, request: CustomerRequest, answer: str = "") -> str:
    path = reverse("admin:checkout_order_request", args=[request.order_id, request.pk])
    return client.post(path, {"decision": "accept", "answer": answer}, follow=True).content.decode()


def test_one_click_accepts_the_cancellation_of_an_order_that_cost_nothing(
    free: Order, admin_client: Client, sticker: Product, fake: FakeStripe
) -> None:
    request = ask_to_cancel(free)
    order_page = admin_client.get(reverse("admin:checkout_order_change", args=[free.pk])).content.decode()
    assert "Accept: nothing to refund, units back to stock" in order_page

    page = post_decision(admin_client, request, "See you soon.")

    request.refresh_from_db()
    free.refresh_from_db()
    assert "Accepted: the order is canceled. Nothing was paid for it." in page
    assert "Canceled, nothing was paid" in page and "$0.00, refunded" not in page
    assert (request.state, request.is_settled, free.state) == (State.ACCEPTED, True, "refunded")
    assert item_of(sticker, "M").available == 15 and not Order.objects.to_pack().exists()
    [mail] = mails()
    text = Renderer.load().render(mail).text
    assert mail.kind == "order_canceled" and "See you soon." in text
    assert "$" not in text and "money" not in text and "refund" not in text.lower()
    assert len(fake.refunds) == 0 and not Issue.objects.filter(closed_at=None).exists()


def test_a_second_click_cancels_nothing_more(free: Order, admin_client: Client, sticker: Product) -> None:
    request = ask_to_cancel(free)
    post_decision(admin_client, request)

    assert "This was decided before: accepted." in post_decision(admin_client, request)
    assert Refund.objects.count() == 1 and len(mails()) == 1 and item_of(sticker, "M").available == 15


def test_a_process_that_dies_after_the_decision_leaves_the_mail_to_the_worker(
    free: Order, fake: FakeStripe, sticker: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ask_to_cancel(free)

    def die(point: str) -> None:
        raise SystemExit

    monkeypatch.setattr(customer_requests, "fault_point", die)
    with pytest.raises(SystemExit):
        customer_requests.accept(request.pk, answer="", actor="owner", now=timezone.now())
    monkeypatch.undo()
    # Nothing of it is left for the task that asks Stripe.
    assert not refund_requests.unconfirmed().exists() and mails() == []
    assert Order.objects.get().state == "refunded" and item_of(sticker, "M").available == 15

    worker.drain()

    assert [mail.kind for mail in mails()] == ["order_canceled"] and len(fake.refunds) == 0


def test_a_refund_without_an_amount_cannot_wait_for_stripe(free: Order) -> None:
    facts = {"order": free, "requested_by": "owner", "created_at": timezone.now(), "amount": 0}

    for state in (Refund.State.REQUESTED, Refund.State.REFUSED, Refund.State.FAILED):
        with pytest.raises(IntegrityError), transaction.atomic():
            Refund.objects.create(token=state, state=state, **facts)
    with pytest.raises(IntegrityError), transaction.atomic():
        Refund.objects.create(token="id", state=Refund.State.ACCEPTED, stripe_id="re_1", **facts)
    with pytest.raises(IntegrityError), transaction.atomic():
        Refund.objects.create(token="less", state=Refund.State.ACCEPTED, **{**facts, "amount": -1})
    assert not Refund.objects.exists()


def test_oversold_units_of_an_order_that_cost_nothing_are_settled(
    fake: FakeStripe, admin_client: Client
) -> None:
    product = put_on_show(fake, "prod_pin", "Pin", {"sizes": "M", "stock_M": "1"}, amount=0)
    fake.pay(open_externally(fake, [a_line(product, 3, "M")]))
    deliver(fake)
    order = Order.objects.get()
    assert order.total == 0 and item_of(product, "M").available == 0

    post_decision(admin_client, ask_to_cancel(order))

    # One of the three was on the shelf.
    assert item_of(product, "M").available == 1
    oversold = Movement.objects.filter(kind=Movement.Kind.OVERSOLD).order_by("pk")
    assert [movement.delta for movement in oversold] == [2, -2]


def test_the_owner_cancels_an_order_that_cost_nothing_from_its_refund_page(
    free: Order, admin_client: Client, sticker: Product, fake: FakeStripe
) -> None:
    path = reverse("admin:checkout_order_refund", args=[free.pk])
    assert path in admin_client.get(reverse("admin:checkout_order_change", args=[free.pk])).content.decode()
    form = admin_client.get(path, {"all": "1"}).context["form"]
    line = free.lines.get()
    filled = {"token": "a1", f"quantity-{line.pk}": "2", f"restock-{line.pk}": "yes", "note": "gave up"}
    assert "amount" not in form.fields and form.initial[f"quantity-{line.pk}"] == 2

    review = admin_client.post(path, filled).content.decode()
    assert "no money goes back" in review and "$0.00" not in review and not Refund.objects.exists()
    for _click in range(2):
        done = admin_client.post(path, {**filled, "confirm": "1"}, follow=True).content.decode()

    free.refresh_from_db()
    assert "The units are canceled. Nothing was paid for them." in done
    assert (free.state, item_of(sticker, "M").available, len(fake.refunds)) == ("refunded", 15, 0)
    assert [mail.kind for mail in mails()] == ["order_canceled"]
    assert LogEntry.objects.get().change_message == "Canceled units of an order that cost nothing."


def test_the_owner_must_choose_units_to_cancel(free: Order, admin_client: Client) -> None:
    path = reverse("admin:checkout_order_refund", args=[free.pk])

    page = admin_client.post(path, {"token": "a1", "confirm": "1"}).content.decode()

    assert "Choose the units to cancel." in page and not Refund.objects.exists()
    with pytest.raises(RefundRefused, match="no units"):
        cancel(free, 0)


def test_some_units_are_canceled_and_the_rest_is_sent(free: Order, sticker: Product) -> None:
    cancel(free, 1)

    free.refresh_from_db()
    assert (free.state, free.fulfillment, item_of(sticker, "M").available) == ("paid", "to_pack", 14)
    # The order is not canceled, and there is no money to tell of.
    assert mails() == []
    with pytest.raises(RefundRefused, match="Not as many units"):
        cancel(free, 2, token="t2")
    cancel(free, 1, token="t3")
    free.refresh_from_db()
    assert free.state == "refunded" and [mail.kind for mail in mails()] == ["order_canceled"]
    with pytest.raises(RefundRefused, match="no units"):
        cancel(free, 1, token="t4")


def test_goods_that_came_back_close_the_order_and_are_not_told_as_canceled(
    free: Order, sticker: Product
) -> None:
    shipping.mark_sent(free.pk, actor="ada", now=timezone.now())
    CustomerMail.objects.all().delete()

    cancel(free, 2)

    free.refresh_from_db()
    assert (free.state, mails(), item_of(sticker, "M").available) == ("refunded", [], 15)
    page = Client().get(reverse("order_page", args=[order_token(free)])).content.decode()
    assert "Taken back" in page and "You get back all" not in page


def test_a_paid_order_cannot_be_canceled_without_its_money(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 1)
    fake.pay(order.session_id or "")
    deliver(fake)

    with pytest.raises(RefundRefused, match="no amount"):
        cancel(order, 1)
    assert not Refund.objects.exists() and order.lines.get().quantity_refunded == 0


def test_an_order_that_cost_nothing_is_full_once_no_unit_is_left(free: Order) -> None:
    mark_refunded_if_full(free.pk, whole=0)
    assert Order.objects.get().state == "paid"

    free.lines.update(quantity_refunded=2)
    mark_refunded_if_full(free.pk, whole=None)
    assert Order.objects.get().state == "paid"

    mark_refunded_if_full(free.pk, whole=0)
    assert Order.objects.get().state == "refunded"


def test_units_of_a_paid_order_do_not_say_that_its_money_is_back(free: Order) -> None:
    Order.objects.update(total=5000)
    free.lines.update(quantity_refunded=2)

    mark_refunded_if_full(free.pk, whole=0)

    assert Order.objects.get().state == "paid"


def test_lists_and_exports_show_the_canceled_order(free: Order, admin_client: Client) -> None:
    sales = reverse("admin:checkout_report", args=["sales"])
    assert "Sticker" in admin_client.get(sales).content.decode()
    cancel(free, 2)

    answer = admin_client.get(reverse("admin:checkout_orders_csv"))
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    [row] = csv.DictReader(StringIO(text.lstrip("\ufeff")))
    assert (row["State"], row["Total"], row["Refunded"]) == ("refunded", "0.00", "0.00")
    out = StringIO()
    call_command("export_customer", "ada@example.com", stdout=out)
    [exported] = json.loads(out.getvalue())["orders"]
    assert [(part["amount"], part["state"]) for part in exported["refunds"]] == [(0, "accepted")]
    assert "Sticker" not in admin_client.get(sales).content.decode()
    assert Order.objects.finished().exists()


def test_the_customer_reads_that_the_order_is_canceled(free: Order) -> None:
    ask = Client().get(reverse("order_cancel", args=[order_token(free)])).content.decode()
    assert "it is canceled" in ask and "$0.00" not in ask
    request = ask_to_cancel(free)
    customer_requests.accept(request.pk, answer="", actor="owner", now=timezone.now() + timedelta(minutes=1))

    page = Client().get(reverse("order_page", args=[order_token(free)])).content.decode()

    assert "Nothing was paid for this order" in page and "You get back all" not in page


@pytest.mark.django_db(transaction=True)
def test_the_former_version_can_be_migrated_back_to(free: Order) -> None:
    request = ask_to_cancel(free)
    customer_requests.accept(request.pk, answer="", actor="owner", now=timezone.now())
    executor = MigrationExecutor(connection)
    try:
        executor.migrate([("checkout", "0021_lists_that_grow")])
        old = MigrationExecutor(connection).loader.project_state([("checkout", "0021_lists_that_grow")]).apps
        assert old.get_model("checkout", "Order").objects.get().state == "refunded"
        assert not old.get_model("checkout", "Refund").objects.exists()
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
