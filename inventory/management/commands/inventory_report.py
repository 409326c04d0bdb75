"""manage.py inventory_report: the stock of every size as a table, CSV or JSON, on a terminal or by mail."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.stripe_client import StripeCallError
from inventory.reports import stock_report
from inventory.reports.stock_report import Row, Status, Totals, stock_rows
from inventory.stock.changes import ChangeRefused, find_product
from shop.gateway import fetch_product, iter_products
from shop.money import format_money

MARKS = {Status.LOW_STOCK: "low", Status.OUT_OF_STOCK: "out", Status.UNREADABLE: "unreadable"}


class Command(BaseCommand):
    help = "Show the stock of every size. Reads the database; --live compares it with Stripe first."

    def add_arguments(self, parser: CommandParser | ArgumentParser) -> None:
        form = parser.add_mutually_exclusive_group()
        form.add_argument(
            "--csv", action="store_true", help="Product ID, Product Name, Price, Size, Stock, Status"
        )
        form.add_argument("--json", action="store_true", help="one object with rows and totals")
        parser.add_argument("--low", action="store_true", help="only sizes that are low or out of stock")
        parser.add_argument("--product", help="only this product: id, SKU or exact name")
        parser.add_argument(
            "--live", action="store_true", help="name counts that differ from Stripe, then report"
        )
        parser.add_argument("--email", action="store_true", help="send the table with the CSV to OWNER_EMAIL")
        parser.add_argument(
            "--fail-on-low", action="store_true", help="exit with 1 if a size is low or out of stock"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        differing: list[str] = []
        try:
            product_id = find_product(options["product"]).pk if options["product"] else ""
            if options["live"]:
                sizes_here = stock_report.by_product(stock_rows(product_id=product_id))
                here = {sizes[0].product_id: sizes for sizes in sizes_here}
                for product in [fetch_product(product_id)] if product_id else iter_products():
                    differing += stock_report.differences(product, here.get(product.id, []))
        except (ChangeRefused, StripeCallError) as exc:
            raise CommandError(str(exc)) from exc
        totals = Totals()
        rows = totals.counting(stock_rows(product_id=product_id, only_low=options["low"]))
        for sentence in differing:
            self.stderr.write(self.style.WARNING(sentence))
        if options["email"]:
            self._send(list(rows), totals)
        elif options["csv"]:
            for line in stock_report.csv_lines(rows):
                self.stdout.write(line, ending="")
        elif options["json"]:
            report = {"rows": [stock_report.as_json(row) for row in rows], "differences": differing}
            self.stdout.write(json.dumps({**report, "totals": vars(totals)}, ensure_ascii=False, indent=1))
        else:
            for line in self._table(rows):
                self.stdout.write(line)
            self.stdout.write(_summary(totals))
        if options["fail_on_low"] and totals.low + totals.out:
            raise CommandError(f"{totals.low} low and {totals.out} out of stock.")

    def _table(self, rows: Iterable[Row]) -> Iterator[str]:
        for sizes in stock_report.by_product(rows):
            first = sizes[0]
            yield self.style.MIGRATE_HEADING(f"{_printable(first.name)}  {first.product_id}")
            yield "  " + "   ".join(self._cell(row) for row in sizes)

    def _cell(self, row: Row) -> str:
        units = {Status.NOT_TRACKED: "not tracked"}.get(row.status) or (
            "–" if row.units is None else row.units
        )
        text = " ".join(filter(None, [_printable(row.size), str(units), MARKS.get(row.status, "")]))
        if row.status in (Status.IN_STOCK, Status.NOT_TRACKED):
            return text
        return self.style.WARNING(text) if row.status == Status.LOW_STOCK else self.style.ERROR(text)

    def _send(self, rows: list[Row], totals: Totals) -> None:
        if not settings.OWNER_EMAILS:
            raise CommandError("OWNER_EMAIL is not set, so the report has no recipient.")
        plain = Command(no_color=True)
        text = "\n".join([*plain._table(rows), "", _summary(totals)])
        mail = EmailMessage("Stock report", text, to=settings.OWNER_EMAILS)
        mail.attach("stock.csv", "".join(stock_report.csv_lines(rows)), "text/csv")
        try:
            mail.send()
        except (SMTPException, OSError) as exc:
            raise CommandError(f"The report could not be sent: {exc}") from exc
        self.stdout.write(f"Sent to {', '.join(settings.OWNER_EMAILS)}.")


def _summary(totals: Totals) -> str:
    value = format_money(totals.value, settings.SHOP_CURRENCY)
    return (
        f"{totals.products} products, {totals.sizes} sizes, {totals.units} units worth {value}; "
        f"{totals.low} low, {totals.out} out of stock."
    )


def _printable(text: str) -> str:
    # Names come from Stripe; control characters could move the cursor of a terminal.
    return "".join(letter for letter in text if letter.isprintable())
