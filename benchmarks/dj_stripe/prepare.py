"""Set up dj-stripe in a migrated database and fill the shop: `python -m benchmarks.dj_stripe.prepare FILE`, with its own Python.

FILE is JSON: {"url", "secret", "uuid": of the webhook endpoint, "stock": [[product, size, units]],
"orders": [[session, product, size, units]]}. As its documentation says: the endpoint at Stripe carries dj-stripe's uuid, the
account, its products, prices and endpoints are synced, and the endpoint's secret is stored, which Stripe tells only once.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.dj_stripe.settings")


def main() -> None:
    django.setup()
    from django.core.management import call_command

    given = json.loads(Path(sys.argv[1]).read_text())
    call_command("djstripe_sync_models", "Account", "Product", "Price", "WebhookEndpoint")
    connect(given)
    fill(given)


def connect(given: dict[str, Any]) -> None:
    from djstripe.models import APIKey, WebhookEndpoint  # type: ignore[import-not-found]

    key, _created = APIKey.objects.get_or_create_by_api_key(os.environ["STRIPE_API_KEY"])
    key.refresh_account()
    changed = WebhookEndpoint.objects.filter(djstripe_uuid=given["uuid"]).update(secret=given["secret"])
    if changed != 1:
        raise SystemExit("dj-stripe did not copy the webhook endpoint.")


def fill(given: dict[str, Any]) -> None:
    from benchmarks.dj_stripe.sales.models import Line, Order, Stock

    rows = [Stock(product=product, size=size, on_hand=units) for product, size, units in given["stock"]]
    stock = {(row.product, row.size): row for row in Stock._default_manager.bulk_create(rows)}
    orders = Order._default_manager.bulk_create(
        [Order(session_id=session) for session, *_ in given["orders"]]
    )
    Line._default_manager.bulk_create(
        Line(order=order, stock=stock[product, size], quantity=units)
        for order, (_session, product, size, units) in zip(orders, given["orders"], strict=True)
    )


if __name__ == "__main__":
    main()
