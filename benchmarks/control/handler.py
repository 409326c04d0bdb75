"""Handle a paid order: read the counts, subtract, and write them back, while Stripe waits.

Wrong on purpose:

- A second delivery is counted again.
- If line k fails, the retry subtracts lines 1 to k-1 again.
- The whole metadata is written back, which undoes an edit made in between.
- Of two concurrent sales one is lost.
- Counts never fall below 0, which hides oversold units.
- A missing or invalid count is taken as 0.
- `payment_status` is ignored.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import stripe

log = logging.getLogger("control")

LOW = 5


def handle(client: stripe.StripeClient, event: stripe.Event) -> None:
    """Lower the counts of a completed session; every other type is accepted and ignored."""
    if event.type != "checkout.session.completed":
        return
    metadata = event.data.object["metadata"]
    for product_id, size, quantity in lines(metadata.to_dict() if metadata else {}):
        take(client, product_id, size, quantity)


def lines(metadata: dict[str, str]) -> Iterator[tuple[str, str, int]]:
    """(product id, size, quantity) for each `item_<i>_*` of a session's metadata, from 0 on."""
    i = 0
    while f"item_{i}_product_id" in metadata:
        yield (
            metadata[f"item_{i}_product_id"],
            metadata[f"item_{i}_size"],
            int(metadata[f"item_{i}_quantity"]),
        )
        i += 1


def take(client: stripe.StripeClient, product_id: str, size: str, quantity: int) -> None:
    """Read the product, subtract down to 0 at most, and write its whole metadata back."""
    product = client.v1.products.retrieve(product_id)
    metadata = product.metadata.to_dict() if product.metadata else {}
    key = f"stock_{size}"
    left = max(0, whole_number(metadata.get(key, "0")) - quantity)
    metadata[key] = str(left)
    client.v1.products.update(product_id, {"metadata": metadata})
    _tell(key, quantity, left)


def whole_number(text: str) -> int:
    """The number in `text`, or 0 if it is not a number."""
    try:
        return int(text)
    except ValueError:
        return 0


def _tell(key: str, quantity: int, left: int) -> None:
    log.info("%s: %s taken, %s left", key, quantity, left)
    if left == 0:
        log.warning("%s is sold out", key)
    elif left <= LOW:
        log.warning("%s is low: %s left", key, left)
