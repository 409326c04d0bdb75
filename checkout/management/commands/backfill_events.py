"""manage.py backfill_events: fetch what the webhook missed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import pluralize
from django.utils import timezone

from checkout.recovery.backfill import apply_completed, store_events
from checkout.recovery.open_sessions import adopt_open_sessions
from config.dates import parse_past
from config.stripe_client import StripeCallError


class Command(BaseCommand):
    help = (
        "Fetch Stripe's events and completed sessions that never arrived. May be repeated safely. Events are stored for "
        "the worker, completed sessions are applied at once. Exits with 1 if one could not be applied."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since", type=parse_past, default="3d", help="How far back: 7d, 36h, 2026-11-20 (default: 3d)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            events = store_events(since=options["since"])
            result = apply_completed(since=options["since"], now=timezone.now())
            adoption = adopt_open_sessions(since=options["since"])
        except StripeCallError as exc:
            raise CommandError(str(exc)) from exc
        for order in adoption.adopted:
            self.stdout.write(
                f"Order {order.number} is known again: its payment page is open and its units are held."
            )
        for session_id in adoption.ended:
            self.stdout.write(f"The payment page {session_id} was ended: its units are no longer there.")
        for order in result.orders:
            self.stdout.write(f"Order {order.number} is now {order.get_state_display()}.")
        orders = len(result.orders)
        self.stdout.write(
            f"Stored {events} missing event{pluralize(events)}, updated {orders} order{pluralize(orders)}."
        )
        if result.failed:
            errors = "; ".join(f"{session_id}: {error}" for session_id, error in result.failed.items())
            sessions = f"{len(result.failed)} completed session{pluralize(len(result.failed))}"
            raise CommandError(f"{sessions} could not be applied: {errors}")
