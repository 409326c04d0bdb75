"""Seed paid orders into an empty database and handle their events; prints one line of JSON.

    python benchmarks/paid_orders.py --orders 200 [--products 1] [--profile]

Run by benchmarks.worker in this tree and in an earlier one, so it uses only what both have: paths, the worker's
table, models and fake_stripe. DATABASE_URL names the database. The events are those that Stripe sends for a paid
session to an endpoint for every type.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import logging
import os
import pstats
import sys
import time
from collections import Counter
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path.cwd()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--products", type=int, default=1)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.test_settings"

    import django
    from django.core.management import call_command

    django.setup()
    logging.getLogger().handlers = [logging.StreamHandler(io.StringIO())]
    call_command("migrate", verbosity=0)
    seed(options.orders, options.products)
    print(json.dumps(measure(options.orders, profile=options.profile)))


def seed(orders: int, products: int) -> None:
    """Open the checkouts, pay them at the fake and receive their events."""
    import stripe
    from django.apps import apps
    from django.core.management import call_command
    from django.test import Client

    from fake_stripe import FakeStripe

    fake = FakeStripe(base_url="http://stripe.test")
    stripe.RequestsClient = lambda **options: fake.http_client()  # type: ignore[assignment,misc]
    import_module("config.stripe_client").http_client = fake.http_client  # type: ignore[attr-defined]
    fake.add_webhook_endpoint("http://testserver/stripe/webhook/", enabled_events=["*"], secret="whsec_test")  # noqa: S106
    fake.deliver_to(deliver)
    for number in range(products):
        fake.add_product(
            id=f"prod_{number}",
            name="T-shirt",
            metadata={"category": "clothing", "sizes": "S,M,L", **{f"stock_{s}": str(orders) for s in "SML"}},
            prices=[{"unit_amount": 2500, "currency": "usd"}],
        )
    call_command("sync_catalog", stdout=io.StringIO())
    work_until_idle()
    items = list(apps.get_model("inventory", "StockItem").objects.order_by("pk").values_list("pk", flat=True))
    for number in range(orders):
        customer = Client()
        customer.post("/cart/add/", {"item": items[number % len(items)], "color": "", "quantity": "1"})
        answer = customer.post("/checkout/")
        if answer.status_code != 302:
            raise SystemExit(f"The checkout was refused: {answer.content[:300]!r}")
        fake.pay(answer["Location"].rstrip("/").rpartition("/")[2].partition("#")[0])
    fake.deliver_due()


def deliver(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    from django.test import Client

    others = {name: value for name, value in headers.items() if name.lower() != "content-type"}
    answer = Client().post("/stripe/webhook/", data=body, content_type="application/json", headers=others)
    return answer.status_code, answer.content


def work_until_idle() -> None:
    from inventory.worker import drain

    drain(hourly=True)


def measure(orders: int, *, profile: bool) -> dict[str, Any]:
    from django.apps import apps
    from django.db import connection
    from django.utils import timezone
    from django.utils.module_loading import import_string

    event_model = apps.get_model("inventory", "StripeEvent")
    order_model = apps.get_model("checkout", "Order")
    events = event_model.objects.filter(state="waiting").count()
    process = import_string("inventory.events.inbox.process_local")
    statements: Counter[str] = Counter()

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements[sql.split(None, 1)[0]] += 1
        return execute(sql, params, many, context)

    profiler = cProfile.Profile()
    began, began_cpu = time.perf_counter(), time.process_time()
    with (
        profiler if profile else nullcontext(),
        connection.execute_wrapper(count) if profile else nullcontext(),
    ):
        while process(timezone.now()):
            pass
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    if profile:
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(45)
        print(dict(statements), sum(statements.values()) / orders, file=sys.stderr)
    paid = order_model.objects.filter(state="paid").count()
    left = event_model.objects.filter(state="waiting").count()
    if (paid, left) != (orders, 0):
        raise SystemExit(f"{paid} of {orders} orders are paid, {left} events are waiting.")
    return {
        "orders": orders,
        "events": events,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "events_per_second": events / seconds,
    }


if __name__ == "__main__":
    main()
