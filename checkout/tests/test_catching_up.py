"""What never arrived is fetched, what does not agree is named: overdue pages, backfill_events, reconcile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from checkout.models import Order
from checkout.orders import fulfillment
from checkout.recovery.session_recovery import refresh_stale_orders
from checkout.tests.conftest import Customer, deliver, item_of, order_for
from checkout.tests.test_elsewhere import a_line, open_elsewhere
from fake_stripe import FakeStripe
from inventory.models import Issue, Movement, StockItem, StripeEvent
from inventory.stock import ledger
from shop.models import Product

pytestmark = pytest.mark.django_db


def run(command: str, *args: str) -> str:
    out = StringIO()
    call_command(command, *args, stdout=out)
    return out.getvalue()


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


def nothing_arrives(fake: FakeStripe) -> None:
    """The endpoint was switched off: every event so far is lost."""
    fake.faults.add("drop", times=None)


def paid_unheard(fake: FakeStripe, customer: Customer, product: Product, units: int) -> Order:
    order = order_for(customer, product, "M", units)
    fake.pay(order.session_id or "")
    fake.forward(2)
    return order


Failing = Callable[[Order], AbstractContextManager[None]]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failing:
    """With it, the shop's own code fails on one order."""

    go = fulfillment._transition

    @contextmanager
    def fails_on(order: Order) -> Iterator[None]:
        def instead(order_id: UUID, *states: str, **changes: Any) -> bool:
            if order_id == order.id:
                raise RuntimeError("no such luck")
            return go(order_id, *states, **changes)

        with monkeypatch.context() as patched:
            patched.setattr(fulfillment, "_transition", instead)
            yield

    return fails_on


# --- Overdue --------------------------------------------------------------------------------------


def later(fake: FakeStripe, **passed: int) -> int:
    fake.forward(timedelta(**passed).total_seconds())
    return refresh_stale_orders(timezone.now() + timedelta(**passed))


def test_a_page_that_expired_unheard_is_asked_for_and_its_units_come_free(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    nothing_arrives(fake)
    order = order_for(customer, shirt, "M", 2)

    assert later(fake, minutes=40) == 1

    order.refresh_from_db()
    assert order.state == Order.State.CANCELED and item_of(shirt, "M").held == 0


def test_a_page_that_was_paid_unheard_is_a_sale(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    nothing_arrives(fake)
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")

    assert later(fake, minutes=40) == 1

    order.refresh_from_db()
    assert order.state == Order.State.PAID and item_of(shirt, "M").available == 13


def test_nobody_is_asked_before_the_time_is_over(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order_for(customer, shirt, "M", 2)
    fake.forget_calls()

    assert later(fake, minutes=30) == 0 and fake.calls == []


def test_a_hold_does_not_end_by_our_clock(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.faults.add("cut", path="/v1/checkout/sessions/*", times=None)

    assert later(fake, days=3) == 0

    order.refresh_from_db()
    assert order.state == Order.State.OPEN and item_of(shirt, "M").held == 2


def test_an_order_that_stripe_does_not_know_is_asked_for_every_six_hours_at_last(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order_for(customer, shirt, "M", 2)
    Order.objects.update(session_id="cs_test_of_another_account", attempts=10)

    for hours in range(1, 14):
        later(fake, hours=hours)

    asked = [call for call in fake.calls if call.path.endswith("cs_test_of_another_account")]
    assert len(asked) == 3


def test_a_clock_that_was_days_ahead_and_is_set_back_puts_no_order_off(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    nothing_arrives(fake)
    order_for(customer, shirt, "M", 2)
    fake.faults.add("cut", path="/v1/checkout/sessions/*", times=None)
    assert refresh_stale_orders(timezone.now() + timedelta(days=10)) == 0
    fake.faults.clear()

    assert later(fake, minutes=40) == 1


@pytest.mark.parametrize(("succeeded", "state", "left"), [(True, "paid", 13), (False, "canceled", 15)])
def test_a_debit_of_which_nobody_speaks_is_asked_for_after_days(
    fake: FakeStripe, shirt: Product, customer: Customer, succeeded: bool, state: str, left: int
) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "", delayed=True)
    deliver(fake)
    nothing_arrives(fake)
    fake.settle_delayed(order.session_id or "", succeeded=succeeded)

    assert later(fake, days=3) == 1

    order.refresh_from_db()
    assert order.state == state and item_of(shirt, "M").available == left


def test_a_session_that_stripe_does_not_know_is_a_case_and_no_proof(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    order = order_for(customer, shirt, "M", 2)
    Order.objects.update(session_id="cs_test_of_another_account")

    assert later(fake, minutes=40) == 0

    order.refresh_from_db()
    assert order.state == Order.State.OPEN and Issue.objects.get().kind == "session_not_found"


def test_one_order_that_fails_keeps_no_other_waiting_and_becomes_a_case_in_the_end(
    fake: FakeStripe, shirt: Product, customer: Customer, other_customer: Customer, failing: Failing
) -> None:
    nothing_arrives(fake)
    bad, good = paid_unheard(fake, customer, shirt, 1), paid_unheard(fake, other_customer, shirt, 2)

    with failing(bad):
        assert later(fake, minutes=40) == 1
        good.refresh_from_db()
        assert good.state == Order.State.PAID and not Issue.objects.exists()
        for days in range(1, 5):
            later(fake, days=days)

    case = Issue.objects.get(closed_at=None)
    assert (case.kind, case.subject) == ("order_failed", bad.number) and "no such luck" in case.text
    assert later(fake, days=5) == 1
    bad.refresh_from_db()
    assert bad.state == Order.State.PAID and not Issue.objects.filter(closed_at=None).exists()


# --- backfill_events ------------------------------------------------------------------------------


def test_backfill_counts_what_never_arrived_and_nothing_twice(
    fake: FakeStripe, shirt: Product, customer: Customer
) -> None:
    nothing_arrives(fake)
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    fake.deliver_due()
    assert not StripeEvent.objects.exists()

    first = run("backfill_events", "--since", "2d")
    deliver(fake)
    again = run("backfill_events", "--since", "2d")
    deliver(fake)

    order.refresh_from_db()
    assert f"Order {order.number} is paid now." in first and "1 orders were settled" in first
    assert "0 orders were settled" in again
    assert order.state == Order.State.PAID and Movement.objects.filter(kind="sale").count() == 1


def test_backfill_counts_sales_of_other_doors_too(fake: FakeStripe, shirt: Product) -> None:
    nothing_arrives(fake)
    fake.pay(open_elsewhere(fake, [a_line(shirt, 2, "M")]))

    run("backfill_events")

    assert item_of(shirt, "M").available == 13


def test_one_session_that_fails_does_not_end_the_backfill_and_is_named(
    fake: FakeStripe, shirt: Product, customer: Customer, other_customer: Customer, failing: Failing
) -> None:
    """Stripe lists the newest first: what is older would wait for it on every run."""
    nothing_arrives(fake)
    older, newer = paid_unheard(fake, customer, shirt, 1), paid_unheard(fake, other_customer, shirt, 2)

    with (
        failing(newer),
        pytest.raises(CommandError, match=f"1 completed .* {newer.session_id}.*no such luck"),
    ):
        run("backfill_events")

    older.refresh_from_db()
    newer.refresh_from_db()
    assert (older.state, newer.state) == ("paid", "open")
    assert item_of(shirt, "M").available == 12 and item_of(shirt, "M").held == 2
    assert f"Order {newer.number} is paid now." in run("backfill_events")


def test_backfill_says_which_setting_is_wrong(fake: FakeStripe, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_wrong"

    with pytest.raises(CommandError, match="STRIPE_SECRET_KEY"):
        run("backfill_events")


# --- reconcile ------------------------------------------------------------------------------------


def test_a_shop_whose_books_agree_says_so(fake: FakeStripe, shirt: Product, customer: Customer) -> None:
    order = order_for(customer, shirt, "M", 2)
    fake.pay(order.session_id or "")
    deliver(fake)

    code, report = reconciled()

    assert (code, report["agrees"], report["differences"], report["fetched"]) == (0, True, [], [])
    assert "everything agrees" in run("reconcile")


def test_reconcile_fetches_a_session_that_never_arrived_and_names_what_is_pending(
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


def test_reconcile_names_a_session_that_cannot_be_settled_and_goes_on(
    fake: FakeStripe, shirt: Product, customer: Customer, other_customer: Customer, failing: Failing
) -> None:
    nothing_arrives(fake)
    older, newer = paid_unheard(fake, customer, shirt, 1), paid_unheard(fake, other_customer, shirt, 2)

    with failing(newer):
        code, report = reconciled()

    assert (code, kinds(report)) == (1, ["not_settled", "pending"])
    assert report["fetched"] == [f"Order {older.number} is paid: 1 × BALM T-Shirt M"]


def test_reconcile_names_an_order_that_cannot_be_settled_and_goes_on(
    fake: FakeStripe, shirt: Product, customer: Customer, other_customer: Customer, failing: Failing
) -> None:
    """Pages whose time is over, each asked for by itself."""
    nothing_arrives(fake)
    bad, good = order_for(customer, shirt, "M", 1), order_for(other_customer, shirt, "M", 2)
    fake.forward(40 * 60)
    Order.objects.update(expires_at=timezone.now() - timedelta(minutes=10))

    with failing(bad):
        code, report = reconciled()

    assert (code, kinds(report)) == (1, ["not_settled"])
    assert report["fetched"] == [f"Order {good.number} is not bought: 2 × BALM T-Shirt M"]


def test_reconcile_names_a_count_that_differs(fake: FakeStripe, shirt: Product) -> None:
    """Stripe itself has forgotten the edit that explains it."""
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
            "text": "BALM T-Shirt M: Stripe says 9, our books say 15.",
        }
    ]


def test_reconcile_names_a_count_that_cannot_be_read(fake: FakeStripe, shirt: Product) -> None:
    fake.dashboard.edit_product(shirt.id, metadata={"stock_M": "ten"})

    assert kinds(reconciled()[1]) == ["count_unreadable"]


def test_reconcile_names_a_hold_without_an_order(fake: FakeStripe, shirt: Product) -> None:
    ledger.hold("order:nobody", {item_of(shirt, "M").id: 1})

    assert kinds(reconciled()[1]) == ["hold_without_order"]


def test_reconcile_names_sums_that_are_not_what_their_rows_say(fake: FakeStripe, shirt: Product) -> None:
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
    fake.pay(open_elsewhere(fake, [a_line(shirt)]))
    deliver(fake)
    fake.add_product(id="prod_new", name="New", metadata={"stock": "3"})

    assert kinds(reconciled()[1]) == ["sale_without_size", "product_unknown"]
