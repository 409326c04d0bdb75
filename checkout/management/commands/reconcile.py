"""manage.py reconcile: compare Stripe with the shop's orders and ledger."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import pluralize
from django.utils import timezone

from checkout.recovery.reconcile import reconcile
from config.dates import parse_past
from config.stripe_client import StripeCallError


class Command(BaseCommand):
    help = (
        "Compare Stripe's sessions and counts with the shop's orders and ledger. Sessions that never arrived are "
        "applied. Lists the remaining differences, and exits with 1 if there are any."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since",
            type=parse_past,
            default="30d",
            help="Compare sessions created since then: 7d, 2026-11-20 (default: 30d).",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = reconcile(since=options["since"], now=timezone.now())
        except StripeCallError as exc:
            raise CommandError(str(exc)) from exc
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json(), ensure_ascii=False, indent=2))
        else:
            for text in report.fetched:
                self.stdout.write(f"Had not arrived: {text}")
            for difference in report.differences:
                self.stdout.write(self.style.WARNING(difference.text))
            products, sessions, differences = report.products, report.sessions, len(report.differences)
            self.stdout.write(
                f"Compared {products} product{pluralize(products)} and {sessions} session{pluralize(sessions)}: "
                + (
                    "everything agrees."
                    if report.agrees
                    else f"{differences} difference{pluralize(differences)}."
                )
            )
        if not report.agrees:
            sys.exit(1)
