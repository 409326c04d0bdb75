"""How many queries does a webhook cost, and how many a hold? Counted in a process that has the shop's settings.

`python -m benchmarks.queries` prints {"webhook": n, "hold": {"1": n, "3": n}}: a hold of so many sizes. BEGIN, COMMIT
and savepoints are not counted. What is held is released again.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable

import django

NOT_COUNTED = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)", re.IGNORECASE)


def main() -> None:
    django.setup()
    print(json.dumps({"webhook": webhook(), "hold": {str(lines): hold(lines) for lines in (1, 3)}}))


def counted(act: Callable[[], object]) -> int:
    """How many statements `act` sent to the database."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        act()
    return sum(not NOT_COUNTED.match(query["sql"]) for query in captured.captured_queries)


def webhook() -> int:
    """Of an event that is new; the first one warms up."""
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
    """Of a checkout with so many sizes, one unit each."""
    from inventory import ledger
    from inventory.models import StockItem

    items = StockItem.objects.filter(available__gt=0).order_by("pk")[:lines]
    demand = {item.pk: 1 for item in items}
    if len(demand) < lines:
        raise SystemExit(f"Only {len(demand)} sizes are left to hold; {lines} are wanted.")
    reference = f"benchmark:{secrets.token_hex(8)}"
    try:
        return counted(lambda: ledger.hold(reference, demand))
    finally:
        ledger.release(reference)


if __name__ == "__main__":
    main()
