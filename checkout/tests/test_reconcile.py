"""manage.py reconcile: it applies what never arrived and names the remaining differences."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from checkout.models import Order
from checkout.tests.conftest import Customer, deliver, item_of, order_for
from checkout.tests.test_external_orders import a_line, open_externally
from checkout.tests.test_session_recovery import failing, nothing_arrives, paid_without_events
from fake_stripe import FakeStripe
from inventory.models import StockItem
from inventory.stock import ledger
from shop.models import Product

pytestmark = pytest.mark.django_db


def reconciled(*args: str) -> tuple[int, dict[str, object]]:
    """(exit code, the JSON report)"""
    out = StringIO()
    try:
        call_command("reconcile", "--json", *args, stdout=out)
    except SystemExit as end:
        return int(str(end.code)), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


def kinds(report: dict[str, object]) -> list[str]:
    differences = report["differences"]
    assert isinstance(differences, list)
    return [difference["kind"] for difference in differences]


def test_reconcile_says_that_everything_agrees(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)

    code, report = reconciled()

    assert (code, report["agrees"], report["differences"], report["fetched"]) == (0, True, [], [])
    call_command("reconcile", stdout=(out := StringIO()))
    assert out.getvalue() == "Compared 1 product and 1 session: everything agrees.\n"


def test_reconcile_applies_a_session_that_never_arrived_and_names_what_is_pending(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    nothing_arrives(fake)
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")

    code, report = reconciled()

    assert code == 1 and kinds(report) == ["pending"]
    assert report["fetched"] == [f"Order {order.number} is paid: 2 × BALM T-Shirt M"]
    deliver(fake)
    assert reconciled()[0] == 0


def test_reconcile_names_a_session_that_cannot_be_applied_and_continues(
    fake: FakeStripe, shirt: Product, customer: Customer, other_customer: Customer
) -> None:
    nothing_arrives(fake)
    older, newer = (
        paid_without_events(fake, customer, shirt, 1),
        paid_without_events(fake, other_customer, shirt, 2),
    )

    with failing(newer):
        code, report = reconciled()

    assert (code, kinds(report)) == (1, ["not_settled", "pending"])
    assert report["fetched"] == [f"Order {older.number} is paid: 1 × BALM T-Shirt M"]


def test_reconcile_names_an_order_that_cannot_be_refreshed_and_continues(
    fake: FakeStripe, shirt: Product, customer: Customer, other_customer: Customer
) -> None:
    nothing_arrives(fake)
    bad, good = order_for(customer, shirt, "M", 1), order_for(other_customer, shirt, "M", 2)
    fake.forward(40 * 60)
    Order.objects.update(expires_at=timezone.now() - timedelta(minutes=10))

    with failing(bad):
        code, report = reconciled()

    assert (code, kinds(report)) == (1, ["not_settled"])
    good.refresh_from_db()
    assert report["fetched"] == [f"Order {good.number} is {good.get_state_display()}: 2 × BALM T-Shirt M"]


def test_reconcile_names_a_count_that_differs(fake: FakeStripe, shirt: Product) -> None:
    """Stripe no longer lists the event of the edit that explains it."""
    nothing_arrives(fake)
    fake.dashboard.edit_product(shirt.id, metadata={"stock_M": "9"})
    with fake.account.store.transaction():
        fake.account.store.remove("event", list(fake.events)[-1])

    code, report = reconciled()

    assert code == 1
    assert report["differences"] == [
        {
            "kind": "count_differs",
            "subject": "prod_balm stock_M",
            "text": "BALM T-Shirt M: Stripe has 9, the ledger 15.",
        }
    ]


def test_reconcile_names_a_count_that_cannot_be_read(fake: FakeStripe, shirt: Product) -> None:
    fake.dashboard.edit_product(shirt.id, metadata={"stock_M": "ten"})

    assert kinds(reconciled()[1]) == ["count_unreadable"]


def test_reconcile_names_a_hold_without_an_order(fake: FakeStripe, shirt: Product) -> None:
    ledger.hold("order:none", {item_of(shirt, "M").id: 1})

    assert kinds(reconciled()[1]) == ["hold_without_order"]


def test_reconcile_names_sums_that_differ_from_their_rows(fake: FakeStripe, shirt: Product) -> None:
    StockItem.objects.filter(id=item_of(shirt, "M").id).update(held=3)

    assert kinds(reconciled()[1]) == ["sum_drifted"]


def test_reconcile_names_a_paid_line_that_is_not_in_the_ledger(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    now = timezone.now() + timedelta(minutes=1)
    Order.objects.filter(id=order.id).update(state=Order.State.PAID, paid_at=now)
    ledger.release(order.reference)

    code, report = reconciled()

    assert (code, kinds(report)) == (1, ["sale_missing"])


def test_reconcile_names_a_sale_without_a_size_and_a_product_that_was_never_read(
    fake: FakeStripe, shirt: Product
) -> None:
    fake.pay(open_externally(fake, [a_line(shirt)]))
    deliver(fake)
    fake.add_product(id="prod_new", name="New", metadata={"stock": "3"})

    assert kinds(reconciled()[1]) == ["sale_without_size", "product_unknown"]
