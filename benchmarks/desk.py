"""Time of the admin's first page with few and with many orders, and of the stock grid beside the plain list.

`python -m benchmarks.desk [--orders N] [--json]` makes two SQLite databases that differ in the number of orders, spread
over three years, and one with a catalog of 200 products in 12 sizes. Pages are requested in turns in this process, and
all ratios are of medians of one run. It exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

FEW, MANY = 10, 100_000
YEARS = 3
PRODUCTS, SIZES = 200, 12
ROUNDS = 12
MAX_QUERIES = {"today": 12, "grid": 8}
MAX_RATIOS = {"many_to_few": 1.3, "many_to_few_cold": 1.3, "grid_to_list": 3.0}
TODAY, GRID, LIST = "/admin/", "/admin/inventory/stockitem/grid/", "/admin/inventory/stockitem/"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.desk", description=__doc__)
    parser.add_argument("--orders", type=int, default=MANY, help=f"orders of the large shop (default {MANY})")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shop-desk-") as folder:
        prepare_django(Path(folder))
        figures = {**today(Path(folder), options.orders), **grid()}
    figures["targets"] = {
        "today queries": figures["today_queries"] <= MAX_QUERIES["today"],
        "grid queries": figures["grid_queries"] <= MAX_QUERIES["grid"],
        **{name: figures[name] <= most for name, most in MAX_RATIOS.items()},
    }
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        print(*(f"{name}: {figure}" for name, figure in figures.items()), sep="\n")
    return 0 if all(figures["targets"].values()) else 1


def prepare_django(folder: Path) -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "ENV_FILE": "",
        "SECRET_KEY": "only-for-a-benchmark",
        "SITE_URL": "http://127.0.0.1",
        "DATABASE_URL": f"sqlite:///{(folder / 'few.sqlite3').as_posix()}",
        "STATIC_ROOT": str(folder / "static"),
        "STRIPE_SECRET_KEY": "sk_test_benchmark",
        "STRIPE_WEBHOOK_SECRET": "whsec_benchmark",
        "LOG_LEVEL": "ERROR",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("collectstatic", "--no-input", verbosity=0)


class Owner:
    """A browser that is logged in as the owner of the current database."""

    def __init__(self) -> None:
        from django.contrib.auth.models import User
        from django.test import Client

        self.client = Client(SERVER_NAME="127.0.0.1")
        user, _created = User.objects.get_or_create(username="o", is_staff=True, is_superuser=True)
        self.client.force_login(user)

    def seconds(self, address: str) -> float:
        began = time.perf_counter()
        answer = self.client.get(address)
        taken = time.perf_counter() - began
        if answer.status_code != 200:
            raise SystemExit(f"{address} answered {answer.status_code}.")
        return taken

    def queries(self, address: str) -> int:
        from benchmarks.queries import counted

        return counted(lambda: self.seconds(address))


def use(database: Path) -> None:
    from django.db import connection

    connection.close()
    connection.settings_dict["NAME"] = str(database)


def today(folder: Path, orders: int) -> dict[str, Any]:
    """The first page, in turns with few and with `orders` orders.

    "cold" is the first request of a process; "alone" the first one without a worker, which has to add up the sales.
    """
    from django.core.cache import cache
    from django.core.management import call_command
    from django.utils import timezone

    from checkout.models import SalesSummary
    from checkout.reports.sales import write_summary

    shops = {"few": FEW, "many": orders}
    owners = {}
    for name, number in shops.items():
        use(folder / f"{name}.sqlite3")
        call_command("migrate", "--no-input", verbosity=0)
        make_orders(number)
        owners[name] = Owner()
    heats = ("cold", "warm", "alone")
    times: dict[str, list[float]] = {f"{name}_{heat}": [] for name in shops for heat in heats}
    for _round in range(ROUNDS):
        for name in shops:
            use(folder / f"{name}.sqlite3")
            cache.clear()
            SalesSummary.objects.all().delete()
            times[f"{name}_alone"].append(owners[name].seconds(TODAY))
            write_summary(timezone.now())
            cache.clear()
            times[f"{name}_cold"].append(owners[name].seconds(TODAY))
            times[f"{name}_warm"] += [owners[name].seconds(TODAY) for _request in range(4)]
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "orders": orders,
        "today_queries": owners["many"].queries(TODAY),
        **{f"today_{name}_ms": round(1000 * median, 1) for name, median in medians.items()},
        "many_to_few": round(medians["many_warm"] / medians["few_warm"], 2),
        "many_to_few_cold": round(medians["many_cold"] / medians["few_cold"], 2),
        "many_to_few_alone": round(medians["many_alone"] / medians["few_alone"], 2),
    }


def make_orders(number: int) -> None:
    """Paid orders over YEARS, all but the newest twenty sent, with a line and a movement each."""
    from django.utils import timezone

    from checkout.models import Order, OrderLine
    from inventory.models import Movement

    items = make_catalog(10)
    now = timezone.now()
    step = timedelta(days=365 * YEARS) / max(number, FEW)
    orders, lines, movements = [], [], []
    for place in range(number):
        paid_at, item = now - step * place, items[place % len(items)]
        sent_at = paid_at if place >= 20 else None
        order = Order(
            id=uuid.uuid4(), state=Order.State.PAID, currency="usd", total=2500, paid_at=paid_at,
            packed_at=sent_at, sent_at=sent_at,
        )  # fmt: skip
        orders.append(order)
        lines.append(
            OrderLine(order=order, position=0, item=item, product=item.product, name="x", quantity=1)
        )
        movements.append(Movement(item=item, kind="sale", delta=-1, reference=lines[-1].reference))
    Order.objects.bulk_create(orders, batch_size=2000)
    OrderLine.objects.bulk_create(lines, batch_size=2000)
    Movement.objects.bulk_create(movements, batch_size=2000)
    date_back(step)


def date_back(step: timedelta) -> None:
    """Give the movements the times of their orders; bulk_create has set them to now."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_movement SET created_at = (SELECT o.paid_at FROM checkout_orderline l "
            "JOIN checkout_order o ON o.id = l.order_id WHERE l.id = inventory_movement.id)"
        )
        cursor.execute("ANALYZE")


def make_catalog(products: int) -> list[Any]:
    """One size of each product is sold out and the others last, so that pages show the same however much is sold."""
    from django.utils import timezone

    from inventory.models import ProductSync, StockItem
    from shop.models import Product

    now, sizes = timezone.now(), [f"S{number}" for number in range(SIZES)]
    rows = [
        Product(
            id=f"prod_{number}", name=f"Shirt {number:03}", active=True, sizes=sizes, search_text=f"shirt {number}",
            created_at=now, fetched_at=now,
        )
        for number in range(products)
    ]  # fmt: skip
    Product.objects.bulk_create(rows)
    ProductSync.objects.bulk_create(ProductSync(product=product, refreshed_at=now) for product in rows)
    StockItem.objects.bulk_create(
        StockItem(
            product=product, key=f"stock_{size}", size=size, position=place, state="counted", on_hand=1000 * place,
            catalog_id=f"{product.pk}-{size}",
        )
        for product in rows
        for place, size in enumerate(sizes)
    )  # fmt: skip
    return list(StockItem.objects.select_related("product"))


def grid() -> dict[str, Any]:
    """The stock grid of a large catalog, in turns with the plain list of the same rows."""
    from django.contrib import admin
    from django.db import connection

    from inventory.models import StockItem

    use(Path(connection.settings_dict["NAME"]).with_name("grid.sqlite3"))
    from django.core.management import call_command

    call_command("migrate", "--no-input", verbosity=0)
    rows = make_catalog(PRODUCTS)
    type(admin.site.get_model_admin(StockItem)).list_per_page = len(rows)
    owner = Owner()
    times: dict[str, list[float]] = {GRID: [], LIST: []}
    for address in times:
        owner.seconds(address)
    for _round in range(ROUNDS // 4):
        for address, taken in times.items():
            taken.append(owner.seconds(address))
    medians = {address: statistics.median(taken) for address, taken in times.items()}
    return {
        "grid_rows": len(rows),
        "grid_queries": owner.queries(GRID),
        "grid_ms": round(1000 * medians[GRID]),
        "list_ms": round(1000 * medians[LIST]),
        "grid_to_list": round(medians[GRID] / medians[LIST], 2),
    }


if __name__ == "__main__":
    sys.exit(main())
