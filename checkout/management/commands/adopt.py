"""manage.py adopt: take over counting from the webhook function that has lowered the counts until now."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from checkout.recovery import adoption
from config.dates import format_local
from config.stripe_client import StripeCallError
from inventory import gateway, heartbeat
from inventory.gateway import WebhookEndpoint
from inventory.setup import endpoint
from inventory.stripe_sync import catalog_sync

MAX_CLOCK_SKEW = timedelta(seconds=20)
MAX_SHOWN = 30
MIN_WAIT = 30  # seconds: more than MAX_CLOCK_SKEW and adoption.SAME_MOMENT together


class Command(BaseCommand):
    help = (
        "Take over counting from the webhook function that has lowered the counts until now, so that no sale is counted "
        "twice or not at all. Without --switch it only shows what it would do."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--switch", metavar="we_x", help="disable this endpoint, the previous function's, and take over"
        )
        parser.add_argument(
            "--wait",
            type=int,
            default=adoption.SETTLE_SECONDS,
            help="seconds until a function that is running has ended (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            endpoints = gateway.webhook_endpoints()
            if options["switch"]:
                self._switch(endpoints, options["switch"], options["wait"])
            else:
                self._show(endpoints)
        except StripeCallError as exc:
            again = " Run the command again: it continues." if options["switch"] else ""
            raise CommandError(f"{exc}{again}") from exc
        except KeyboardInterrupt:
            raise CommandError("Stopped. Run the command again: it continues.", returncode=130) from None

    def _show(self, endpoints: list[WebhookEndpoint]) -> None:
        now = timezone.now()
        summary = catalog_sync.sync_catalog(dry_run=True)
        self.stdout.write(f"Products that this shop will read: {summary}.")
        for problem in summary.problems[:MAX_SHOWN]:
            self.stdout.write(self.style.WARNING(f"  {problem}"))
        sales = adoption.old_sales(now - adoption.RETRIED)
        waiting = [sale for sale in sales if not sale.is_delivered]
        self.stdout.write(
            f"Sessions completed in the last 4 days: {len(sales)}, of which {len(waiting)} are not delivered everywhere."
        )
        for reason in _reasons_to_wait(now):
            self.stdout.write(self.style.WARNING(f"First: {reason}"))
        candidates = _candidates(endpoints)
        if not candidates:
            self.stdout.write(
                "No other webhook endpoint receives completed sessions. There is nothing to switch over."
            )
        for candidate in candidates:
            state = "enabled" if candidate.enabled else "disabled"
            self.stdout.write(f"If {candidate.url} ({state}) is the function that counts now:")
            self.stdout.write(f"  manage.py adopt --switch {candidate.id}")
        self.stdout.write("Nothing was changed.")

    def _switch(self, endpoints: list[WebhookEndpoint], endpoint_id: str, wait: int) -> None:
        candidates = {each.id: each for each in _candidates(endpoints)}
        old = candidates.get(endpoint_id)
        if old is None:
            raise CommandError(
                f"Nothing was changed. {endpoint_id} is no endpoint of another program that receives completed sessions; "
                f"there is {', '.join(candidates) or 'none'}."
            )
        if wait < MIN_WAIT:
            raise CommandError(
                f"Nothing was changed. --wait is at least {MIN_WAIT}: sales at the switch need it."
            )
        began = timezone.now()
        if reasons := _reasons_to_wait(began):
            raise CommandError(" ".join(["Nothing was changed.", *reasons]))
        before = adoption.old_sales(began - adoption.HISTORY)
        if old.enabled:
            certain = adoption.certain_before(before, began)
        else:
            # An earlier run has disabled the endpoint, and what Stripe says of deliveries since then proves nothing.
            oldest = timezone.now() - adoption.RETRIED
            certain = {sale.event_id for sale in before if sale.completed_at < oldest}
        gateway.disable_webhook_endpoint(old.id)
        self.stdout.write(f"Disabled {old.url}. Waiting {wait} s for what it is still doing.")
        time.sleep(wait)
        sales = adoption.old_sales(began - adoption.HISTORY)
        result = adoption.settle(sales, certain, began, timezone.now())
        self.stdout.write(f"Counted by the function: {result.counted_before} sessions.")
        for order in result.counted_here:
            lines = "; ".join(map(str, order.lines.all()))
            self.stdout.write(f"Counted here, because the function had not: order {order.number}, {lines}.")
        for note in result.notes:
            self.stdout.write(note)
        if result.cutoff:
            self.stdout.write(f"This shop counts every sale paid after {format_local(result.cutoff)}.")
        self.stdout.write("Now run “manage.py connect_stripe”, and start the worker.")


def _candidates(endpoints: list[WebhookEndpoint]) -> list[WebhookEndpoint]:
    ours = {each.id for each in endpoint.ours_among(endpoints)}
    return [each for each in endpoints if each.id not in ours and {adoption.COMPLETED, "*"} & each.events]


def _reasons_to_wait(now: Any) -> list[str]:
    reasons = []
    if heartbeat.worker_silence(now) is None:
        reasons.append("Stop this shop's worker: it would count the same sales as the function.")
    clock = gateway.fetch_account().clock
    if clock is not None and abs(clock - now) > MAX_CLOCK_SKEW:
        seconds = (now - clock).total_seconds()
        reasons.append(f"Set this machine's clock: it differs from Stripe's by {seconds:.0f} s.")
    return reasons
