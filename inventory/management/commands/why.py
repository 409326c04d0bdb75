"""manage.py why: the story of one count."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inventory import explain


class Command(BaseCommand):
    help = "Explain a count: every movement from the opening count to today, writes and events."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", help="Stripe's id, such as prod_x.")
        parser.add_argument(
            "size", nargs="?", default="", help="Such as M; none for a product without sizes."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            item = explain.find(options["product"], options["size"])
        except explain.NotKnown as trouble:
            raise CommandError(str(trouble)) from trouble
        for line in explain.why(item):
            self.stdout.write(line)
