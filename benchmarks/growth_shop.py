"""One of the two shops of benchmarks.growth: a process that does what its standard input says, one line each.

    python -m benchmarks.growth_shop '{"movements": 1000, "orders": 100, "events": 300}' 60

DATABASE_URL names its empty database. It reads the catalog of a fake Stripe in this process, writes the history, prints
"ready", and then answers each line (`orders 20`, `get /admin/`, `rest`) with a line of JSON.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

SIZES = ["XS", "S", "M", "L", "XL", "XXL"]
RARE = 60.0  # Seconds. Tasks that run less often are not part of a resting worker.


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.test_settings"

    import django
    from django.core.management import call_command
    from django.utils import timezone

    from benchmarks.history import Size, write

    django.setup()
    logging.getLogger().handlers = [logging.StreamHandler(io.StringIO())]
    logging.disable(logging.INFO)
    call_command("migrate", verbosity=0)
    shop = Shop(products=int(sys.argv[2]))
    size = Size(**json.loads(sys.argv[1]))
    if size.orders:
        write(size, timezone.now())
        os.sync()  # A commit would wait for what is still on its way to the disk.
    shop.log_in()
    answers: dict[str, Callable[[str], Any]] = {
        "orders": lambda number: shop.orders(int(number)),
        "get": shop.get,
        "rest": lambda _nothing: shop.rest(),
    }
    print("ready", flush=True)
    for line in sys.stdin:
        verb, _space, argument = line.strip().partition(" ")
        print(json.dumps(answers[verb](argument)), flush=True)


class Shop:
    def __init__(self, products: int) -> None:
        from django.conf import settings
        from django.core.management import call_command

        from benchmarks.paid_orders import deliver
        from config import stripe_client
        from fake_stripe import FakeStripe
        from inventory.models import StockItem
        from inventory.worker import drain

        self.fake = FakeStripe("sk_test_fake", base_url="http://stripe.test")
        stripe_client.http_client = self.fake.http_client
        secret = settings.STRIPE_WEBHOOK_SECRETS[0]
        self.fake.add_webhook_endpoint(
            "http://testserver/stripe/webhook/", enabled_events=["*"], secret=secret
        )
        self.fake.deliver_to(deliver)
        for number in range(products):
            counts = {f"stock_{size}": str(0 if size == "XS" else 9000) for size in SIZES}
            self.fake.add_product(
                id=f"prod_{number}",
                name=f"T-shirt {number}",
                metadata={"category": "clothing", "sizes": ",".join(SIZES), **counts},
                prices=[{"unit_amount": 2500, "currency": "usd"}],
                emit=False,
            )
        call_command("sync_catalog", stdout=io.StringIO())
        drain(hourly=True)
        self.fake.deliver_due()
        drain()
        self.items = list(StockItem.objects.exclude(size="XS").order_by("pk").values_list("pk", flat=True))
        self.opened = 0

    def log_in(self) -> None:
        from django.contrib.auth.models import User
        from django.test import Client

        self.owner = Client()
        self.owner.force_login(User.objects.create(username="o", is_staff=True, is_superuser=True))

    def orders(self, number: int) -> dict[str, float]:
        """Open and pay so many orders; then the time from their webhooks to settled, and until the counts are sent."""
        from django.utils import timezone

        from checkout.models import Order
        from inventory.events.inbox import process_local
        from inventory.models import ProductSync
        from inventory.stripe_sync.publisher import pending_products, publish_product

        sessions = [self._open() for _order in range(number)]
        for session in sessions:
            self.fake.pay(session)
        settle = _timed(self.fake.deliver_due) + _timed(lambda: _until_idle(process_local))
        paid = Order.objects.filter(session_id__in=sessions, state=Order.State.PAID).count()
        if paid != number:
            raise SystemExit(f"{paid} of {number} orders are paid.")
        products = [sync.pk for sync in pending_products()]
        # A product that was read over a minute ago is read again before its counts are sent. Writing a long history takes
        # longer than that, so the shops would differ in what they ask Stripe.
        ProductSync.objects.filter(pk__in=products).update(refreshed_at=timezone.now())
        send = _timed(lambda: [publish_product(product, timezone.now()) for product in products])
        self.fake.deliver_due()
        _until_idle(process_local)
        return {"order": settle / number, "count_sent": send / max(1, len(products))}

    def _open(self) -> str:
        from django.test import Client

        customer, item = Client(), self.items[self.opened * 7 % len(self.items)]
        self.opened += 1
        customer.post("/cart/add/", {"item": item, "color": "", "quantity": "1"})
        answer = customer.post("/checkout/")
        if answer.status_code != 302:
            raise SystemExit(f"The checkout was refused: {answer.content[:300]!r}")
        return str(answer["Location"].rstrip("/").rpartition("/")[2].partition("#")[0])

    def get(self, address: str) -> float:
        answers: list[Any] = []
        seconds = _timed(lambda: answers.append(self.owner.get(address)))
        if answers[0].status_code != 200:
            raise SystemExit(f"{address} answered {answers[0].status_code}.")
        return seconds

    def rest(self) -> dict[str, float]:
        """The time of each of the worker's frequent tasks while nothing is due."""
        from django.utils import timezone
        from django.utils.module_loading import import_string

        from config.worker_tasks import WORKER_TASKS

        tasks = [task.path for task in WORKER_TASKS if task.every <= RARE]
        return {path: _timed(lambda path=path: import_string(path)(timezone.now())) for path in tasks}  # type: ignore[misc]


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _until_idle(task: Callable[[Any], int]) -> None:
    from django.utils import timezone

    while task(timezone.now()):
        pass


if __name__ == "__main__":
    main()
