"""manage.py rebuild: rebuild a lost database from Stripe."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import pluralize
from django.utils import timezone

from checkout.models import Order
from checkout.recovery import rebuild
from config.dates import parse_past
from config.stripe_client import StripeCallError

NOT_AT_STRIPE = (
    "users and their rights (createsuperuser, enroll_totp)",
    "what was packed and sent: every rebuilt order is to be packed",
    "the storefront’s texts and colors, and size guides",
    "the history of the counts: the ledger begins with Stripe’s counts of today",
    "what the owner decided about returned and oversold units, and closed issues",
    "carts",
)


class Command(BaseCommand):
    help = (
        "Rebuild a lost database from Stripe: the catalog with its counts, orders, refunds, and the holds of open payment "
        "pages. Run migrate before. Only if the lost database and its worker are gone for good: its counts are taken over."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since",
            type=parse_past,
            default="30d",
            help="Orders since then: 30d, 2026-11-20 (default: 30d).",
        )
        parser.add_argument(
            "--again",
            action="store_true",
            help="Complete a database that is not empty, such as after an error.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        contents = rebuild.contents()
        if contents and not options["again"]:
            found = ", ".join(f"{count} {name}" for name, count in contents.items())
            raise CommandError(
                f"The database is not empty ({found}). Nothing was changed. “rebuild --again” completes it; after restoring "
                "a backup run backfill_events instead."
            )
        try:
            result = rebuild.rebuild(since=options["since"], now=timezone.now(), progress=self.stdout.write)
        except StripeCallError as exc:
            raise CommandError(f"{exc} Run “manage.py rebuild --again”: it continues.") from exc
        self._report(result)
        if result.sessions.failed:
            errors = "; ".join(f"{name}: {error}" for name, error in result.sessions.failed.items())
            raise CommandError(f"These sessions could not be applied: {errors}")

    def _report(self, result: rebuild.Rebuilt) -> None:
        for problem in result.catalog.problems:
            self.stdout.write(self.style.WARNING(problem))
        orders = result.sessions.orders
        external = sum(order.is_external for order in orders)
        refunded = sum(order.state == Order.State.REFUNDED for order in orders)
        self.stdout.write(
            f"Products: {result.catalog}; the counts of {len(result.taken_over)} were taken over."
        )
        self.stdout.write(
            f"Orders: {len(orders) - external} of this shop and {external} of payment links and others, {refunded} refunded."
        )
        adopted, ended = len(result.adoption.adopted), len(result.adoption.ended)
        self.stdout.write(
            f"Open payment pages: {adopted} hold{pluralize(adopted, 's,')} their units, {ended} ended for lack of stock."
        )
        if result.in_doubt:
            self.stdout.write("Paid within seconds of the last update of a count. Compare with the shelf:")
            for line in result.in_doubt:
                self.stdout.write(self.style.WARNING(f"  {line}"))
        self.stdout.write("Stripe does not have, so it is lost:")
        for lost in NOT_AT_STRIPE:
            self.stdout.write(f"  {lost}")
        self.stdout.write("Now start the shop and its worker, and run “manage.py reconcile”.")
