"""manage.py promote_catalog: copy products and prices from one Stripe account or mode into another."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from config.env import API_KEY_FORM, get_secret
from config.stripe_client import PermissionDenied, StripeCallError
from inventory.imports.promotion import Promotion, carry_out, make_plan, same_account
from inventory.management.prompts import ask_to_proceed
from shop.gateway import CatalogAccount, CopiedProduct

MAX_SHOWN = 200
MODES = {"test": "STRIPE_TEST_SECRET_KEY", "live": "STRIPE_LIVE_SECRET_KEY"}
AGAIN = "Run the same command again: it continues, and creates nothing twice."


class Command(BaseCommand):
    help = (
        "Copy products, prices, pictures and metadata from test to live, or between two accounts. Shows what it will do "
        "and asks first; repeating it brings only what has changed. Counts are not copied, unless you ask for it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        key = "test, live, or the name of an environment variable that holds a key"
        parser.add_argument("--from", dest="source", required=True, metavar="ACCOUNT", help=key)
        parser.add_argument("--to", dest="target", required=True, metavar="ACCOUNT", help=key)
        parser.add_argument(
            "--product", action="append", default=[], metavar="ID", help="only this product; may be repeated"
        )
        parser.add_argument(
            "--with-stock",
            action="store_true",
            help="copy counts, too, where the target has none; a count that is there is never replaced",
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask; for scripts")

    def handle(self, *args: Any, **options: Any) -> None:
        source, target = _account(options["source"]), _account(options["target"])
        try:
            theirs, ours = self._read(source, target)
            promotion = make_plan(theirs, ours, only=options["product"], with_stock=options["with_stock"])
            self._show(promotion)
            if options["dry_run"]:
                self.stdout.write("Dry run: nothing was changed.")
            elif promotion.needed:
                if not options["yes"]:
                    mode = "live mode" if target.is_live else "test mode"
                    ask_to_proceed(f"Change the catalog in {mode}?")
                done = carry_out(promotion, target, progress=lambda plan: self._say(f"  done: {plan.name}"))
                self.stdout.write(f"{done} of {len(promotion.needed)} products were copied.")
                self._show_next_steps(promotion, options)
        except StripeCallError as exc:
            raise CommandError(f"{exc} {AGAIN}") from exc
        except KeyboardInterrupt:
            raise CommandError(f"Stopped. {AGAIN}", returncode=130) from None
        if sentences := promotion.failed + promotion.blocked:
            raise CommandError("\n".join(["Not copied:", *map(_printable, sentences)]))

    def _read(
        self, source: CatalogAccount, target: CatalogAccount
    ) -> tuple[list[CopiedProduct], list[CopiedProduct]]:
        refusal = "Both keys belong to the same account and mode."
        has_same_id = False
        if source.is_live == target.is_live:  # Test and live mode of one account may share its id.
            # A restricted key need not read the account; the ids of prices are compared later.
            with suppress(PermissionDenied):
                has_same_id = source.account_id() == target.account_id()
        if source.key == target.key or has_same_id:
            raise CommandError(refusal)
        target.check_rights()
        theirs, ours = source.products(), target.products()
        if same_account(theirs, ours):
            raise CommandError(refusal)
        modes = ["live mode" if each.is_live else "test mode" for each in (source, target)]
        self.stdout.write(
            f"From {modes[0]} ({source.key_name}, {len(theirs)} products) to {modes[1]} ({target.key_name}, "
            f"{len(ours)} products)."
        )
        return theirs, ours

    def _show(self, promotion: Promotion) -> None:
        lines = [f"  will {line}" for plan in promotion.needed for line in plan.lines()]
        for line in lines[:MAX_SHOWN]:
            self._say(line)
        if len(lines) > MAX_SHOWN:
            self.stdout.write(f"  and {len(lines) - MAX_SHOWN} more.")
        for note in promotion.notes:
            self._say(f"  note: {note}")
        new = sum(plan.target is None for plan in promotion.needed)
        same = len(promotion.plans) - len(promotion.needed)
        self.stdout.write(
            f"{new} to create, {len(promotion.needed) - new} to change, {same} as they should be, "
            f"{len(promotion.blocked)} that cannot be copied."
        )

    def _show_next_steps(self, promotion: Promotion, options: dict[str, Any]) -> None:
        new = [plan for plan in promotion.needed if plan.target is None]
        if new and not options["with_stock"]:
            self.stdout.write(
                "The new products have no counts, so they are not for sale yet: enter them in the stock grid, or with "
                "manage.py stock count."
            )
        if settings.SHIPPING_RATES:
            self.stdout.write(
                "Shipping rates are not copied: SHIPPING_RATES must name those of the mode the shop runs in."
            )
        self.stdout.write("A shop that runs with the target's key shows the changes within seconds.")

    def _say(self, line: str) -> None:
        self.stdout.write(_printable(line))


def _account(given: str) -> CatalogAccount:
    # The key is read from the environment: other users of the machine can read a command line.
    if re.fullmatch(API_KEY_FORM, given):
        raise CommandError(
            "A key does not belong on the command line, where others can read it: name the variable that holds it."
        )
    name = MODES.get(given, given)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise CommandError(f"--from and --to are test, live or the name of a variable, not “{given}”.")
    try:
        key = get_secret(name, API_KEY_FORM, "an API key such as sk_test_... or rk_live_...")
    except ImproperlyConfigured as exc:
        raise CommandError(str(exc)) from exc
    if not key and given in MODES and f"_{given}_" in settings.STRIPE_SECRET_KEY:
        name, key = "STRIPE_SECRET_KEY", settings.STRIPE_SECRET_KEY
    if not key:
        raise CommandError(
            f"{name} is not set: put the key of this account into the environment or into .env."
        )
    if given in MODES and f"_{given}_" not in key:
        raise CommandError(f"{name} holds a key of the other mode.")
    return CatalogAccount(key, name)


def _printable(text: str) -> str:
    # Names come from Stripe; control characters could move the cursor of a terminal.
    return "".join(letter for letter in text if letter.isprintable() or letter == "\n")
