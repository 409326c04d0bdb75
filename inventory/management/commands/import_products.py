"""manage.py import_products: create products, prices and counts at Stripe from another shop's export."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from types import ModuleType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.stripe_client import StripeCallError
from inventory.csv_files import CsvProblem, Table, open_csv
from inventory.imports import shopify, woocommerce
from inventory.imports.drafts import Draft, Plan, Settings, make_plan
from inventory.imports.source import Export
from inventory.imports.upload import Comparison, Upload, compare
from shop.gateway import iter_products

FORMATS: dict[str, ModuleType] = {"shopify": shopify, "woocommerce": woocommerce}
MAX_SHOWN = 50


class Command(BaseCommand):
    help = (
        "Create products, prices and counts at Stripe from Shopify's or WooCommerce's product export. Every problem of the "
        "file is named before anything is created. Repeating the command creates nothing twice."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the product export, as CSV")
        parser.add_argument(
            "--from",
            dest="format",
            choices=FORMATS,
            help="the shop that wrote the file; found out by default",
        )
        parser.add_argument(
            "--inventory", type=Path, help="Shopify's inventory export, with the counts of each location"
        )
        parser.add_argument(
            "--location",
            action="append",
            default=[],
            help="a location of --inventory that this shop sells from; may be repeated",
        )
        parser.add_argument(
            "--beyond",
            choices=["counted", "unlimited"],
            default="",
            help="what to do with products that are sold after their count has reached 0",
        )
        parser.add_argument("--dry-run", action="store_true", help="check everything and create nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        plan = self._plan(options)
        for note in plan.notes:
            self.stdout.write(_printable(note))
        _refuse(plan.problems)
        try:
            comparison = compare(plan.drafts, iter_products())
        except StripeCallError as exc:
            raise CommandError(f"Nothing was created. {exc}") from exc
        _refuse(comparison.problems)
        self.stdout.write(_summary(comparison))
        if options["dry_run"]:
            self.stdout.write("Dry run: nothing was created.")
        else:
            self._upload(comparison)

    def _plan(self, options: dict[str, Any]) -> Plan:
        try:
            with open_csv(options["file"]) as file:
                table = Table(file, options["file"].name)
                export = _read(table, options["format"])
            if options["inventory"]:
                if options["format"] == "woocommerce" or not shopify.fits(table):
                    raise CommandError("--inventory belongs to a product export of Shopify.")
                with open_csv(options["inventory"]) as file:
                    shopify.add_counts(export, Table(file, options["inventory"].name), options["location"])
            elif options["location"]:
                raise CommandError("--location belongs to --inventory.")
        except CsvProblem as exc:
            raise CommandError(f"Nothing was created. {exc}") from exc
        rules = Settings(settings.SHOP_CURRENCY, settings.ALLOWED_IMAGE_ORIGINS, options["beyond"])
        return make_plan(export, rules)

    def _upload(self, comparison: Comparison) -> None:
        upload = Upload(comparison)
        again = "Run the same command again: it continues, and creates nothing twice."
        total = len(comparison.new) + len(comparison.unfinished)
        try:
            upload.run(lambda done, draft: self._show_progress(done, total, draft))
        except StripeCallError as exc:
            raise CommandError(f"Stopped after {upload.done} of {total} products: {exc} {again}") from exc
        except KeyboardInterrupt:
            raise CommandError(
                f"Stopped after {upload.done} of {total} products. {again}", returncode=130
            ) from None
        if self.stdout.isatty():
            self.stdout.write("\r\x1b[K", ending="")  # Clear the progress.
        if upload.failed:
            failed = "\n".join(_printable(text) for text in upload.failed[:MAX_SHOWN])
            raise CommandError(
                f"{upload.done} of {total} products were created; Stripe refused the others:\n{failed}"
            )
        self.stdout.write(f"{upload.done} products created at Stripe.")
        if upload.done:
            self.stdout.write(
                "The worker reads them within seconds; “manage.py sync_catalog” does it at once."
            )

    def _show_progress(self, done: int, total: int, draft: Draft) -> None:
        # Only on a terminal; pipes and logs get the summary alone.
        if self.stdout.isatty():
            self.stdout.write(f"\r\x1b[K{done} of {total} {_printable(draft.name)[:60]}", ending="")
            self.stdout.flush()


def _read(table: Table, name: str | None) -> Export:
    fitting = [module for module in FORMATS.values() if module.fits(table)]
    chosen = FORMATS[name] if name else next(iter(fitting), None)
    if chosen is None or chosen not in fitting:
        raise CsvProblem(
            f"{table.name} is not {f'a product export of {name}' if name else 'a product export'} with English column "
            "names: Shopify's has Title, Variant Price (or Price) and Handle (or URL handle); WooCommerce's has Type, Name "
            "and Regular price. WooCommerce translates the names; set your own language to English (Users, Profile) and "
            f"export again. The file has: {', '.join(filter(None, table.header))[:300]}."
        )
    export: Export = chosen.read(table)
    return export


def _refuse(problems: list[str]) -> None:
    if problems:
        shown = [_printable(problem) for problem in problems[:MAX_SHOWN]]
        more = [f"And {len(problems) - MAX_SHOWN} more."] if len(problems) > MAX_SHOWN else []
        raise CommandError("\n".join(["Nothing was created.", *shown, *more]))


def _summary(comparison: Comparison) -> str:
    def count(number: int) -> str:
        return f"{number} product{'' if number == 1 else 's'}"

    sizes = sum(len(draft.metadata.get("sizes", "-").split(",")) for draft in comparison.new)
    parts = [
        f"{count(len(comparison.new))} to create, with {sizes} counts, in {settings.SHOP_CURRENCY.upper()}"
    ]
    if comparison.unfinished:
        parts.append(f"{count(len(comparison.unfinished))} to finish")
    if comparison.present:
        parts.append(f"{count(len(comparison.present))} at Stripe already, left as they are")
    return "; ".join(parts) + "."


def _printable(text: str) -> str:
    # Names come from a file; control characters could move the cursor of a terminal.
    return "".join(letter for letter in text if letter.isprintable())
