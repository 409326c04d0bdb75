"""Product catalog imports: creation, upload, verdict."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
import stripe

from fake_stripe import FakeStripe

COLUMNS = {
    "id": "a1",
    "title": "Shirt M",
    "description": "Soft",
    "link": "https://shop.example/1",
    "brand": "Linden",
    "mpn": "L-1",
    "image_link": "https://cdn.example/1.jpg",
    "product_category": "clothing",
    "item_group_id": "prod_1",
    "size": "M",
    "availability": "in_stock",
    "inventory_not_tracked": "false",
    "inventory_quantity": "3",
    "price": "25.00 USD",
    "shipping": "US:ALL:Post::5.00 USD",
}


@pytest.fixture
def fake() -> FakeStripe:
    return FakeStripe(seed=0, base_url="http://stripe.test")


def client_of(fake: FakeStripe, key: str = "sk_test_fake") -> stripe.StripeClient:
    return stripe.StripeClient(key, http_client=fake.http_client(), max_network_retries=0)


def create(fake: FakeStripe, feed: str = "product", mode: str = "upsert", key: str = "sk_test_fake") -> Any:
    params: Any = {"feed_type": feed, "mode": mode, "metadata": {}}
    return client_of(fake, key).v2.commerce.product_catalog.imports.create(params)


def upload(fake: FakeStripe, created: Any, rows: list[dict[str, str]]) -> int:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["id"])
    writer.writeheader()
    writer.writerows(rows)
    url = created.status_details.awaiting_upload.upload_url.url
    return int(fake.http_client().request("put", url, {"Content-Type": "text/csv"}, text.getvalue())[1])


def verdict(fake: FakeStripe, created: Any, seconds: float = 100) -> Any:
    fake.forward(seconds)
    return client_of(fake).v2.commerce.product_catalog.imports.retrieve(created.id)


def test_a_file_is_processed_and_then_in_the_catalog(fake: FakeStripe) -> None:
    created = create(fake)
    assert created.status == "awaiting_upload"
    assert upload(fake, created, [COLUMNS]) == 200
    assert verdict(fake, created, 0).status == "processing"
    assert not fake.catalog

    done = verdict(fake, created)

    assert (done.status, done.status_details.succeeded.success_count) == ("succeeded", 1)
    assert fake.catalog["a1"]["price"] == "25.00 USD"


def test_an_upload_address_works_once_and_expires(fake: FakeStripe) -> None:
    used, late = create(fake), create(fake)
    upload(fake, used, [COLUMNS])

    assert upload(fake, used, [COLUMNS]) == 403
    fake.forward(301)
    assert upload(fake, late, [COLUMNS]) == 403
    assert verdict(fake, late).status_details.failed.code == "file_not_found"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"price": "25"}, "price"),
        ({"mpn": ""}, "mpn"),
        ({"availability": "yes"}, "availability"),
        ({"inventory_quantity": "-1"}, "inventory_quantity"),
        ({"inventory_quantity": ""}, "inventory_quantity"),
        ({"inventory_not_tracked": "true"}, "inventory_quantity"),
        ({"title": "x" * 151}, "title"),
        ({"image_link": ""}, "image_link"),
        ({"item_group_id": ""}, "item_group_id"),
        ({"product_category": ""}, "product_category"),
        ({"id": "good"}, "id"),
    ],
)
def test_a_bad_row_is_refused_and_the_good_ones_are_in(
    fake: FakeStripe, change: dict[str, str], field: str
) -> None:
    created = create(fake)
    upload(fake, created, [COLUMNS | {"id": "good"}, COLUMNS | change])

    done = verdict(fake, created)

    details = done.status_details.succeeded_with_errors
    assert (details.success_count, details.error_count) == (1, 1)
    assert (details.samples[0].row, details.samples[0].field) == (3, field)
    assert list(fake.catalog) == ["good"]
    address = details.error_file.download_url.url
    errors = fake.http_client().request("get", address, {}, None)[0]
    assert (
        next(csv.DictReader(io.StringIO(errors)))["stripe_error_message"] == details.samples[0].error_message
    )


def test_replace_deletes_what_the_file_does_not_have_and_upsert_keeps_it(fake: FakeStripe) -> None:
    for mode, rows in [("replace", ["a", "b"]), ("upsert", ["c"]), ("replace", ["b", "c"])]:
        created = create(fake, mode=mode)
        upload(fake, created, [COLUMNS | {"id": id} for id in rows])
        verdict(fake, created)

    assert set(fake.catalog) == {"b", "c"}


def test_an_inventory_feed_changes_only_what_it_has(fake: FakeStripe) -> None:
    first = create(fake)
    upload(fake, first, [COLUMNS])
    verdict(fake, first)
    second = create(fake, "inventory")
    rows = [{"id": id, "availability": "out_of_stock", "inventory_quantity": "0"} for id in ("a1", "unknown")]
    upload(fake, second, rows)

    assert verdict(fake, second).status == "succeeded_with_errors"
    assert fake.catalog["a1"]["availability"] == "out_of_stock"
    assert fake.catalog["a1"]["title"] == "Shirt M"


def test_a_later_import_may_end_first(fake: FakeStripe) -> None:
    imports = [create(fake) for _number in range(8)]
    for number, created in enumerate(imports):
        upload(fake, created, [COLUMNS | {"title": str(number)}])

    ready = [fake.account.store.get("v2.commerce.product_catalog_import", one.id) for one in imports]

    assert [row["_ready"] for row in ready if row] != sorted(row["_ready"] for row in ready if row)


def test_a_file_without_rows_or_columns_fails(fake: FakeStripe) -> None:
    for rows in ([], [{"id": "a1", "title": "x"}]):
        created = create(fake)
        upload(fake, created, rows)
        assert verdict(fake, created).status_details.failed.code == "invalid_file"


def test_replace_is_for_products_and_a_restricted_key_needs_the_right(fake: FakeStripe) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        create(fake, "inventory", "replace")
    fake.keys.add("rk_test_1", {"products": "write"})
    with pytest.raises(stripe.PermissionError):
        create(fake, key="rk_test_1")
    fake.keys.add("rk_test_2", {"product_catalog_imports": "write"})
    assert create(fake, key="rk_test_2").status == "awaiting_upload"
