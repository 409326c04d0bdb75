"""manage.py stock: receive, count and take units from the command line, as on the admin's pages."""

from __future__ import annotations

import getpass
import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.stripe_client import StripeCallError
from inventory.csv_files import CsvProblem, Table, open_csv
from inventory.models import Issue, ProductSync, StockItem
from inventory.stock import files
from inventory.stock.changes import (
    Change,
    ChangeRefused,
    Verb,
    apply_changes,
    find_item,
    find_product,
    parse_number,
    plan,
)
from inventory.stripe_sync import publisher

HELP = {
    Verb.RECEIVE: "Add delivered units.",
    Verb.COUNT: "Set the total that was counted on the shelf, held units included.",
    Verb.TAKE: "Remove units, such as samples or damaged goods.",
}


class Command(BaseCommand):
    help = "Change stock: receive adds units, count sets the total, take removes units. All of a command or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="receive|count|take")
        for verb in Verb:
            parser = verbs.add_parser(verb.value, help=HELP[verb], description=HELP[verb])
            parser.add_argument(
                "product", nargs="?", help="Stripe's id, the SKU or the exact name of the product"
            )
            parser.add_argument(
                "sizes", nargs="*", metavar="SIZE=UNITS", help="such as M=12 L=6; 12 without sizes"
            )
            parser.add_argument(
                "--file", type=Path, help="CSV with the columns product, size and quantity instead"
            )
            parser.add_argument("--reason", default="", help="shown beside the change in the admin")
            parser.add_argument(
                "--reference", help="makes a repeated command count once, such as delivery-14"
            )
            parser.add_argument("--dry-run", action="store_true", help="show what would change")
            parser.add_argument(
                "--publish", action="store_true", help="update Stripe now instead of leaving it to the worker"
            )

    def handle(self, *args: Any, **options: Any) -> None:
        verb, reference = Verb(options["verb"]), f"command:{options['reference'] or secrets.token_hex(8)}"
        if bool(options["product"]) == bool(options["file"]):
            raise CommandError("Name a product with sizes, or a --file.")
        if options["reference"] is not None and not options["reference"].strip():
            raise CommandError("--reference must not be empty.")
        if len(reference) > 255 or len(options["reason"]) > 500:
            raise CommandError("--reference has at most 240 characters and --reason 500.")
        record = self._record_file if options["file"] else self._record_arguments
        try:
            product_ids = record(verb, reference, f"{getpass.getuser()} (command)", options)
        except (ChangeRefused, CsvProblem) as exc:
            raise CommandError(f"Nothing was changed. {exc}") from exc
        if product_ids and options["publish"]:
            self._publish(product_ids)
        elif product_ids:
            self.stdout.write("The worker updates Stripe within seconds; --publish does it at once.")

    def _record_arguments(self, verb: Verb, reference: str, actor: str, options: dict[str, Any]) -> list[str]:
        # Show and record the change. Returns the products with new movements.
        product = find_product(options["product"])
        if not options["sizes"]:
            raise ChangeRefused("Say how many, such as M=12, or 12 for a product without sizes.")
        # The last equals sign: a size may contain one.
        wanted = [text.rpartition("=") for text in options["sizes"]]
        items = [(find_item(product, size), parse_number(number)) for size, _equals, number in wanted]
        changes = plan(verb, items, reference=reference)
        movements = []
        if not options["dry_run"]:
            movements = apply_changes(changes, reference=reference, reason=options["reason"], actor=actor)
        for change in changes:
            self._show(change, str(change.item), dry_run=options["dry_run"])
        self._show_dry_run(options)
        return sorted({change.item.product_id for change in changes}) if movements else []

    def _record_file(self, verb: Verb, reference: str, actor: str, options: dict[str, Any]) -> list[str]:
        # Show and record the lines of the file. Returns the products with new movements.
        with open_csv(options["file"]) as file:
            found = files.preview(Table(file, options["file"].name), verb, reference=reference)
        if found.problems:
            shown = " ".join(found.problems[:20])
            more = len(found.problems) - 20
            raise ChangeRefused(f"{shown} And {more} more lines." if more > 0 else shown)
        new = 0
        if not options["dry_run"]:
            rows = [(change.item_id, change.number, None) for change in found.changes]
            new = files.record(rows, verb, reference=reference, reason=options["reason"], actor=actor)
        for change in found.changes:
            self._show(change, change.label, dry_run=options["dry_run"])
        for sentence in found.stale:
            self.stdout.write(self.style.WARNING(sentence))
        self._show_dry_run(options)
        ids = [change.item_id for change in found.changes if not change.recorded_before] if new else []
        product_ids: set[str] = set()
        for start in range(0, len(ids), files.BATCH_SIZE):
            items = StockItem.objects.filter(pk__in=ids[start : start + files.BATCH_SIZE])
            product_ids.update(items.values_list("product_id", flat=True))
        return sorted(product_ids)

    def _show(self, change: Change | files.FileChange, label: str, *, dry_run: bool) -> None:
        if change.recorded_before:
            self.stdout.write(f"{label}: {change.was}, recorded before under this reference")
        else:
            verb = "will be" if dry_run else "is now"
            covered = f" ({change.covered} are for orders that were oversold)" if change.covered else ""
            self.stdout.write(f"{label}: was {change.was}, {verb} {change.will_be}{covered}")

    def _show_dry_run(self, options: dict[str, Any]) -> None:
        if options["dry_run"]:
            self.stdout.write("Dry run: nothing was changed.")

    def _publish(self, product_ids: list[str]) -> None:
        for product_id in product_ids:
            try:
                publisher.publish_product(product_id, timezone.now())
            except StripeCallError as exc:
                raise CommandError(
                    f"Recorded here, but not yet at Stripe: {exc} The worker will try again."
                ) from exc
            sync = ProductSync.objects.get(pk=product_id)
            waiting = StockItem.objects.filter(product=product_id).exclude(pending=0)
            if not waiting.exists():
                self.stdout.write(f"Stripe accepted the counts of {product_id}.")
            elif sync.pause_reason:
                raise CommandError(f"Recorded here, but {product_id} is paused: {sync.pause_text}.")
            else:
                reasons = Issue.objects.filter(closed_at=None, subject__startswith=product_id)
                why = " ".join(issue.text for issue in reasons[:1]) or "The worker will try again."
                raise CommandError(f"Recorded here, but not yet at Stripe: {product_id}. {why}")
