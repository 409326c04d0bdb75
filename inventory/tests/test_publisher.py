"""Publishing of counts: stock updates sent to Stripe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.stripe_client import PermissionDenied
from inventory import gateway, leases
from inventory.events import inbox
from inventory.models import Installation, Issue, Movement, ProductSync, StockItem, StockUpdate, StripeEvent
from inventory.stock import ledger
from inventory.stock.metadata import VersionTag, update_payload
from inventory.stripe_sync import publisher, updates
from inventory.stripe_sync.catalog_sync import sync_catalog
from inventory.tests.factories import Shirt, later, raising
from inventory.worker import drain, start

if TYPE_CHECKING:
    from fake_stripe import FakeStripe

PRODUCT = "/v1/products/prod_shirt"
NOT_COUNTED = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT")


# --- The usual path ---------------------------------------------------------------------------


def test_two_sold_medium_shirts_lower_stock_m_from_15_to_13(shirt: Shirt) -> None:
    shirt.sell("M", 2)

    shirt.settle()

    assert shirt.at_stripe("M") == "13"
    assert shirt.is_at_rest()


def test_an_update_carries_all_readable_totals_the_next_version_tag_and_no_other_key(shirt: Shirt) -> None:
    shirt.fake.forget_calls()
    shirt.sell("M", 2)
    n = shirt.stock.number

    shirt.settle()

    (sent,) = shirt.updates_sent()
    assert sent.params == {
        "metadata": {
            "stock_S": "10",
            "stock_M": "13",
            "stock_L": "5",
            "inventory_version": f"{Installation.current()}/prod_shirt/{n + 1}",
        }
    }


def test_keys_that_are_not_ours_stay_as_they_are(shirt: Shirt) -> None:
    shirt.edit_keys({"details": "100 % polyester", "supplier": "77"})
    shirt.sell("M", 2)

    shirt.settle()

    assert shirt.metadata["details"] == "100 % polyester"
    assert shirt.metadata["supplier"] == "77"


def test_many_sales_are_published_in_one_update(shirt: Shirt) -> None:
    shirt.fake.forget_calls()
    for _order in range(9):
        shirt.sell("M")

    shirt.settle()

    assert len(shirt.updates_sent()) == 1
    assert shirt.at_stripe("M") == "6"


def test_a_first_refresh_opens_the_ledger_and_tags_the_product(new_shirt: Callable[..., Shirt]) -> None:
    shirt = new_shirt(S=10, M=15)

    shirt.sync()

    assert shirt.movements("M") == [15]
    assert shirt.version_tag == f"{Installation.current()}/prod_shirt/1"
    assert shirt.is_at_rest()


def test_a_product_with_nothing_to_count_gets_no_version_tag(fake: FakeStripe, db: None) -> None:
    fake.add_product(id="prod_album", name="Album", metadata={"category": "music"})
    album = Shirt(fake, "prod_album")

    album.sync()

    assert album.metadata == {"category": "music"}


def test_updates_are_at_least_a_second_apart_so_that_movements_gather(shirt: Shirt) -> None:
    now = timezone.now()
    shirt.sell("M")
    publisher.publish_pending(now + timedelta(seconds=3))
    shirt.sell("M")

    early = publisher.publish_pending(now + timedelta(seconds=3.9))
    in_time = publisher.publish_pending(now + timedelta(seconds=4.1))

    assert (early, in_time) == (0, 1)


def test_the_more_products_wait_the_longer_each_gathers(
    shirt: Shirt, new_shirt: Callable[..., Shirt], monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.8 s per waiting product, to stay below Stripe's 25 requests per second: 100 wait 80 s each."""
    others = [new_shirt(f"prod_{number}", M=5) for number in range(9)]
    for other in others:
        other.sync()
    for each in [shirt, *others]:
        each.sell("M")
    now = later(3)

    publisher.publish_product("prod_shirt", now)

    assert shirt.stock.next_attempt_at == now + timedelta(seconds=0.8 * 9)


def test_what_has_gathered_is_sent_as_soon_as_no_more_sales_come(shirt: Shirt) -> None:
    shirt.sell("M")
    now = timezone.now()
    ProductSync.objects.filter(pk="prod_shirt").update(next_attempt_at=now + timedelta(seconds=40))

    during_the_rush = publisher.publish_pending(now)
    after_it = publisher.publish_pending(now + timedelta(seconds=2))

    assert (during_the_rush, after_it) == (0, 1)
    assert shirt.at_stripe("M") == "14"


def test_paid_sessions_that_wait_for_the_worker_are_sales_that_come(shirt: Shirt) -> None:
    shirt.sell("M")
    now = timezone.now()
    ProductSync.objects.filter(pk="prod_shirt").update(next_attempt_at=now + timedelta(seconds=40))
    sale = {"id": "evt_sale", "type": "checkout.session.completed", "data": {"object": {"id": "cs_1"}}}
    inbox.store_events([sale])

    while_it_waits = publisher.publish_pending(now + timedelta(seconds=2))
    StripeEvent.objects.filter(pk="evt_sale").update(state=StripeEvent.State.HANDLED)
    after_it = publisher.publish_pending(now + timedelta(seconds=2))

    assert (while_it_waits, after_it) == (0, 1)


def test_a_product_that_failed_waits_for_its_next_attempt_though_no_sales_come(shirt: Shirt) -> None:
    shirt.sell("M")
    now = timezone.now()
    due_at = now + timedelta(seconds=40)
    ProductSync.objects.filter(pk="prod_shirt").update(next_attempt_at=due_at, attempts=3)

    early = publisher.publish_pending(now + timedelta(seconds=39))
    in_time = publisher.publish_pending(due_at)

    assert (early, in_time) == (0, 1)


# --- Calls to Stripe --------------------------------------------------------------------------


def test_an_update_costs_one_call_while_the_last_refresh_is_recent(shirt: Shirt) -> None:
    shirt.fake.forget_calls()

    for _second in range(3):
        shirt.sell("M")
        shirt.sell("S")
        drain()

    assert [call.method for call in shirt.fake.calls] == ["POST"] * 3


def test_after_a_minute_an_update_refreshes_first(shirt: Shirt) -> None:
    shirt.fake.forget_calls()
    shirt.sell("M")

    publisher.publish_pending(later(61))

    assert [call.method for call in shirt.fake.calls] == ["GET", "GET", "POST"]


def test_a_count_update_costs_22_statements_however_many_sizes_and_sales(shirt: Shirt) -> None:
    """When a rush is over, all products are updated at once, and most of the time goes into the statements."""
    for size in ("S", "M", "L"):
        shirt.sell(size)
        shirt.sell(size)

    with CaptureQueriesContext(connection) as queries:
        publisher.publish_product("prod_shirt", later(3))

    counted = [query for query in queries.captured_queries if not query["sql"].startswith(NOT_COUNTED)]
    assert len(counted) == 22
    assert shirt.at_stripe("M") == "13"


def test_a_product_that_stripe_refused_for_its_limit_is_sent_again_after_a_quarter_of_a_second(
    shirt: Shirt,
) -> None:
    shirt.fake.faults.add("error_429", method="POST", path=PRODUCT)
    shirt.sell("M")
    now = later(3)

    publisher.publish_product("prod_shirt", now)

    assert shirt.at_stripe("M") == "15"
    assert shirt.stock.next_attempt_at == now + timedelta(seconds=0.25)


def test_no_transaction_is_open_during_a_call_to_stripe(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    depth = len(connection.savepoint_ids)
    seen = []
    shirt.fake.observers.append(lambda exchange: seen.append(len(connection.savepoint_ids)))
    shirt.sell("M")
    shirt.edit(S=12)

    shirt.settle()

    assert len(seen) > 3 and set(seen) == {depth}


# --- Failures of Stripe -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("error_429", {}),
        ("lock_timeout", {}),
        ("cut", {"when": "before"}),
        ("cut", {"when": "after"}),
        ("error_500", {"when": "before", "stored": False}),
        ("error_500", {"when": "before", "stored": True}),
        ("error_500", {"when": "after", "stored": True}),
        ("error_500", {"when": "after", "stored": False}),
    ],
)
def test_an_update_that_fails_once_is_counted_once_in_the_end(
    shirt: Shirt, kind: str, options: dict[str, Any]
) -> None:
    shirt.fake.faults.add(kind, method="POST", path=PRODUCT, **options)
    shirt.sell("M", 2)

    shirt.settle()

    assert shirt.fake.faults.listed()[0]["used"] == 1
    assert shirt.at_stripe("M") == "13"
    assert shirt.is_at_rest()
    assert not StockUpdate.objects.filter(state="open").exists()


def test_an_update_whose_response_was_lost_is_retried_under_the_same_key(shirt: Shirt) -> None:
    shirt.fake.faults.add("cut", method="POST", path=PRODUCT, when="after")
    shirt.fake.forget_calls()
    shirt.sell("M", 2)

    shirt.settle()

    keys = {call.idempotency_key for call in shirt.updates_sent()}
    assert len(shirt.updates_sent()) >= 2 and len(keys) == 1


def send_to_stripe(update: StockUpdate) -> None:
    """Send the update as a worker would that crashed before it recorded the answer."""
    tag = VersionTag(Installation.current(), update.product_id, update.number)
    payload = update_payload(update.totals, tag)
    gateway.update_metadata(update.product_id, payload, key=update.idempotency_key)


@pytest.fixture
def frozen(shirt: Shirt, monkeypatch: pytest.MonkeyPatch) -> Iterator[StockUpdate]:
    """Two medium shirts in an update that was created but never sent."""
    shirt.sell("M", 2)
    with monkeypatch.context() as patch:
        patch.setattr(publisher, "_send", lambda *_: None)
        publisher.publish_pending(later(3))
    yield StockUpdate.objects.get(state="open")


def test_a_prepared_update_is_leased_as_long_as_all_others(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proofs with processes shorten leases, and would wait for the true one after each kill."""
    monkeypatch.setattr(leases, "LEASE_DURATION", timedelta(seconds=4))
    until: list[datetime | None] = []
    monkeypatch.setattr(publisher, "_send", lambda *_: until.append(ProductSync.objects.get().lease_until))
    shirt.sell("M", 2)

    publisher.publish_pending(later(3))

    [lease_until] = until
    assert lease_until and lease_until < timezone.now() + timedelta(seconds=5)


def test_an_open_update_is_sent_unchanged(shirt: Shirt, frozen: StockUpdate) -> None:
    """A worker crashed before it sent the update; later sales go into the next one."""
    shirt.sell("M", 1)

    publisher.publish_pending(later(3))
    assert shirt.at_stripe("M") == "13"

    shirt.settle()
    assert shirt.at_stripe("M") == "12"
    assert shirt.is_at_rest()


def test_a_product_never_has_two_open_updates(shirt: Shirt, frozen: StockUpdate) -> None:
    from django.db import IntegrityError, transaction

    with pytest.raises(IntegrityError), transaction.atomic():
        StockUpdate.objects.create(
            product_id="prod_shirt", number=99, idempotency_key="other", totals={}, created_at=timezone.now()
        )


def test_an_old_update_that_took_effect_is_recognized_by_its_version_tag(
    shirt: Shirt, frozen: StockUpdate
) -> None:
    """Stripe has expired the idempotency key, so a retry would apply the update twice."""
    send_to_stripe(frozen)
    StockUpdate.objects.update(sent_at=timezone.now() - timedelta(hours=21))
    shirt.fake.forget_calls()

    publisher.publish_pending(later(3))

    frozen.refresh_from_db()
    assert frozen.state == "applied"
    assert shirt.updates_sent() == []
    shirt.settle()
    assert shirt.at_stripe("M") == "13" and shirt.is_at_rest()


def test_an_old_update_that_never_arrived_is_abandoned_and_collected_again(
    shirt: Shirt, frozen: StockUpdate
) -> None:
    StockUpdate.objects.update(sent_at=timezone.now() - timedelta(hours=21))

    publisher.publish_pending(later(3))
    frozen.refresh_from_db()
    assert frozen.state == "abandoned"

    shirt.settle()
    assert shirt.at_stripe("M") == "13" and shirt.is_at_rest()


def test_an_update_whose_version_tag_was_removed_is_found_by_its_event(
    shirt: Shirt, frozen: StockUpdate
) -> None:
    send_to_stripe(frozen)
    shirt.edit_keys({"inventory_version": ""})
    StockUpdate.objects.update(sent_at=timezone.now() - timedelta(hours=21))

    publisher.publish_pending(later(3))

    frozen.refresh_from_db()
    assert frozen.state == "applied"
    shirt.settle()
    assert shirt.at_stripe("M") == "13" and shirt.is_at_rest()


def test_an_abandoned_update_that_arrives_late_does_no_harm(shirt: Shirt, frozen: StockUpdate) -> None:
    """A zombie sends the old body after the new total: its event requests a refresh, and the total is sent again."""
    updates.abandon_update(frozen.pk, timezone.now())
    shirt.sell("M", 1)
    shirt.settle()
    assert shirt.at_stripe("M") == "12"

    send_to_stripe(frozen)
    assert shirt.at_stripe("M") == "13"
    shirt.settle()

    assert shirt.at_stripe("M") == "12" and shirt.is_at_rest()


def test_an_update_that_two_workers_apply_is_applied_once(shirt: Shirt, frozen: StockUpdate) -> None:
    now = timezone.now()

    answers = [updates.apply_update(frozen, now) for _worker in range(2)]

    assert answers == [True, False]
    assert shirt.item("M").on_hand == 13 and shirt.item("M").pending == 0


def test_an_applied_update_cannot_be_abandoned(shirt: Shirt, frozen: StockUpdate) -> None:
    updates.apply_update(frozen, timezone.now())
    updates.abandon_update(frozen.pk, timezone.now())

    frozen.refresh_from_db()
    assert frozen.state == "applied"


def test_an_update_whose_event_was_received_is_applied_and_not_abandoned(
    shirt: Shirt, frozen: StockUpdate
) -> None:
    StockUpdate.objects.update(event_seen=True)

    updates.abandon_update(frozen.pk, timezone.now())

    frozen.refresh_from_db()
    assert frozen.state == "applied"


def test_a_worker_that_lost_its_lease_creates_no_update(shirt: Shirt) -> None:
    from inventory.leases import lease

    shirt.sell("M", 2)
    with lease("prod_shirt") as slow:
        assert slow is not None
        ProductSync.objects.update(lease_holder="another")

        assert updates.prepare_update(slow) is None
    assert not StockUpdate.objects.filter(state="open").exists()


def test_a_leased_product_is_left_alone(shirt: Shirt) -> None:
    shirt.sell("M", 2)
    ProductSync.objects.update(lease_until=later(3), lease_holder="another")

    assert publisher.publish_pending(later(3)) == 0
    assert publisher.publish_product("prod_shirt", later(3)) is False


def test_a_product_whose_worker_died_is_taken_over_when_the_lease_expires(shirt: Shirt) -> None:
    shirt.sell("M", 2)
    ProductSync.objects.update(lease_until=later(-1), lease_holder="dead")

    shirt.settle()

    assert shirt.at_stripe("M") == "13"


def test_a_paused_product_is_not_updated_even_when_named(shirt: Shirt, frozen: StockUpdate) -> None:
    ProductSync.objects.update(pause_reason="refused", pause_detail="no")

    assert publisher.publish_product("prod_shirt", later(3)) is False
    assert shirt.at_stripe("M") == "15"


# --- Oversold or unreadable -------------------------------------------------------------------


def test_an_oversold_size_is_published_as_zero_and_becomes_an_issue(shirt: Shirt) -> None:
    shirt.sell("L", 7)

    shirt.settle()

    assert shirt.at_stripe("L") == "0"
    assert shirt.movements("L") == [5, -7, 2]
    assert Issue.objects.get(kind="oversold").subject == "prod_shirt stock_L"
    assert shirt.is_at_rest()


def test_an_unreadable_count_is_never_overwritten_and_its_movements_wait(shirt: Shirt) -> None:
    shirt.edit(M="ten")
    shirt.settle()
    shirt.sell("M", 2)
    shirt.sell("S", 1)

    shirt.settle()

    assert shirt.at_stripe("M") == "ten"
    assert shirt.at_stripe("S") == "9"
    assert shirt.item("M").pending == -2
    assert shirt.item("M").state == "unknown"


def test_pending_movements_are_published_after_the_correction(shirt: Shirt) -> None:
    shirt.edit(M="ten")
    shirt.settle()
    shirt.sell("M", 2)
    shirt.settle()

    shirt.edit(M=20)
    shirt.settle()

    assert shirt.at_stripe("M") == "18"
    assert shirt.is_at_rest()


def test_a_count_of_unlimited_is_never_overwritten(shirt: Shirt) -> None:
    shirt.edit(M="unlimited")
    shirt.settle()
    shirt.sell("M", 2)
    shirt.sell("S", 1)

    shirt.settle()

    assert shirt.at_stripe("M") == "unlimited" and shirt.at_stripe("S") == "9"


# --- Differences ------------------------------------------------------------------------------


def test_a_difference_is_explained_by_events_before_it_is_overwritten(shirt: Shirt) -> None:
    """The event of the edit was lost. The refresh finds the difference, and Stripe's event list explains it."""
    shirt.fake.faults.add("drop", types=("product.updated",))
    shirt.edit(M=20)
    assert shirt.fake.deliver_due() == []
    shirt.sell("M", 2)

    publisher.publish_pending(later(61))

    assert shirt.movements("M", "edited") == [5]
    assert shirt.at_stripe("M") == "18"
    shirt.settle()
    assert shirt.is_at_rest()


def test_without_permission_to_list_events_a_difference_is_not_overwritten(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "product_events", raising(PermissionDenied("events_read")))
    shirt.fake.faults.add("drop", types=("product.updated",))
    shirt.edit(M=20)
    shirt.sell("M", 2)

    publisher.publish_pending(later(61))

    assert shirt.at_stripe("M") == "20"
    assert shirt.stock.pause_reason and Issue.objects.filter(subject="prod_shirt").exists()


def test_held_units_are_not_published(shirt: Shirt) -> None:
    ledger.hold("order:1", {shirt.item("M").pk: 5})
    shirt.sell("S", 1)

    shirt.settle()

    assert shirt.at_stripe("M") == "15"


def test_a_movement_belongs_to_one_update_and_is_published_once(shirt: Shirt) -> None:
    (sale,) = shirt.sell("M", 2)

    shirt.settle()

    sale = Movement.objects.get(pk=sale.pk)
    assert (
        sale.stock_update is not None
        and sale.stock_update.state == "applied"
        and sale.published_at is not None
    )
    assert StockItem.objects.get(pk=sale.item_id).pending == 0


def test_products_never_published_come_before_recently_published_ones(
    new_shirt: Callable[..., Shirt], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backlog is larger than one run: on every database the run starts with the longest waiting products."""
    for name in ("prod_a", "prod_b"):
        new_shirt(name, M=15).sync()
    now = timezone.now()
    ProductSync.objects.filter(pk="prod_a").update(next_attempt_at=now, needs_version_bump=True)
    ProductSync.objects.filter(pk="prod_b").update(next_attempt_at=None, needs_version_bump=True)
    monkeypatch.setattr(publisher, "BATCH_SIZE", 1)

    publisher.publish_pending(now)

    assert not ProductSync.objects.get(pk="prod_b").needs_version_bump


def test_an_edit_before_the_first_update_is_fetched_and_not_overwritten(
    new_shirt: Callable[..., Shirt], fake: FakeStripe
) -> None:
    """While a shop is set up, its catalog is read and edited before an endpoint or a worker exists."""
    for endpoint in list(fake.webhook_endpoints):
        fake.call("DELETE", f"/v1/webhook_endpoints/{endpoint}")
    shirt = new_shirt(S=10, M=15)
    sync_catalog()
    fake.forward(5)
    shirt.edit(M=20)

    start()
    drain(hourly=True)

    assert shirt.at_stripe("M") == "20" and shirt.movements("M", "edited") == [5]
