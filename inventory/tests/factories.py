"""Factory for the stock tests: sell, edit and sync a shirt, here and at the fake Stripe."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from inventory.events import inbox
from inventory.models import Movement, ProductSync, StockItem
from inventory.stock import ledger
from inventory.stock.ledger import SaleLine
from inventory.stripe_sync import publisher, refresh
from inventory.worker import drain

if TYPE_CHECKING:
    from fake_stripe import FakeStripe

_orders = itertools.count(1)


@dataclass
class Shirt:
    fake: FakeStripe
    product_id: str

    # --- here

    def item(self, size: str) -> StockItem:
        return StockItem.objects.get(product=self.product_id, size=size)

    @property
    def stock(self) -> ProductSync:
        return ProductSync.objects.get(pk=self.product_id)

    def sync(self) -> None:
        """First refresh and first version tag."""
        refresh.refresh_product(self.product_id)
        now = timezone.now()
        publisher.publish_pending(now)
        self.fake.deliver_due()
        inbox.process_local(timezone.now())
        # An edit in the second of the first reading is ambiguous (product_events._is_in_first_reading).
        self.fake.forward(1)

    def sell(self, size: str, quantity: int = 1, *, order: str = "") -> list[Movement]:
        order = order or f"order:{next(_orders)}"
        line = SaleLine(reference=f"{order}:0", item_id=self.item(size).pk, quantity=quantity)
        return ledger.sell([order], [line], now=timezone.now())

    def settle(self) -> None:
        """Deliver events and run the worker until both have nothing left to do."""
        for _round in range(20):
            done = drain()
            if not self.fake.deliver_due() and not done:
                return

    def movements(self, size: str, *kinds: str) -> list[int]:
        """Differences, oldest first; only of the given kinds, if any."""
        rows = self.item(size).movements.order_by("id")
        return [row.delta for row in rows if not kinds or row.kind in kinds]

    # --- at Stripe

    @property
    def metadata(self) -> dict[str, str]:
        metadata: dict[str, str] = self.fake.products[self.product_id]["metadata"]
        return metadata

    def at_stripe(self, size: str) -> str | None:
        return self.metadata.get(f"stock_{size}")

    @property
    def version_tag(self) -> str | None:
        return self.metadata.get("inventory_version")

    def edit(self, **sizes: int | str | None) -> None:
        """Edit counts in the Dashboard; None removes the key."""
        self.edit_keys({f"stock_{size}": _text(value) for size, value in sizes.items()})

    def edit_keys(self, metadata: Mapping[str, str]) -> None:
        self.fake.dashboard.edit_product(self.product_id, metadata=metadata)

    def form(self) -> dict[str, str]:
        """Open the metadata form of the Dashboard."""
        return self.fake.dashboard.read_form(self.product_id)

    def save_form(self, form: Mapping[str, str], **sizes: int | str) -> None:
        changed = {f"stock_{size}": _text(value) for size, value in sizes.items()}
        self.fake.dashboard.save_stale_form(self.product_id, {**form, **changed})

    def updates_sent(self) -> list[Any]:
        """POST requests for this product that reached Stripe."""
        path = f"/v1/products/{self.product_id}"
        return [call for call in self.fake.calls if call.method == "POST" and call.path == path]

    def is_at_rest(self) -> bool:
        """Whether Stripe, on_hand and the ledger agree and nothing is pending."""
        items = StockItem.objects.filter(product=self.product_id)
        return not ledger.find_drift() and all(
            item.pending == 0 and self.metadata.get(item.key) == str(item.on_hand) for item in items
        )


def _text(value: int | str | None) -> str:
    return "" if value is None else str(value)


def later(seconds: float) -> Any:
    return timezone.now() + timedelta(seconds=seconds)


def raising(error: Exception) -> Callable[..., Any]:
    def raiser(*args: Any, **kwargs: Any) -> None:
        raise error

    return raiser
