"""Refreshes of many products: from one list of the account instead of two calls for each product."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fake_stripe import FakeStripe
from inventory import worker
from inventory.events import inbox
from inventory.models import ProductSync, StockItem
from inventory.stripe_sync import catalog_sync, publisher, refresh
from inventory.tests.factories import Shirt
from shop import gateway
from shop.models import Product


@pytest.fixture
def shirts(new_shirt: Callable[..., Shirt]) -> list[Shirt]:
    shirts = [new_shirt(f"prod_{number:02}", M=15) for number in range(12)]
    catalog_sync.sync_catalog()
    refresh.request_refresh_of_all()
    return shirts


def reads(fake: FakeStripe, *, since: int) -> list[str]:
    return [call.path for call in list(fake.calls)[since:] if call.method == "GET"]


def test_many_products_are_read_from_one_list(shirts: list[Shirt], fake: FakeStripe) -> None:
    fake.dashboard.edit_product("prod_05", name="Soft T-Shirt")
    before = len(fake.calls)

    assert refresh.refresh_requested(timezone.now()) == 12

    assert reads(fake, since=before) == ["/v1/prices", "/v1/products"]
    assert not refresh.pending_refreshes().exists()
    assert Product.objects.get(pk="prod_05").name == "Soft T-Shirt"


def test_few_products_are_read_one_by_one(shirts: list[Shirt], fake: FakeStripe) -> None:
    refresh.refresh_requested(timezone.now())
    refresh.request_refresh(["prod_01", "prod_02"])
    before = len(fake.calls)

    assert refresh.refresh_requested(timezone.now()) == 2

    paths = sorted(reads(fake, since=before))
    assert paths == ["/v1/prices", "/v1/prices", "/v1/products/prod_01", "/v1/products/prod_02"]


def test_a_product_that_is_not_listed_is_read_alone(shirts: list[Shirt], fake: FakeStripe) -> None:
    fake.add_product(id="prod_12", name="Sticker", metadata={"stock": "1"})
    catalog_sync.sync_catalog()
    refresh.request_refresh_of_all()
    assert fake.call("DELETE", "/v1/products/prod_12")[0] == 200

    assert refresh.refresh_requested(timezone.now()) == 13

    assert Product.objects.get(pk="prod_12").deleted
    assert not refresh.pending_refreshes().exists()


def test_a_list_from_before_an_update_is_not_applied(
    shirts: list[Shirt], monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = gateway.iter_products

    def with_an_update_meanwhile() -> Iterator[gateway.StripeProduct]:
        for product in listed():
            if product.id == "prod_07":
                ProductSync.objects.filter(pk="prod_07").update(number=1)
            yield product

    monkeypatch.setattr(gateway, "iter_products", with_an_update_meanwhile)

    refresh.refresh_requested(timezone.now())

    assert list(refresh.pending_refreshes().values_list("pk", flat=True)) == ["prod_07"]
    assert not ProductSync.objects.get(pk="prod_07").differs


def test_a_new_account_is_connected_with_one_list(fake: FakeStripe, db: None) -> None:
    for endpoint in list(fake.webhook_endpoints):
        fake.call("DELETE", f"/v1/webhook_endpoints/{endpoint}")
    for number in range(12):
        fake.add_product(
            id=f"prod_{number:02}",
            name="T-Shirt",
            metadata={"sizes": "M", "stock_M": "15"},
            prices=[{"unit_amount": 2500, "currency": "usd"}],
        )
    before = len(fake.calls)

    catalog_sync.sync_catalog()
    worker.start()
    worker.drain(hourly=True)

    catalog = [path for path in reads(fake, since=before) if path.startswith(("/v1/prices", "/v1/products"))]
    assert catalog == ["/v1/prices", "/v1/products"]
    assert ProductSync.objects.filter(number=1, needs_version_bump=False).count() == 12


def test_many_products_that_wait_for_a_refresh_are_not_read_one_by_one_to_be_published(
    shirts: list[Shirt], fake: FakeStripe
) -> None:
    before = len(fake.calls)

    assert publisher.publish_pending(timezone.now()) == 0
    assert reads(fake, since=before) == []

    refresh.refresh_requested(timezone.now())

    assert publisher.publish_pending(timezone.now()) == publisher.BATCH_SIZE
    assert reads(fake, since=before) == ["/v1/prices", "/v1/products"]


def test_a_list_waits_until_the_events_of_an_edit_of_many_are_handled(
    shirts: list[Shirt], fake: FakeStripe
) -> None:
    inbox.store_events(
        {"id": f"evt_{number}", "type": "product.created", "data": {"object": {"id": "prod_01"}}}
        for number in range(refresh.MANY_EVENTS + 1)
    )
    before = len(fake.calls)

    assert refresh.refresh_requested(timezone.now()) == 0
    assert reads(fake, since=before) == []

    inbox.process_local(timezone.now())

    assert refresh.refresh_requested(timezone.now()) == 12


def test_a_reading_writes_only_the_sizes_that_it_changes(shirt: Shirt) -> None:
    def written() -> list[str]:
        with CaptureQueriesContext(connection) as asked:
            refresh.refresh_product(shirt.product_id)
        return [query["sql"] for query in asked if 'UPDATE "inventory_stockitem"' in query["sql"]]

    assert written() == []

    shirt.edit_keys({"sizes": "S,M"})

    [statement] = written()
    assert statement.startswith("1 times: ")  # For one size, as Django's log says it.
    listed = StockItem.objects.filter(product=shirt.product_id, is_listed=True)
    assert sorted(listed.values_list("size", flat=True)) == ["M", "S"]
