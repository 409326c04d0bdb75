"""The demo's past: a story that ends at the sample counts, played through the shop's code, and cached."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.cache import cache
from django.utils import timezone
from pytest_django import Settings

from checkout.models import Order
from checkout.reports.restock import waiting_customers
from checkout.request_decisions import returns_in_progress
from demo import past, story
from fake_stripe import FakeStripe
from inventory.models import Issue, Movement, StockItem
from inventory.stock import ledger


def test_every_purchase_of_the_story_finds_its_units() -> None:
    told = story.tell()
    left = Counter(told.start)
    changes = [(at.at, {at.size: at.delta}) for at in story.CORRECTIONS]
    changes.append((story.DELIVERY_DAY + 0.1, told.delivery))
    for purchase in told.purchases:
        for size, _color, quantity in purchase.lines:
            if size in left:
                changes.append((purchase.at, {size: -quantity}))

    for _at, change in sorted(changes, key=lambda each: each[0]):
        left.update(change)
        assert all(left[size] >= 0 for size in change)

    assert left == story.counts_at_the_end()


def test_the_story_is_always_the_same_and_worth_telling() -> None:
    told = story.tell()

    assert told == story.tell()
    assert 120 < len(told.purchases) < 250 and sum(told.delivery.values()) > 50
    assert max(purchase.at for purchase in told.purchases) > story.DAYS


@pytest.mark.django_db
def test_a_past_is_played_through_the_shop(fake: FakeStripe, settings: Settings) -> None:
    settings.SHIPPING_COUNTRIES = ["US", "CA", "GB", "DE"]
    cache.clear()
    told = story.stocked_up(story.tell().purchases[::12])
    began = past.Past(time.time())
    began.fake = fake

    with past.a_clock_of_its_own(began):
        past.play(began, told, image_origin="http://127.0.0.1:1")

    assert abs(time.time() - began.end) < 600 and timezone.now() - began.now() < timedelta(minutes=10)
    paid = Order.objects.filter(paid_at__isnull=False)
    assert paid.count() == len(told.purchases) + 2
    assert paid.filter(paid_at__lt=timezone.now() - timedelta(days=35)).exists()
    assert Order.objects.sent().exists() and Order.objects.filter(state=Order.State.OPEN).count() == 1
    assert set(Issue.objects.filter(closed_at=None).values_list("kind", flat=True)) == {
        "needs_size",
        "oversold",
        "refund_to_review",
    }
    assert set(Movement.objects.values_list("kind", flat=True)) == {
        "opened", "sale", "received", "adjusted", "counted", "edited", "oversold",
    }  # fmt: skip
    assert (returns_in_progress().count, waiting_customers().count) == ("1", "1")
    ends = story.counts_at_the_end()
    counts = {
        (item.product_id, item.size): item.on_hand
        for item in StockItem.objects.filter(product__in=story.PRODUCTS, state="counted")
    }
    assert counts == ends and ledger.find_drift() == []
    for (product, size), count in ends.items():
        assert fake.products[product]["metadata"][f"stock_{size}" if size else "stock"] == str(count)


def test_a_past_is_made_once_a_day_and_never_over_an_existing_shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def make(kept: Path, environment: object) -> None:
        made.append(kept)
        kept.mkdir(parents=True)
        for name in past.DATABASES:
            (kept / name).write_text("a past")

    monkeypatch.setattr(past, "_make", make)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        past.provide(tmp_path / name, {}, cache=tmp_path / "cache")
        assert (tmp_path / name / "shop.sqlite3").read_text() == "a past"
    (tmp_path / "a" / "shop.sqlite3").write_text("orders of a person")
    (tmp_path / "a" / "stripe.sqlite3").unlink()
    past.provide(tmp_path / "a", {}, cache=tmp_path / "cache")

    assert len(made) == 1
    assert (tmp_path / "a" / "shop.sqlite3").read_text() == "orders of a person"
    assert not (tmp_path / "a" / "stripe.sqlite3").exists()


def test_a_past_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(past.NoPast, match="SECRET_KEY is not set"):
        past.provide(
            tmp_path, {"DJANGO_SETTINGS_MODULE": "config.settings", "ENV_FILE": ""}, cache=tmp_path / "c"
        )

    assert not list((tmp_path / "c").iterdir()) and not (tmp_path / "shop.sqlite3").exists()
