"""Measure the Google feed of 5,000 products in 8 sizes: its time beside a plain csv.writer, and its memory.

    python -m benchmarks.feeds --json

The plain writer gets as many rows of the same texts from a single query without any work on them. Both are
measured in turns within one process; the figure is the median of the ratios. Memory is the peak of a process
that writes the feed once.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import servers
from script.processes import python
from script.serve import ROOT

PRODUCTS, SIZES = 5000, ("XS", "S", "M", "L", "XL", "XXL", "3XL", "4XL")
ROUNDS = 5
FORMS = ("xml", "tsv")
MOST_TIMES, MOST_MEGABYTES = 3.0, 120.0
DESCRIPTION = (
    "A heavy shirt of combed cotton, washed before it is cut. Made in small numbers & sewn to last. " * 4
)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.feeds", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--inside", choices=["fill", "times", *FORMS], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(inside(given.inside)))
        return 0
    with (
        tempfile.TemporaryDirectory(prefix="shop-feeds-") as name,
        servers.database(given.db, Path(name)) as url,
    ):
        result = measure(url, Path(name))
    print(json.dumps(result) if given.json else json.dumps(result, indent=2))
    return 0 if all(target["met"] for target in result["targets"].values()) else 1


def measure(url: str, folder: Path) -> dict[str, Any]:
    environment = servers.shop_environment(
        9, folder, database_url=url, stripe_url="http://127.0.0.1:9", image_origin=""
    ) | {"DJANGO_SETTINGS_MODULE": "config.settings", "SHIPPING_COUNTRIES": "US,DE"}
    servers.manage(environment, "migrate", "--verbosity", "0")

    def ran(what: str) -> Any:
        print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)
        command = python("-m", "benchmarks.feeds", "--inside", what)
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            raise SystemExit(f"{what} failed:\n{done.stdout}\n{done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])

    ran("fill")
    times, memory = ran("times"), {form: ran(form) for form in FORMS}
    targets = {}
    for form in FORMS:
        targets[f"{form}: times the plain writer"] = (times[form]["times_plain"], MOST_TIMES)
        targets[f"{form}: megabytes"] = (memory[form], MOST_MEGABYTES)
    return {
        "rows": PRODUCTS * len(SIZES),
        "seconds": {name: one["seconds"] for name, one in times.items()},
        "targets": {
            name: {"measured": measured, "at_most": most, "met": measured <= most}
            for name, (measured, most) in targets.items()
        },
    }


# --- In a process with the shop's settings -----------------------------------------------------


def inside(what: str) -> Any:
    import django

    django.setup()
    if what == "fill":
        return fill()
    if what == "times":
        return times()
    written(what)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def fill() -> int:
    from datetime import UTC, datetime

    from inventory.models import StockItem
    from shop.feeds.ids import catalog_id
    from shop.models import Product

    now = datetime(2026, 1, 1, tzinfo=UTC)
    price = {"id": "price_1", "currency": "usd", "unit_amount": 2500}
    products = [
        Product(
            id=f"prod_{number:05}",
            name=f"Shirt number {number}",
            description=DESCRIPTION,
            active=True,
            category="clothing",
            category_slug="clothing",
            sizes=list(SIZES),
            colors=["Black"],
            images=[f"https://cdn.example/{number}/{side}.jpg" for side in ("front", "back", "worn")],
            metadata={"sizes": ",".join(SIZES), "brand": "Linden", "mpn": f"L-{number}"},
            prices=[price, price | {"id": "price_2", "unit_amount": 2800, "size": "4XL"}],
            default_price_id="price_1",
            lowest_amount=2500,
            highest_amount=2800,
            created_at=now,
            fetched_at=now,
        )
        for number in range(PRODUCTS)
    ]
    Product.objects.bulk_create(products, batch_size=500)
    StockItem.objects.bulk_create(
        (
            StockItem(
                product_id=product.id,
                key=f"stock_{size}",
                size=size,
                catalog_id=catalog_id(product.id, f"stock_{size}"),
                position=position,
                state="counted",
                on_hand=(number + position) % 12,
            )
            for number, product in enumerate(products)
            for position, size in enumerate(SIZES)
        ),
        batch_size=1000,
    )
    return len(products)


def written(what: str) -> int:
    """Write the feed, or the plain rows, and return the number of bytes."""
    return sum(len(piece.encode()) for piece in (plain() if what == "plain" else feed(what)))


def feed(form: str) -> Iterator[str]:
    from shop.feeds.google import google_tsv, google_xml
    from shop.storefront import load_storefront

    return {"xml": google_xml, "tsv": google_tsv}[form](load_storefront())


def plain() -> Iterator[str]:
    from django.db.models import TextField
    from django.db.models.functions import Cast

    from inventory.models import StockItem

    # As text, so that nothing is parsed.
    lists = [
        Cast(f"product__{name}", TextField()) for name in ("images", "colors", "sizes", "prices", "metadata")
    ]
    names = (
        "name",
        "description",
        "category",
        "details",
        "lowest_amount",
        "highest_amount",
        "default_price_id",
    )
    rows = (
        StockItem.objects.filter(product__active=True, product__deleted=False)
        .order_by("product_id", "id")
        .values_list(
            "catalog_id", "size", "state", "available", "held", *(f"product__{n}" for n in names), *lists
        )
    )
    line: Callable[[Any], str] = csv.writer(_Returned()).writerow
    return (line(row) for row in rows.iterator(chunk_size=2000))


class _Returned:
    def write(self, text: str) -> str:
        return text


def times() -> dict[str, dict[str, float]]:
    taken: dict[str, list[float]] = {name: [] for name in ("plain", *FORMS)}
    for name in taken:
        written(name)  # The first one imports modules and fills the database's cache.
    for _round in range(ROUNDS):
        for name, seconds in taken.items():
            began = time.perf_counter()
            written(name)
            seconds.append(time.perf_counter() - began)
    return {
        name: {
            "seconds": round(statistics.median(seconds), 3),
            "times_plain": round(
                statistics.median(one / base for one, base in zip(seconds, taken["plain"], strict=True)), 2
            ),
        }
        for name, seconds in taken.items()
    }


if __name__ == "__main__":
    sys.exit(main())
