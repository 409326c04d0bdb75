"""Count the requests to Stripe of a first connection, a later sync, and an edit of many products in the Dashboard.

    python -m benchmarks.connection [--products 1000] [--json]

Runs the shop and fake_stripe in this process, on SQLite in memory. Exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fake_stripe import FakeStripe

EDITED = 200
TARGETS = {
    "first_connection_reads": 25,
    "later_sync_calls": 25,
    "later_sync_writes": 0,
    "edit_reads": EDITED // 10,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.connection", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--products", type=int, default=1000)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args()
    figures = measure(options.products)
    targets = {
        name: {"measured": figures[name], "at_most": limit, "met": figures[name] <= limit}
        for name, limit in TARGETS.items()
    }
    result = {"date": datetime.now(UTC).date().isoformat(), "products": options.products, **figures}
    print(json.dumps(result | {"targets": targets}, indent=None if options.json else 2))
    missed = [name for name, target in targets.items() if not target["met"]]
    if missed:
        print("Missed: " + ", ".join(missed), file=sys.stderr)
    return 1 if missed else 0


def prepare(products: int) -> FakeStripe:
    """Set up an empty shop, and an account with so many products that posts its events to the shop."""
    os.environ |= {"DJANGO_SETTINGS_MODULE": "config.test_settings", "DATABASE_URL": "sqlite:///:memory:"}
    import django
    import stripe
    from django.core.management import call_command

    from fake_stripe import FakeStripe

    django.setup()
    logging.getLogger().handlers = [logging.StreamHandler(io.StringIO())]
    call_command("migrate", verbosity=0)
    fake = FakeStripe(base_url="http://stripe.test")
    stripe.RequestsClient = lambda **options: fake.http_client()  # type: ignore[assignment,misc]
    for number in range(products):
        fake.add_product(
            id=f"prod_{number}",
            name="T-shirt",
            metadata={"category": "clothing", "sizes": "S,M", "stock_S": "4", "stock_M": "5"},
            prices=[{"unit_amount": 2500, "currency": "usd"}],
        )
    from benchmarks.paid_orders import deliver

    fake.add_webhook_endpoint("http://testserver/stripe/webhook/", enabled_events=["*"], secret="whsec_test")  # noqa: S106
    fake.deliver_to(deliver)
    return fake


def measure(products: int) -> dict[str, int]:
    """Requests by what caused them. Reads are those of products and prices."""
    fake = prepare(products)
    from django.core.management import call_command

    from inventory import worker

    def calls(*acts: Callable[[], Any]) -> tuple[int, int]:
        # Reads of the catalog, and writes.
        before = len(fake.calls)
        for act in acts:
            act()
        made = list(fake.calls)[before:]
        reads = sum(
            call.method == "GET" and call.path.startswith(("/v1/products", "/v1/prices")) for call in made
        )
        return reads, sum(call.method != "GET" for call in made)

    def sync() -> None:
        call_command("sync_catalog", stdout=io.StringIO())

    def settle() -> None:
        while worker.drain() + len(fake.deliver_due()):
            pass

    def edit() -> None:
        for number in range(min(EDITED, products)):
            fake.dashboard.edit_product(f"prod_{number}", name="Soft T-shirt")
        fake.deliver_due()

    first_reads, first_writes = calls(sync, worker.start, settle)
    sync_reads, sync_writes = calls(sync, settle)
    edit_reads, edit_writes = calls(edit, settle)
    return {
        "first_connection_reads": first_reads,
        "first_connection_writes": first_writes,
        "later_sync_calls": sync_reads + sync_writes,
        "later_sync_writes": sync_writes,
        "edit_reads": edit_reads,
        "edit_writes": edit_writes,
    }


if __name__ == "__main__":
    sys.exit(main())
