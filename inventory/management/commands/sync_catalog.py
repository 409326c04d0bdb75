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
        product_id, dry_run = options["product"], options["dry_run"]
        if options["take_over"] and dry_run:
            raise CommandError("--take-over and --dry-run cannot be combined.")
        try:
            if product_id:
                summary = catalog_sync.sync_product(product_id, dry_run=dry_run)
            else:
                summary = catalog_sync.sync_catalog(dry_run=dry_run, progress=self.show_progress)
        except StripeCallError as exc:
            raise CommandError(str(exc)) from exc
        if self.stdout.isatty():
            self.stdout.write("\r\x1b[K", ending="")  # Clear the progress.
        for problem in summary.problems:
            self.stderr.write(self.style.WARNING(problem))
        self.stdout.write(f"{'Dry run: ' if dry_run else ''}{summary}")

        if options["take_over"]:
            paused = ProductSync.objects.filter(pause_reason=ProductSync.PauseReason.FOREIGN)
            for pk in [product_id] if product_id else list(paused.values_list("pk", flat=True)):
                tag = snapshot.accept_stripe_counts(pk)
                text = f"taken over from {tag}." if tag else "no other shop updates it."
                self.stdout.write(f"{pk}: {text}")

    def show_progress(self, done: int, name: str) -> None:
        # Only on a terminal; pipes and logs get the summary alone.
        if self.stdout.isatty():
            printable = "".join(letter for letter in name if letter.isprintable())
            self.stdout.write(f"\r\x1b[K{done} {printable[:60]}", ending="")
            self.stdout.flush()
