"""manage.py explain_stock: explain the count of one item."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inventory.stock import explain


class Command(BaseCommand):
    help = "Explain a count: list its movements since the opening count, stock updates and events."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", help="Stripe product id, such as prod_x.")
        parser.add_argument(
            "size", nargs="?", default="", help="Size, such as M. Omit it for a product without sizes."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            item = explain.find(options["product"], options["size"])
        except explain.UnknownItem as exc:
            raise CommandError(str(exc)) from exc
        for line in explain.explain_item(item):
            self.stdout.write(line)
