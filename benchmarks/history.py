"""Two years of a shop's rows, written straight into the database: orders, the ledger, and 90 days of events.

The catalog is the one that the shop has read already. Counts stay as they are: the last movement of each size is the one
that makes the sum right.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, islice
from typing import Any

YEARS, KEPT_DAYS = 2, 90
WAITING_TO_BE_SENT = 20
BATCH = 5000
# Kind to its share among the movements that are no sales.
OTHER_KINDS = {"received": 30, "edited": 30, "adjusted": 20, "counted": 10, "returned": 10}
EVENT_TYPES = [
    "checkout.session.completed", "payment_intent.created", "payment_intent.succeeded", "charge.succeeded",
    "charge.updated", "product.updated", "product.updated", "checkout.session.expired",
]  # fmt: skip
PADDING = "x" * 60  # A payload has about 3,000 characters, in some forty fields.


@dataclass(frozen=True)
class Size:
    """How many rows to write."""

    movements: int
    orders: int
    events: int


def write(size: Size, now: datetime) -> None:
    from django.db import connection

    from checkout.models import Order, OrderLine
    from inventory.models import Movement, StockItem, StripeEvent

    dice = random.Random(7)
    items = list(StockItem.objects.order_by("pk").values("pk", "product_id", "key", "size"))
    # A few sizes sell most: the trade's long tail.
    weights = list(accumulate(1 / (1 + place % 97) for place in range(len(items))))
    times = sorted(_moment(dice, now, 365 * YEARS) for _order in range(size.orders))
    sold = _lines(dice, items, weights, size, times)
    insert(Order, ORDER, _orders(dice, times))
    insert(OrderLine, LINE, (_line(line) for line in sold))
    insert(Movement, MOVEMENT, _movements(dice, items, weights, size, sold, now))
    insert(StripeEvent, EVENT, _events(dice, items, size, now))
    _bookkeeping(dice, items, size, now)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _moment(dice: random.Random, now: datetime, days: float) -> datetime:
    # No later than an hour ago.
    return now - timedelta(seconds=3600 + dice.random() * days * 86400)


# --- Orders -------------------------------------------------------------------------------------

ORDER = [
    "id", "state", "session_id", "currency", "subtotal", "total", "email", "name", "cart_token", "payment_intent_id",
    "created_at", "expires_at", "paid_at", "packed_at", "sent_at", "language",
]  # fmt: skip
LINE = [
    "order_id",
    "position",
    "product_id",
    "item_id",
    "name",
    "size",
    "quantity",
    "unit_amount",
    "currency",
]
Line = tuple[int, int, dict[str, Any], int, datetime]


def order_id(number: int) -> uuid.UUID:
    return uuid.UUID(int=(number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128, version=4)


def _orders(dice: random.Random, times: Sequence[datetime]) -> Iterator[Sequence[Any]]:
    for number, at in enumerate(times):
        state = "canceled" if dice.random() < 0.15 else "paid"
        paid = at if state == "paid" else None
        sent = paid and number < len(times) - WAITING_TO_BE_SENT
        parcel = at + timedelta(minutes=50) if sent else None
        yield (
            order_id(number), state, f"cs_old_{number}", "usd", 5000, 5000, f"c{number}@shop.test", "Ada Lovelace",
            f"cart{number}", f"pi_old_{number}", at, at + timedelta(minutes=31), paid, parcel, parcel, "en",
        )  # fmt: skip


def _lines(
    dice: random.Random, items: list[Any], weights: list[float], size: Size, times: Sequence[datetime]
) -> list[Line]:
    """(order, position, item, quantity, time): one to five sizes an order, as many as a third of the movements."""
    most = max(1, min(5, 2 * size.movements // (3 * max(1, size.orders)) - 1))
    lines = []
    for number, at in enumerate(times):
        chosen = dice.choices(items, cum_weights=weights, k=dice.randint(1, most))
        lines += [(number, place, item, dice.choice([1, 1, 1, 2]), at) for place, item in enumerate(chosen)]
    return lines


def _line(line: Line) -> Sequence[Any]:
    number, place, item, units, _at = line
    return (
        order_id(number),
        place,
        item["product_id"],
        item["pk"],
        "T-shirt",
        item["size"],
        units,
        2500,
        "usd",
    )


# --- The ledger ---------------------------------------------------------------------------------

MOVEMENT = ["item_id", "kind", "delta", "reference", "reason", "actor", "created_at", "published_at"]


def _movements(
    dice: random.Random, items: list[Any], weights: list[float], size: Size, sold: list[Line], now: datetime
) -> Iterator[Sequence[Any]]:
    sums: Counter[int] = Counter()
    kinds, shares = list(OTHER_KINDS), list(accumulate(OTHER_KINDS.values()))
    others = max(0, size.movements - len(sold) - len(items))
    total = max(1, len(sold) + others)
    sales = iter(sold)
    for number in range(total):
        # Ids are in the order of time, as in a real ledger.
        at = now - timedelta(days=365 * YEARS) * (1 - number / total) - timedelta(hours=1)
        is_sale = (number + 1) * len(sold) // total > number * len(sold) // total
        if is_sale:
            order, place, item, units, _at = next(sales)
            kind, delta, reference = "sale", -units, f"order:{order_id(order)}:{place}"
        else:
            item, kind = (
                dice.choices(items, cum_weights=weights)[0],
                dice.choices(kinds, cum_weights=shares)[0],
            )
            delta = dice.randint(1, 9) if kind in ("received", "returned") else dice.randint(-3, 3)
            reference = f"{kind}:old:{number}"
        sums[item["pk"]] += delta
        yield item["pk"], kind, delta, reference, "", "Stripe" if kind == "edited" else "", at, at
    for item in items:
        last = now - timedelta(hours=1)
        yield item["pk"], "counted", -sums[item["pk"]], f"counted:old:{item['pk']}", "", "", last, last


# --- Events and what prevents counting twice ----------------------------------------------------

EVENT = [
    "id", "type", "created_at", "livemode", "object_id", "payload", "received_at", "state", "attempts",
    "next_attempt_at", "handled_at",
]  # fmt: skip


def _events(dice: random.Random, items: list[Any], size: Size, now: datetime) -> Iterator[Sequence[Any]]:
    fields = {f"field_{place}": PADDING for place in range(38)}
    for number in range(size.events):
        type = EVENT_TYPES[number % len(EVENT_TYPES)]
        at = now - timedelta(days=KEPT_DAYS) * (1 - number / size.events) - timedelta(hours=1)
        about = dice.choice(items)["product_id"] if type.startswith("product") else f"cs_old_{number}"
        payload = {"id": f"evt_old_{number}", "type": type, "data": {"object": {"id": about, **fields}}}
        yield f"evt_old_{number}", type, at, False, about, payload, at, "handled", 1, at, at


def _bookkeeping(dice: random.Random, items: list[Any], size: Size, now: datetime) -> None:
    from inventory.models import ProcessedRequest, StockUpdate, VersionSnapshot

    products = sorted({item["product_id"] for item in items})
    keys = {product: [item["key"] for item in items if item["product_id"] == product] for product in products}
    updates, snapshots, requests = [], [], []
    for number in range(size.events // 8):
        product, at = products[number % len(products)], _moment(dice, now, KEPT_DAYS)
        # Below the numbers of the shop's own updates there is nothing, so these have numbers that Stripe never saw.
        counts, n = dict.fromkeys(keys[product], 9), 1_000_000 + number
        updates.append((product, n, f"old/{product}/{n}", counts, "applied", at, at, at, True))
        snapshots.append((product, n, counts, True, at))
        requests += [(product, f"req_old_{number}_{each}", at) for each in range(2)]
    columns = [
        "product_id", "number", "idempotency_key", "totals", "state", "created_at", "sent_at", "finished_at", "event_seen",
    ]  # fmt: skip
    insert(StockUpdate, columns, updates)
    insert(VersionSnapshot, ["product_id", "number", "counts", "from_update", "created_at"], snapshots)
    insert(ProcessedRequest, ["product_id", "request", "created_at"], requests)


# --- Writing ------------------------------------------------------------------------------------


def insert(model: Any, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows of the named columns without model instances, which would take most of the time."""
    from django.db import connection, models, transaction

    by_column = {field.attname: field for field in model._meta.concrete_fields}
    given = [by_column[name] for name in names]
    others = [
        field
        for field in model._meta.concrete_fields
        if not (field in given or field.generated or isinstance(field, models.AutoField))
    ]
    defaults = [field.get_db_prep_save(field.get_default(), connection) for field in others]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in [*given, *others])
    marks = ", ".join(["%s"] * (len(given) + len(others)))
    sql = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({marks})"  # noqa: S608
    # Texts and numbers go as they are; times, ids and JSON are written differently by each database.
    special = [
        (place, field)
        for place, field in enumerate(given)
        if isinstance(field, models.DateTimeField | models.JSONField)
        or isinstance(field.target_field if field.is_relation else field, models.UUIDField)
    ]

    def prepared() -> Iterator[list[Any]]:
        for row in rows:
            values = [*row, *defaults]
            for place, field in special:
                values[place] = field.get_db_prep_save(values[place], connection)
            yield values

    source = prepared()
    while some := list(islice(source, BATCH)):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(sql, some)
