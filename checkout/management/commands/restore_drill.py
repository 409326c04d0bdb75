"""manage.py restore_drill: rehearse the restore of a backup, without touching the shop or Stripe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from argparse import SUPPRESS, ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from checkout.recovery.rehearsal import rehearse
from checkout.recovery.scratch import CannotRestore, newest_backup, scratch_database
from config.env import get_str
from config.stripe_client import StripeCallError

MAX_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Rehearse the restore of a backup: restore it into a scratch database, migrate, read from Stripe what is missing, "
        "and report it. Changes neither the shop's database nor Stripe. Exits with 1 if something would still differ."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "backup", nargs="?", type=Path, help="a backup, or a folder, of which the newest file is taken"
        )
        parser.add_argument(
            "--server",
            default="",
            metavar="URL",
            help="PostgreSQL server for the scratch database (default: that of DATABASE_URL)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        # For the process that works on the scratch database.
        parser.add_argument("--rehearse", action="store_true", help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["rehearse"]:
            if not settings.STRIPE_READ_ONLY:
                raise CommandError("--rehearse is for the scratch database only.")
            call_command("migrate", interactive=False, verbosity=0)
            try:
                self.stdout.write(json.dumps(rehearse(timezone.now()).as_json()))
            except StripeCallError as exc:
                raise CommandError(str(exc)) from exc
            return
        if options["backup"] is None:
            raise CommandError("Name a backup, or the folder of the backups.")
        began = time.monotonic()
        try:
            backup = newest_backup(options["backup"])
            with scratch_database(backup, options["server"] or get_str("DATABASE_URL")) as url:
                result = json.loads(_manage(url, "restore_drill", "--rehearse").splitlines()[-1])
        except CannotRestore as exc:
            raise CommandError(str(exc)) from exc
        written_at = datetime.fromtimestamp(backup.stat().st_mtime, UTC)
        result = {
            "backup": str(backup),
            "written_at": written_at.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - began, 1),
            **result,
        }
        if options["json"]:
            self.stdout.write(json.dumps(result, ensure_ascii=False, indent=2))
        else:
            self._report(result)
        if result["differences"]:
            sys.exit(1)

    def _report(self, result: dict[str, Any]) -> None:
        self.stdout.write(f"{result['backup']}: restored and migrated in {result['seconds']} s.")
        self.stdout.write(f"Its newest row is of {result['newest']}; it has {result['orders']} orders.")
        held, ended = result["pages_held"], result["pages_ended"]
        self.stdout.write(f"Open payment pages: {held} would hold their units again, {ended} would be ended.")
        self._list("Orders that Stripe would bring", result["missing_orders"])
        self._list("Counts that Stripe would correct", result["counts"])
        self._list("Counts that would be sent to Stripe", result["to_send"])
        self._list(
            "Sales to compare with the shelf, which Stripe’s counts should include", result["in_doubt"]
        )
        issues = ", ".join(f"{number} × {kind}" for kind, number in result["issues"].items())
        self.stdout.write(f"Issues that would be opened: {issues or 'none'}.")
        self._list("What would still differ", result["differences"])
        self.stdout.write("Neither the shop’s database nor Stripe was changed.")

    def _list(self, title: str, lines: list[str]) -> None:
        self.stdout.write(f"{title}: {len(lines) or 'none'}.")
        for line in lines[:MAX_SHOWN]:
            self.stdout.write(f"  {line}")
        if len(lines) > MAX_SHOWN:
            self.stdout.write(f"  and {len(lines) - MAX_SHOWN} more; --json has all")


def _manage(database_url: str, *arguments: str) -> str:
    # In a process of its own, which knows no other database, cannot change anything at Stripe, and mails nobody.
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL_FILE"}
    environment |= {
        "DATABASE_URL": database_url,
        "STRIPE_READ_ONLY": "True",
        "EMAIL_URL": "dummymail://",
        "LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise CannotRestore(f"{arguments[0]} failed on the copy: {done.stderr.strip()[-1000:]}")
    return done.stdout
