"""Count the SQL queries of a webhook, a hold and the pages, in a process with the shop's settings.

`python -m benchmarks.queries orders` prints {"webhook": n, "hold": {"1": n, "3": n}}: holds of one and of
three sizes, which are released again. `python -m benchmarks.queries pages PRODUCT` prints a number for each
page, for a visitor with that product in the cart and with an empty page cache. BEGIN, COMMIT and savepoints
are not counted.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Callable

import django

NOT_COUNTED = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)", re.IGNORECASE)


def main() -> None:
    django.setup()
    if sys.argv[1] == "pages":
        print(json.dumps(pages(sys.argv[2])))
    else:
        print(json.dumps({"webhook": webhook(), "hold": {str(lines): hold(lines) for lines in (1, 3)}}))


def counted(act: Callable[[], object]) -> int:
    """The number of statements that `act` sent to the database."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        act()
    return sum(not NOT_COUNTED.match(query["sql"]) for query in captured.captured_queries)


def webhook() -> int:
    """Queries of a new event, after one that warms up."""
    from django.test import Client

    from benchmarks.storm import signed

    def post() -> None:
        head, _, body = signed(json.dumps(_event()).encode()).partition(b"\r\n\r\n")
        signature = re.search(r"Stripe-Signature: (\S+)", head.decode())
        answer = Client(SERVER_NAME="127.0.0.1").post(
            "/stripe/webhook/",
            data=body,
            content_type="application/json",
            headers={"Stripe-Signature": signature[1] if signature else ""},
        )
        if answer.status_code != 200:
            raise SystemExit(f"The webhook answered {answer.status_code}: {answer.content[:200]!r}")

    post()
    return counted(post)


def _event() -> dict[str, object]:
    payment = {"id": "pi_1", "object": "payment_intent", "amount": 100, "currency": "usd", "metadata": {}}
    return {
        "id": f"evt_{secrets.token_hex(8)}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1_790_000_000,
        "data": {"object": payment},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "payment_intent.succeeded",
    }


def hold(lines: int) -> int:
    """Queries of a hold of `lines` sizes, one unit each."""
    from inventory.models import StockItem
    from inventory.stock import ledger

    items = StockItem.objects.filter(available__gt=0).order_by("pk")[:lines]
    demand = {item.pk: 1 for item in items}
    if len(demand) < lines:
        raise SystemExit(f"Only {len(demand)} sizes are in stock; {lines} are needed.")
    reference = f"benchmark:{secrets.token_hex(8)}"
    try:
        return counted(lambda: ledger.hold(reference, demand))
    finally:
        ledger.release(reference)


def pages(product_id: str) -> dict[str, int]:
    """Page name -> queries. Each page is requested twice: the first request opens connections and loads modules."""
    from django.test import Client

    from inventory.models import StockItem
    from shop.models import Product
    from shop.page_cache.fragments import clear

    visitor = Client(SERVER_NAME="127.0.0.1")
    item = StockItem.objects.filter(product_id=product_id, available__gt=0)[0]
    visitor.post("/cart/add/", {"item": item.pk, "color": item.product.colors[0], "quantity": "1"})
    addresses = {
        "home": "/",
        "list": "/products/",
        "product": Product.objects.get(pk=product_id).get_absolute_url(),
        "cart": "/cart/",
    }

    def visit(name: str) -> None:
        clear()
        answer = visitor.get(addresses[name])
        if answer.status_code != 200:
            raise SystemExit(f"{addresses[name]} answered {answer.status_code}.")

    for name in addresses:
        visit(name)
    return {name: counted(lambda name=name: visit(name)) for name in addresses}  # type: ignore[misc]


if __name__ == "__main__":
    main()
