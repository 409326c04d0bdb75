"""manage.py rotate_webhook_secret: give the webhook endpoint a new signing secret, in two steps."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from checkout.recovery.backfill import apply_completed, store_events
from config.env import write_env_file, write_secret_file
from config.stripe_client import StripeCallError
from config.stripe_events import EVENTS
from inventory import gateway
from inventory.gateway import WebhookEndpoint
from inventory.setup import endpoint

# Stripe retries a delivery for up to three days; what still waited for the old endpoint is fetched from its list.
RETRIES_LAST = timedelta(days=3, hours=1)


class Command(BaseCommand):
    help = (
        "Rotate the signing secret of the webhook endpoint without losing an event. Run it, restart the shop, and run it "
        "again: first it creates a second endpoint that sends nothing yet, then it exchanges the two."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--env", type=Path, metavar="FILE", help="write the secrets into this .env file")
        where.add_argument(
            "--secret-file",
            type=Path,
            metavar="FILE",
            help="write them into the file of STRIPE_WEBHOOK_SECRET_FILE",
        )
        parser.add_argument(
            "--abort", action="store_true", help="delete the new endpoint and keep the old secret"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.STRIPE_WEBHOOK_SECRETS:
            raise CommandError("STRIPE_WEBHOOK_SECRET is not set. Run manage.py connect_stripe first.")
        try:
            ours = endpoint.ours_among(gateway.webhook_endpoints())
            old = [each for each in ours if not each.rotating]
            new = next((each for each in ours if each.rotating), None)
            if not old:
                raise CommandError("Stripe has no endpoint of this shop. Run manage.py connect_stripe first.")
            if options["abort"]:
                if new is None:
                    raise CommandError("No rotation is under way.")
                gateway.delete_webhook_endpoint(new.id)
                secrets = settings.STRIPE_WEBHOOK_SECRETS
                kept = [each for each in secrets if gateway.fingerprint(each) != new.fingerprint]
                self._keep(kept, options)
                self.stdout.write(f"{new.id} was deleted; the secret stays as it was.")
            elif new is None:
                _id, secret = gateway.create_webhook_endpoint(
                    endpoint.webhook_url(), list(EVENTS), rotating=True
                )
                self._keep([*settings.STRIPE_WEBHOOK_SECRETS, secret], options)
                self.stdout.write(
                    "Now restart the shop, so that it accepts both secrets. Then run this command again."
                )
            else:
                self._finish(old, new, options)
        except StripeCallError as exc:
            raise CommandError(str(exc)) from exc

    def _finish(self, old: list[WebhookEndpoint], new: WebhookEndpoint, options: dict[str, Any]) -> None:
        secret = next(
            (
                each
                for each in settings.STRIPE_WEBHOOK_SECRETS
                if gateway.fingerprint(each) == new.fingerprint
            ),
            "",
        )
        if not secret:
            raise CommandError(
                f"STRIPE_WEBHOOK_SECRET does not contain the secret of {new.id}. Add it and restart the shop, or start "
                "over with --abort."
            )
        if reason := endpoint.ping(secret):
            raise CommandError(
                f"The running shop does not accept the new secret yet: {reason} Restart it and run this command again. "
                "Nothing was changed."
            )
        # Both send for a moment: an event that comes twice is stored once.
        gateway.update_webhook_endpoint(new.id, url=endpoint.webhook_url(), events=list(EVENTS))
        for each in old:
            gateway.delete_webhook_endpoint(each.id)
        since = new.created_at - RETRIES_LAST
        fetched = store_events(since=since) + len(apply_completed(since=since, now=timezone.now()).orders)
        self.stdout.write(
            f"{new.id} has replaced {', '.join(each.id for each in old)}; {fetched} events fetched."
        )
        self._keep([secret], options)
        self.stdout.write("The old secret is no longer used. The next restart removes it from memory.")

    def _keep(self, secrets: list[str], options: dict[str, Any]) -> None:
        joined = ",".join(secrets)
        if options["env"]:
            write_env_file(options["env"], {"STRIPE_WEBHOOK_SECRET": joined})
            self.stdout.write(f"Wrote STRIPE_WEBHOOK_SECRET into {options['env']}.")
        elif options["secret_file"]:
            write_secret_file(options["secret_file"], joined)
            self.stdout.write(f"Wrote STRIPE_WEBHOOK_SECRET into {options['secret_file']}.")
        else:
            self.stdout.write(f"Put this line into .env:\nSTRIPE_WEBHOOK_SECRET={joined}")
