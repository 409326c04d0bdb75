"""manage.py reconcile: do Stripe and our books agree?"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from checkout.recovery.reconcile import Report, reconcile
from config.dates import parse_past
from config.stripe_client import StripeCallError


class Command(BaseCommand):
    help = (
        "Compare Stripe's sessions and counts with our orders and ledger, fetch sessions that never arrived, and "
        "name every difference that is left. Ends with 1 if there is one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since",
            type=parse_past,
            default="30d",
            help="Sessions from when on: 7d, 2026-11-20 (default: 30d).",
        )
        parser.add_argument("--json", action="store_true", help="One JSON object for programs.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = reconcile(since=options["since"], now=timezone.now())
        except StripeCallError as trouble:
            raise CommandError(str(trouble)) from trouble
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
        else:
            self._tell(report)
        if not report.agrees:
            sys.exit(1)

    def _tell(self, report: Report) -> None:
        for text in report.fetched:
            self.stdout.write(f"Had never arrived: {text}")
        for difference in report.differences:
            self.stdout.write(self.style.WARNING(difference.text))
        outcome = "everything agrees" if report.agrees else f"{len(report.differences)} differences"
        self.stdout.write(f"{report.products} products and {report.sessions} sessions compared: {outcome}.")
