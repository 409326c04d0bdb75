"""manage.py backfill_events: fetch what the webhook missed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from checkout.recovery.backfill import apply_completed, store_events
from config.dates import parse_past
from config.stripe_client import StripeCallError


class Command(BaseCommand):
    help = (
        "Read Stripe's events and completed sessions again and count what never arrived. Harmless, however often. "
        "Events are remembered for the worker; completed sessions are settled at once. Ends with 1 if one could not be."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since", type=parse_past, default="3d", help="How far back: 7d, 36h, 2026-11-20 (default: 3d)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            events = store_events(since=options["since"])
            settled = apply_completed(since=options["since"], now=timezone.now())
        except StripeCallError as trouble:
            raise CommandError(str(trouble)) from trouble
        for order in settled.orders:
            self.stdout.write(f"Order {order.number} is {order.get_state_display()} now.")
        self.stdout.write(f"{events} events had not arrived, {len(settled.orders)} orders were settled.")
        if settled.failed:
            each = "; ".join(f"{session_id}: {why}" for session_id, why in settled.failed.items())
            raise CommandError(f"{len(settled.failed)} completed sessions could not be settled: {each}")
