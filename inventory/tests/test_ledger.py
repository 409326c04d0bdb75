"""Ledger operations: each is idempotent, and the last unit is sold once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.models import Hold, Issue, Movement, StockItem
from inventory.stock import ledger
from inventory.stock.ledger import CountTooLarge, InsufficientStock, NotEnoughUnits, SaleLine
from inventory.tests.factories import Shirt

NOT_COUNTED = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK")


def sums(item: StockItem) -> tuple[int | None, int, int, int | None]:
    item.refresh_from_db()
    return item.on_hand, item.pending, item.held, item.available


# --- Holding ----------------------------------------------------------------------------------


def test_a_hold_keeps_units_from_other_carts(medium: StockItem) -> None:
    ledger.hold("order:1", {medium.pk: 2})

    assert sums(medium) == (15, 0, 2, 13)


def test_a_hold_is_all_or_nothing(shirt: Shirt) -> None:
    small, large = shirt.item("S"), shirt.item("L")

    with pytest.raises(InsufficientStock):
        ledger.hold("order:1", {small.pk: 1, large.pk: 6})

    assert sums(small) == (10, 0, 0, 10)
    assert sums(large) == (5, 0, 0, 5)
    assert not Hold.objects.exists()


def test_a_refusal_names_each_item_and_what_is_left(shirt: Shirt) -> None:
    small, large = shirt.item("S"), shirt.item("L")

    with pytest.raises(InsufficientStock) as refusal:
        ledger.hold("order:1", {small.pk: 11, large.pk: 6})

    assert [(short.item_id, short.wanted, short.available) for short in refusal.value.shortages] == [
        (small.pk, 11, 10),
        (large.pk, 6, 5),
    ]
    assert str(refusal.value) == "11 wanted, 10 left (S); 6 wanted, 5 left (L)"


def test_the_same_hold_twice_holds_once(medium: StockItem) -> None:
    ledger.hold("order:1", {medium.pk: 2})
    ledger.hold("order:1", {medium.pk: 2})

    assert sums(medium) == (15, 0, 2, 13)


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_quantity_below_one_is_refused(medium: StockItem, quantity: int) -> None:
    with pytest.raises(ValueError, match="from 1"):
        ledger.hold("order:1", {medium.pk: quantity})

    assert sums(medium) == (15, 0, 0, 15)


def test_an_unknown_count_is_not_for_sale(shirt: Shirt) -> None:
    shirt.edit(M="ten")
    shirt.settle()

    with pytest.raises(InsufficientStock):
        ledger.hold("order:1", {shirt.item("M").pk: 1})


def test_a_size_that_is_no_longer_listed_is_not_for_sale(shirt: Shirt) -> None:
    shirt.edit_keys({"sizes": "S,L"})
    shirt.settle()

    with pytest.raises(InsufficientStock):
        ledger.hold("order:1", {shirt.item("M").pk: 1})


def test_items_that_are_not_tracked_can_always_be_held(shirt: Shirt) -> None:
    shirt.edit(M="unlimited")
    shirt.settle()

    ledger.hold("order:1", {shirt.item("M").pk: 1_000})

    assert shirt.item("M").held == 1_000


def test_a_hold_takes_one_query_for_its_rows_and_one_per_line(shirt: Shirt) -> None:
    demand = {shirt.item(size).pk: 1 for size in "SML"}

    with CaptureQueriesContext(connection) as queries:
        ledger.hold("order:1", demand)

    counted = [query for query in queries.captured_queries if not query["sql"].startswith(NOT_COUNTED)]
    assert len(counted) <= 3 + len(demand)


def test_a_release_frees_the_units_once(medium: StockItem) -> None:
    ledger.hold("order:1", {medium.pk: 2})

    assert ledger.release("order:1") == 2
    assert ledger.release("order:1") == 0
    assert sums(medium) == (15, 0, 0, 15)


def test_releasing_what_was_never_held_frees_nothing(medium: StockItem) -> None:
    assert ledger.release("order:never") == 0


# --- Selling ----------------------------------------------------------------------------------


def test_a_sale_ends_its_hold_and_waits_for_stripe(medium: StockItem) -> None:
    ledger.hold("order:1", {medium.pk: 2})

    new = ledger.sell(["order:1"], [SaleLine("order:1:0", medium.pk, 2)], now=timezone.now())

    assert [(line.kind, line.delta) for line in new] == [("sale", -2)]
    assert sums(medium) == (15, -2, 0, 13)
    assert not Hold.objects.exists()


def test_a_sale_recorded_twice_counts_once(medium: StockItem) -> None:
    lines = [SaleLine("order:1:0", medium.pk, 2)]

    ledger.sell(["order:1"], lines, now=timezone.now())
    again = ledger.sell(["order:1"], lines, now=timezone.now())

    assert again == []
    assert sums(medium) == (15, -2, 0, 13)


def test_a_sale_of_several_sizes_counts_each(shirt: Shirt) -> None:
    lines = [SaleLine(f"order:1:{place}", shirt.item(size).pk, 1) for place, size in enumerate("LMS")]

    new = ledger.sell(["order:1"], lines, now=timezone.now())

    assert len(new) == 3
    assert {size: shirt.item(size).pending for size in "SML"} == {"S": -1, "M": -1, "L": -1}


def test_a_paid_order_is_never_refused_and_a_shortage_becomes_an_issue(shirt: Shirt) -> None:
    shirt.sell("L", 6)

    assert shirt.item("L").pending == -6
    assert shirt.item("L").available == 0
    issue = Issue.objects.get(kind="oversold")
    assert issue.subject == "prod_shirt stock_L"


def test_a_sale_that_takes_held_units_becomes_an_issue(shirt: Shirt) -> None:
    ledger.hold("order:other", {shirt.item("L").pk: 5})

    shirt.sell("L", 1)

    assert Issue.objects.filter(kind="oversold").exists()


def test_a_sale_of_an_item_that_is_not_tracked_is_recorded_without_difference(shirt: Shirt) -> None:
    shirt.edit(M="unlimited")
    shirt.settle()

    (line,) = shirt.sell("M", 3)

    assert line.delta == 0 and line.published_at is not None
    assert shirt.item("M").pending == 0


def test_a_sale_inside_the_callers_transaction_is_undone_with_it(medium: StockItem) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        ledger.sell(["order:1"], [SaleLine("order:1:0", medium.pk, 2)], now=timezone.now())
        raise RuntimeError

    assert sums(medium) == (15, 0, 0, 15)
    assert not Movement.objects.filter(kind="sale").exists()


# --- Returns ----------------------------------------------------------------------------------


def test_a_return_gives_back_no_more_than_the_sale_took(shirt: Shirt) -> None:
    shirt.sell("M", 2, order="order:1")

    first = ledger.restock("order:1:0", 1, reference="refund:a")
    second = ledger.restock("order:1:0", 5, reference="refund:b")
    third = ledger.restock("order:1:0", 1, reference="cancel:c")

    assert (first, second, third) == (1, 1, 0)
    assert shirt.item("M").pending == 0


def test_a_repeated_return_counts_once(shirt: Shirt) -> None:
    shirt.sell("M", 2, order="order:1")

    assert ledger.restock("order:1:0", 1, reference="refund:a") == 1
    assert ledger.restock("order:1:0", 1, reference="refund:a") == 0
    assert shirt.item("M").pending == -1


def test_a_return_without_a_sale_changes_nothing(medium: StockItem) -> None:
    assert ledger.restock("order:never:0", 1, reference="refund:a") == 0


# --- Changes by the owner ---------------------------------------------------------------------


def test_a_delivery_adds_once(medium: StockItem) -> None:
    ledger.receive(medium.pk, 20, reference="form:1", reason="Delivery 77", actor="owner")
    ledger.receive(medium.pk, 20, reference="form:1", reason="Delivery 77", actor="owner")

    assert sums(medium) == (15, 20, 0, 35)


def test_a_stocktake_is_recorded_as_a_difference(shirt: Shirt) -> None:
    shirt.sell("M", 2)

    movement = ledger.set_count(shirt.item("M").pk, 12, reference="form:1", reason="Stocktaking")

    assert movement is not None and movement.delta == -1
    assert shirt.item("M").available == 12


def test_a_stocktake_that_matches_the_ledger_changes_nothing(medium: StockItem) -> None:
    assert ledger.set_count(medium.pk, 15, reference="form:1") is None


@pytest.mark.parametrize("counted", [-1, 1_000_000])
def test_an_impossible_count_is_refused(medium: StockItem, counted: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 999999"):
        ledger.set_count(medium.pk, counted, reference="form:1")


def test_an_adjustment_cannot_take_more_than_is_there(medium: StockItem) -> None:
    with pytest.raises(NotEnoughUnits, match="Only 15"):
        ledger.adjust(medium.pk, -16, reference="form:1")

    assert sums(medium) == (15, 0, 0, 15)


def test_a_delivery_beyond_six_digits_is_refused(medium: StockItem) -> None:
    for add in (ledger.receive, ledger.adjust):
        with pytest.raises(CountTooLarge, match=r"six digits at most: 999999\. There are 15 already"):
            add(medium.pk, 999_985, reference="form:1")

    medium.refresh_from_db()
    assert medium.pending == 0 and not Movement.objects.filter(reference="form:1").exists()


def test_the_largest_count_is_reached_once_however_often_it_is_repeated(shirt: Shirt) -> None:
    for _click in range(2):
        ledger.receive(shirt.item("M").pk, 999_984, reference="form:1")
    shirt.settle()

    assert shirt.at_stripe("M") == "999999" and shirt.is_at_rest()


def test_a_return_beyond_the_largest_count_is_recorded_and_reported(
    shirt: Shirt,
) -> None:
    shirt.sell("M", 5, order="order:77")
    shirt.settle()
    shirt.edit(M=999_999)
    shirt.settle()

    assert ledger.restock("order:77:0", 3, reference="click") == 3
    shirt.settle()

    assert shirt.at_stripe("M") == "999999" and shirt.is_at_rest()
    assert shirt.movements("M", "returned", "adjusted") == [3, -3]
    assert Issue.objects.get(kind="count_too_large").subject == "prod_shirt stock_M"


def test_an_item_that_is_not_tracked_cannot_be_counted(shirt: Shirt) -> None:
    shirt.edit(M="unlimited")
    shirt.settle()

    with pytest.raises(ValueError, match="without counting"):
        ledger.receive(shirt.item("M").pk, 3, reference="form:1")


# --- Database constraints ---------------------------------------------------------------------


def test_a_movement_is_never_changed_nor_deleted(shirt: Shirt) -> None:
    (line,) = shirt.sell("M")

    for forbidden in (
        line.save,
        line.delete,
        Movement.objects.all().delete,
        lambda: Movement.objects.update(delta=0),
    ):
        with pytest.raises(TypeError, match="cannot be"):
            forbidden()


def test_the_database_lets_no_movement_in_twice(shirt: Shirt) -> None:
    (line,) = shirt.sell("M")

    with pytest.raises(IntegrityError), transaction.atomic():
        Movement.objects.create(item=line.item, kind="sale", delta=-1, reference=line.reference)


def test_the_database_keeps_held_from_being_negative(medium: StockItem) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        StockItem.objects.filter(pk=medium.pk).update(held=-1)


def test_available_is_computed_by_the_database_and_never_negative(medium: StockItem) -> None:
    StockItem.objects.filter(pk=medium.pk).update(pending=-20)

    assert sums(medium) == (15, -20, 0, 0)


# --- Logging ----------------------------------------------------------------------------------


def test_the_log_says_what_was_counted_and_what_is_low_and_out(
    shirt: Shirt, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: object
) -> None:
    caplog.set_level(logging.INFO, "inventory.stock.ledger")

    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        shirt.sell("M", 2)
        shirt.sell("S", 5)
        shirt.sell("L", 5)

    text = caplog.text
    assert "Counted: sale -2 BALM T-Shirt M, 13 left" in text
    assert "Low stock: BALM T-Shirt S, 5 left" in text
    assert "Out of stock: BALM T-Shirt L" in text
    assert "stock: BALM T-Shirt M" not in text


# --- A restored database ----------------------------------------------------------------------


def test_a_sale_paid_before_the_first_refresh_is_not_counted(shirt: Shirt) -> None:
    """The opening count is already lower by such a sale."""
    sales_cutoff = shirt.stock.sales_cutoff
    assert sales_cutoff is not None
    before = sales_cutoff - timedelta(minutes=1)

    new = ledger.sell(["order:1"], [SaleLine("order:1:0", shirt.item("M").pk, 1, before)], now=timezone.now())

    assert new == []
    assert shirt.item("M").pending == 0


def test_the_audit_names_each_sum_that_drifted(shirt: Shirt) -> None:
    assert ledger.find_drift() == []

    StockItem.objects.filter(pk=shirt.item("M").pk).update(held=3, on_hand=16)

    assert ledger.find_drift() == [
        "BALM T-Shirt M (stock_M): held is 3, but its rows add up to 0.",
        "BALM T-Shirt M (stock_M): on_hand is 16, but its rows add up to 15.",
    ]


# --- Before the first count -------------------------------------------------------------------


@pytest.mark.parametrize("verb", [ledger.receive, ledger.adjust])
def test_a_size_without_a_first_count_takes_no_delivery(shirt: Shirt, verb: Callable[..., object]) -> None:
    shirt.edit_keys({"sizes": "S,M,L,XL"})
    shirt.settle()

    with pytest.raises(ledger.CountUnreadable, match="as stock_XL"):
        verb(shirt.item("XL").pk, 10, reference="form:1")

    shirt.edit(XL=10)
    shirt.settle()
    assert shirt.movements("XL") == [10] and shirt.is_at_rest()
