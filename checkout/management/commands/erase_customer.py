"""manage.py erase_customer EMAIL: erase what is stored about a customer, except what the law wants kept."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from checkout.privacy.erasure import erase, plan


class Command(BaseCommand):
    help = "Erase what is stored about a customer. Without --yes, only say what would be erased."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the address that the customer paid with")
        parser.add_argument("--yes", action="store_true", help="erase it")

    def handle(self, *args: Any, **options: Any) -> None:
        email, now = options["email"].strip(), timezone.now()
        found = plan(email, now)
        for order in found.orders:
            kept = f"keeps name and address for {settings.INVOICE_DATA_DAYS} days after the payment"
            self.stdout.write(
                f"Order {order.number}: {kept if order in found.invoices else 'loses all personal data'}"
            )
        for order in found.unfinished:
            self.stdout.write(
                f"Order {order.number}: keeps all, because it is not finished ({order.get_state_display()})"
            )
        self.stdout.write(
            f"Mails: {len(found.mails)}, look-ups: {len(found.lookups)}, Stripe's events: {len(found.events)}, "
            f"issues: {len(found.issues)}"
        )
        if found.unfinished:
            self.stdout.write("Run it again once the other orders are finished.")
        if options["yes"] and found.waiting:
            raise CommandError(
                f"Nothing was changed: {found.waiting} events or mails about this customer still wait or have failed. "
                "Run it again once they are done (admin: Stripe events, Mails to customers)."
            )
        if options["yes"]:
            erase(found, email, now)
            self.stdout.write(self.style.SUCCESS("Erased."))
        else:
            self.stdout.write("Nothing was changed. Run it again with --yes to erase this.")
        self.stdout.write("Stripe keeps its own data: see “Redaction” in Stripe's documentation.")
