"""Tests of the catalog for AI agents at Stripe."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from config.stripe_client import StripeCallError
from inventory import agent_catalog, gateway
from inventory.models import CatalogImport, Issue, StockItem
from inventory.stock import ledger
from shop.feeds.stripe import agent_catalog as whole_catalog
from shop.models import Product
from shop.storefront import load_storefront
from shop.tests.channels import assert_channels_agree
from shop.tests.factories import on_shelf, price

if TYPE_CHECKING:
    from django.test import Client

    from fake_stripe import FakeStripe

pytestmark = pytest.mark.django_db

IMAGES = ("https://cdn.example/1.jpg",)


class Worker:
    """The worker's task once a minute, by a clock that the fake shares."""

    def __init__(self, fake: FakeStripe) -> None:
        self.fake, self.now = fake, timezone.now()

    def minutes(self, number: int) -> None:
        for _minute in range(number):
            agent_catalog.send_catalog(self.now)
            self.now += timedelta(minutes=1)
            self.fake.forward(60)

    def until_finished(self) -> CatalogImport:
        self.minutes(4)
        last = CatalogImport.objects.order_by("-id")[0]
        assert last.finished_at
        return last


@pytest.fixture
def worker(fake: FakeStripe, settings: Settings) -> Worker:
    settings.AGENT_CATALOG = "show"
    return Worker(fake)


def sent() -> list[tuple[str, str, str]]:
    return list(CatalogImport.objects.order_by("id").values_list("feed", "mode", "status"))


def texts() -> list[str]:
    return [issue.text for issue in Issue.objects.filter(kind="agent_catalog", closed_at=None)]


def test_nothing_is_sent_unless_the_owner_asks_for_it(fake: FakeStripe, settings: Settings) -> None:
    on_shelf(images=IMAGES)

    assert settings.AGENT_CATALOG == "off"
    assert agent_catalog.send_catalog(timezone.now()) == 0
    settings.AGENT_CATALOG, settings.STRIPE_SECRET_KEY = "show", ""
    assert agent_catalog.send_catalog(timezone.now()) == 0

    assert not [call for call in fake.calls if "imports" in call.path]


def test_every_size_is_in_the_catalog_and_is_sold_by_the_shop_alone(fake: FakeStripe, worker: Worker) -> None:
    on_shelf(
        images=IMAGES, stock={"S": 0, "M": 3, "L": -1}, prices=(price(), price("price_l", 2800, size="L"))
    )

    done = worker.until_finished()

    assert (done.feed, done.mode, done.status, done.rows) == ("product", "replace", "succeeded", 3)
    rows = {row["size"]: row for row in fake.catalog.values()}
    assert {row["disable_checkout"] for row in rows.values()} == {"true"}
    assert [(rows[size]["availability"], rows[size]["inventory_quantity"]) for size in "SML"] == [
        ("out_of_stock", "0"),
        ("in_stock", "3"),
        ("in_stock", ""),
    ]
    assert rows["L"]["price"] == "28.00 USD"
    assert rows["L"]["id"] == rows["L"]["mpn"] == StockItem.objects.get(size="L").catalog_id
    assert rows["L"]["link"].endswith("?size=L")
    assert rows["L"]["shipping"] == "US:ALL:::0.00 USD,DE:ALL:::0.00 USD"


def test_moved_counts_are_sent_after_a_quarter_of_an_hour_and_alone(fake: FakeStripe, worker: Worker) -> None:
    on_shelf(images=IMAGES)
    worker.until_finished()
    ledger.hold("order:1", {StockItem.objects.get(size="M").pk: 10})

    worker.minutes(9)
    assert sent() == [("product", "replace", "succeeded")]

    worker.minutes(8)
    assert sent()[1:] == [("inventory", "upsert", "succeeded")]
    [medium] = [row for row in fake.catalog.values() if row["size"] == "M"]
    assert (medium["availability"], medium["inventory_quantity"]) == ("out_of_stock", "0")
    assert medium["price"] == "25.00 USD"
    worker.minutes(40)
    assert len(sent()) == 2


def test_a_changed_product_is_sent_whole_and_every_product_daily(fake: FakeStripe, worker: Worker) -> None:
    on_shelf(images=IMAGES)
    worker.until_finished()

    Product.objects.update(name="Tee")
    worker.minutes(20)
    assert [feed for feed, _mode, _status in sent()] == ["product", "product"]
    assert {row["item_group_title"] for row in fake.catalog.values()} == {"Tee"}

    worker.now += timedelta(hours=24)
    worker.minutes(4)
    assert len(sent()) == 3


def test_one_import_is_under_way_at_a_time(fake: FakeStripe, worker: Worker) -> None:
    on_shelf(images=IMAGES)
    agent_catalog.send_catalog(worker.now)
    Product.objects.update(name="Tee")

    agent_catalog.send_catalog(worker.now + timedelta(minutes=20))

    assert len([call for call in fake.calls if call.method == "POST"]) == 1
    assert CatalogImport.objects.get().status == "processing"


def test_refused_rows_become_an_issue_that_names_them(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_shelf(images=IMAGES)
    upload = gateway.upload_catalog
    monkeypatch.setattr(
        gateway, "upload_catalog", lambda url, text: upload(url, text.replace("25.00 USD", "dear", 1))
    )

    assert worker.until_finished().errors == 1

    [text] = texts()
    assert "Stripe refused 1 of 3 rows of the product file:" in text
    assert "price: price must look like 15.00 USD." in text
    monkeypatch.setattr(gateway, "upload_catalog", upload)
    Product.objects.update(name="Tee")
    worker.minutes(20)
    assert texts() == []


def test_a_refused_file_becomes_an_issue_and_is_sent_again_later(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_shelf(images=IMAGES)
    upload = gateway.upload_catalog
    monkeypatch.setattr(gateway, "upload_catalog", lambda url, text: upload(url, "nonsense\n"))

    assert worker.until_finished().status == "failed"

    assert "Stripe did not take the product file: The file has no id" in texts()[0]
    monkeypatch.setattr(gateway, "upload_catalog", upload)
    worker.minutes(20)
    assert sent()[-1][2] == "succeeded"
    assert texts() == []


def test_a_key_without_the_right_becomes_an_issue(
    fake: FakeStripe, worker: Worker, settings: Settings
) -> None:
    on_shelf(images=IMAGES)
    fake.keys.add("rk_test_few", {"products": "write"})
    settings.STRIPE_SECRET_KEY = "rk_test_few"

    worker.minutes(2)
    assert texts() == ["The Stripe key lacks the permission “Product Catalog Import: write”."]

    settings.STRIPE_SECRET_KEY = "sk_test_fake"
    worker.minutes(20)
    assert texts() == []
    assert sent()[-1][2] == "succeeded"


def test_half_a_catalog_deletes_nothing_until_the_owner_closes_the_issue(
    fake: FakeStripe, worker: Worker
) -> None:
    for number in range(4):
        on_shelf(f"prod_{number}", images=IMAGES)
    worker.until_finished()
    Product.objects.exclude(pk="prod_0").update(active=False)

    worker.minutes(20)
    assert sent()[-1] == ("product", "upsert", "succeeded")
    assert len(fake.catalog) == 12
    assert "has 3 rows instead of 12" in texts()[0]

    Issue.objects.update(closed_at=timezone.now())
    Product.objects.update(name="Tee")
    worker.minutes(20)
    assert sent()[-1] == ("product", "replace", "succeeded")
    assert len(fake.catalog) == 3


def test_an_empty_catalog_is_never_sent(fake: FakeStripe, worker: Worker) -> None:
    on_shelf(images=IMAGES)
    worker.until_finished()
    Product.objects.update(images=[])

    worker.minutes(30)

    assert len(sent()) == 1
    assert len(fake.catalog) == 3
    assert "No product can be sent" in texts()[0]


def test_unknown_shipping_is_an_issue_and_nothing_is_sent(worker: Worker, settings: Settings) -> None:
    settings.SHIPPING_RATES = ["shr_unknown"]
    on_shelf(images=IMAGES)

    worker.minutes(2)
    assert sent() == []
    assert "Stripe requires the cost of shipping" in texts()[0]

    settings.SHIPPING_RATES = []
    worker.minutes(2)
    assert texts() == []
    assert len(sent()) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_outage_delays_the_catalog_and_no_more(fake: FakeStripe, worker: Worker, when: str) -> None:
    on_shelf(images=IMAGES)
    fake.faults.add("error_500", path="/v2/*", when=when, times=None)
    with pytest.raises(StripeCallError):
        worker.minutes(1)
    fake.faults.clear()

    worker.minutes(30)

    assert sent()[-1] == ("product", "replace", "succeeded")
    assert len(fake.catalog) == 3


def test_a_file_that_was_not_uploaded_is_given_up_and_sent_again(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_shelf(images=IMAGES)
    upload = gateway.upload_catalog
    monkeypatch.setattr(gateway, "upload_catalog", lambda url, text: False)
    worker.minutes(2)
    monkeypatch.setattr(gateway, "upload_catalog", upload)

    worker.minutes(30)

    assert sent()[-1][2] == "succeeded"


def test_agents_and_the_page_say_the_same_once_an_import_is_finished(
    client: Client, fake: FakeStripe, worker: Worker
) -> None:
    on_shelf(
        images=IMAGES, stock={"S": 1, "M": 3, "L": -1}, prices=(price(), price("price_l", 2800, size="L"))
    )
    on_shelf("prod_mug", images=IMAGES, metadata={"category": "mugs"}, stock={"": 2})

    def check() -> None:
        keys = {item.catalog_id: (item.product_id, item.size) for item in StockItem.objects.all()}
        agents = {
            keys[id]: (row["availability"] == "in_stock", row["price"].split(" ")[0])
            for id, row in fake.catalog.items()
        }
        assert agents == assert_channels_agree(client)

    changes: list[Callable[[], Any]] = [
        lambda: ledger.hold("order:1", {StockItem.objects.get(size="S").pk: 1}),
        lambda: StockItem.objects.filter(size="M").update(state="unknown"),
        lambda: ledger.release("order:1"),
        lambda: StockItem.objects.filter(size="S").update(state="unlimited"),
        lambda: StockItem.objects.filter(size="").update(on_hand=0),
    ]
    worker.until_finished()
    check()
    for change in changes:
        change()
        worker.minutes(20)
        check()


def test_two_workers_start_one_import(fake: FakeStripe, worker: Worker) -> None:
    on_shelf(images=IMAGES)
    catalog = whole_catalog(load_storefront())

    def start(now: datetime) -> int:
        return agent_catalog._start("product", catalog, now)

    assert (start(worker.now), start(worker.now)) == (1, 0)
    assert CatalogImport.objects.count() == 1
