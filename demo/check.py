"""Make one purchase over HTTP, and check that the count at Stripe goes down."""

from __future__ import annotations

import time

from demo.customer import Customer, NotAsExpected
from demo.running import Demo

PRODUCT, SIZE, QUANTITY = "prod_balm_tshirt", "M", 2
PATIENCE = 30  # seconds from the payment to the lower count


def check(demo: Demo) -> None:
    """Buy two Medium shirts and print the counts at Stripe. Raises NotAsExpected."""
    before = published(demo)
    print(f"stock_{SIZE} at Stripe before: {before}", flush=True)
    arrived = Customer().buy(f"{demo.site_url}/products/{PRODUCT}/", size=SIZE, quantity=QUANTITY)
    if "/checkout/thank-you/" not in arrived.url:
        raise NotAsExpected(f"After paying the customer arrived at {arrived.url}, not at the thank-you page.")
    print(f"bought:                  {QUANTITY}", flush=True)
    wait_until_published(demo, before - QUANTITY)
    print(f"stock_{SIZE} at Stripe after:  {published(demo)}", flush=True)


def wait_until_published(demo: Demo, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while (shown := published(demo)) != count:
        if time.monotonic() > deadline:
            raise NotAsExpected(
                f"{PATIENCE} seconds after the payment Stripe shows stock_{SIZE} {shown} instead of {count}."
            )
        time.sleep(0.1)


def published(demo: Demo) -> int:
    """The count from Stripe's API, not from the shop's database."""
    return int(demo.stripe.stock(PRODUCT, SIZE))
