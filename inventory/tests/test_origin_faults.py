"""Regression tests for the faults of the handler this shop replaces, numbered as in its list of faults."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.utils import timezone

from config.stripe_client import stripe_client
from fake_stripe import Exchange
from inventory import worker
from inventory.events import inbox
from inventory.models import Issue, Movement, StripeEvent
from inventory.stock import ledger
from inventory.stock.ledger import InsufficientStock, SaleLine
from inventory.stripe_sync import product_events
from inventory.tests.factories import Shirt


def test_origin_fault_01_a_duplicate_event_counts_once(shirt: Shirt) -> None:
    """The same event eight times, and a second event for the same change."""
    shirt.fake.faults.add("duplicate", types=("product.updated",), copies=8)
    shirt.fake.faults.add("twin", types=("product.updated",))
    shirt.edit(M=20)
    for _delivery in range(8):
        ledger.sell(["order:1"], [SaleLine("order:1:0", shirt.item("M").pk, 2)], now=timezone.now())

    shirt.settle()

    assert shirt.at_stripe("M") == "18"
    assert sorted(shirt.movements("M")) == [-2, 5, 15]


def test_origin_fault_03_an_update_reverts_no_edit_of_another_key(shirt: Shirt) -> None:
    """The origin read all metadata, changed one key and sent all of it back."""
    shirt.sell("M", 2)
    shirt.edit_keys({"details": "new fabric", "stock_S": "99", "supplier": "77"})

    shirt.settle()

    assert shirt.metadata["details"] == "new fabric" and shirt.metadata["supplier"] == "77"
    assert (shirt.at_stripe("S"), shirt.at_stripe("M")) == ("99", "13")


def test_origin_fault_03_an_update_sends_only_our_own_keys(shirt: Shirt) -> None:
    shirt.fake.forget_calls()
    shirt.sell("M", 2)

    shirt.settle()

    (sent,) = shirt.updates_sent()
    assert set(sent.params) == {"metadata"}
    assert set(sent.params["metadata"]) == {"stock_S", "stock_M", "stock_L", "inventory_version"}


def test_origin_fault_04_s_and_m_sold_at_the_same_moment_are_both_counted(shirt: Shirt) -> None:
    """Two handlers read 10 and 15, and the second restored the first one's S. Here one update at a time sends totals."""
    shirt.sell("S")

    def somebody_buys_m_and_another_worker_publishes() -> None:
        shirt.sell("M")
        worker.drain()

    _at_the_next_call(shirt, somebody_buys_m_and_another_worker_publishes)
    shirt.settle()

    assert (shirt.at_stripe("S"), shirt.at_stripe("M")) == ("9", "14")
    assert shirt.is_at_rest()


def test_control_of_fault_04_read_and_write_back_undoes_the_sale_in_between(shirt: Shirt) -> None:
    def read_and_write(size: str) -> None:
        products = stripe_client().v1.products
        metadata = products.retrieve(shirt.product_id).metadata.to_dict()
        metadata[f"stock_{size}"] = str(int(metadata[f"stock_{size}"]) - 1)
        products.update(shirt.product_id, {"metadata": metadata})

    _at_the_next_call(shirt, lambda: read_and_write("M"))
    read_and_write("S")

    assert (shirt.at_stripe("S"), shirt.at_stripe("M")) == ("9", "15")


def _at_the_next_call(shirt: Shirt, act: Callable[[], object]) -> None:
    """Call `act` after Stripe has executed the next request and before the caller has the response."""

    def observe(call: Exchange) -> None:
        shirt.fake.observers.remove(observe)
        act()

    shirt.fake.observers.append(observe)


def test_origin_fault_05_an_oversell_is_an_issue_and_not_hidden_by_a_zero(shirt: Shirt) -> None:
    shirt.sell("L", 7)

    shirt.settle()

    assert shirt.at_stripe("L") == "0"
    assert shirt.movements("L", "sale", "oversold") == [-7, 2]
    text = Issue.objects.get(kind="oversold").text
    assert "2 of stock_L were sold beyond the stock" in text


def test_origin_fault_06_a_missing_key_stays_missing(shirt: Shirt) -> None:
    """The origin took a missing key for 0 and wrote 0 back."""
    shirt.edit(M=None)
    shirt.settle()
    shirt.sell("S")

    shirt.settle()

    assert shirt.at_stripe("M") is None
    assert shirt.item("M").state == "unknown" and shirt.item("M").available is None
    assert shirt.item("M").problem == "stock_M is missing."


@pytest.mark.parametrize("text", ["ten", "1_0", "+5", "٣", "12 left"])
def test_origin_fault_07_a_word_is_not_zero(shirt: Shirt, text: str) -> None:
    shirt.edit(M=text)
    shirt.settle()
    shirt.sell("S")

    shirt.settle()

    assert shirt.at_stripe("M") == text
    assert shirt.item("M").state == "unknown"
    with pytest.raises(InsufficientStock):
        ledger.hold("order:1", {shirt.item("M").pk: 1})


def test_origin_fault_19_blanks_after_commas_make_no_size_of_their_own(shirt: Shirt) -> None:
    shirt.edit_keys({"sizes": "S, M , L"})

    shirt.settle()

    assert shirt.item("M").key == "stock_M" and shirt.item("M").available == 15
    assert set(shirt.item("M").product.stock_items.values_list("size", flat=True)) == {"S", "M", "L"}


def test_origin_fault_19_a_key_in_the_wrong_case_is_named(shirt: Shirt) -> None:
    shirt.edit_keys({"stock_M": "", "stock_m": "15"})

    shirt.settle()

    assert "“stock_m”" in shirt.item("M").problem
    assert shirt.metadata["stock_m"] == "15"


def test_origin_fault_20_low_and_sold_out_are_reported(
    shirt: Shirt, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: object
) -> None:
    """Log lines; the admin's list of items and the mails build on the same movement."""
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        shirt.sell("S", 6)
        shirt.sell("L", 5)

    assert "Low stock: BALM T-Shirt S, 4 left" in caplog.text
    assert "Out of stock: BALM T-Shirt L" in caplog.text


def test_a_handler_that_fails_on_the_way_counts_nothing_of_its_event_until_it_passes(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 2: one transaction per event, so that a retry finds all of it or nothing."""
    shirt.edit(S=11, L=9)
    original = product_events._count_item
    calls = []

    def fails_on_the_second_item(*args: object) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise ZeroDivisionError
        original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(product_events, "_count_item", fails_on_the_second_item)
    shirt.fake.deliver_due()
    inbox.process_local(timezone.now())
    assert not Movement.objects.filter(kind="edited").exists()

    monkeypatch.setattr(product_events, "_count_item", original)
    call_command("replay_events", *StripeEvent.objects.values_list("pk", flat=True))
    shirt.settle()

    assert [shirt.movements(size, "edited") for size in "SML"] == [[1], [], [4]]
    assert shirt.is_at_rest()
