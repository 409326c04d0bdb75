"""Stripe rejects an update, or the key is invalid."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from config import stripe_client
from config.stripe_client import ConnectionFailed
from inventory import gateway
from inventory.models import Issue, StockUpdate
from inventory.stripe_sync import publisher
from inventory.tests.factories import Shirt, later, raising

if TYPE_CHECKING:
    from fake_stripe import FakeStripe


def test_a_rejected_update_pauses_the_product_and_is_not_retried(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def refused(*args: Any, **kwargs: Any) -> None:
        calls.append(args)
        raise stripe_client.InvalidRequest("Metadata is full.")

    monkeypatch.setattr(gateway, "update_metadata", refused)
    shirt.sell("M", 2)

    shirt.settle()

    assert len(calls) == 1
    assert shirt.stock.pause_reason == "refused" and shirt.stock.pause_detail == "Metadata is full."
    assert Issue.objects.get(kind="update_refused").subject == "prod_shirt"
    assert shirt.item("M").pending == -2


def test_a_paused_product_is_updated_after_the_owner_resumes_it(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(gateway, "update_metadata", raising(stripe_client.InvalidRequest("Metadata is full.")))
        shirt.sell("M", 2)
        shirt.settle()

    assert publisher.resume_product("prod_shirt")
    shirt.settle()

    assert shirt.at_stripe("M") == "13" and shirt.is_at_rest()
    assert not Issue.objects.filter(closed_at=None).exists()


@pytest.mark.parametrize("error", [stripe_client.AuthenticationFailed, stripe_client.PermissionDenied])
def test_a_key_without_write_permission_stops_publishing_until_a_worker_restarts(
    shirt: Shirt, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(gateway, "update_metadata", raising(error("no")))
        shirt.sell("M", 2)
        shirt.settle()
    assert Issue.objects.get(kind="publishing_stopped", closed_at=None)
    shirt.settle()
    assert shirt.at_stripe("M") == "15"

    publisher.resume()
    shirt.settle()

    assert shirt.at_stripe("M") == "13" and shirt.is_at_rest()


def test_an_unavailable_stripe_is_retried_with_backoff(shirt: Shirt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "update_metadata", raising(ConnectionFailed("away")))
    shirt.sell("M", 2)
    now, gaps = later(3), []

    for _try in range(10):
        with pytest.raises(ConnectionFailed):
            publisher.publish_pending(now)
        gaps.append((shirt.stock.next_attempt_at - now).total_seconds())
        now = shirt.stock.next_attempt_at

    assert gaps == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_updates_sent_before_an_outage_count_as_work(
    shirt: Shirt, new_shirt: Callable[..., Shirt], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task reports no work only if no update went through."""
    other = new_shirt("prod_z", M=5)
    other.sync()
    shirt.sell("M")
    other.sell("M")
    works, calls = gateway.update_metadata, []

    def goes_away(*args: Any, **options: Any) -> Any:
        calls.append(args)
        if len(calls) > 1:
            raise ConnectionFailed("away")
        return works(*args, **options)

    monkeypatch.setattr(gateway, "update_metadata", goes_away)

    assert publisher.publish_pending(later(3)) == 1
    with pytest.raises(ConnectionFailed):
        publisher.publish_pending(later(10))


def test_nothing_is_published_without_a_key(shirt: Shirt, settings: Any) -> None:
    shirt.sell("M", 2)
    settings.STRIPE_SECRET_KEY = ""

    assert publisher.publish_pending(later(3)) == 0


def test_a_product_deleted_at_stripe_is_paused_and_keeps_its_movements(fake: FakeStripe, db: None) -> None:
    fake.add_product(id="prod_shirt", name="Shirt", metadata={"sizes": "M", "stock_M": "15"})
    shirt = Shirt(fake, "prod_shirt")
    shirt.sync()
    assert fake.call("DELETE", "/v1/products/prod_shirt")[0] == 200
    shirt.sell("M", 2)

    shirt.settle()

    assert shirt.stock.pause_reason == "deleted"
    assert shirt.item("M").pending == -2
    assert not StockUpdate.objects.filter(state="open").exists()
