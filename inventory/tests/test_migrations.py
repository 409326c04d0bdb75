"""Data migrations keep the meaning of existing rows; one test each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

pytestmark = pytest.mark.django_db(transaction=True)


def migrate_to(name: str) -> Any:
    """Migrate inventory to `name`, and shop to the state of that time; returns the historical models."""
    executor, targets = MigrationExecutor(connection), [("shop", "0001_initial"), ("inventory", name)]
    executor.migrate(targets)
    return executor.loader.project_state(targets).apps


@pytest.fixture
def migrated_again() -> Iterator[None]:
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.mark.usefixtures("migrated_again")
def test_a_paused_product_stays_paused_for_the_same_reason() -> None:
    reasons = {
        "": ("", ""),
        "Deleted at Stripe.": ("deleted", ""),
        "Another shop writes its counts: them/prod_1/4": ("foreign", "them/prod_1/4"),
        "Stripe refused a write: Metadata is full.": ("refused", "Metadata is full."),
        "Its counts differ, and the key may not list Stripe's events.": ("unexplained", ""),
    }
    old, now = migrate_to("0006_alerts"), timezone.now()
    for number, text in enumerate(reasons):
        product = old.get_model("shop", "Product").objects.create(
            id=f"prod_{number}", name="A shirt", active=True, created_at=now, read_at=now
        )
        old.get_model("inventory", "ProductStock").objects.create(product=product, parked=text)

    new = migrate_to("0007_parked_by_reason")

    stocks = new.get_model("inventory", "ProductStock").objects.order_by("product_id")
    assert [(stock.parked, stock.parked_by) for stock in stocks] == list(reasons.values())
