"""Restored databases, and events that Stripe no longer lists."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from config.stripe_client import ConnectionFailed
from fake_stripe import FakeStripe
from inventory.events import inbox
from inventory.models import (
    EventCursor,
    Issue,
    Movement,
    ProcessedRequest,
    ProductSync,
    StockItem,
    StockUpdate,
    StripeEvent,
    VersionSnapshot,
)
from inventory.stock import ledger
from inventory.stock.ledger import SaleLine
from inventory.stripe_sync import missed_events, refresh, snapshot
from inventory.tests.factories import Shirt
from inventory.worker import drain

if TYPE_CHECKING:
    import pytest


def restore(shirt: Shirt) -> Callable[[], None]:
    """Save the shop's rows; calling the returned function restores them, as a backup would."""
    saved = {
        model: list(model.objects.all())
        for model in (
            ProductSync,
            StockItem,
            StockUpdate,
            VersionSnapshot,
            ProcessedRequest,
            StripeEvent,
            EventCursor,
        )
    }
    movements = {row.pk: (row.stock_update_id, row.published_at) for row in Movement.objects.all()}

    def bring_back() -> None:
        lost = Movement.objects.exclude(pk__in=movements)
        lost._raw_delete("default")
        for pk, (write_id, published_at) in movements.items():
            Movement.objects.filter(pk=pk).update(stock_update_id=write_id, published_at=published_at)
        for model in (StockUpdate, VersionSnapshot, ProcessedRequest, StripeEvent):
            model.objects.exclude(pk__in=[row.pk for row in saved[model]]).delete()
        for row in [*saved[StockUpdate], *saved[ProductSync], *saved[StockItem]]:
            row.save()

    return bring_back


def test_a_restored_database_accepts_stripes_counts_and_notifies_the_owner(shirt: Shirt) -> None:
    bring_back = restore(shirt)
    shirt.sell("M", 2, order="order:lost")
    shirt.settle()
    bring_back()
    assert shirt.item("M").on_hand == 15

    refresh.request_refresh_of_all()
    shirt.settle()

    assert shirt.item("M").on_hand == 13 and shirt.at_stripe("M") == "13"
    assert shirt.movements("M") == [15, -2]
    assert shirt.stock.number == 2
    issue = Issue.objects.get(kind="restored_database")
    assert issue.subject == "prod_shirt"
    assert issue.text.endswith("\nstock_M: the ledger had 15, Stripe showed 13.")
    assert shirt.is_at_rest()


def test_the_number_oversold_is_reported_again_after_a_restore(shirt: Shirt) -> None:
    shirt.sell("M", 14)
    shirt.settle()
    bring_back = restore(shirt)
    shirt.sell("M", 3, order="order:known_to_both")
    shirt.settle()
    assert Issue.objects.filter(kind="oversold").exists() and shirt.at_stripe("M") == "0"
    bring_back()
    Issue.objects.all().delete()
    shirt.sell("M", 3, order="order:known_to_both")

    refresh.request_refresh_of_all()
    shirt.settle()

    text = Issue.objects.get(kind="restored_database").text
    assert "stock_M: the ledger had -2, Stripe showed 0." in text
    assert shirt.at_stripe("M") == "0" and shirt.is_at_rest()


def test_an_unreadable_count_replaced_by_a_lost_update_is_reported_again(shirt: Shirt) -> None:
    bring_back = restore(shirt)
    shirt.edit(M="ten")
    shirt.sell("M", 2)
    drain()
    shirt.settle()
    assert shirt.at_stripe("M") == "13" and Issue.objects.filter(kind="unreadable_count").exists()
    bring_back()
    Issue.objects.all().delete()

    missed_events.fetch_product_events(timezone.now())
    shirt.settle()

    assert Issue.objects.get(kind="unreadable_count").subject == "prod_shirt stock_M"
    assert shirt.at_stripe("M") == "13" and shirt.is_at_rest()


def test_movements_pending_in_a_restored_database_were_published_already(shirt: Shirt) -> None:
    shirt.sell("M", 2, order="order:pending")
    bring_back = restore(shirt)
    shirt.settle()
    bring_back()
    assert shirt.item("M").pending == -2

    refresh.request_refresh_of_all()
    shirt.settle()

    assert shirt.at_stripe("M") == "13" and shirt.item("M").pending == 0
    assert "order:pending:0" in Issue.objects.get(kind="restored_database").text
    assert shirt.is_at_rest()


def test_an_open_update_of_a_restored_database_is_never_sent_again(shirt: Shirt) -> None:
    shirt.fake.faults.add("cut", method="POST", path="/v1/products/*", when="before")
    shirt.sell("M", 2)
    from inventory.stripe_sync import publisher

    with pytest.raises(ConnectionFailed):
        publisher.publish_pending(timezone.now() + timedelta(seconds=3))
    assert StockUpdate.objects.filter(state="open").exists()
    bring_back = restore(shirt)
    shirt.settle()
    shirt.sell("M", 3)
    shirt.settle()
    assert shirt.at_stripe("M") == "10"
    bring_back()

    refresh.refresh_product("prod_shirt")
    shirt.settle()

    assert StockUpdate.objects.get(number=2).state == "abandoned"
    assert shirt.at_stripe("M") == "10" and shirt.is_at_rest()


def test_a_restore_is_detected_though_an_old_form_set_an_older_version_tag(shirt: Shirt) -> None:
    """Tag 1 is back, as if there had been no later update. The event of update 2 proves that there was one."""
    bring_back = restore(shirt)
    form = shirt.form()
    shirt.sell("M", 2, order="order:lost")
    drain()
    shirt.save_form(form, S=11)
    bring_back()
    assert shirt.version_tag is not None and shirt.version_tag.endswith("/1") and shirt.stock.number == 1

    refresh.request_refresh_of_all()
    shirt.settle()

    assert Issue.objects.filter(kind="restored_database", subject="prod_shirt").exists()
    assert shirt.stock.number > 2, "update 2 was the lost database's: no version tag is used twice"
    assert shirt.is_at_rest()


def test_a_sale_from_before_the_cutoff_goes_into_the_issue_and_not_into_the_count(shirt: Shirt) -> None:
    bring_back = restore(shirt)
    shirt.sell("M", 2, order="order:lost")
    shirt.settle()
    paid_at = timezone.now()
    bring_back()
    refresh.refresh_product("prod_shirt")

    new = ledger.sell(
        "order:lost", [SaleLine("order:lost:0", shirt.item("M").pk, 2, paid_at)], now=timezone.now()
    )

    assert new == []
    assert "order:lost:0" in Issue.objects.get(kind="restored_database").text
    shirt.settle()
    assert shirt.at_stripe("M") == "13"


def test_a_sale_from_after_the_cutoff_is_counted(shirt: Shirt) -> None:
    bring_back = restore(shirt)
    shirt.sell("M", 2)
    shirt.settle()
    bring_back()
    refresh.refresh_product("prod_shirt")

    line = SaleLine("order:new:0", shirt.item("M").pk, 1, timezone.now())
    ledger.sell(["order:new"], [line], now=timezone.now())
    shirt.settle()

    assert shirt.at_stripe("M") == "12" and shirt.is_at_rest()


def test_an_edit_that_the_lost_database_counted_is_not_counted_again(shirt: Shirt) -> None:
    bring_back = restore(shirt)
    shirt.edit(M=20)
    shirt.settle()
    bring_back()

    refresh.refresh_product("prod_shirt")
    drain(hourly=True)
    shirt.settle()

    assert shirt.at_stripe("M") == "20" and shirt.item("M").on_hand == 20
    assert shirt.is_at_rest()


def test_a_count_unreadable_during_recovery_is_measured_from_the_last_known_count(shirt: Shirt) -> None:
    bring_back = restore(shirt)
    shirt.edit(M="ten")
    shirt.settle()
    shirt.sell("S", 2)
    shirt.settle()
    bring_back()
    refresh.refresh_product("prod_shirt")
    shirt.settle()
    assert shirt.item("M").state == "unknown" and shirt.at_stripe("S") == "8"

    StockItem.objects.update(opened_at=F("opened_at") - timedelta(minutes=1))
    shirt.edit(M=20)
    shirt.settle()

    assert shirt.at_stripe("M") == "20" and shirt.is_at_rest()


def test_sales_of_a_size_that_was_never_readable_wait_for_its_first_count(
    new_shirt: Callable[..., Shirt],
) -> None:
    shirt = new_shirt(S=10, M="ten")
    shirt.sync()
    shirt.sell("M", 2)
    shirt.settle()
    assert shirt.at_stripe("M") == "ten" and shirt.item("M").pending == -2

    shirt.edit(M=20)
    shirt.settle()

    assert shirt.at_stripe("M") == "18" and shirt.is_at_rest()


def test_an_older_reading_never_replaces_a_newer_one(shirt: Shirt) -> None:
    from shop.gateway import fetch_product

    old = fetch_product("prod_shirt")
    shirt.edit(M="ten")
    shirt.settle()

    snapshot.apply_snapshot(old, requested=99)

    assert shirt.item("M").state == "unknown"


def test_a_product_whose_opening_was_lost_keeps_its_version_number(shirt: Shirt) -> None:
    """The backup is older than the product: its first refresh finds our own tag."""
    Movement.objects.all()._raw_delete("default")
    for model in (ProcessedRequest, StockUpdate, VersionSnapshot, StockItem, ProductSync):
        model.objects.all().delete()

    refresh.refresh_product("prod_shirt")
    shirt.sell("M", 1)
    shirt.settle()

    assert shirt.at_stripe("M") == "14" and shirt.stock.number >= 2
    assert shirt.is_at_rest()


# --- Events that Stripe no longer lists -------------------------------------------------------


def test_after_a_month_offline_stripes_counts_are_accepted_and_our_sales_still_counted(
    shirt: Shirt, fake: FakeStripe
) -> None:
    fake.faults.add("drop", types=("product.updated",), times=None)
    shirt.edit(M=40)
    shirt.sell("M", 2)
    month_ago = timezone.now() - timedelta(days=31)
    EventCursor.objects.create(read_to=timezone.now(), listed_at=month_ago)
    with fake.account.store.transaction():
        for event_id in list(fake.events):
            fake.account.store.remove("event", event_id)

    missed_events.fetch_product_events(timezone.now())
    shirt.settle()

    assert shirt.movements("M") == [15, -2, 25]
    assert shirt.at_stripe("M") == "38"
    assert shirt.is_at_rest()


def test_values_no_database_can_store_are_replaced_in_listed_events(shirt: Shirt, fake: FakeStripe) -> None:
    """The inbox cleans delivered events. PostgreSQL stores no NUL, and JSON columns no infinity."""
    fake.faults.add("drop", types=("product.updated",), times=None)
    shirt.edit_keys({"details": "soft"})
    event_id, event = list(fake.events.items())[-1]
    event["data"]["object"] |= {"description": "a\x00b", "much": float("inf")}
    with fake.account.store.transaction():
        fake.account.store.put("event", event_id, event)

    missed_events.fetch_product_events(timezone.now())

    product = StripeEvent.objects.get(pk=event_id).payload["data"]["object"]
    assert (product["description"], product["much"]) == ("a?b", None)


def test_a_quiet_month_with_a_worker_is_no_gap(shirt: Shirt) -> None:
    EventCursor.objects.create(
        read_to=timezone.now() - timedelta(days=40), listed_at=timezone.now() - timedelta(hours=1)
    )

    missed_events.fetch_product_events(timezone.now())

    assert not shirt.stock.event_gap


def test_a_starting_worker_refreshes_every_product_before_it_sends_updates(shirt: Shirt) -> None:
    shirt.fake.forget_calls()
    shirt.sell("M")

    call_command("run_worker", "--once")

    methods = [(call.method, call.path) for call in shirt.fake.calls]
    posted = methods.index(("POST", "/v1/products/prod_shirt"))
    assert ("GET", "/v1/products/prod_shirt") in methods[:posted]


def test_the_log_says_why_an_update_is_needed(shirt: Shirt, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "inventory.stripe_sync.refresh")
    shirt.fake.faults.add("drop", types=("product.updated",))
    shirt.edit(M=20)

    refresh.refresh_product("prod_shirt")

    assert "Differs at Stripe: prod_shirt ['stock_M']" in caplog.text


def test_replaying_every_event_changes_nothing(shirt: Shirt) -> None:
    shirt.edit(M=20)
    shirt.sell("M", 2)
    shirt.settle()
    before = [(row.kind, row.delta) for row in Movement.objects.all()]

    inbox.replay(StripeEvent.objects.values_list("pk", flat=True), timezone.now())
    shirt.settle()

    assert [(row.kind, row.delta) for row in Movement.objects.all()] == before
    assert shirt.at_stripe("M") == "18" and shirt.is_at_rest()
