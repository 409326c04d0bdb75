"""A product that makes our own code fail does not keep the others from refresh, publishing and sync."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from config.stripe_client import ServerError
from inventory import issues
from inventory.models import Issue, ProductSync
from inventory.stripe_sync import backoff, publisher, refresh, updates
from inventory.tests.factories import Shirt
from inventory.worker import drain
from shop import mirror


@pytest.fixture
def shirts(new_shirt: Callable[..., Shirt]) -> list[Shirt]:
    """Three shirts; the first one is processed first everywhere."""
    shirts = [new_shirt(f"prod_{number}", M=15) for number in range(3)]
    for shirt in shirts:
        shirt.sync()
    return shirts


def break_for(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, product_id: str) -> None:
    """Make `module.name` raise for one product only."""
    works = getattr(module, name)

    def may_fail(first: Any, *rest: Any, **options: Any) -> Any:
        if product_id in (getattr(first, "id", None), getattr(first, "product_id", None)):
            raise ValueError("a fault\nof ours")
        return works(first, *rest, **options)

    monkeypatch.setattr(module, name, may_fail)


def test_a_product_that_cannot_be_stored_does_not_block_others(
    shirts: list[Shirt], monkeypatch: pytest.MonkeyPatch
) -> None:
    for shirt in shirts:
        shirt.sell("M", 2)
    refresh.request_refresh_of_all()
    break_for(monkeypatch, mirror, "upsert_product", "prod_0")

    drain()

    assert [shirt.at_stripe("M") for shirt in shirts] == ["15", "13", "13"]
    assert shirts[0].item("M").pending == -2
    assert not refresh.pending_refreshes().exclude(pk="prod_0").exists()


def test_a_product_that_cannot_be_published_does_not_block_others(
    shirts: list[Shirt], monkeypatch: pytest.MonkeyPatch
) -> None:
    for shirt in shirts:
        shirt.sell("M", 2)
    break_for(monkeypatch, updates, "prepare_update", "prod_0")

    drain()

    assert [shirt.at_stripe("M") for shirt in shirts] == ["15", "13", "13"]


def test_failures_are_retried_with_backoff_and_become_an_issue(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    break_for(monkeypatch, updates, "prepare_update", "prod_shirt")
    shirt.sell("M", 2)
    now, gaps, open_cases = timezone.now() + timedelta(seconds=3), [], []

    for _try in range(8):
        publisher.publish_pending(now)
        then = shirt.stock.next_attempt_at
        assert then is not None
        gaps.append((then - now).total_seconds())
        open_cases.append(issues.is_open(Issue.Kind.PUBLISH_FAILED, "prod_shirt"))
        now = then

    assert gaps == [1, 2, 4, 8, 16, 32, 60, 60]
    assert open_cases == [False] * 4 + [True] * 4
    assert Issue.objects.get().text.startswith("ValueError: a fault of ours. ")
    assert "Traceback" in caplog.text


def test_the_issue_is_closed_once_the_product_can_be_published(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    shirt.sell("M", 2)
    ProductSync.objects.update(attempts=backoff.FAILURES_BEFORE_ISSUE)
    with monkeypatch.context() as patch:
        break_for(patch, updates, "prepare_update", "prod_shirt")
        publisher.publish_pending(timezone.now() + timedelta(seconds=3))
    ProductSync.objects.update(next_attempt_at=None)
    assert issues.is_open(Issue.Kind.PUBLISH_FAILED, "prod_shirt")

    shirt.settle()

    assert not issues.is_open(Issue.Kind.PUBLISH_FAILED, "prod_shirt")
    assert shirt.at_stripe("M") == "13" and shirt.stock.attempts == 0


def test_a_failed_refresh_is_postponed_and_a_successful_one_closes_its_issue(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh.request_refresh_of_all()
    now, gaps = timezone.now(), []
    with monkeypatch.context() as patch:
        break_for(patch, mirror, "upsert_product", "prod_shirt")
        for _try in range(backoff.FAILURES_BEFORE_ISSUE):
            refresh.refresh_requested(now)
            then = shirt.stock.next_refresh_at
            assert then is not None
            gaps.append((then - now).total_seconds())
            now = then
    assert gaps == [1, 2, 4, 8, 16] and issues.is_open(Issue.Kind.REFRESH_FAILED, "prod_shirt")

    refresh.refresh_requested(now)

    assert not issues.is_open(Issue.Kind.REFRESH_FAILED, "prod_shirt")
    assert (shirt.stock.refresh_attempts, shirt.stock.next_refresh_at) == (0, None)


def test_a_product_on_which_stripe_fails_is_not_refreshed_every_second(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh.request_refresh_of_all()
    looks = []

    def fails(product_id: str) -> None:
        looks.append(product_id)
        raise ServerError("no")

    monkeypatch.setattr(refresh, "refresh_product", fails)
    now = timezone.now()

    for second in range(60):
        refresh.refresh_requested(now + timedelta(seconds=second))

    assert len(looks) == 6 and not Issue.objects.exists()


def test_a_product_that_fails_for_months_does_not_outgrow_its_column(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    shirt.sell("M", 2)
    ProductSync.objects.update(attempts=backoff.MAX_COUNTED)
    break_for(monkeypatch, updates, "prepare_update", "prod_shirt")

    publisher.publish_pending(timezone.now() + timedelta(seconds=3))

    assert shirt.stock.attempts == backoff.MAX_COUNTED


def test_a_sync_names_the_product_it_cannot_store_and_reads_the_rest(
    new_shirt: Callable[..., Shirt], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        new_shirt(f"prod_{number}", M=15)
    break_for(monkeypatch, mirror, "upsert_product", "prod_1")
    out, err = io.StringIO(), io.StringIO()

    call_command("sync_catalog", stdout=out, stderr=err)

    assert out.getvalue() == "2 created, 0 updated, 0 unchanged, 1 problem\n"
    assert err.getvalue().startswith("prod_1 BALM T-Shirt: it cannot be stored (ValueError: a fault")
