"""manage.py sync_catalog: read the catalog from Stripe."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.stripe_client import StripeCallError
from inventory.models import ProductSync
from inventory.stripe_sync import catalog_sync, snapshot


class Command(BaseCommand):
    help = "Read products, prices and counts from Stripe. Idempotent; unchanged products are not written."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Show what would change without changing it."
        )
        parser.add_argument("--product", metavar="prod_x", help="Read this product only.")
        parser.add_argument(
            "--take-over",
            action="store_true",
            help="Take over products whose counts another shop's database updates. Stop that shop's worker first.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["take_over"] and options["dry_run"]:
            raise CommandError("--take-over and --dry-run cannot be combined.")
        try:
            summary = self._one(options) if options["product"] else self._all(options)
        except StripeCallError as exc:
            raise CommandError(str(exc)) from exc
        for problem in summary.problems:
            self.stderr.write(self.style.WARNING(problem))
        self.stdout.write(f"{'Dry run: ' if options['dry_run'] else ''}{summary}")
        if options["take_over"]:
            self._take_over(options["product"])

    def _one(self, options: dict[str, Any]) -> catalog_sync.Summary:
        return catalog_sync.sync_product(options["product"], dry_run=options["dry_run"])

    def _all(self, options: dict[str, Any]) -> catalog_sync.Summary:
        summary = catalog_sync.sync_catalog(dry_run=options["dry_run"], progress=self._progress)
        if self.stdout.isatty():
            self.stdout.write("\r\x1b[K", ending="")
        return summary

    def _progress(self, done: int, name: str) -> None:
        # Only on a terminal; pipes and logs get the summary alone.
        if self.stdout.isatty():
            printable = "".join(letter for letter in name if letter.isprintable())
            self.stdout.write(f"\r\x1b[K{done} {printable[:60]}", ending="")
            self.stdout.flush()

    def _take_over(self, product_id: str | None) -> None:
        parked = ProductSync.objects.filter(pause_reason=ProductSync.PauseReason.FOREIGN)
        for pk in [product_id] if product_id else list(parked.values_list("pk", flat=True)):
            mark = snapshot.accept_stripe_counts(pk)
            self.stdout.write(
                f"{pk}: taken over from {mark}." if mark else f"{pk}: no other shop updates it."
            )
