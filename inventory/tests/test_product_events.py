"""Count edits in Stripe's Dashboard are applied once, as differences, in any order of events."""

from __future__ import annotations

import copy
import itertools
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from config.stripe_client import ConnectionFailed
from inventory.events import inbox
from inventory.models import Issue, Movement, ProcessedRequest, StockItem, StripeEvent
from inventory.stock import ledger
from inventory.stripe_sync import product_events
from inventory.tests.factories import Shirt
from inventory.worker import drain


def latest_event(shirt: Shirt) -> dict[str, Any]:
    return list(shirt.fake.events.values())[-1]


def test_an_edit_adds_to_what_was_sold_meanwhile(shirt: Shirt) -> None:
    """The owner changed 15 to 25; two were sold before the event arrived."""
    shirt.sell("M", 2)
    shirt.edit(M=25)

    shirt.settle()

    assert shirt.at_stripe("M") == "23"
    assert shirt.movements("M") == [15, -2, 10]
    assert shirt.is_at_rest()


def test_an_edit_that_our_update_replaced_is_not_lost(shirt: Shirt) -> None:
    """The edit arrived while our update was in flight: its event restores it, and the next total includes it."""
    shirt.edit(M=25)
    shirt.sell("M", 2)
    drain()
    assert shirt.at_stripe("M") == "13"

    shirt.settle()

    assert shirt.at_stripe("M") == "23"
    assert shirt.is_at_rest()


def test_edits_of_several_sizes_at_once_are_counted_each(shirt: Shirt) -> None:
    shirt.edit(S=11, M=14, L=9)

    shirt.settle()

    assert [shirt.movements(size, "edited") for size in "SML"] == [[1], [-1], [4]]
    assert shirt.is_at_rest()


def test_every_edit_is_followed_by_a_new_version_tag(shirt: Shirt) -> None:
    before = shirt.version_tag

    shirt.edit(M=20)
    shirt.settle()

    assert shirt.version_tag != before
    assert shirt.at_stripe("M") == "20"


def test_an_event_delivered_twice_counts_once(shirt: Shirt) -> None:
    shirt.fake.faults.add("duplicate", types=("product.updated",), copies=8)
    shirt.edit(M=20)

    shirt.settle()

    assert shirt.movements("M", "edited") == [5]


def test_two_events_for_one_request_count_once(shirt: Shirt) -> None:
    shirt.fake.faults.add("twin", types=("product.updated",))
    shirt.edit(M=20)

    shirt.settle()

    edits = StripeEvent.objects.filter(type="product.updated", payload__request__idempotency_key=None)
    assert edits.count() == 2
    assert shirt.movements("M", "edited") == [5]


def test_an_edit_whose_event_names_no_request_is_counted_once_all_the_same(shirt: Shirt) -> None:
    shirt.fake.dashboard.names_requests = False
    shirt.fake.faults.add("twin", types=("product.updated",))
    shirt.edit(M=20)

    shirt.settle()

    assert shirt.movements("M", "edited") == [5]


def test_events_count_the_same_in_any_order(shirt: Shirt) -> None:
    for count in (20, 12, 30):
        shirt.edit(M=count)
    events = [event for event in shirt.fake.events.values() if event["request"]["idempotency_key"] is None][
        -3:
    ]

    for order in itertools.islice(itertools.permutations(events), 1, None):
        Movement.objects.filter(kind="edited")._raw_delete("default")
        ProcessedRequest.objects.all().delete()
        StockItem.objects.filter(pk=shirt.item("M").pk).update(on_hand=15)
        for event in order:
            product_events.apply_product_updated(event)
        assert shirt.item("M").on_hand == 30, [event["id"] for event in order]


def test_our_own_update_is_no_edit(shirt: Shirt) -> None:
    shirt.sell("M", 2)

    shirt.settle()

    assert shirt.movements("M", "edited") == []
    assert shirt.stock.refreshes_done == shirt.stock.refreshes_requested


def test_the_event_of_our_update_proves_that_it_applied(shirt: Shirt) -> None:
    """The response was lost and the worker crashed: the event alone marks the movements as published."""
    shirt.sell("M", 2)
    shirt.fake.faults.add("cut", method="POST", path="/v1/products/*", when="after", times=1)
    with pytest.raises(ConnectionFailed):
        drain_once(shirt)
    assert shirt.item("M").pending == -2

    shirt.fake.deliver_due()
    inbox.process_local(timezone.now())

    assert shirt.item("M").pending == 0 and shirt.item("M").on_hand == 13


def drain_once(shirt: Shirt) -> None:
    from inventory.stripe_sync import publisher

    publisher.publish_pending(timezone.now() + timedelta(seconds=3))


def test_an_edit_of_the_name_changes_no_count_and_refreshes_the_mirror(shirt: Shirt) -> None:
    shirt.fake.dashboard.edit_product("prod_shirt", name="BALM T-Shirt, organic")

    shirt.settle()

    assert shirt.item("M").product.name == "BALM T-Shirt, organic"
    assert shirt.movements("M") == [15]


def test_a_price_event_refreshes_the_mirror(shirt: Shirt) -> None:
    shirt.fake.add_price("prod_shirt", unit_amount=2900, currency="usd", metadata={"size": "M"}, emit=True)

    shirt.settle()

    price = shirt.item("M").product.price_for("M")
    assert price is not None and price.unit_amount == 2900


def test_a_product_that_is_new_at_stripe_comes_into_the_shop_by_its_event(shirt: Shirt) -> None:
    shirt.fake.add_product(id="prod_new", name="New", metadata={"sizes": "M", "stock_M": "3"}, emit=True)

    shirt.settle()

    assert StockItem.objects.get(product="prod_new").on_hand == 3
    assert Movement.objects.filter(item__product="prod_new").count() == 1


def test_an_edit_before_the_first_refresh_is_part_of_the_first_count(new_shirt: Any) -> None:
    shirt = new_shirt(M=15)
    shirt.edit(M=20)

    shirt.sync()

    assert shirt.movements("M") == [20]
    assert shirt.is_at_rest()


def test_an_edit_in_the_second_of_the_first_refresh_is_counted(
    new_shirt: Any,
) -> None:
    shirt = new_shirt(M=15)
    from inventory.stripe_sync import refresh

    refresh.refresh_product("prod_shirt")
    shirt.edit(M=20)
    shirt.edit(M=18)

    shirt.settle()

    assert shirt.movements("M") == [15, 5, -2]
    assert shirt.is_at_rest()


def test_an_ambiguous_edit_becomes_an_issue_and_is_not_guessed(new_shirt: Any) -> None:
    shirt = new_shirt(M=15)
    for count in (20, 18):
        shirt.edit(M=count)
    first, _second = [event for event in shirt.fake.events.values() if event["type"] == "product.updated"]
    shirt.sync()

    ProcessedRequest.objects.all().delete()
    Issue.objects.all().delete()
    product_events.apply_product_updated(first)

    assert shirt.movements("M") == [18]
    assert Issue.objects.get().kind == "ambiguous_edit"


def test_a_size_that_is_added_at_stripe_opens_its_ledger_once(shirt: Shirt) -> None:
    shirt.edit_keys({"sizes": "S,M,L,XL", "stock_XL": "7"})

    shirt.settle()

    assert shirt.movements("XL") == [7]
    assert shirt.is_at_rest()


def test_a_size_is_case_sensitive_and_the_wrong_key_is_named(shirt: Shirt) -> None:
    shirt.edit_keys({"stock_m": "9", "stock_M": ""})

    shirt.settle()

    medium = shirt.item("M")
    assert medium.state == "unknown" and "“stock_m”" in medium.problem


# --- Unreadable counts ------------------------------------------------------------------------


@pytest.mark.parametrize("garbage", ["ten", "-1", "1_0", "+5", "٣", "3.0", "", None])
def test_an_unreadable_count_is_unknown_and_its_correction_is_one_edit(
    shirt: Shirt, garbage: str | None
) -> None:
    shirt.edit(M=garbage)
    shirt.settle()
    assert shirt.item("M").state == "unknown" and shirt.item("M").available is None
    assert shirt.item("M").problem

    shirt.edit(M=20)
    shirt.settle()

    assert shirt.movements("M") == [15, 5]
    assert shirt.item("M").state == "counted" and shirt.is_at_rest()


def test_a_correction_that_arrives_first_counts_the_same(shirt: Shirt) -> None:
    shirt.edit(M="ten")
    garbling = latest_event(shirt)
    shirt.edit(M=20)
    mending = latest_event(shirt)

    product_events.apply_product_updated(mending)
    assert shirt.item("M").on_hand == 15 and shirt.item("M").invalid_edits == -1
    product_events.apply_product_updated(garbling)

    assert shirt.item("M").on_hand == 20 and shirt.item("M").invalid_edits == 0


def test_while_only_the_correction_has_arrived_the_size_is_not_for_sale(shirt: Shirt) -> None:
    shirt.fake.faults.add("drop", types=("product.updated",), times=1)
    shirt.edit(M="ten")
    shirt.edit(M=20)

    shirt.settle()
    assert shirt.item("M").state == "unknown"

    drain(hourly=True)
    assert shirt.item("M").state == "counted" and shirt.item("M").on_hand == 20


def test_an_invalid_edit_whose_event_is_lost_does_not_block_sales_permanently(
    shirt: Shirt,
) -> None:
    """Its event is older than Stripe keeps: after a complete listing the valid count is accepted."""
    shirt.edit(M="ten")
    with shirt.fake.account.store.transaction():
        shirt.fake.account.store.remove("event", latest_event(shirt)["id"])
    shirt.edit(M=20)
    shirt.sell("M", 1)
    product_events.apply_product_updated(latest_event(shirt))
    shirt.settle()
    assert shirt.item("M").state == "unknown"

    StockItem.objects.exclude(invalid_edits=0).update(invalid_since=timezone.now() - timedelta(minutes=11))
    drain(hourly=True)
    shirt.settle()

    assert shirt.item("M").state == "counted" and shirt.at_stripe("M") == "19"
    assert Issue.objects.get(kind="unreadable_count").subject == "prod_shirt stock_M"
    assert shirt.is_at_rest()


def test_a_count_that_becomes_unlimited_and_a_count_again_is_one_edit(shirt: Shirt) -> None:
    shirt.edit(M="unlimited")
    shirt.settle()
    shirt.sell("M", 4)

    shirt.edit(M=12)
    shirt.settle()

    assert shirt.movements("M", "edited") == [-3]
    assert shirt.at_stripe("M") == "12" and shirt.is_at_rest()


def test_an_update_that_replaced_an_unreadable_count_becomes_an_issue(shirt: Shirt) -> None:
    """Our update was in flight when the count was set to “ten”."""
    shirt.edit(M="ten")
    shirt.sell("M", 2)
    drain()
    assert shirt.at_stripe("M") == "13"

    shirt.settle()

    assert Issue.objects.get(kind="unreadable_count").subject == "prod_shirt stock_M"
    assert shirt.item("M").state == "counted" and shirt.is_at_rest()


# --- Lost events ------------------------------------------------------------------------------


def test_an_edit_whose_event_never_came_is_counted_from_stripes_own_list(shirt: Shirt) -> None:
    shirt.fake.faults.add("drop", types=("product.updated",))
    shirt.edit(M=20)
    assert shirt.fake.deliver_due() == []

    drain(hourly=True)
    shirt.settle()

    assert shirt.movements("M", "edited") == [5]
    assert shirt.is_at_rest()


def test_reading_stripes_list_again_counts_nothing_twice(shirt: Shirt) -> None:
    shirt.edit(M=20)
    shirt.settle()

    for _hour in range(3):
        drain(hourly=True)

    assert shirt.movements("M", "edited") == [5]


# --- Notes ------------------------------------------------------------------------------------


def test_an_edit_of_two_sizes_leaves_a_note_that_it_may_have_undone_another(shirt: Shirt) -> None:
    shirt.edit(S=11, M=14)

    shirt.settle()

    note = Issue.objects.get(kind="edit_to_review")
    assert "stock_S 10 → 11, stock_M 15 → 14" in note.text


def test_an_edit_of_one_size_leaves_none(shirt: Shirt) -> None:
    shirt.edit(M=20)

    shirt.settle()

    assert not Issue.objects.exists()


# --- Odd events -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        {"data": {"object": {"id": "prod_shirt"}}},
        {"data": {"object": {"id": "prod_shirt", "metadata": None}, "previous_attributes": None}},
        {"data": {"object": {"id": "prod_shirt", "metadata": []}, "previous_attributes": {"metadata": 7}}},
        {"data": {"object": {"id": "prod_shirt", "metadata": {"stock_M": 5}}}, "request": "req"},
        {"data": {"object": {"id": "prod_shirt", "updated": "x"}}, "created": "y", "request": {"id": 5}},
    ],
)
def test_an_update_with_odd_fields_counts_nothing_and_raises_nothing(
    shirt: Shirt, payload: dict[str, Any]
) -> None:
    event = {"id": "evt_odd", "type": "product.updated", "created": 1, "livemode": False, **payload}
    inbox.store_events([event])
    shirt.settle()

    assert StripeEvent.objects.get(pk="evt_odd").state == "handled"
    assert shirt.movements("M") == [15] and ledger.find_drift() == []


@pytest.mark.parametrize("metadata", ["absent", None, "x", []])
def test_an_update_without_counts_does_not_take_them_off_sale(shirt: Shirt, metadata: object) -> None:
    shirt.edit(M=16)
    shirt.settle()
    event = copy.deepcopy(latest_event(shirt))
    event |= {"id": "evt_odd", "request": {"id": "req_odd", "idempotency_key": None}}
    event["data"]["previous_attributes"] = {"metadata": {"stock_M": "15"}}
    event["data"]["object"] |= {"metadata": metadata, "updated": event["created"] + 5}
    if metadata == "absent":
        del event["data"]["object"]["metadata"]

    inbox.store_events([event])
    shirt.settle()

    assert StripeEvent.objects.get(pk="evt_odd").state == "handled"
    item = shirt.item("M")
    assert (item.state, item.available, item.invalid_edits) == ("counted", 16, 0)
    assert shirt.movements("M", "edited") == [1]


@pytest.mark.parametrize("kind", ["product.updated", "product.deleted", "product.created", "price.updated"])
def test_an_event_about_nothing_is_handled(shirt: Shirt, kind: str) -> None:
    inbox.store_events([{"id": "evt_odd", "type": kind, "created": 1, "data": {"object": {}}}])

    shirt.settle()

    assert StripeEvent.objects.get(pk="evt_odd").state == "handled"
