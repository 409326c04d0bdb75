"""manage.py connect_stripe: connect the shop to a Stripe account."""

from __future__ import annotations

import getpass
import re
import sys
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from config.env import API_KEY_FORM, write_env_file, write_secret_file
from config.stripe_client import PermissionDenied, StripeCallError
from inventory import gateway
from inventory.management.prompts import ask_to_proceed
from inventory.setup import doctor, endpoint


class Command(BaseCommand):
    help = (
        "Connect the shop to a Stripe account: check the key and its permissions, create or adopt the webhook endpoint, "
        "keep its signing secret, and read the catalog. Shows what it will do and asks first. May be repeated safely."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask; for scripts")
        where = parser.add_mutually_exclusive_group()
        where.add_argument(
            "--env",
            type=Path,
            metavar="FILE",
            help="write the key and the signing secret into this .env file",
        )
        where.add_argument(
            "--secret-file",
            type=Path,
            metavar="FILE",
            help="write the signing secret into this file, for STRIPE_WEBHOOK_SECRET_FILE",
        )
        parser.add_argument("--no-sync", action="store_true", help="do not read the catalog")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["dry_run"] and not options["no_sync"] and doctor.pending_migrations():
            raise CommandError("The database has no tables yet. Run manage.py migrate first.")
        typed = ""
        if not settings.STRIPE_SECRET_KEY:
            if not sys.stdin.isatty():
                raise CommandError("STRIPE_SECRET_KEY is not set.")
            typed = getpass.getpass("Secret or restricted key (sk_... or rk_..., not shown): ").strip()
            if not re.fullmatch(API_KEY_FORM, typed):
                raise CommandError("A key begins with sk_test_, sk_live_, rk_test_ or rk_live_.")
            settings.STRIPE_SECRET_KEY = typed
        try:
            self._check_account()
            planned = endpoint.plan(gateway.webhook_endpoints())
            if planned.changes_nothing:
                self.stdout.write("The webhook endpoint is as it should be.")
            else:
                for line in planned.lines():
                    self.stdout.write(f"  will {line}")
            if options["dry_run"]:
                self.stdout.write("Dry run: nothing was changed.")
                return
            if not planned.changes_nothing and not options["yes"]:
                ask_to_proceed()
            secret = endpoint.apply(planned)
        except StripeCallError as exc:
            hint = ""
            if settings.SITE_URL.partition("://")[2].startswith(("localhost", "127.", "[::1]")):
                hint = (
                    f" SITE_URL is {settings.SITE_URL}, which Stripe cannot reach: set the shop's public URL, or use "
                    "`stripe listen` (see README.md)."
                )
            raise CommandError(f"{exc}{hint}") from exc
        self._keep(typed, secret, options)
        if not options["no_sync"]:
            call_command("sync_catalog", stdout=self.stdout, stderr=self.stderr)
        next_step = "Start the shop again, so that it reads the new settings" if secret or typed else "Done"
        self.stdout.write(f"{next_step}. Then run manage.py doctor.")

    def _check_account(self) -> None:
        # Show the account and its mode. Raises CommandError if the key lacks a permission.
        mode = "live mode" if doctor.is_live() else "test mode"
        try:
            account = gateway.fetch_account()
            self.stdout.write(f"Account {account.name or account.id} ({account.id}), {mode}.")
        except PermissionDenied:
            self.stdout.write(f"A restricted key in {mode}; it may not read the account’s name.")
        names = [*gateway.PERMISSIONS, *gateway.SET_UP_PERMISSIONS]
        results = doctor.call_all({name: partial(gateway.has_permission, name) for name in names}, seconds=20)
        for result in results.values():
            if isinstance(result, StripeCallError):
                raise result
        lacking = [name for name in names if results[name] is not True]
        if lacking:
            raise CommandError(
                f"The key lacks: {', '.join(lacking)}. Grant it at {settings.STRIPE_DASHBOARD}/apikeys, then repeat. "
                f"“{gateway.WEBHOOK_PERMISSION}” is needed for this command only."
            )

    def _keep(self, typed: str, secret: str, options: dict[str, Any]) -> None:
        values = {"STRIPE_SECRET_KEY": typed, "STRIPE_WEBHOOK_SECRET": secret}
        values = {name: value for name, value in values.items() if value}
        if options["env"]:
            if values:
                write_env_file(options["env"], values)
                self.stdout.write(f"Wrote {' and '.join(values)} into {options['env']}.")
        elif secret and options["secret_file"]:
            write_secret_file(options["secret_file"], secret)
            self.stdout.write(f"Wrote the signing secret into {options['secret_file']}.")
        elif secret:
            self.stdout.write(
                f"Put this line into .env; Stripe does not show it again:\nSTRIPE_WEBHOOK_SECRET={secret}"
            )
