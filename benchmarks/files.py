"""Reports and files of a large catalog: time as a ratio to a plain query, memory, requests to Stripe.

`python -m benchmarks.files [--json]` fills a temporary SQLite database with 5,000 products of eight sizes and measures each
step in a process of its own, so that its peak of memory is its own. It exits with 1 if a target was missed.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SIZES = ["XS", "S", "M", "L", "XL", "2XL", "3XL", "4XL"]
PRODUCTS, IMPORTED, ROWS, LINES = 5000, 321, 1600, 10_000
ROUNDS = 5

# Name, unit, the largest value that meets the target.
TARGETS = {
    "report_1000_seconds": 1.0,
    "report_peak_mb": 150.0,
    "csv_peak_mb": 150.0,
    "file_peak_mb": 150.0,
    "calls_per_product": 2.2,
    "import_problems": 0,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(run_step(options.step)))
        return
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="shop-files-") as folder:
        for step in STEPS:
            print(step, file=sys.stderr, flush=True)
            result |= measured(step, Path(folder))
    missed = {name: most for name, most in TARGETS.items() if result[name] > most}
    result["targets"] = {name: {"most": most, "measured": result[name]} for name, most in TARGETS.items()}
    print(json.dumps(result, indent=2) if options.json else "\n".join(f"{k}: {v}" for k, v in result.items()))
    if missed:
        sys.exit(f"Missed: {', '.join(missed)}")


def measured(step: str, folder: Path) -> dict[str, Any]:
    """Run the step in its own process. This process stays small, because a child's peak begins with its parent's."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment = {
        **kept,
        "DJANGO_SETTINGS_MODULE": "config.test_settings",
        "DATABASE_URL": f"sqlite:///{folder / 'shop.sqlite3'}",
        "PYTHONUTF8": "1",
    }
    command = [sys.executable, "-m", "benchmarks.files", "--step", step]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        sys.exit(f"{step} failed:\n{done.stderr[-3000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def run_step(name: str) -> dict[str, Any]:
    import django

    django.setup()
    return STEPS[name]()


def peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


# --- Steps --------------------------------------------------------------------------------------


def fill() -> dict[str, Any]:
    from datetime import UTC, datetime

    from django.core.management import call_command

    from inventory.models import ProductSync, StockItem
    from shop.models import Product

    call_command("migrate", verbosity=0)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    price = {
        "id": "price_1",
        "currency": "usd",
        "unit_amount": 2500,
        "active": True,
        "size": "",
        "problem": "",
    }
    products = [
        Product(
            id=f"prod_{n:05}",
            name=f"Item {n:05} with a name of usual length",
            description="A description of several sentences. " * 10,
            active=True,
            sizes=SIZES,
            prices=[price],
            default_price_id="price_1",
            created_at=at,
            fetched_at=at,
        )
        for n in range(PRODUCTS)
    ]
    Product.objects.bulk_create(products, batch_size=1000)
    ProductSync.objects.bulk_create([ProductSync(product=product) for product in products], batch_size=1000)
    items = [
        StockItem(
            product=product,
            key=f"stock_{size}",
            size=size,
            catalog_id=f"{product.pk}-{size}",
            position=place,
            state="counted",
            on_hand=place * 3,
        )
        for product in products
        for place, size in enumerate(SIZES)
    ]
    StockItem.objects.bulk_create(items, batch_size=2000)
    return {"products": PRODUCTS, "counts": len(items)}


def report() -> dict[str, Any]:
    """The table of all products, written to a file as a terminal would read it."""
    return {
        "report_seconds": round(timed(lambda: _command("inventory_report")), 2),
        "report_peak_mb": peak_mb(),
    }


def report_csv() -> dict[str, Any]:
    """The report's CSV and the admin's downloads."""
    from django.test import RequestFactory

    from inventory.csv_views import COUNT_SHEET
    from inventory.reports.csv_export import csv_lines, csv_response
    from inventory.reports.stock_report import csv_lines as stock_lines
    from inventory.reports.stock_report import stock_rows
    from inventory.stock.files import count_sheet

    RequestFactory()
    seconds = timed(lambda: _command("inventory_report", "--csv"))
    sizes = []
    for lines in (stock_lines(stock_rows()), csv_lines(COUNT_SHEET, count_sheet())):
        answer: Any = csv_response(lines, "x")
        sizes.append(sum(len(chunk) for chunk in answer.streaming_content))
    return {"csv_seconds": round(seconds, 2), "csv_bytes": sizes, "csv_peak_mb": peak_mb()}


def report_of_1000() -> dict[str, Any]:
    """The report of 1,000 products and a plain query of the same rows, in turns; medians."""
    from inventory.models import StockItem
    from shop.models import Product

    Product.objects.filter(pk__gte="prod_01000").update(deleted=True)

    def plain() -> None:
        items = StockItem.objects.filter(is_listed=True, product__deleted=False).order_by(
            "product__name", "position"
        )
        list(items.values_list("product__name", "size", "on_hand", "pending", "product__prices"))

    reports, plains, processor = [], [], []
    for _round in range(ROUNDS):
        plains.append(timed(plain))
        began = time.process_time()
        reports.append(timed(lambda: _command("inventory_report")))
        processor.append(time.process_time() - began)
    Product.objects.update(deleted=False)
    ratio = statistics.median(reports) / statistics.median(plains)
    return {
        "report_1000_seconds": round(statistics.median(reports), 3),
        "report_1000_processor_seconds": round(statistics.median(processor), 3),
        "plain_query_1000_seconds": round(statistics.median(plains), 3),
        "report_1000_to_plain_query": round(ratio, 1),
    }


def stock_file() -> dict[str, Any]:
    """A file of 10,000 lines: its preview, and its confirmation in one transaction."""
    from inventory.csv_files import Table
    from inventory.stock import files
    from inventory.stock.changes import Verb

    lines = [f"prod_{n:05},{size},3" for n in range(LINES // len(SIZES)) for size in SIZES]
    content = "\n".join(["product,size,quantity", *lines]).encode()
    found: list[files.Preview] = []

    def preview() -> None:
        found.append(files.preview(Table(io.BytesIO(content), "delivery.csv"), Verb.RECEIVE, reference=""))

    def confirm() -> None:
        rows = [(change.item_id, change.number, change.was) for change in found[0].changes]
        assert files.record(rows, Verb.RECEIVE, reference="file", reason="", actor="") == LINES  # noqa: S101

    seconds = timed(preview)
    cpu = time.process_time()
    confirming = timed(confirm)
    return {
        "file_lines": len(lines),
        "file_preview_seconds": round(seconds, 2),
        "file_confirm_seconds": round(confirming, 2),
        "file_confirm_processor_seconds": round(time.process_time() - cpu, 2),
        "file_peak_mb": peak_mb(),
    }


def import_products() -> dict[str, Any]:
    """321 products with 1,600 rows into an empty account, and what the catalog says of them afterwards."""
    from django.conf import settings
    from django.core.management import call_command

    from config import stripe_client
    from fake_stripe import FakeStripe
    from inventory.imports import upload
    from inventory.stripe_sync.catalog_sync import sync_catalog
    from inventory.tests.test_import_products import catalog_of

    fake = FakeStripe(settings.STRIPE_SECRET_KEY, now=time.time())
    fake.api.limits.enforced = True
    stripe_client.http_client = fake.http_client
    stripe_client._client.cache_clear()
    # Stripe's clock moves only while the importer waits: the limit is kept by its pauses alone.
    upload.time.monotonic, upload.time.sleep = fake.clock.exact, fake.forward  # type: ignore[attr-defined]
    text, rows = catalog_of(IMPORTED)
    with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        seconds = timed(lambda: call_command("import_products", file.name, stdout=io.StringIO()))
    calls = fake.calls
    fake.api.limits.enforced = False
    summary = sync_catalog()
    return {
        "import_rows": rows,
        "import_seconds": round(seconds, 1),
        "import_refused_calls": sum(call.status != 200 for call in calls),
        "calls_per_product": round(len(calls) / IMPORTED, 2),
        "import_created": summary.counts["created"],
        "import_problems": len(summary.problems),
    }


def _command(*arguments: str) -> None:
    from django.core.management import call_command

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        call_command(*arguments, stdout=nowhere)


STEPS: dict[str, Callable[[], dict[str, Any]]] = {
    "fill": fill,
    "report": report,
    "csv": report_csv,
    "report_of_1000": report_of_1000,
    "stock_file": stock_file,
    "import_products": import_products,
}


if __name__ == "__main__":
    main()
