"""The history that the growth benchmark writes, and its targets."""

from __future__ import annotations

import pytest
from django.db.models import Sum
from django.utils import timezone

from benchmarks import growth
from benchmarks.desk import make_catalog
from benchmarks.history import Size, write
from checkout.models import Order, OrderLine
from inventory.models import Movement, ProcessedRequest, StockUpdate, StripeEvent, VersionSnapshot


@pytest.mark.django_db
def test_a_history_has_the_rows_asked_for_and_leaves_every_count_as_it_was() -> None:
    items = make_catalog(2)

    write(Size(movements=1000, orders=100, events=80), timezone.now())

    assert Movement.objects.count() == 1000
    assert set(Movement.objects.values_list("kind", flat=True)) == {
        "sale", "received", "edited", "adjusted", "counted", "returned",
    }  # fmt: skip
    sums = (
        Movement.objects.order_by()
        .values("item")
        .annotate(units=Sum("delta"))
        .values_list("units", flat=True)
    )
    assert list(sums) == [0] * len(items)
    assert Movement.objects.filter(kind="sale").count() == OrderLine.objects.count() > 100
    assert Order.objects.count() == 100 and 0 < Order.objects.to_pack().count() <= 20
    assert StripeEvent.objects.count() == 80
    assert StockUpdate.objects.count() == VersionSnapshot.objects.count() == 10
    assert ProcessedRequest.objects.count() == 20


def test_a_ratio_above_its_target_is_missed() -> None:
    empty = {name: [0.1, 0.1, 9.0] for name in growth.TARGETS}
    full = {**empty, "order": [0.12, 0.12, 0.01]}

    targets = growth.summary({"full": full, "young": empty, "empty": empty})["targets"]

    assert [name for name, target in targets.items() if not target["met"]] == ["order"]


@pytest.mark.slow
def test_a_shop_with_a_history_answers_one_round() -> None:
    with growth.shop("sqlite", {"movements": 60, "orders": 6, "events": 16}, products=1) as shop:
        found = shop.measure(1)

    assert {name for name, _seconds in found} >= set(growth.TARGETS)
