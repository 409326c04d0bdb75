"""Every action of the owner's desk is in the admin's log: who did what to which object."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from checkout.models import Order, Refund
from checkout.tests.conftest import Customer, deliver, item_of, order_for
from checkout.tests.test_external_orders import a_line, open_externally
from fake_stripe import FakeStripe
from inventory import issues
from inventory.models import Issue, ProductSync, StripeEvent
from shop.models import Product

pytestmark = pytest.mark.django_db


class Desk(Client):
    """The owner at work. Pages are named without `admin:`."""

    def __init__(self) -> None:
        super().__init__()
        self.force_login(User.objects.create_superuser("ada"))

    def do(self, name: str, pk: object = None, query: str = "", **form: Any) -> str:
        address = reverse(f"admin:{name}", args=[] if pk is None else [pk])
        answer = self.post(address + query, form, follow=True)
        assert answer.status_code == 200
        return answer.content.decode()

    def choose(self, list_name: str, action: str, pk: object) -> str:
        return self.do(f"{list_name}_changelist", action=action, _selected_action=[str(pk)])


@pytest.fixture
def desk(db: None) -> Desk:
    return Desk()


@pytest.fixture
def paid(fake: FakeStripe, shirt: Product, customer: Customer) -> Order:
    order = order_for(customer, shirt, "M", 3)
    fake.pay(order.session_id or "")
    deliver(fake)
    return order


def test_every_action_of_the_desk_is_in_the_log(
    fake: FakeStripe, desk: Desk, paid: Order, shirt: Product
) -> None:
    """`steps`: what is done, what the log says of it, and to which object."""
    medium, large = item_of(shirt, "M"), item_of(shirt, "L")
    line = paid.lines.get()
    without_size = _sold_elsewhere(fake, shirt, 1)
    _sold_elsewhere(fake, shirt, 5, "L")  # Of two.
    event = StripeEvent.objects.filter(type="checkout.session.completed").first()
    assert event
    issues.open_issue(Issue.Kind.EVENT_GAP, "shop", "Something happened.")
    gap = Issue.objects.get(kind=Issue.Kind.EVENT_GAP)

    def oversold(decision: str, token: str) -> Callable[[], str]:
        form: dict[str, Any] = {
            "item": large.pk,
            "units": 1,
            "decision": decision,
            "token": token,
            "reason": "gone",
        }
        return lambda: desk.do("checkout_oversold", **form)

    def refund(units: int, token: str) -> Callable[[], str]:
        form: dict[str, Any] = {
            f"quantity-{line.pk}": units,
            f"restock-{line.pk}": "yes",
            "token": token,
            "confirm": "1",
        }
        return lambda: desk.do("checkout_order_refund", paid.pk, **form)

    def grid(query: str, token: str) -> Callable[[], str]:
        form: dict[str, Any] = {f"u{medium.pk}": "7", "reason": "Delivery 14", "token": token}
        return lambda: desk.do("inventory_stock_grid", None, query, **form)

    def change() -> str:
        form = {"change_kind": "adjusted", "number": "-1", "reason": "a stain", "token": "c"}
        return desk.do("inventory_change_stock", None, f"?id={medium.pk}", **form)

    def send_many() -> str:
        prefix = paid.pk.hex
        form = {f"{prefix}-sent": "on", f"{prefix}-carrier": "dhl", f"{prefix}-tracking_number": "JD1"}
        return desk.do("checkout_send_orders", None, f"?ids={prefix}", **form)

    def end(how: Callable[[Order], str]) -> Callable[[], str]:
        return lambda: how(order_for(Customer(), shirt, "M", 1))

    def decide(decision: str) -> Callable[[], str]:
        def act() -> str:
            failed = paid.refunds.order_by("created_at").last()
            assert failed
            Refund.objects.filter(pk=failed.pk).update(state=Refund.State.FAILED, decided_at=None)
            return desk.do("checkout_order_refund_failed", paid.pk, refund=failed.pk, decision=decision)

        return act

    def on_order(step: str, **form: Any) -> Callable[[], str]:
        return lambda: desk.do(f"checkout_order_{step}", paid.pk, **form)

    def resume() -> str:
        ProductSync.objects.filter(pk=shirt.pk).update(pause_reason="refused")
        return desk.choose("inventory_productsync", "resume", shirt.pk)

    def take_over() -> str:
        ProductSync.objects.filter(pk=shirt.pk).update(
            pause_reason="foreign", pause_detail="other/prod_balm/3"
        )
        return desk.choose("inventory_productsync", "accept_stripe_counts", shirt.pk)

    steps: list[tuple[Callable[[], str], str, object]] = [
        (grid("", "g1"), "Received: Delivery 14", medium.pk),
        (grid("?mode=count", "g2"), "Counted: Delivery 14", medium.pk),
        (change, "Adjustment (use − to remove): a stain", medium.pk),
        (lambda: _upload(desk), "Added the numbers of a file: 1 count changed.", None),
        (on_order("pack"), "Marked as packed.", paid.pk),
        (on_order("unpack"), "Marked as not packed.", paid.pk),
        (lambda: desk.choose("checkout_order", "pack", paid.pk), "Marked as packed.", paid.pk),
        (lambda: desk.choose("checkout_order", "unpack", paid.pk), "Marked as not packed.", paid.pk),
        (refund(1, "r1"), "Refund of $25.00: refunded.", paid.pk),
        (decide("keep"), "Kept the sale after a failed refund.", paid.pk),
        (decide("again"), "Refund of $25.00: refunded.", paid.pk),
        (on_order("pack"), "Marked as packed.", paid.pk),
        (on_order("send", carrier="dhl", tracking_number="JD0"), "Marked as sent.", paid.pk),
        (
            on_order("send", carrier="dhl", tracking_number="JD2"),
            "Carrier and tracking number are saved.",
            paid.pk,
        ),
        (on_order("not_sent"), "Marked as not sent.", paid.pk),
        (send_many, "Marked as sent.", paid.pk),
        (
            on_order("restock", token="b", reason="", **{f"line-{line.pk}": 1}),
            "Returned to stock: 1.",
            paid.pk,
        ),
        (end(lambda order: desk.do("checkout_order_end", order.pk)), "Ended its checkout.", None),
        (
            end(lambda order: desk.choose("checkout_order", "end_checkouts", order.pk)),
            "Ended its checkout.",
            None,
        ),
        (
            lambda: desk.do(
                "checkout_order_assign_size",
                without_size.pk,
                line=without_size.lines.get().pk,
                item=medium.pk,
            ),
            "Assigned the size: BALM T-Shirt M.",
            without_size.pk,
        ),
        (oversold("delivery", "o1"), "1 of BALM T-Shirt L are taken off the next delivery.", large.pk),
        (oversold("ignore", "o2"), "1 of BALM T-Shirt L: ignored.", large.pk),
        (lambda: desk.do("inventory_stripeevent_replay", event.pk), "Handled again.", event.pk),
        (lambda: desk.choose("inventory_stripeevent", "replay", event.pk), "Handled again.", event.pk),
        (lambda: desk.choose("inventory_issue", "close", gap.pk), "Closed.", gap.pk),
        (lambda: desk.choose("inventory_productsync", "refresh", shirt.pk), "Refreshed.", shirt.pk),
        (resume, "Resumed stock updates.", shirt.pk),
        (take_over, "Took over from another shop.", shirt.pk),
    ]
    for seen, (act, text, pk) in enumerate(steps):
        page = act()
        entries = list(LogEntry.objects.order_by("id")[seen:])
        said = re.findall(r'<li class="(?:error|warning)">(.*?)</li>', page)
        assert [entry.get_change_message() for entry in entries] == [text], said
        [entry] = entries
        assert entry.user.username == "ada" and entry.object_repr and entry.content_type
        assert pk is None or entry.object_id == str(pk)

    shown = desk.get(reverse("admin:admin_logentry_changelist")).content.decode()
    assert "Returned to stock: 1." in shown and "Received: Delivery 14" in shown and "Delivery 15" in shown


def test_what_changes_nothing_is_not_in_the_log(desk: Desk, paid: Order, shirt: Product) -> None:
    form: dict[str, Any] = {f"u{item_of(shirt, 'M').pk}": "7", "reason": "Delivery 14", "token": "g"}
    for _click in range(2):
        desk.do("inventory_stock_grid", **form)
        desk.do("checkout_order_pack", paid.pk)
    desk.do("inventory_stock_grid", **{**form, "token": "h", f"u{item_of(shirt, 'M').pk}": "-7"})

    texts = LogEntry.objects.order_by("id").values_list("change_message", flat=True)
    assert list(texts) == ["Received: Delivery 14", "Marked as packed."]


def _sold_elsewhere(fake: FakeStripe, shirt: Product, units: int, size: str = "") -> Order:
    known = set(Order.objects.values_list("pk", flat=True))
    fake.pay(open_externally(fake, [a_line(shirt, units, size)]))
    deliver(fake)
    return Order.objects.exclude(pk__in=known).get()


def _upload(desk: Desk) -> str:
    file = SimpleUploadedFile("d.csv", b"product,size,quantity\nprod_balm,M,12\n")
    preview = desk.do("inventory_stock_file", file=file, mode="receive", reason="Delivery 15")
    [seen] = re.findall(r'name="seen" value="([^"]+)"', preview)
    return desk.do("inventory_stock_file", seen=seen)
